"""A file is replaced in one step: there is the old content or the new one, and nothing else in the folder."""

import json
import resource

import pytest

from contracts.atomic_file import write_atomically


@pytest.mark.parametrize(
    ("content", "written"),
    [("é\n", "é\n".encode()), (b"\x00\xff", b"\x00\xff"), ("", b""), ("half \udc80", b"half \\udc80")],
)
@pytest.mark.parametrize("durable", [False, True])
def test_the_content_is_written_into_a_folder_that_is_created(tmp_path, content, written, durable):
    """Text as UTF-8, bytes as they are."""
    path = tmp_path / "new/folder/file.json"
    path.parent.mkdir(parents=True)
    path.write_text("old")

    write_atomically(path, content, durable=durable)

    assert path.read_bytes() == written
    assert [each.name for each in path.parent.iterdir()] == ["file.json"]


def test_an_unpaired_surrogate_of_json_is_read_back(tmp_path):
    """JSON has it as an escape."""
    value = {"name": "a\ud800"}

    write_atomically(tmp_path / "a.json", json.dumps(value, ensure_ascii=False))

    assert json.loads((tmp_path / "a.json").read_text()) == value


def test_a_full_disk_leaves_the_old_content_alone(tmp_path):
    """The size limit of files stands in for the disk."""
    path = tmp_path / "file"
    path.write_text("old")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, before[1]))
        with pytest.raises(OSError, match="File too large"):
            write_atomically(path, "x" * 5_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)

    assert path.read_text() == "old"
    assert [each.name for each in tmp_path.iterdir()] == ["file"]

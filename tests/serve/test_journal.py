"""No answer that was given is missing from the journal; where it is, /ready says so."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from serve.journal import Journal


def line(n, **row):
    return {"id": f"i{n}", "key": f"k{n}", "row": {"age": n, "pages": 1} | row, "score": 0.5}


@pytest.fixture
def writing(journal, clock):
    return Journal(journal, clock)


def test_a_line_per_answer_and_per_outcome(writing, kept):
    """In files of their own."""
    writing.answers([line(1), line(2)], (), "visitor")
    writing.outcomes([{"id": "i1", "outcome": "yes"}])

    assert [each["id"] for each in kept("answers")] == ["i1", "i2"]
    assert kept("outcomes") == [{"id": "i1", "outcome": "yes"}]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_stays_on_its_line(journal, text):
    """Newlines of every kind among it."""
    shutil.rmtree(journal, ignore_errors=True)
    writing = Journal(journal)
    writing.answers([line(1, campaign=text)], (), "visitor")
    writing.close()
    (path,) = journal.glob("answers-*")

    assert path.read_bytes().count(b"\n") == 1
    assert json.loads(path.read_bytes())["row"]["campaign"] == text


def test_private_fields_never_reach_it(writing, kept, journal):
    """A private key is kept as its hash, with a salt that stays here."""
    writing.answers([line(1), line(1), line(2)], ("visitor", "age"), "visitor")
    first, again, other = kept("answers")

    assert first["row"] == {"pages": 1}
    assert first["key"] == again["key"] != other["key"]
    assert first["key"].startswith("sha256:")
    assert "k1" not in "".join(path.read_text() for path in journal.glob("answers-*"))
    assert (journal / "salt").stat().st_mode & 0o077 == 0


def test_a_hash_is_the_same_after_a_restart_and_another_elsewhere(journal, tmp_path, kept):
    """A visitor stays one visitor, and cannot be looked up by who has another journal."""
    for folder in (journal, journal, tmp_path / "elsewhere"):
        Journal(folder).answers([line(1)], ("visitor",), "visitor")
    one, same = kept("answers")
    (path,) = (tmp_path / "elsewhere").glob("answers-*")

    assert one["key"] == same["key"] != json.loads(path.read_text())["key"]


def test_a_new_day_begins_a_new_file(writing, journal, clock):
    """So that old ones can be put away."""
    writing.answers([line(1)], (), "visitor")
    clock.pass_by(days=1)
    writing.answers([line(2)], (), "visitor")

    assert [path.name[:16] for path in sorted(journal.glob("answers-*"))] == [
        "answers-20260301", "answers-20260302",
    ]  # fmt: skip


def test_a_folder_that_cannot_be_written_costs_no_answer_but_is_counted(journal, clock):
    """A file is where the folder should be."""
    journal.write_text("")
    writing = Journal(journal, clock)

    assert writing.answers([line(1), line(2)], (), "visitor") is False
    assert writing.state()["lost"] == 2
    assert str(journal) in writing.state()["why"]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_disk_is_counted_and_writing_goes_on_when_there_is_room(writing, journal, kept):
    """The first file is one that is always full."""
    writing.answers([line(1)], (), "visitor")
    writing._files["answers"]._file = os.open("/dev/full", os.O_WRONLY)
    assert writing.answers([line(2)], (), "visitor") is False
    assert writing.state()["why"].endswith(os.strerror(28))
    writing._files.clear()
    writing.answers([line(3)], (), "visitor")

    assert writing.state()["lost"] == 1
    assert [each["id"] for each in kept("answers")] == ["i1", "i3"]


def test_a_torn_line_never_runs_into_the_next(writing, journal):
    """A disk that took half of a line."""
    writing.answers([line(1)], (), "visitor")
    segment = writing._files["answers"]
    os.write(segment._file, b'{"id": "to')
    segment._torn = True
    writing.answers([line(2)], (), "visitor")
    (path,) = journal.glob("answers-*")

    first, torn, last = path.read_text().splitlines()
    assert json.loads(first)["id"] == "i1"
    assert json.loads(last)["id"] == "i2"
    assert torn == '{"id": "to'


def test_a_file_that_was_deleted_is_noticed(writing, journal, kept):
    """Somebody tidied up under a running scorer."""
    writing.answers([line(1)], (), "visitor")
    shutil.rmtree(journal)
    writing.answers([line(2)], (), "visitor")

    assert [each["id"] for each in kept("answers")] == ["i2"]


def test_threads_write_whole_lines(writing, kept):
    """None inside another."""

    def write(n):
        for i in range(50):
            writing.answers([line(n * 100 + i, campaign="x" * 500)], (), "visitor")

    threads = [threading.Thread(target=write, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len({each["id"] for each in kept("answers")}) == 200


def test_a_kill_loses_no_line_that_was_told(journal, kept, root):
    """The process says an id when its line is written; then it is killed in the middle of things."""
    code = (
        "import sys; from pathlib import Path; from serve.journal import Journal\n"
        "journal = Journal(Path(sys.argv[1]))\n"
        "n = 0\n"
        "while True:\n"
        "    journal.answers([{'id': n, 'row': {}, 'key': ''}], (), 'visitor')\n"
        "    print(n, flush=True)\n"
        "    n += 1\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(journal)], cwd=root, stdout=subprocess.PIPE, text=True
    ) as process:
        for _ in range(2000):
            last = int(process.stdout.readline())
        process.send_signal(signal.SIGKILL)

    assert [each["id"] for each in kept("answers")][: last + 1] == list(range(last + 1))

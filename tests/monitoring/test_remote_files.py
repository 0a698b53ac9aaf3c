"""A journal is read where it lies: in a folder, or behind any URL that fsspec can open."""

import pytest

from monitoring.journal.remote_files import journal_at
from monitoring.journal.window import JournalError


def test_a_folder_is_read_in_place(tmp_path):
    """Nothing is copied."""
    with journal_at(str(tmp_path)) as folder:
        assert folder == tmp_path


def test_what_a_url_names_is_read_where_it_lies(tmp_path):
    """The segments and what they became, and nothing else that lies there."""
    day = "day=2026-03-01/kind=answers"
    (tmp_path / day).mkdir(parents=True)
    names = ("answers-1.jsonl", "outcomes-1.jsonl", "salt", f"{day}/answers-0.parquet")
    for name in names:
        (tmp_path / name).write_text(name)
    with journal_at(f"file://{tmp_path}/") as place:
        assert place.days() == ["2026-03-01"]
        assert sorted(place.names("")) == ["answers-1.jsonl", "outcomes-1.jsonl"]
        assert place.names("2026-03-01") == [names[-1]]
        with place.open(names[-1]) as file:
            assert file.read().decode() == names[-1]


@pytest.mark.parametrize("where", ["nosuch://bucket/journal", "s3://bucket/journal"])
def test_a_url_that_cannot_be_opened_is_said(where, monkeypatch):
    """With its name: a scheme nobody knows, or a bucket to which nobody has a key."""
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")  # a machine in a cloud would be asked
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    with pytest.raises(JournalError, match=where), journal_at(where):
        pass

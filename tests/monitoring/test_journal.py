"""A journal is read where it lies: in a folder, or behind any URL that fsspec can open."""

import pytest

from monitoring.journal import journal_at
from monitoring.window import JournalError


def test_a_folder_is_read_in_place(tmp_path):
    """Nothing is copied."""
    with journal_at(str(tmp_path)) as folder:
        assert folder == tmp_path


def test_what_a_url_names_is_brought_here_and_gone_afterwards(tmp_path):
    """The segments, and nothing else that lies there."""
    for name in ("answers-1.jsonl", "outcomes-1.jsonl", "salt"):
        (tmp_path / name).write_text(name)
    with journal_at(f"file://{tmp_path}/") as folder:
        assert {path.name: path.read_text() for path in folder.iterdir()} == {
            "answers-1.jsonl": "answers-1.jsonl", "outcomes-1.jsonl": "outcomes-1.jsonl",
        }  # fmt: skip

    assert not folder.exists()


@pytest.mark.parametrize("where", ["nosuch://bucket/journal", "s3://bucket/journal"])
def test_a_url_that_cannot_be_opened_is_said(where):
    """With its name: a scheme nobody knows, or one whose package is not installed."""
    with pytest.raises(JournalError, match=where), journal_at(where):
        pass

"""A journal in a folder, or behind a URL that fsspec can open."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from contracts.journal_format import Place
from model.source_profile.remote_journal import place_at
from monitoring.journal.window import JournalError


@contextmanager
def journal_at(where: str) -> Iterator[Path | Place]:
    """The journal at *where*: a folder, or any URL that fsspec can open.

    Raises `JournalError` if it cannot be reached.
    """
    if "://" not in where:
        yield Path(where)
        return
    try:
        place = place_at(where)
    except OSError as error:
        raise JournalError(str(error)) from error
    yield place

"""A journal that lies elsewhere, read where it lies: the files that are asked for, no others."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

import fsspec

from contracts.journal_format import DAYS, SEGMENTS, WITHIN, Place
from monitoring.journal.window import JournalError


class Behind:
    """A journal behind a URL that fsspec can open. What an fsspec raises comes as OSError."""

    def __init__(self, where: str) -> None:
        #: For who reads files by themselves.
        self.filesystem: Any
        self.filesystem, root = fsspec.url_to_fs(where)
        self._root = root.rstrip("/")

    def days(self) -> list[str]:
        """From the folders' names."""
        return [name.removeprefix("day=") for name in self._found(DAYS)]

    def names(self, day: str) -> list[str]:
        """A page of a listing or two."""
        return self._found(WITHIN.format(day) if day else SEGMENTS)

    def open(self, name: str) -> BinaryIO:
        """One of them; of Parquet, only the columns asked for come over."""
        return cast("BinaryIO", self.filesystem.open(f"{self._root}/{name}", "rb"))

    def url(self, name: str) -> str:
        """With its scheme."""
        return str(self.filesystem.unstrip_protocol(f"{self._root}/{name}"))

    def _found(self, pattern: str) -> list[str]:
        self.filesystem.invalidate_cache()
        found = self.filesystem.glob(f"{self._root}/{pattern}")
        return [name.removeprefix(f"{self._root}/") for name in found]


@contextmanager
def journal_at(where: str) -> Iterator[Path | Place]:
    """The journal at *where*: a folder, or any URL that fsspec can open.

    Raises `JournalError` if it cannot be reached.
    """
    if "://" not in where:
        yield Path(where)
        return
    try:
        place = Behind(where)
        place.days()
    # Each kind of storage has errors of its own, for a wrong name, key or network.
    except Exception as error:
        raise JournalError(f"the journal at {where} cannot be read: {error}") from error
    yield place

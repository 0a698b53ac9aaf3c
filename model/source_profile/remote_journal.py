"""A journal behind a URL that fsspec can open; only the files that are needed are read."""

from __future__ import annotations

from pathlib import Path
from typing import Any, BinaryIO, cast

import fsspec

from contracts.journal_format import DAYS, SEGMENTS, WITHIN, Folder, Place


class RemoteJournal:
    """A journal behind a URL, as a `Place`."""

    def __init__(self, where: str) -> None:
        #: For readers that open files themselves.
        self.filesystem: Any
        self.filesystem, root = fsspec.url_to_fs(where)
        self._root = root.rstrip("/")

    def days(self) -> list[str]:
        """The days, from the names of folders."""
        return [name.removeprefix("day=") for name in self._glob(DAYS)]

    def names(self, day: str) -> list[str]:
        """The files of a *day*; of "" the segments."""
        return self._glob(WITHIN.format(day) if day else SEGMENTS)

    def open(self, name: str) -> BinaryIO:
        """Open a file; of Parquet, only the columns that are read are transferred."""
        return cast("BinaryIO", self.filesystem.open(f"{self._root}/{name}", "rb"))

    def url(self, name: str) -> str:
        """The URL of a file, with its scheme."""
        return str(self.filesystem.unstrip_protocol(f"{self._root}/{name}"))

    def _glob(self, pattern: str) -> list[str]:
        self.filesystem.invalidate_cache()
        paths = self.filesystem.glob(f"{self._root}/{pattern}")
        return [name.removeprefix(f"{self._root}/") for name in paths]


def place_at(where: str) -> Place:
    """The journal at *where*: a folder, or any URL that fsspec can open. Raises OSError if it cannot be reached."""
    if "://" not in where:
        if not Path(where).is_dir():
            raise FileNotFoundError(f"there is no journal at {where}; the scorer's --journal names it")
        return Folder(Path(where))
    try:
        place = RemoteJournal(where)
        place.days()
    except Exception as error:  # each kind of storage raises other exceptions for a wrong name, key or network
        raise OSError(f"the journal at {where} cannot be read: {error}") from error
    return place

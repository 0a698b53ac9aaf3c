"""A journal that lies elsewhere, read where it lies: the files that are asked for, no others."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

import fsspec

from monitoring.partitions import Place
from monitoring.window import JournalError


class Behind:
    """A journal behind a URL that fsspec can open. What an fsspec raises comes as OSError."""

    def __init__(self, where: str) -> None:
        #: For who reads files by themselves.
        self.filesystem: Any
        self.filesystem, root = fsspec.url_to_fs(where)
        self._root = root.rstrip("/")

    def names(self) -> list[str]:
        """Segments, and Parquet of any day."""
        self.filesystem.invalidate_cache()
        found = [
            name
            for kind in ("*.jsonl", "day=*/kind=*/*.parquet")
            for name in self.filesystem.glob(f"{self._root}/{kind}")
        ]
        return [name.removeprefix(f"{self._root}/") for name in found]

    def open(self, name: str) -> BinaryIO:
        """One of them; of Parquet, only the columns asked for come over."""
        return cast("BinaryIO", self.filesystem.open(f"{self._root}/{name}", "rb"))

    def url(self, name: str) -> str:
        """With its scheme."""
        return str(self.filesystem.unstrip_protocol(f"{self._root}/{name}"))


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
        place.names()
    # Each kind of storage has errors of its own, for a wrong name, key or network.
    except Exception as error:
        raise JournalError(f"the journal at {where} cannot be read: {error}") from error
    yield place

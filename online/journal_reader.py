"""What is new in a journal, by the time at which its files were begun: open segments, closed ones, and Parquet files.

Segments are read as far as their last whole line, and go on from there. A Parquet file has the lines of the segment with
its name, of which those that were read are left out. Parquet and URLs need pyarrow and fsspec, which the scorer's
environment does not have; there, segments alone are read.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

KINDS = ("answers", "outcomes")
#: Bytes that are read at once of a segment.
CHUNK = 4 * 2**20
#: The columns that are read of Parquet, besides those of slices.
NAMES = ("id", "at", "arm", "version", "key", "score", "plain", "outcome")


class JournalError(OSError):
    """A journal cannot be read."""


class Portion(NamedTuple):
    """New lines of a *kind*, of a file *begun* then; None for a line that is not JSON."""

    kind: str
    begun: datetime
    lines: Iterable[Any]


class JournalReader:
    """Reads the journal at *where*, a folder or a URL, from files begun at *since* on; *fields* are the slices."""

    def __init__(self, where: str, fields: Iterable[str], since: datetime | None = None) -> None:
        self.where, self._fields = where, [f"row.{name}" for name in fields]
        self._since = since or datetime.min.replace(tzinfo=UTC)
        self._folder = None if "://" in where else Path(where)
        #: By the names of files without suffix: bytes read of the segment, and lines.
        self._bytes: dict[str, int] = {}
        self._lines: dict[str, int] = {}
        self._whole: set[str] = set()
        self._place, self._format = self._parquet()

    def portions(self) -> Iterator[Portion]:
        """What is new since the last time, the files that were begun first before the others. Raises `JournalError`."""
        try:
            found = self._listed()
        except OSError as error:
            raise JournalError(f"the journal {self.where} cannot be read: {error}") from error
        for begun, stem, part in sorted(found, key=lambda each: each[:2]):
            yield Portion(stem.partition("-")[0], begun, self._new_lines(stem, part))

    def _listed(self) -> list[tuple[datetime, str, Any]]:
        """Files with what may be new: begun, name without suffix, and its path or its part of the journal."""
        found: dict[str, Any] = {}
        if self._format is not None:
            for kind in KINDS:
                for part in self._format.parts(self._place, kind):
                    if part.stem not in self._whole:
                        found[part.stem] = part
        if self._folder is not None:
            segments = {path.stem: path for path in self._folder.glob("*-*.jsonl") if path.stem.split("-")[0] in KINDS}
            found |= {stem: path for stem, path in segments.items() if path.stat().st_size > self._bytes.get(stem, 0)}
            found = {stem: each for stem, each in found.items() if stem not in segments or isinstance(each, Path)}
        begun = {stem: _begun(stem) for stem in found}
        return [(at, stem, found[stem]) for stem, at in begun.items() if at is not None and at >= self._since]

    def _new_lines(self, stem: str, part: Any) -> Iterator[Any]:
        if isinstance(part, Path):
            yield from self._of_segment(stem, part)
            return
        lines = self._format.lines(self._place, part, {*NAMES, *self._fields})
        read = self._lines.get(stem, 0)
        yield from islice(lines, read, None)
        self._whole.add(stem)

    def _of_segment(self, stem: str, path: Path) -> Iterator[Any]:
        try:
            with path.open("rb") as file:
                file.seek(self._bytes.get(stem, 0))
                rest = b""
                while chunk := file.read(CHUNK):
                    whole, newline, rest = (rest + chunk).rpartition(b"\n")
                    for line in whole.split(b"\n") if newline else ():
                        if line:
                            self._lines[stem] = self._lines.get(stem, 0) + 1
                            yield _parsed(line)
                    self._bytes[stem] = file.tell() - len(rest)
        except FileNotFoundError:  # it became Parquet since it was listed
            return

    def _parquet(self) -> tuple[Any, Any]:
        """The place of Parquet files, and the module that reads them; None where it is not installed."""
        try:
            reader = import_module("contracts.journal_format")
            if self._folder is not None:
                return reader.Folder(self._folder), reader
            return import_module("model.source_profile.remote_journal").place_at(self.where), reader
        except ModuleNotFoundError as error:
            if self._folder is not None:
                return None, None
            raise JournalError(
                f"{self.where} is a URL, and the package {error.name} is not installed here; type:"
                " .venv/work/bin/python -m online learn ..."
            ) from error


def _begun(stem: str) -> datetime | None:
    try:
        return datetime.strptime(stem.split("-")[1], "%Y%m%dT%H%M%S%f").replace(tzinfo=UTC)
    except (IndexError, ValueError):
        return None


def _parsed(line: bytes) -> Any:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None

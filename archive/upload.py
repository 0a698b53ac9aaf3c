"""Uploads a journal: closed segments become Parquet files, which are copied to a folder or bucket.

Each file arrives at least once, and exists there once: it keeps its name, so a second upload replaces
the first. A marker in the journal records each upload; after a kill, the next run continues from the
markers. What cannot be uploaded is reported, and tried again by the next run.
"""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import fsspec
from fsspec.implementations.local import LocalFileSystem

from archive.closed_segments import segments
from archive.parquet import convert
from archive.retention import marker, partitions
from serve.journal.segments import SHIPPED, STATE

#: Where a file appears only when it is complete; elsewhere it is uploaded under another name and renamed.
ATOMIC_SCHEMES = {"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl"}


@dataclass
class Round:
    """What one run did: files that were made, sent, or there already though their marker was lost."""

    converted: int = 0
    sent: int = 0
    there: int = 0
    problems: list[str] = field(default_factory=list)


class Shipping:
    """Uploads the journal in *folder* to the URL *to*. Raises ValueError, ImportError or OSError."""

    def __init__(self, folder: Path, to: str) -> None:
        self.folder, self.to = folder, to.rstrip("/")
        self._files, self._root = fsspec.url_to_fs(self.to)
        self._whole = self.to.partition("://")[0] in ATOMIC_SCHEMES
        local = isinstance(self._files, LocalFileSystem)
        if local and Path(self._root).resolve() == folder.resolve():
            raise ValueError("it is the journal itself")

    def once(self) -> Round:
        """Convert the closed segments, and upload what has not arrived."""
        found, left = Round(), 0
        self._files.invalidate_cache()  # others may write there
        for segment in segments(self.folder):
            try:
                found.converted += len(convert(segment))
            except Exception as error:  # one that cannot be read must not hold up the others
                problem = f"{segment.name} stays as it is: {type(error).__name__}: {error}"
                found.problems.append(problem)
        for path in partitions(self.folder):
            mark = marker(self.folder, path)
            if _arrived(mark, self.to):
                continue
            try:
                place = f"{self._root}/{path.relative_to(self.folder).as_posix()}"
                if self._is_there(path, place):
                    found.there += 1
                else:
                    self._send(path, place)
                    found.sent += 1
                _replace(mark, {"to": self.to, "bytes": path.stat().st_size})
            except Exception as error:  # each kind of storage has its own errors
                problem = f"{path.name} did not arrive: {type(error).__name__}: {error}"
                found.problems.append(problem)
                left += 1
        with suppress(OSError):
            _replace(self.folder / SHIPPED / STATE, {"to": self.to, "left": left})
        return found

    def _send(self, path: Path, place: str) -> None:
        if self._whole:
            self._files.put_file(str(path), place)
        else:
            parent, _, name = place.rpartition("/")
            self._files.makedirs(parent, exist_ok=True)
            draft = f"{parent}/.{name}-work"
            self._files.put_file(str(path), draft)
            self._files.mv(draft, place)
        size = self._files.info(place)["size"]
        if size != path.stat().st_size:
            raise OSError(f"{path.stat().st_size:,} bytes were sent and {size:,} are there")

    def _is_there(self, path: Path, place: str) -> bool:
        """Whether *place* is known to hold the bytes of *path*: its ETag, in one piece, is their MD5."""
        try:
            there: dict[str, Any] = self._files.info(place)
        except FileNotFoundError:
            return False
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False))
        return str(there.get("ETag", "")).strip('"') == digest.hexdigest()


def _arrived(mark: Path, to: str) -> bool:
    try:
        return bool(json.loads(mark.read_bytes())["to"] == to)
    except (OSError, ValueError, KeyError, TypeError):
        return False  # not uploaded, uploaded elsewhere, or a marker that a crash left incomplete


def _replace(path: Path, content: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}-{os.getpid()}")
    draft.write_text(json.dumps(content) + "\n")
    draft.replace(path)

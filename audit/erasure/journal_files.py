"""Erases lines from a journal's files: from segments in their place, from Parquet files by new files.

A segment may be open: its scorer appends, and relies on what it wrote being there. So the bytes of a line are replaced by
line ends, which every reader passes over; no other byte moves. A Parquet file is replaced atomically.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from archive.closed_segments import kind_of, segments
from archive.parquet import FORMS
from archive.retention import partitions
from audit.erasure.erased_key import ErasedKey
from serve.journal.segments import lock, sync_folder

#: Kinds with a line for each answer; and outcomes, which are found by the answers' ids.
ANSWERS, OUTCOMES = ("answers", "shadow"), "outcomes"


class JournalFile(NamedTuple):
    """A file of a journal with lines of a *kind*."""

    path: Path
    kind: str

    @property
    def is_segment(self) -> bool:
        """Whether it has lines of JSON."""
        return self.path.suffix == ".jsonl"


def listed(journal: Path) -> list[JournalFile]:
    """The files of *journal* that have answers or outcomes; none where there is no such folder."""
    every = [*segments(journal), *partitions(journal)]
    return [JournalFile(path, kind_of(path)) for path in every if kind_of(path) in (*ANSWERS, OUTCOMES)]


def ids_in(file: JournalFile, key: ErasedKey) -> Iterator[str]:
    """The ids of the answers about *key* in a file. Raises OSError."""
    lines = _of_segment(file.path) if file.is_segment else _of_parquet(file.path)
    for _, line in lines:
        if isinstance(line, dict) and line.get("key") in key.spelt and isinstance(line.get("id"), str):
            yield line["id"]


def erase(file: JournalFile, key: ErasedKey, *, dry: bool) -> int:
    """Erase the lines of a file that are about *key*, and return how many they are. Raises OSError."""
    wanted = key.is_outcome if file.kind == OUTCOMES else key.is_answer
    if file.is_segment:
        return _erase_segment(file.path, wanted, key, dry=dry)
    return _erase_parquet(file.path, wanted, key, dry=dry)


def _erase_segment(path: Path, wanted: Callable[[Any], bool], key: ErasedKey, *, dry: bool) -> int:
    count = 0
    number = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        # A closed one is not converted meanwhile. An open one cannot be locked: its scorer has the lock.
        lock(number)
        for place, content, line in _placed(path):
            if wanted(line) or (line is None and key.is_in(content)):
                count += 1
                if not dry:
                    os.pwrite(number, b"\n" * len(content), place)
        if count and not dry:
            os.fsync(number)
    finally:
        os.close(number)
    return count


def _placed(path: Path) -> Iterator[tuple[int, bytes, Any]]:
    """Each line with its place in the file; None for one that is not JSON."""
    place = 0
    with path.open("rb") as file:
        for content in file:
            if content.strip():
                yield place, content, _parsed(content)
            place += len(content)


def _of_segment(path: Path) -> Iterator[tuple[bytes, Any]]:
    return ((content, line) for _, content, line in _placed(path))


def _erase_parquet(path: Path, wanted: Callable[[Any], bool], key: ErasedKey, *, dry: bool) -> int:
    lines = [*_of_parquet(path)]
    kept = [not (wanted(line) or (line is None and key.is_in(content))) for content, line in lines]
    count = len(kept) - sum(kept)
    if count and not dry:
        draft = path.with_name(f".{path.name}-work")
        pq.write_table(table_of(path).filter(kept), draft, compression="zstd")
        replace(draft, path)
    return count


def _of_parquet(path: Path) -> Iterator[tuple[bytes, Any]]:
    """The key and the id of each line; what has no columns is parsed."""
    try:
        whole = pq.ParquetFile(path)
        if FORMS not in (whole.schema_arrow.metadata or {}):
            raise ValueError("it is not a file of a journal")
        there = {*whole.schema_arrow.names}
        columns = {
            name: whole.read(columns=[name]).column(0).to_pylist() for name in ("key", "id", "line") if name in there
        }
    except (pa.ArrowException, ValueError) as error:
        raise OSError(f"{path} cannot be read: {error}") from error
    for place in range(whole.metadata.num_rows):
        raw = columns["line"][place]
        if raw is not None:
            yield raw, _parsed(raw)
        else:
            yield b"", {name: columns[name][place] for name in ("key", "id") if name in columns}


def table_of(path: Path) -> pa.Table:
    """The content of a Parquet file. Raises OSError."""
    try:
        return pq.read_table(path, partitioning=None)
    except (pa.ArrowException, ValueError) as error:
        raise OSError(f"{path} cannot be read: {error}") from error


def replace(draft: Path, path: Path) -> None:
    """Put *draft* at *path*: on the disk, and whole or not at all."""
    with draft.open("rb") as file:
        os.fsync(file.fileno())
    draft.chmod(path.stat().st_mode & 0o777)
    draft.replace(path)
    sync_folder(path.parent)


def _parsed(content: bytes) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None

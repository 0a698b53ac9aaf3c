"""The whole lines of a journal, file by file: segments, and Parquet files where pandas and pyarrow are installed.

The scorer's environment has neither, so there what was converted to Parquet cannot be read; `unread` says so.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

Line = Mapping[str, Any]


class _Every(frozenset[str]):
    """All columns."""

    def __contains__(self, _: object) -> bool:
        return True


EVERY: Collection[str] = _Every()


def lines(journal: Path, kind: str, names: Collection[str] = EVERY) -> Iterator[Line]:
    """The lines of *kind*, the files that were begun first before the others; of Parquet the columns *names*."""
    for file in files(journal, kind, names):
        yield from file


def files(journal: Path, kind: str, names: Collection[str] = EVERY) -> Iterator[Iterator[Line]]:
    """As `lines`, one iterator for each file: each was written by one process, in order."""
    if _has_parquet(journal) and not unread(journal):
        from contracts.journal_format import Folder, parts  # noqa: PLC0415  # the scorer has no pyarrow
        from contracts.journal_format import lines as lines_of  # noqa: PLC0415

        place = Folder(journal)
        for part in parts(place, kind):
            yield (line for line in lines_of(place, part, names) if line is not None)
    else:
        for path in sorted(journal.glob(f"{kind}-*.jsonl")):
            with path.open("rb") as file:
                yield _parsed(file)


def unread(journal: Path) -> str:
    """What to type where the journal has Parquet files, and this environment cannot read them; "" else."""
    if _has_parquet(journal) and not importlib.util.find_spec("pyarrow"):
        return "; its Parquet files are read in the environment work: .venv/work/bin/python -m audit …"
    return ""


def _has_parquet(journal: Path) -> bool:
    return any(journal.glob("day=*"))


def _parsed(file: Iterable[bytes]) -> Iterator[Line]:
    for line in file:
        try:
            found = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(found, dict):
            yield found

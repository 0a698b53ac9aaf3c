"""Which files of a journal are closed: no scorer writes to them any more."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from serve.journal.segments import SUFFIX, lock


def kind_of(path: Path) -> str:
    """What the lines of a segment, or of a file made from it, are: answers, outcomes, shadow, service."""
    return path.name.partition("-")[0]


def segments(folder: Path) -> list[Path]:
    """Every segment in *folder*, open or closed, sorted by name."""
    return sorted(folder.glob(f"*-*{SUFFIX}"))


@contextmanager
def closed(path: Path) -> Iterator[bool]:
    """Whether *path* exists and is closed; if so, it is locked meanwhile."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        yield False
        return
    try:
        yield lock(file) and os.fstat(file).st_nlink > 0
    finally:
        os.close(file)

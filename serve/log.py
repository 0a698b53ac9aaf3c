"""The scorer's log: lines on stderr."""

from __future__ import annotations

import sys
from contextlib import suppress


def log(words: str) -> None:
    """Write a line, or drop it if it cannot be written: answers do not depend on the disk or pipe of the log."""
    with suppress(OSError, ValueError):  # ValueError: it is closed
        print(words, file=sys.stderr, flush=True)

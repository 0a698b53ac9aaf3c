"""The scorer's log: lines on stderr."""

from __future__ import annotations

import sys
from contextlib import suppress


def log(words: str) -> None:
    """Write a line. One that cannot be written is dropped: answers do not depend on the log's disk or pipe."""
    with suppress(OSError, ValueError):  # ValueError: it is closed
        print(words, file=sys.stderr, flush=True)

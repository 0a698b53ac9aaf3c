"""Which ids were answered, and which outcomes told, lately: a memory that all workers share.

It only says of an outcome whether it is repeated or unknown; outcomes are kept all the same. A
file in the journal's folder, mapped into every worker, so it outlives them: two tables of digests,
each id at one place, where a newer one takes an older one's. An id that is forgotten, or that
another machine answered, is unknown here.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterable
from hashlib import blake2b
from pathlib import Path

#: Places in each table: some 250,000 ids, of which the later half is remembered well.
PLACES = 2**18
#: Characters of an id that the scorer makes up: hexadecimal, and random enough as it is.
OURS = 32
_SIZE = 2 * 8 * PLACES


class Known:
    """The memory in the file *path*; where that cannot be written, one of this process alone."""

    def __init__(self, path: Path) -> None:
        tables = memoryview(_mapped(path)).cast("Q")
        self._answered, self._told = tables[:PLACES], tables[PLACES:]

    def answered(self, ids: Iterable[str]) -> None:
        """Remember that *ids* were answered."""
        table = self._answered
        for id_ in ids:
            digest = _digest(id_)
            table[digest % PLACES] = digest

    def tell(self, ids: Iterable[str]) -> tuple[int, int]:
        """Remember that outcomes of *ids* were told; how many were told before, and are unknown."""
        repeated = unknown = 0
        for id_ in ids:
            digest = _digest(id_)
            place = digest % PLACES
            again = self._told[place] == digest
            repeated += again
            unknown += not again and self._answered[place] != digest
            self._told[place] = digest
        return repeated, unknown


def _digest(id_: str) -> int:
    if len(id_) == OURS:
        try:
            number = int(id_, 16)
        except ValueError:
            pass
        else:
            return (number ^ number >> 64) % 2**64 or 1
    text = id_.encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(text, digest_size=8).digest(), "big") or 1


def _mapped(path: Path) -> mmap.mmap:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a+b") as file:
            # A hole that a full disk cannot fill would end the process at the first write into it.
            os.posix_fallocate(file.fileno(), 0, _SIZE)
            return mmap.mmap(file.fileno(), _SIZE)
    except (OSError, ValueError):
        return mmap.mmap(-1, _SIZE)

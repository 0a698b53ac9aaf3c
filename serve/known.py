"""Which ids were answered, and which outcomes told, lately: a memory that all workers share.

It only says of an outcome whether it is late, repeated or unknown; outcomes are kept all the same.
A file in the journal's folder, mapped into every worker, so it outlives them, and no day of the
journal need be read: two tables of digests, in shelves of a few, where the newest takes the place
of the oldest. What a digest's shelf says of it is not kept again; the hour of the answer is, in its
stead. An id that is forgotten, or that another machine answered, is unknown here.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterable, Sequence
from datetime import datetime
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

#: Shelves in each table, and places on each: of the last 100,000 ids 99 in 100 are remembered.
SHELVES, PLACES = 2**15, 8
#: Hours after which an outcome is late: its day has been looked at without it.
LATE = 24
#: Characters of an id that the scorer makes up: hexadecimal, and random enough as it is.
OURS = 32
#: Ids from which on it is quicker to look at all of them at once.
MANY = 64
Digests = np.ndarray[Any, np.dtype[np.uint64]]
_TABLE = SHELVES * PLACES
_SIZE = 2 * 8 * _TABLE


class Found(NamedTuple):
    """Of how many ids the outcome is late, told before, or of nothing that is known here."""

    late: int
    repeated: int
    unknown: int


class Known:
    """The memory in the file *path*; where that cannot be written, one of this process alone."""

    def __init__(self, path: Path) -> None:
        tables = memoryview(_mapped(path)).cast("Q")
        self._answered, self._told = tables[:_TABLE], tables[_TABLE:]
        self._hour = ("", 0)

    def answered(self, ids: Iterable[str], at: str) -> None:
        """Remember that *ids* were answered *at* a moment, as the journal writes it."""
        _put(self._answered, _digests([*ids]), self._hour_of(at))

    def tell(self, ids: Iterable[str], at: str) -> Found:
        """Remember that outcomes of *ids* were told *at* a moment; what they were."""
        late = repeated = unknown = 0
        hour = self._hour_of(at)
        for id_ in ids:
            digest = _digest(id_)
            answered = _find(self._answered, digest)
            if _find(self._told, digest) is not None:
                repeated += 1
                continue
            _put(self._told, [digest], hour)
            if answered is None:
                unknown += 1
            else:
                late += LATE < (hour - answered) % SHELVES < SHELVES // 2  # or a clock was set back
        return Found(late, repeated, unknown)

    def _hour_of(self, at: str) -> int:
        if at[:13] != self._hour[0]:
            moment = datetime.fromisoformat(at[:13] + ":00Z")
            self._hour = at[:13], int(moment.timestamp()) // 3600 % SHELVES
        return self._hour[1]


def _put(table: memoryview, digests: Sequence[int], hour: int) -> None:
    if len(digests) >= MANY:
        _put_many(np.asarray(table).reshape(SHELVES, PLACES), np.array(digests, np.uint64), hour)
        return
    for digest in digests:
        shelf = digest % SHELVES
        first = shelf * PLACES
        table[first + 1 : first + PLACES] = table[first : first + PLACES - 1]
        table[first] = digest - shelf + hour


def _put_many(table: Digests, digests: Digests, hour: int) -> None:
    """As one by one: no shelf is written to twice at once, and each gets its own in their order."""
    while len(digests):
        shelves, first = np.unique(digests % np.uint64(SHELVES), return_index=True)
        table[shelves, 1:] = table[shelves, :-1]
        table[shelves, 0] = digests[first] - shelves + np.uint64(hour)
        digests = np.delete(digests, first)


def _find(table: memoryview, digest: int) -> int | None:
    """The hour that is kept with *digest*, the newest."""
    first = digest % SHELVES * PLACES
    for kept in table[first : first + PLACES].tolist():
        if kept ^ digest < SHELVES:
            return int(kept % SHELVES)
    return None


def _digests(ids: Sequence[str]) -> list[int]:
    if len(ids) >= MANY and set(map(len, ids)) == {OURS}:
        try:
            halves = np.frombuffer(bytes.fromhex("".join(ids)), ">u8").astype(np.uint64)
        except ValueError:
            pass
        else:
            if len(halves) == 2 * len(ids):  # a blank is no digit, though it is passed over
                found: list[int] = np.maximum(halves[::2] ^ halves[1::2], SHELVES).tolist()
                return found
    return [*map(_digest, ids)]


def _digest(id_: str) -> int:
    """A number below 2**64, and not below `SHELVES`: an empty place is nobody's."""
    if len(id_) == OURS:
        try:
            number = int(id_, 16)
        except ValueError:
            pass
        else:
            return max((number ^ number >> 64) % 2**64, SHELVES)
    text = id_.encode("utf-8", "surrogatepass")
    return max(int.from_bytes(blake2b(text, digest_size=8).digest(), "big"), SHELVES)


def _mapped(path: Path) -> mmap.mmap:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a+b") as file:
            # A hole that a full disk cannot fill would end the process at the first write into it.
            os.posix_fallocate(file.fileno(), 0, _SIZE)
            return mmap.mmap(file.fileno(), _SIZE)
    except (OSError, ValueError):
        return mmap.mmap(-1, _SIZE)

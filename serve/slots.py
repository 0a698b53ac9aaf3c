"""One worker's counts: slots in a file mapped into memory, so that a kill loses none of them.

A file holds the slots (doubles), the names of the series in them, and what the slots held at the
start of each of the last minutes. A worker keeps its file locked while it lives: a file that can be
locked belongs to nobody any more. Where no file can be had, the counts stay in the worker's memory.
"""

from __future__ import annotations

import fcntl
import json
import mmap
import os
import secrets
import threading
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import NamedTuple

SLOTS, NAMES, MINUTES = 4096, 2**17, 16
_RING = 8 * SLOTS + NAMES
SIZE = _RING + MINUTES * 8 * SLOTS
SUFFIX = ".slots"


class Series(NamedTuple):
    """What is counted: a family's name and the labels' values; *bounds* are a histogram's."""

    family: str
    labels: tuple[str, ...] = ()
    bounds: tuple[float, ...] = ()

    @property
    def width(self) -> int:
        """Slots it takes: one, or one per bucket, one for what is above, one for the sum."""
        return len(self.bounds) + 2 if self.bounds else 1


class Slots:
    """The slots of this process. `values[place(series)]` is a count; add to it holding `lock`."""

    def __init__(self, folder: Path | None) -> None:
        self.lock, self.why = threading.Lock(), ""
        self._map = self._open(folder)
        whole = memoryview(self._map)
        self.values = whole[: 8 * SLOTS].cast("d")
        self._names = whole[8 * SLOTS : _RING]
        self._past = whole[_RING:].cast("d")
        self._places: dict[Series, int] = {}
        # Slot 0 says how many bytes of names there are: written last, so no reader sees half a name.
        self._next, self._said, self.minute = 1, 0, 0

    def place(self, series: Series) -> int:
        """Where *series* begins; slots of its own from the first time on. 0 once all are taken."""
        found = self._places.get(series)
        if found is not None:
            return found
        with self.lock:
            name = json.dumps([self._next, *series]).encode() + b"\n"
            if self._next + series.width > SLOTS or self._said + len(name) > NAMES:
                return 0
            self._names[self._said : self._said + len(name)] = name
            self._said += len(name)
            self.values[0] = self._said
            self._places[series] = self._next
            self._next += series.width
            return self._places[series]

    def held(self, families: Collection[str]) -> dict[Series, list[float]]:
        """What the series of *families* hold now."""
        with self.lock:
            return {
                series: list(self.values[start : start + series.width])
                for series, start in self._places.items()
                if series.family in families
            }

    def turn(self, minute: int) -> None:
        """Remember what the slots hold as the start of *minute*, and of those without a count."""
        for each in range(max(self.minute + 1, minute - MINUTES + 1), minute + 1):
            start = (each % MINUTES) * SLOTS
            self._past[start + 1 : start + self._next] = self.values[1 : self._next]
            self._past[start] = each
        self.minute = minute

    def reading(self) -> Reading:
        """What the slots hold now."""
        return Reading(bytes(self._map))

    def _open(self, folder: Path | None) -> mmap.mmap:
        if folder is not None:
            try:
                return self._mapped(folder)
            except OSError as error:
                self.why = f"{error.strerror or error}; the counts of this worker are its own"
        return mmap.mmap(-1, SIZE)

    def _mapped(self, folder: Path) -> mmap.mmap:
        folder.mkdir(parents=True, exist_ok=True)
        name = f"{os.getpid()}-{secrets.token_hex(4)}{SUFFIX}"
        work = folder / f".{name}.new"
        file = os.open(work, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            # A hole in a file on a disk that fills up would end the worker with SIGBUS.
            os.posix_fallocate(file, 0, SIZE)
            mapped = mmap.mmap(file, SIZE)
            work.rename(folder / name)  # last, when the lock is held
        except OSError:
            work.unlink(missing_ok=True)
            raise
        finally:
            os.close(file)  # the map has a duplicate, and the lock lasts as long as that
        return mapped


class Reading:
    """What one worker had counted when its file was read."""

    def __init__(self, content: bytes) -> None:
        view = memoryview(content)
        self._now = view[: 8 * SLOTS].cast("d")
        past = view[_RING:].cast("d")
        self._past = {
            int(past[start]): past[start : start + SLOTS]
            for start in range(0, MINUTES * SLOTS, SLOTS)
        }
        self._where: dict[Series, int] = {}
        for line in content[8 * SLOTS : 8 * SLOTS + int(self._now[0])].splitlines():
            start, family, labels, bounds = json.loads(line)
            self._where[Series(family, tuple(labels), tuple(bounds))] = start

    def __iter__(self) -> Iterator[tuple[Series, list[float]]]:
        for series, start in self._where.items():
            yield series, list(self._now[start : start + series.width])

    def at(self, series: Series, minute: int) -> list[float]:
        """What *series* held when *minute* began, up to `MINUTES` ago; zeros before it was there."""
        start = self._where.get(series)
        slots = self._past.get(minute)
        if slots is None and minute > max(self._past):
            slots = self._now  # nothing was counted since
        if start is None or slots is None:
            return [0.0] * series.width
        return list(slots[start : start + series.width])


def read(path: Path) -> tuple[Reading, bool]:
    """What the worker of *path* counted, and whether it is alive. OSError if the file is gone."""
    with path.open("r+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return Reading(file.read(SIZE)), True
        return Reading(file.read(SIZE)), False

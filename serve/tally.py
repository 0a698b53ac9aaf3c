"""The counts of all workers added up, also of those that are gone.

What a worker that is gone had counted is moved to one file, so that no counter ever runs backwards
and a server whose workers come and go does not pile up files.
"""

from __future__ import annotations

import fcntl
import json
import os
import threading
from collections.abc import Collection, Sequence
from pathlib import Path

from serve.slots import SUFFIX, Reading, Series, Slots, read

GONE, LOCK = "gone.json", "lock"
Totals = dict[Series, list[float]]

# One at a time: two that find the same dead worker would keep its counts twice.
_IN_THIS_PROCESS = threading.Lock()


class Tally:
    """Adds up what the workers of *folder* counted; without one, what *own* has.

    *of_the_living* are the families that say how a worker is, and go with it.
    """

    def __init__(self, folder: Path | None, own: Slots, of_the_living: Collection[str]) -> None:
        self._folder, self._own, self._of_the_living = folder, own, of_the_living

    def totals(self) -> Totals:
        """What was counted since the server started, and how its workers are."""
        totals, readings = self._gather()
        for reading in readings:
            for series, values in reading:
                _add(totals, series, values)
        return totals

    def recent(self, present: int, minutes: int) -> list[Totals]:
        """What the living counted in each of *minutes* up to the *present* one, which is not over."""
        _, readings = self._gather()
        found: list[Totals] = []
        for minute in range(present - minutes + 1, present + 1):
            found.append({})
            for reading in readings:
                for series, now in reading:
                    until = now if minute == present else reading.at(series, minute + 1)
                    before = reading.at(series, minute)
                    counted = [after - b for after, b in zip(until, before, strict=True)]
                    _add(found[-1], series, counted)
        return found

    def _gather(self) -> tuple[Totals, list[Reading]]:
        """What the gone left, and the readings of the living; of this worker alone at the worst."""
        if self._folder is not None and not self._own.why:
            try:
                with _IN_THIS_PROCESS, (self._folder / LOCK).open("w") as lock:
                    fcntl.flock(lock, fcntl.LOCK_EX)
                    return self._gather_from(self._folder)
            except OSError:
                pass  # somebody took the folder away, or made it read-only
        return {}, [self._own.reading()]

    def _gather_from(self, folder: Path) -> tuple[Totals, list[Reading]]:
        gone, counted = _left(folder)
        readings: list[Reading] = []
        dead: list[Path] = []
        for path in sorted(folder.glob(f"*{SUFFIX}")):
            try:
                reading, alive = read(path)
            except OSError:
                continue
            if alive:
                readings.append(reading)
                continue
            dead.append(path)
            if path.name not in counted:  # or somebody was killed before it was removed
                for series, values in reading:
                    if series.family not in self._of_the_living:
                        _add(gone, series, values)
        if dead and _leave(folder, gone, [path.name for path in dead]):
            for path in dead:
                path.unlink(missing_ok=True)
        return gone, readings


def _add(totals: Totals, series: Series, values: Sequence[float]) -> None:
    before = totals.get(series)
    totals[series] = [a + b for a, b in zip(before, values, strict=True)] if before else [*values]


def _left(folder: Path) -> tuple[Totals, set[str]]:
    """What the gone had counted, and whose counts are in it."""
    try:
        found = json.loads((folder / GONE).read_bytes())
    except (FileNotFoundError, ValueError):  # none is gone yet, or the system crashed
        return {}, set()
    series = {Series(f, tuple(ls), tuple(bs)): values for f, ls, bs, values in found["series"]}
    return series, set(found["counted"])


def _leave(folder: Path, gone: Totals, counted: Sequence[str]) -> bool:
    """Keep what the gone had counted; False if the disk is full: then their files stay."""
    work = folder / f".{GONE}-{os.getpid()}"
    series = [[*each, values] for each, values in gone.items()]
    try:
        work.write_text(json.dumps({"counted": counted, "series": series}))
        work.replace(folder / GONE)
    except OSError:
        return False
    return True

"""The journal of an experiment, a day of units at a time: the only place where its rows are read.

The units of a day are the keys that came first on it. Their rows are in the files of that day and of the
`unit_days` after it, and so are their outcomes, from that day on, and the shadow's scores.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Any

import numpy as np
import pandas as pd

from model.contract import Contract, read_time
from monitoring.experiment.sequences import Numbers
from monitoring.experiment.units import (
    Split,
    Units,
    arms_rows,
    collected,
    first_outcomes,
    in_time,
)
from monitoring.partitions import Part, Place, frame, parts

_ANSWER = ("id", "at", "version", "arm", "key", "score", "share", "split")
DAY = timedelta(days=1)
Keys = Callable[[], Iterable[Numbers]]
#: Lines of small files that are looked at together.
LOT = 100_000
#: Lines -> whether each is wanted.
Which = Callable[[pd.DataFrame], Any]


@dataclass(frozen=True)
class Asked:
    """What is read: the rows of a *split*, with *features* that all have (`shared`), by *measures*.

    A unit counts when its *unit_days* were over when *today* began.
    """

    split: Split
    contract: Contract
    features: tuple[str, ...]
    measures: tuple[str, ...]
    unit_days: int
    today: datetime

    @property
    def start(self) -> datetime:
        """When the experiment began."""
        return read_time(self.split.since) or datetime.min.replace(tzinfo=UTC)

    @property
    def days(self) -> int:
        """How many days of units count."""
        return max(0, (self.today - timedelta(days=self.unit_days) - self.midnight(0)).days)

    def midnight(self, day: int) -> datetime:
        """When a day, the experiment's first being 0, began."""
        first = self.start.replace(hour=0, minute=0, second=0, microsecond=0)
        return first + timedelta(days=day)


class Book:
    """The journal in *place*. Raises OSError. What is still in segments is read at once, the rest by the day."""

    def __init__(self, place: Place, asked: Asked) -> None:
        self._place, self._asked = place, asked
        rows = [f"row.{name}" for name in asked.features]
        self._names = {"answers": [*_ANSWER, *rows], "outcomes": ["id", "outcome", "at"]}
        if asked.split.shadow:
            self._names["shadow"] = [*_ANSWER]
        self._parts = {kind: parts(place, kind) for kind in self._names}
        #: What was odd about segments: they are of no day.
        self.odd: Counter[str] = Counter()
        self._loose = {
            part.name: self._timed(kind, self._read(kind, part, self.odd), self.odd)
            for kind, found in self._parts.items()
            for part in found
            if not part.day
        }

    def depends(self, day: int) -> list[list[Any]]:
        """All files that the units of a *day* are of; of a segment, which is only added to, how many lines."""
        span, (start, end) = self._span(day), self._window(day)
        found: list[list[Any]] = []
        for kind in self._names:
            for part in self._parts[kind]:
                if part.day in span:
                    found.append([part.name])
                elif not part.day:
                    at = self._loose[part.name]["at"]
                    count = int(((at >= start) & (at < end)).sum())
                    found += [[part.name, count]] if count else []
        return found

    def units(self, day: int, known: Keys) -> tuple[Units, Numbers]:
        """The units of a *day*, and the hashes of their keys, sorted.

        *known* gives those of the days before, sorted: whose key is among them is no unit again.
        """
        asked, odd, lasts = self._asked, Counter[str](), timedelta(days=self._asked.unit_days)
        today, *later = self._span(day)
        start, end = self._window(day)
        tomorrow = min(end, asked.midnight(day + 1))
        rows = self._rows(self._lines("answers", [today], (start, tomorrow), odd), odd)
        codes, keys = pd.factorize(rows["key"])
        hashes = hashed(keys)
        fresh = ~_among(hashes, known)
        rows = rows[fresh[codes]]
        mine = pd.Index(keys[fresh])

        def theirs(lines: pd.DataFrame) -> Any:
            return mine.get_indexer(lines["key"].astype(str)) >= 0

        uncounted = Counter[str]()  # as another day's it is counted
        more = self._lines("answers", later, (tomorrow, end), uncounted, theirs)
        rows = in_time(_joined([rows, self._rows(more, uncounted)]), lasts)
        ids = pd.Index(rows["id"].unique())

        def ours(lines: pd.DataFrame) -> Any:
            texts = lines["id"].map(lambda told: told if isinstance(told, str) else None)
            return ids.get_indexer(texts) >= 0

        if asked.split.shadow:
            scores = self._rows(
                self._lines("shadow", [today, *later], (start, end), odd, ours), odd
            )
            scores = scores.sort_values("at", kind="stable").drop_duplicates("id")
            rows = rows.assign(other=rows["id"].map(scores.set_index("id")["score"]))
        told = _joined([*self._lines("outcomes", [today, *later], (start, end), odd, ours)])
        units = collected(rows, first_outcomes(told, asked.contract), asked.measures, lasts)
        units.insert(2, "day", day)
        whole = units[units["arms"] == 1].drop(columns=["arms", "misdealt", "unscored"])
        return Units(
            whole,
            day + 1,
            crossed=int((units["arms"] > 1).sum()),
            misdealt=int(units["misdealt"].sum()),
            unscored=int(units["unscored"].sum()),
            odd={what: count for what, count in odd.items() if count},
        ), np.unique(hashes[fresh])

    def _span(self, day: int) -> list[str]:
        """The days whose files the units of a *day* are in, that one first."""
        days = range(day, day + self._asked.unit_days + 1)
        return [f"{self._asked.midnight(each):%Y-%m-%d}" for each in days]

    def _window(self, day: int) -> tuple[datetime, datetime]:
        asked = self._asked
        return max(asked.start, asked.midnight(day)), asked.midnight(day + asked.unit_days + 1)

    def _rows(self, lines: Iterable[pd.DataFrame], odd: Counter[str]) -> pd.DataFrame:
        """The rows of both arms, or the shadow's, among *lines*."""
        split, contract = self._asked.split, self._asked.contract
        return _joined([arms_rows(each, split, contract, odd) for each in lines])

    def _lines(
        self,
        kind: str,
        days: Sequence[str],
        window: tuple[datetime, datetime],
        odd: Counter[str],
        which: Which | None = None,
    ) -> Iterator[pd.DataFrame]:
        """The lines of *kind* within the window in the files of *days* and in segments, *which* of them.

        What is torn is counted of the files of the first of the days alone, for it is counted once.
        """
        start, end = window
        yield self._none(kind)
        there = [part for part in self._parts[kind] if not part.day or part.day in days]
        for day, some in groupby(there, lambda part: part.day):
            for found in self._lots(kind, some, odd if day in days[:1] else Counter()):
                lines = found[(found["at"] >= start) & (found["at"] < end)]
                if which and len(lines):
                    lines = lines[which(lines)]
                if len(lines):
                    yield lines

    def _lots(self, kind: str, some: Iterable[Part], odd: Counter[str]) -> Iterator[pd.DataFrame]:
        """The lines of files, of many small ones at once: each lot costs as much as its lines, and a little."""
        waiting: list[pd.DataFrame] = []
        for part in some:
            if not part.day:
                yield self._loose[part.name]
                continue
            waiting.append(self._read(kind, part, odd))
            if sum(map(len, waiting)) >= LOT:
                yield self._timed(kind, _joined(waiting), odd)
                waiting = []
        if waiting:
            yield self._timed(kind, _joined(waiting), odd)

    def _read(self, kind: str, part: Part, odd: Counter[str]) -> pd.DataFrame:
        """The lines of a file; what is torn is counted."""
        found, torn = frame(self._place, part, self._names[kind])
        odd[_torn(kind)] += torn
        return found

    def _timed(self, kind: str, lines: pd.DataFrame, odd: Counter[str]) -> pd.DataFrame:
        """Lines with their times as such; one without is torn."""
        at = pd.to_datetime(
            lines["at"].astype("string"), utc=True, errors="coerce", format="ISO8601"
        )
        odd[_torn(kind)] += int(at.isna().sum())
        return lines.assign(at=at)

    def _none(self, kind: str) -> pd.DataFrame:
        columns = {name: pd.Series(dtype=object) for name in self._names[kind]}
        return pd.DataFrame(columns | {"at": pd.Series(dtype="datetime64[us, UTC]")})


def hashed(keys: Iterable[str]) -> Numbers:
    """Keys as (n,) unsigned integers of eight bytes."""
    digests = (
        hashlib.blake2b(key.encode(errors="replace"), digest_size=8).digest() for key in keys
    )
    return np.frombuffer(b"".join(digests), dtype="<u8")


def _among(hashes: Numbers, known: Keys) -> Numbers:
    """Which of the hashes are in any of the sorted arrays of *known*."""
    order = np.argsort(hashes)
    ordered = hashes[order]
    found = np.zeros(len(hashes), dtype=bool)
    for each in known() if len(hashes) else ():
        if len(each):
            place = np.minimum(np.searchsorted(each, ordered), len(each) - 1)
            found[order] |= each[place] == ordered
    return found


def _torn(kind: str) -> str:
    return f"lines of {kind} that are torn"


def _joined(frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """One frame of several; of which all but the first may be missing."""
    whole = [each for each in frames if len(each)] or [*frames[:1]]
    return pd.concat(whole, ignore_index=True)

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

from contracts.journal_format import LOT, Listing, Part, Place, frames, in_order
from contracts.row_contract import Contract, read_time
from monitoring.experiment.confidence_sequences import Numbers
from monitoring.experiment.experiment_units import Split, Units, arms_rows, chosen, collected, in_time, valued
from monitoring.experiment.text_codes import Among, only

_ANSWER = ("id", "at", "version", "arm", "key", "score", "share", "split")
#: Of a row, what is needed to make units of it.
_ROW = ["id", "at", "challenger", "score", "misdealt"]
DAY, TIMES = timedelta(days=1), "datetime64[us, UTC]"
Keys = Callable[[], Iterable[Numbers]]
#: Lines -> the place of each among those that are wanted, (n,); -1 for one that is not.
Places = Callable[[pd.DataFrame], Numbers]


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
        self._listing = Listing(place)
        #: What was odd about segments: they are of no day.
        self.odd: Counter[str] = Counter()
        self._loose = {
            part.name: _joined([*self._read(kind, [part], names, self.odd)])
            for kind, names in self._names.items()
            for part in self._there(kind, [])
        }

    def depends(self, day: int) -> list[list[Any]]:
        """All files that the units of a *day* are of; of a segment, which is only added to, how many lines."""
        span, (start, end) = self._span(day), self._window(day)
        found: list[list[Any]] = []
        for kind in self._names:
            for part in self._there(kind, span):
                if part.day:
                    found.append([part.name])
                else:
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
        begun = self._rows(self._lines("answers", [today], (start, tomorrow), odd), odd)
        codes, keys = _distinct(begun["key"])
        hashes = hashed(keys.to_numpy(dtype=object))  # else each is asked for by itself
        fresh = ~_among(hashes, known)
        mine = np.append(fresh, False)[codes]  # the last is for rows without a key
        begun, keys = chosen(begun, mine), keys[fresh].reset_index(drop=True)
        rows = begun[_ROW].assign(place=(np.cumsum(fresh) - 1)[codes[mine]])

        uncounted = Counter[str]()  # as another day's it is counted
        theirs = _places(keys, lambda lines: lines["key"].astype(str))
        more = self._lines("answers", later, (tomorrow, end), uncounted, theirs)
        rows = _joined([rows, self._rows(more, uncounted)[[*_ROW, "place"]]])
        codes, ids = _distinct(rows["id"])
        rows = in_time(rows.assign(id=codes), lasts)
        codes, used = pd.factorize(rows["id"])
        rows = rows.assign(id=codes)
        ours = _places(ids.iloc[used].reset_index(drop=True), lambda lines: only(lines["id"]))
        if asked.split.shadow:
            scores = self._rows(self._lines("shadow", [today, *later], (start, end), odd, ours), odd)
            scores = scores.sort_values("at", kind="stable").drop_duplicates("place")
            rows = rows.assign(other=rows["id"].map(scores.set_index("place")["score"]))
        told = _joined([*self._lines("outcomes", [today, *later], (start, end), odd, ours)])
        told = told[["place", "at", "value"]]
        first = told.sort_values("at", kind="stable").drop_duplicates("place").set_index("place")
        units = collected(rows, first, asked.measures, lasts)
        # The first row of each is one of today's.
        features = begun.filter(like="row.").iloc[units.index].infer_objects()
        units = pd.concat([units, features.set_axis(units.index)], axis=1).reset_index(drop=True)
        units.insert(0, "key", keys.array.take(units.pop("place").to_numpy(dtype=int)))
        units.insert(2, "day", day)
        whole = units[units["arms"] == 1].drop(columns=["arms", "misdealt", "unscored"])
        return Units(
            whole,
            day + 1,
            crossed=int((units["arms"] > 1).sum()),
            misdealt=int(units["misdealt"].sum()),
            unscored=int(units["unscored"].sum()),
            odd={what: count for what, count in odd.items() if count},
        ), np.sort(hashes[fresh])

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

    def _there(self, kind: str, days: Sequence[str]) -> list[Part]:
        """Segments, and the files of *days*, in the order in which they were begun."""
        found = (part for day in ["", *days] for part in self._listing.of(kind, day))
        return sorted(found, key=in_order)

    def _lines(
        self,
        kind: str,
        days: Sequence[str],
        window: tuple[datetime, datetime],
        odd: Counter[str],
        places: Places | None = None,
    ) -> Iterator[pd.DataFrame]:
        """The lines of *kind* within the window in the files of *days* and in segments.

        With *places* those that have one, in a column more, and no features: they are the first row's.
        What is torn is counted of the files of the first of the days alone, for it is counted once.
        """
        start, end = window
        names = self._names[kind]
        if places:
            names = [name for name in names if not name.startswith("row.")]
        none = self._none(kind, names)
        yield none.assign(place=places(none)) if places else none
        for day, some in groupby(self._there(kind, days), lambda part: part.day):
            torn = odd if day in days[:1] else Counter[str]()
            loose = (self._loose[part.name] for part in some)
            for found in self._lots(kind, some, names, torn) if day else loose:
                lines = chosen(found, (found["at"] >= start) & (found["at"] < end))
                if places and len(lines):
                    place = places(lines)
                    lines = chosen(lines.assign(place=place), place >= 0)
                if len(lines):
                    yield lines

    def _lots(self, kind: str, some: Iterable[Part], names: Sequence[str], odd: Counter[str]) -> Iterator[pd.DataFrame]:
        """The lines of files, of many small ones at once: each lot costs as much as its lines, and a little."""
        waiting: list[pd.DataFrame] = []
        for each in self._read(kind, some, names, odd):
            waiting.append(each)
            if sum(map(len, waiting)) >= LOT:
                yield _joined(waiting)
                waiting = []
        if waiting:
            yield _joined(waiting)

    def _read(self, kind: str, some: Iterable[Part], names: Sequence[str], odd: Counter[str]) -> Iterator[pd.DataFrame]:
        """The lines of files with their times as such; what is torn, or without one, is counted."""
        for found, torn in frames(self._place, some, names):
            if found["at"].dtype != TIMES:
                found["at"] = pd.to_datetime(found["at"].astype("string"), utc=True, errors="coerce", format="ISO8601")
            odd[f"lines of {kind} that are torn"] += torn + int(found["at"].isna().sum())
            yield valued(found, self._asked.contract) if kind == "outcomes" else found

    def _none(self, kind: str, names: Sequence[str]) -> pd.DataFrame:
        columns = {name: pd.Series(dtype=object) for name in names}
        none = pd.DataFrame(columns | {"at": pd.Series(dtype=TIMES)})
        return valued(none, self._asked.contract) if kind == "outcomes" else none


def hashed(keys: Iterable[str]) -> Numbers:
    """Keys as (n,) unsigned integers of eight bytes."""
    digests = (hashlib.blake2b(key.encode(errors="replace"), digest_size=8).digest() for key in keys)
    return np.frombuffer(b"".join(digests), dtype="<u8")


def _among(hashes: Numbers, known: Keys) -> Numbers:
    """Which of the hashes are in any of the sorted arrays of *known*, which may be many more."""
    # Where a hash begins as none of ours does, which is nearly everywhere, it need not be looked up.
    begins = np.zeros(1 << 24, dtype=bool)
    begins[hashes >> 40] = True
    ordered, found = np.sort(hashes), [hashes[:0]]
    for each in known() if len(hashes) else ():
        maybe = each[begins[each >> 40]]
        place = np.minimum(np.searchsorted(ordered, maybe), len(ordered) - 1)
        found.append(maybe[ordered[place] == maybe])
    return np.isin(hashes, np.concatenate(found))


def _distinct(column: pd.Series[str]) -> tuple[Numbers, pd.Series[str]]:
    """The place of each text of a *column*, (n,), among its distinct ones, and these; -1 of a missing one."""
    codes, texts = pd.factorize(column)
    return codes, pd.Series(texts)


def _places(known: pd.Series[str], told: Callable[[pd.DataFrame], pd.Series[str]]) -> Places:
    among = Among(known)
    return lambda lines: among(told(lines))


def _joined(frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """One frame of several; of which all but the first may be missing."""
    whole = [each for each in frames if len(each)] or [*frames[:1]]
    return pd.concat(whole, ignore_index=True)

"""Reads the units of an experiment from the journal, one day at a time.

The units of a day are the keys that are new on it. Their rows, outcomes and shadow scores are in the files of that day
and of the `unit_days` after it.
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

from contracts.journal_format import LINES_PER_FRAME, Listing, Part, Place, frames, in_order
from contracts.row_contract import Contract, read_time
from monitoring.experiment.confidence_sequences import Numbers
from monitoring.experiment.experiment_units import (
    Split,
    Units,
    encoded_outcomes,
    selected,
    unit_values,
    variant_rows,
    within_unit_days,
)
from monitoring.experiment.text_codes import TextIndex, texts_only

_ANSWER = ("id", "at", "version", "arm", "key", "score", "share", "split")
#: The columns of a row that make units.
_ROW = ["id", "at", "challenger", "score", "misassigned"]
DAY, TIMES = timedelta(days=1), "datetime64[us, UTC]"
Keys = Callable[[], Iterable[Numbers]]
#: Returns the place of each line among the wanted ones, (n,); -1 for others.
Places = Callable[[pd.DataFrame], Numbers]


@dataclass(frozen=True)
class ReadRequest:
    """What to read: the rows of a *split*, with *features* of both variants (`shared_features`), and *measures*.

    A unit counts if its *unit_days* ended before *today*.
    """

    split: Split
    contract: Contract
    features: tuple[str, ...]
    measures: tuple[str, ...]
    unit_days: int
    today: datetime

    @property
    def start(self) -> datetime:
        """When the experiment started."""
        return read_time(self.split.since) or datetime.min.replace(tzinfo=UTC)

    @property
    def days(self) -> int:
        """The number of days whose units count."""
        return max(0, (self.today - timedelta(days=self.unit_days) - self.midnight(0)).days)

    def midnight(self, day: int) -> datetime:
        """The start of a day; the experiment's first is 0."""
        first = self.start.replace(hour=0, minute=0, second=0, microsecond=0)
        return first + timedelta(days=day)


class ExperimentJournal:
    """The journal in *place*. Raises OSError. Segment files are read at once, closed days one by one."""

    def __init__(self, place: Place, request: ReadRequest) -> None:
        self._place, self._request = place, request
        rows = [f"row.{name}" for name in request.features]
        self._names = {"answers": [*_ANSWER, *rows], "outcomes": ["id", "outcome", "at"]}
        if request.split.shadow:
            self._names["shadow"] = [*_ANSWER]
        self._listing = Listing(place)
        #: Rows ignored in segment files, which are of no day.
        self.ignored: Counter[str] = Counter()
        self._segments = {
            part.name: _joined([*self._read(kind, [part], names, self.ignored)])
            for kind, names in self._names.items()
            for part in self._parts(kind, [])
        }

    def depends(self, day: int) -> list[list[Any]]:
        """The files that the units of a *day* depend on; for a segment file, which grows, its number of lines."""
        span, (start, end) = self._span(day), self._window(day)
        files: list[list[Any]] = []
        for kind in self._names:
            for part in self._parts(kind, span):
                if part.day:
                    files.append([part.name])
                else:
                    at = self._segments[part.name]["at"]
                    count = int(((at >= start) & (at < end)).sum())
                    files += [[part.name, count]] if count else []
        return files

    def units(self, day: int, known: Keys) -> tuple[Units, Numbers]:
        """The units of a *day*, and the sorted hashes of their keys.

        *known* returns those of earlier days: a key among them is not a unit again.
        """
        request, ignored, lasts = self._request, Counter[str](), timedelta(days=self._request.unit_days)
        today, *later = self._span(day)
        start, end = self._window(day)
        tomorrow = min(end, request.midnight(day + 1))
        begun = self._rows(self._lines("answers", [today], (start, tomorrow), ignored), ignored)
        codes, keys = _distinct(begun["key"])
        hashes = hashed(keys.to_numpy(dtype=object))  # iterates faster than Arrow
        new = ~_among(hashes, known)
        mine = np.append(new, False)[codes]  # the last one is for rows without a key
        begun, keys = selected(begun, mine), keys[new].reset_index(drop=True)
        rows = begun[_ROW].assign(place=(np.cumsum(new) - 1)[codes[mine]])

        uncounted = Counter[str]()  # counted on its own day
        theirs = _places(keys, lambda lines: lines["key"].astype(str))
        more = self._lines("answers", later, (tomorrow, end), uncounted, theirs)
        rows = _joined([rows, self._rows(more, uncounted)[[*_ROW, "place"]]])
        codes, ids = _distinct(rows["id"])
        rows = within_unit_days(rows.assign(id=codes), lasts)
        codes, used = pd.factorize(rows["id"])
        rows = rows.assign(id=codes)
        ours = _places(ids.iloc[used].reset_index(drop=True), lambda lines: texts_only(lines["id"]))
        if request.split.shadow:
            scores = self._rows(self._lines("shadow", [today, *later], (start, end), ignored, ours), ignored)
            scores = scores.sort_values("at", kind="stable").drop_duplicates("place")
            rows = rows.assign(other=rows["id"].map(scores.set_index("place")["score"]))
        outcomes = _joined([*self._lines("outcomes", [today, *later], (start, end), ignored, ours)])
        outcomes = outcomes[["place", "at", "value"]]
        first = outcomes.sort_values("at", kind="stable").drop_duplicates("place").set_index("place")
        units = unit_values(rows, first, request.measures, lasts)
        # The first row of each unit is one of this day's.
        features = begun.filter(like="row.").iloc[units.index].infer_objects()
        units = pd.concat([units, features.set_axis(units.index)], axis=1).reset_index(drop=True)
        units.insert(0, "key", keys.array.take(units.pop("place").to_numpy(dtype=int)))
        units.insert(2, "day", day)
        valid = units[units["variants"] == 1].drop(columns=["variants", "misassigned", "unscored"])
        return Units(
            valid,
            day + 1,
            in_both=int((units["variants"] > 1).sum()),
            misassigned=int(units["misassigned"].sum()),
            unscored=int(units["unscored"].sum()),
            ignored={what: count for what, count in ignored.items() if count},
        ), np.sort(hashes[new])

    def _span(self, day: int) -> list[str]:
        """The days whose files have the units of a *day*, that one first."""
        days = range(day, day + self._request.unit_days + 1)
        return [f"{self._request.midnight(each):%Y-%m-%d}" for each in days]

    def _window(self, day: int) -> tuple[datetime, datetime]:
        request = self._request
        return max(request.start, request.midnight(day)), request.midnight(day + request.unit_days + 1)

    def _rows(self, lines: Iterable[pd.DataFrame], ignored: Counter[str]) -> pd.DataFrame:
        """The rows of both variants, or the shadow's scores, among *lines*."""
        split, contract = self._request.split, self._request.contract
        return _joined([variant_rows(each, split, contract, ignored) for each in lines])

    def _parts(self, kind: str, days: Sequence[str]) -> list[Part]:
        """Segment files and the files of *days*, in the order in which they were started."""
        parts = (part for day in ["", *days] for part in self._listing.of(kind, day))
        return sorted(parts, key=in_order)

    def _lines(
        self,
        kind: str,
        days: Sequence[str],
        window: tuple[datetime, datetime],
        ignored: Counter[str],
        places: Places | None = None,
    ) -> Iterator[pd.DataFrame]:
        """The lines of *kind* within the window in the files of *days* and in segment files.

        With *places* only those that have one, in an additional column, without features. Torn lines are counted for
        the first of the days only, so that each is counted once.
        """
        start, end = window
        names = self._names[kind]
        if places:
            names = [name for name in names if not name.startswith("row.")]
        empty = self._empty(kind, names)
        yield empty.assign(place=places(empty)) if places else empty
        for day, some in groupby(self._parts(kind, days), lambda part: part.day):
            torn = ignored if day in days[:1] else Counter[str]()
            segments = (self._segments[part.name] for part in some)
            for batch in self._batches(kind, some, names, torn) if day else segments:
                lines = selected(batch, (batch["at"] >= start) & (batch["at"] < end))
                if places and len(lines):
                    place = places(lines)
                    lines = selected(lines.assign(place=place), place >= 0)
                if len(lines):
                    yield lines

    def _batches(
        self, kind: str, some: Iterable[Part], names: Sequence[str], ignored: Counter[str]
    ) -> Iterator[pd.DataFrame]:
        """The lines of files, in batches of about `LINES_PER_FRAME` lines: small files are read together."""
        waiting: list[pd.DataFrame] = []
        for each in self._read(kind, some, names, ignored):
            waiting.append(each)
            if sum(map(len, waiting)) >= LINES_PER_FRAME:
                yield _joined(waiting)
                waiting = []
        if waiting:
            yield _joined(waiting)

    def _read(
        self, kind: str, some: Iterable[Part], names: Sequence[str], ignored: Counter[str]
    ) -> Iterator[pd.DataFrame]:
        """The lines of files with parsed times; torn lines, and those without a time, are counted."""
        for lines, torn in frames(self._place, some, names):
            if lines["at"].dtype != TIMES:
                lines["at"] = pd.to_datetime(lines["at"].astype("string"), utc=True, errors="coerce", format="ISO8601")
            ignored[f"torn lines of {kind}, ignored"] += torn + int(lines["at"].isna().sum())
            yield encoded_outcomes(lines, self._request.contract) if kind == "outcomes" else lines

    def _empty(self, kind: str, names: Sequence[str]) -> pd.DataFrame:
        columns = {name: pd.Series(dtype=object) for name in names}
        empty = pd.DataFrame(columns | {"at": pd.Series(dtype=TIMES)})
        return encoded_outcomes(empty, self._request.contract) if kind == "outcomes" else empty


def hashed(keys: Iterable[str]) -> Numbers:
    """64-bit hashes of keys, (n,)."""
    digests = (hashlib.blake2b(key.encode(errors="replace"), digest_size=8).digest() for key in keys)
    return np.frombuffer(b"".join(digests), dtype="<u8")


def _among(hashes: Numbers, known: Keys) -> Numbers:
    """Which of the *hashes* are in any of the sorted arrays of *known*, which may be much larger."""
    # Most known hashes share no prefix with ours, and are skipped without a search.
    prefixes = np.zeros(1 << 24, dtype=bool)
    prefixes[hashes >> 40] = True
    ordered, common = np.sort(hashes), [hashes[:0]]
    for each in known() if len(hashes) else ():
        candidates = each[prefixes[each >> 40]]
        place = np.minimum(np.searchsorted(ordered, candidates), len(ordered) - 1)
        common.append(candidates[ordered[place] == candidates])
    return np.isin(hashes, np.concatenate(common))


def _distinct(column: pd.Series[str]) -> tuple[Numbers, pd.Series[str]]:
    """Codes (n,) of a *column*, -1 for missing, and the distinct texts."""
    codes, texts = pd.factorize(column)
    return codes, pd.Series(texts)


def _places(known: pd.Series[str], column: Callable[[pd.DataFrame], pd.Series[str]]) -> Places:
    index = TextIndex(known)
    return lambda lines: index(column(lines))


def _joined(frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """The concatenation of the frames that have rows, or the first one."""
    full = [each for each in frames if len(each)] or [*frames[:1]]
    return pd.concat(full, ignore_index=True)

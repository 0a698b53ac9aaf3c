"""What is known of an experiment after so many days: sums by day, and not one of its units.

A unit never changes once it counts, and what a day says is told with the days before alone. So sums
are enough for every interval, and a day is added to them without looking at an earlier one again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from contracts.row_contract import Contract
from monitoring.experiment.confidence_sequences import Days, Numbers
from monitoring.experiment.cuped import Adjustment, Code, coded, codes, plain
from monitoring.experiment.experiment_units import OTHER, Split, Units

#: What is summed of a day, for each measure: units and values by arm; what units say, and its squares,
#: adjusted and plain.
SUMS = 8


class Part:
    """Some of the units: their *measures*, (days, SUMS, measures), and what these days foretell.

    In the shadow each unit is of both arms.
    """

    def __init__(self, split: Split, measures: Sequence[str]) -> None:
        self._split, self._measures = split, [*measures]
        #: The sums that together count each unit once.
        self._counts = slice(1 if split.shadow else 2)
        self._days: list[int] = []
        self._sums: list[Numbers] = []
        self._codes: list[Code] = []
        self._adjustment = Adjustment(0, len(self._measures))

    def add(self, day: int, frame: pd.DataFrame, contract: Contract | None = None) -> None:
        """Add the units of the next *day*; with a *contract* its features are looked at."""
        if frame.empty:
            return
        values = frame[self._measures].to_numpy(dtype=float)
        if not self._days and contract and not self._split.shadow:
            there = [each for each in contract.features if f"row.{each.name}" in frame]
            self._codes = codes(frame, there)
            width = coded(frame[:1], self._codes).shape[1]
            self._adjustment = Adjustment(width, len(self._measures))
        if self._split.shadow:
            others = [m + OTHER if m + OTHER in frame else m for m in self._measures]
            other = frame[others].to_numpy(dtype=float)
            counts, totals = [len(frame)] * 2, [values.sum(axis=0), other.sum(axis=0)]
            found = before = other - values
        else:
            challenger = frame["challenger"].to_numpy(dtype=bool)
            counts = [int((~challenger).sum()), int(challenger.sum())]
            totals = [values[~challenger].sum(axis=0), values[challenger].sum(axis=0)]
            found = before = np.zeros_like(values)
            if 0 < self._split.chance < 1:
                found, before = self._adjustment.day(
                    values,
                    challenger.astype(float),
                    self._split.chance,
                    lambda now: coded(frame.iloc[now], self._codes),
                )
        said = [total for told in (found, before) for total in (told.sum(0), (told**2).sum(0))]
        units = [np.full(len(self._measures), count) for count in counts]
        self._days.append(day)
        self._sums.append(np.array([*units, *totals, *said], dtype=float))

    def sums(self, measure: str, days: int) -> Numbers:
        """Of a measure, (days, SUMS); a day without a unit has zeros."""
        found = np.zeros((days, SUMS))
        for day, each in zip(self._days, self._sums, strict=True):
            found[day] = each[:, self._measures.index(measure)]
        return found

    @property
    def first(self) -> float:
        """How many units the first day had that had any."""
        return float(self._sums[0][self._counts, 0].sum()) if self._sums else 0.0

    def gains(self, measure: str, days: int, sign: float = 1.0) -> Days:
        """What the units say about "challenger less champion", times *sign*."""
        found = self.sums(measure, days)
        return Days(found[:, self._counts].sum(axis=1), sign * found[:, 4], found[:, 5])

    def saved(self, measure: str, days: int) -> float:
        """The share of the variance that the features took away."""
        count = self.gains(measure, days).count.sum()
        _, _, _, _, *said = self.sums(measure, days).sum(axis=0) / max(count, 1)
        after, before = said[1] - said[0] ** 2, said[3] - said[2] ** 2
        return max(0.0, float(1 - after / before)) if before > 0 else 0.0

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return {
            "days": self._days,
            "sums": [each.tolist() for each in self._sums],
            "codes": [each.to_json() for each in self._codes],
            "adjustment": self._adjustment.to_json(),
        }

    @classmethod
    def from_json(cls, told: Mapping[str, Any], split: Split, measures: Sequence[str]) -> Part:
        """What `to_json` gave."""
        found = cls(split, measures)
        found._days = [*told["days"]]
        found._sums = [np.array(each, dtype=float) for each in told["sums"]]
        found._codes = [Code(**{**each, "levels": tuple(each["levels"])}) for each in told["codes"]]
        found._adjustment = Adjustment.from_json(told["adjustment"])
        return found


LABELLED = "labelled"


class Tally:
    """The sums of *days* days: of all units, of those with an outcome, and of these by slice.

    *crossed*, *misdealt*, *unscored* and *odd* are as `Units` has them.
    """

    def __init__(self, split: Split, contract: Contract, measures: Sequence[str]) -> None:
        self._split, self._contract, self._measures = split, contract, [*measures]
        self.days = self.crossed = self.misdealt = self.unscored = 0
        self.odd: Counter[str] = Counter()
        self.units, self.known = Part(split, [LABELLED]), Part(split, measures)
        self._slices: dict[tuple[str, Any], Part] = {}

    def add(self, units: Units) -> None:
        """Add the days that are in *units* and not here yet."""
        for day in range(self.days, units.days):
            frame = units.frame[units.frame["day"] == day]
            self.units.add(day, frame)
            known = frame[frame[LABELLED].astype(bool)]
            self.known.add(day, known, self._contract)
            for name in self._contract.slices:
                if f"row.{name}" not in known:
                    continue
                for value, rows in known.groupby(f"row.{name}"):
                    part = self._slices.setdefault((name, plain(value)), self._part())
                    part.add(day, rows, self._contract)
        self.days = units.days
        self.crossed += units.crossed
        self.misdealt += units.misdealt
        self.unscored += units.unscored
        self.odd.update(units.odd)

    @property
    def slices(self) -> dict[str, Part]:
        """By each value of the contract's slices: "device = phone"."""
        names = {name: place for place, name in enumerate(self._contract.slices)}
        ordered = sorted(self._slices, key=lambda each: (names[each[0]], type(each[1]).__name__, each[1]))
        return {f"{name} = {value}": self._slices[name, value] for name, value in ordered}

    def to_json(self) -> dict[str, Any]:
        """As plain values: all that later days need of these."""
        return {
            "days": self.days,
            "crossed": self.crossed,
            "misdealt": self.misdealt,
            "unscored": self.unscored,
            "odd": dict(self.odd),
            "units": self.units.to_json(),
            "known": self.known.to_json(),
            "slices": [[*which, part.to_json()] for which, part in self._slices.items()],
        }

    @classmethod
    def from_json(cls, told: Mapping[str, Any], split: Split, contract: Contract, measures: Sequence[str]) -> Tally:
        """What `to_json` gave. Raises KeyError, TypeError or ValueError if it is nothing of the kind."""
        found = cls(split, contract, measures)
        for name in ("days", "crossed", "misdealt", "unscored"):
            setattr(found, name, int(told[name]))
        found.odd.update(told["odd"])
        found.units = Part.from_json(told["units"], split, [LABELLED])
        found.known = Part.from_json(told["known"], split, measures)
        found._slices = {(name, value): Part.from_json(part, split, measures) for name, value, part in told["slices"]}
        return found

    def _part(self) -> Part:
        return Part(self._split, self._measures)

"""Sums by day of an experiment's units: all that its intervals need.

A unit never changes once it counts, and a day is adjusted with earlier days only, so a day is added without reading
earlier ones again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from contracts.row_contract import Contract
from monitoring.experiment.confidence_sequences import DailySums, Numbers
from monitoring.experiment.cuped import Adjustment, FeatureCode, encode, feature_codes, plain
from monitoring.experiment.experiment_units import OTHER, Split, Units

#: Sums of a day for each measure: units and values by variant; differences and their squares, adjusted (CUPED)
#: and unadjusted.
SUMS = 8


class SumsByDay:
    """Sums by day over some of the units, (days, SUMS, measures), and the adjustment fitted to them.

    In shadow mode each unit is in both variants.
    """

    def __init__(self, split: Split, measures: Sequence[str]) -> None:
        self._split, self._measures = split, [*measures]
        #: The sums that together count each unit once.
        self._counts = slice(1 if split.shadow else 2)
        self._days: list[int] = []
        self._sums: list[Numbers] = []
        self._codes: list[FeatureCode] = []
        self._adjustment = Adjustment(0, len(self._measures))

    def add(self, day: int, frame: pd.DataFrame, contract: Contract | None = None) -> None:
        """Add the units of the next *day*; with a *contract* they are adjusted for its features."""
        if frame.empty:
            return
        values = frame[self._measures].to_numpy(dtype=float)
        if not self._days and contract and not self._split.shadow:
            present = [each for each in contract.features if f"row.{each.name}" in frame]
            self._codes = feature_codes(frame, present)
            width = encode(frame[:1], self._codes).shape[1]
            self._adjustment = Adjustment(width, len(self._measures))
        if self._split.shadow:
            others = [m + OTHER if m + OTHER in frame else m for m in self._measures]
            other = frame[others].to_numpy(dtype=float)
            counts, totals = [len(frame)] * 2, [values.sum(axis=0), other.sum(axis=0)]
            adjusted = plain_ = other - values
        else:
            challenger = frame["challenger"].to_numpy(dtype=bool)
            counts = [int((~challenger).sum()), int(challenger.sum())]
            totals = [values[~challenger].sum(axis=0), values[challenger].sum(axis=0)]
            adjusted = plain_ = np.zeros_like(values)
            if 0 < self._split.chance < 1:
                adjusted, plain_ = self._adjustment.day(
                    values,
                    challenger.astype(float),
                    self._split.chance,
                    lambda now: encode(frame.iloc[now], self._codes),
                )
        differences = [total for each in (adjusted, plain_) for total in (each.sum(0), (each**2).sum(0))]
        units = [np.full(len(self._measures), count) for count in counts]
        self._days.append(day)
        self._sums.append(np.array([*units, *totals, *differences], dtype=float))

    def sums(self, measure: str, days: int) -> Numbers:
        """The sums of a measure, (days, SUMS); a day without units has zeros."""
        sums = np.zeros((days, SUMS))
        for day, each in zip(self._days, self._sums, strict=True):
            sums[day] = each[:, self._measures.index(measure)]
        return sums

    @property
    def first(self) -> float:
        """The units of the first day that has any."""
        return float(self._sums[0][self._counts, 0].sum()) if self._sums else 0.0

    def gains(self, measure: str, days: int, sign: float = 1.0) -> DailySums:
        """The units' adjusted differences, challenger minus champion, times *sign*."""
        sums = self.sums(measure, days)
        return DailySums(sums[:, self._counts].sum(axis=1), sign * sums[:, 4], sums[:, 5])

    def saved(self, measure: str, days: int) -> float:
        """The share of the variance that the adjustment removes."""
        count = self.gains(measure, days).count.sum()
        mean, square, plain_mean, plain_square = self.sums(measure, days).sum(axis=0)[4:] / max(count, 1)
        after, before = square - mean**2, plain_square - plain_mean**2
        return max(0.0, float(1 - after / before)) if before > 0 else 0.0

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "days": self._days,
            "sums": [each.tolist() for each in self._sums],
            "codes": [each.to_json() for each in self._codes],
            "adjustment": self._adjustment.to_json(),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any], split: Split, measures: Sequence[str]) -> SumsByDay:
        """From `to_json`."""
        sums = cls(split, measures)
        sums._days = [*data["days"]]
        sums._sums = [np.array(each, dtype=float) for each in data["sums"]]
        sums._codes = [FeatureCode(**{**each, "levels": tuple(each["levels"])}) for each in data["codes"]]
        sums._adjustment = Adjustment.from_json(data["adjustment"])
        return sums


LABELLED = "labelled"


class ExperimentSums:
    """Sums over *days* days: of all units, of the labelled ones, and of these by slice.

    *in_both*, *misassigned*, *unscored* and *ignored* are those of `Units`.
    """

    def __init__(self, split: Split, contract: Contract, measures: Sequence[str]) -> None:
        self._split, self._contract, self._measures = split, contract, [*measures]
        self.days = self.in_both = self.misassigned = self.unscored = 0
        self.ignored: Counter[str] = Counter()
        self.units, self.known = SumsByDay(split, [LABELLED]), SumsByDay(split, measures)
        self._slices: dict[tuple[str, Any], SumsByDay] = {}

    def add(self, units: Units) -> None:
        """Add the days of *units* that are not included yet."""
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
        self.in_both += units.in_both
        self.misassigned += units.misassigned
        self.unscored += units.unscored
        self.ignored.update(units.ignored)

    @property
    def slices(self) -> dict[str, SumsByDay]:
        """By "device = phone", for each value of the contract's slices."""
        names = {name: place for place, name in enumerate(self._contract.slices)}
        ordered = sorted(self._slices, key=lambda each: (names[each[0]], type(each[1]).__name__, each[1]))
        return {f"{name} = {value}": self._slices[name, value] for name, value in ordered}

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "days": self.days,
            "in_both": self.in_both,
            "misassigned": self.misassigned,
            "unscored": self.unscored,
            "ignored": dict(self.ignored),
            "units": self.units.to_json(),
            "known": self.known.to_json(),
            "slices": [[*which, part.to_json()] for which, part in self._slices.items()],
        }

    @classmethod
    def from_json(
        cls, data: Mapping[str, Any], split: Split, contract: Contract, measures: Sequence[str]
    ) -> ExperimentSums:
        """From `to_json`. Raises KeyError, TypeError or ValueError if it is something else."""
        sums = cls(split, contract, measures)
        for name in ("days", "in_both", "misassigned", "unscored"):
            setattr(sums, name, int(data[name]))
        sums.ignored.update(data["ignored"])
        sums.units = SumsByDay.from_json(data["units"], split, [LABELLED])
        sums.known = SumsByDay.from_json(data["known"], split, measures)
        sums._slices = {
            (name, value): SumsByDay.from_json(part, split, measures) for name, value, part in data["slices"]
        }
        return sums

    def _part(self) -> SumsByDay:
        return SumsByDay(self._split, self._measures)

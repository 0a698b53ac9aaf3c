"""The rows of a window, and the day since which a change of them is recent."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from checks.evidence import Array, Evidence
from checks.rules.changes.day_steps import MIN_BEFORE, Daily, Days, Step, steps
from contracts.row_contract import Contract

#: Values of a feature with this share of the rows, and as many rows, are segments; at most so many a feature.
MIN_SHARE, MIN_ROWS, MAX_SEGMENTS = 0.01, 50, 25


@dataclass(frozen=True)
class Recent:
    """*rows* are those of training and holdout; a change is recent since the day *first*.

    That is the start of the holdout, or the end of the champion's rows if the champion is older.
    """

    contract: Contract
    rows: pd.DataFrame
    first: pd.Timestamp

    @classmethod
    def of(cls, evidence: Evidence, *, even: bool = False) -> Recent:
        """The rows of *evidence*, without those of segments that are new. With *even* all days have the same share of theirs.

        A segment that begins changes every column's values in total, and no earlier day says what it should look like.
        The evidence is a sample of the rows where there are many, and training is sampled more than the holdout; how often
        rows of a day are alike depends on their number.
        """
        contract, before = evidence.contract, evidence.past.before
        parts = {"train": evidence.train, "holdout": evidence.holdout}
        if even:
            kept = {name: len(part) / max(evidence.past.extents[name]["rows"], 1) for name, part in parts.items()}
            least = min(*kept.values(), 1.0)
            parts = {
                name: part.sample(frac=min(1.0, least / kept[name]), random_state=0).sort_index()
                for name, part in parts.items()
            }
        rows = pd.concat(parts.values(), ignore_index=True)
        first = evidence.holdout[contract.time].min()
        if before is not None and len(before):
            first = min(first, before[contract.time].max())
        return cls(contract, _without_new_segments(contract, rows, first), first)

    @cached_property
    def days(self) -> Days:
        """The day of each row."""
        return Days.of(self.rows[self.contract.time])

    @cached_property
    def late(self) -> Any:
        """Whether a row is of the day *first*, or later: (n,)."""
        return (self.rows[self.contract.time] >= self.first.floor("D")).to_numpy()

    @property
    def segments(self) -> dict[str, tuple[Any, list[str]]]:
        """category or boolean -> the segment of each row, as a number (-1: none of them), and the segments' names.

        Columns with one value a day, such as the season, are left out: the calendar changes them.
        """
        found = {}
        for feature in self.contract.features:
            if feature.kind != "number" and self._varies(feature.name, 2):
                column = self.rows[feature.name].astype(object)
                counts = column.value_counts()
                enough = counts[counts >= max(MIN_ROWS, MIN_SHARE * len(self.rows))].head(MAX_SEGMENTS)
                codes = pd.Index(enough.index).get_indexer(pd.Index(column))
                found[feature.name] = (codes, [self.shown(feature.name, value) for value in enough.index])
        return found

    def numbers(self) -> list[str]:
        """The numeric features that vary within a day: others have one value a day, or a week."""
        return [each.name for each in self.contract.features if each.kind == "number" and self._varies(each.name, 3)]

    def _varies(self, name: str, least: int) -> bool:
        """Whether most days have at least so many values of the feature *name*."""
        kinds = self.rows[name].groupby(self.days.codes).nunique()
        return bool((kinds >= least).mean() > 0.5)

    def values(self, name: str) -> Array:
        """A numeric feature, (n,), NaN where it is missing."""
        numbers: Array = self.rows[name].astype(float).to_numpy()
        return numbers

    def shown(self, name: str, value: Any) -> str:
        """*value* of the feature *name* for a report."""
        if name in self.contract.private:
            return "(private)"
        return f"{value:g}" if isinstance(value, float) else str(value)

    def steps(self, sums: Daily, least: Any, **how: Any) -> list[Step]:
        """The recent steps of the statistics in *sums* that are at least *least*; *how* as in `day_steps.steps`."""
        return steps(sums, self.first, np.broadcast_to(np.asarray(least, dtype=float), sums.totals.shape[1:]), **how)

    def early_means(self, sums: Daily) -> Array:
        """The mean of each statistic before the day *first*; 0 without rows."""
        early = np.asarray(sums.days < self.first.floor("D"))
        totals, counts = (each[early].sum(axis=0) for each in (sums.totals, sums.counts))
        means: Array = totals / np.maximum(counts, 1.0)
        return means

    def enough(self) -> str:
        """An empty string if there are enough days before the day *first*, else a note."""
        many = int((self.days.dates < self.first.floor("D")).sum())
        if many >= MIN_BEFORE:
            return ""
        return f"{many} days before the holdout are too few to compare: at least {MIN_BEFORE} are needed"


def _without_new_segments(contract: Contract, rows: pd.DataFrame, first: pd.Timestamp) -> pd.DataFrame:
    """The *rows* without those of a category with `MIN_SHARE` of the recent rows that does not occur before the day *first*."""
    late = (rows[contract.time] >= first.floor("D")).to_numpy()
    new = np.zeros(len(rows), dtype=bool)
    if late.all():
        return rows
    for feature in contract.features:
        if feature.kind == "category":
            shares = rows.loc[late, feature.name].value_counts(normalize=True)
            begun = {*shares.index[shares >= MIN_SHARE]} - {*rows.loc[~late, feature.name].unique()}
            new |= rows[feature.name].isin(begun).to_numpy()
    return rows[~new].reset_index(drop=True)

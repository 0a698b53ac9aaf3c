"""Steps of daily means: a change that began on some day, and has lasted since.

A statistic of rows, such as "is missing", has a mean on each day. For each day on which the change may have begun, the
days since are compared with as many days (at least a week) just before. A step must

- be at least as large as the smallest change that matters;
- differ from the days just before *and* from all earlier days, in the same direction: a trend is near the former, the end
  of an unusual week is near the latter;
- exceed the usual differences of adjacent periods of the same lengths: the limit is a multiple of the largest one in the
  days before, which have the weekdays, weather and trend of the stream. A mean that is nearly zero for a
  week, and was never near it in an earlier period of this length, needs no such multiple;
- exceed chance: its standard error is that of independent rows, times the overdispersion of the earlier days (quasi-
  likelihood; McCullagh and Nelder 1989, 4.5), and many statistics and days are tested;
- be seen on most of the days since, not on one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from checks.evidence import Array

#: Fewest days that show the change: one that is over, or has just begun, is left to other rules.
MIN_DAYS = 3
#: Fewest days before it, and fewest pairs of adjacent periods among these days.
MIN_BEFORE, MIN_PAIRS = 21, 14
#: Least difference, as a multiple of the largest between adjacent periods before, and in standard errors.
MIN_TIMES_USUAL, MIN_STANDARD_ERRORS = 2.0, 6.0
#: Days that the days since are compared with at least, and for which a statistic must have vanished.
WEEK = 7
#: What is left of the lowest mean of an earlier period, at most, where a statistic has vanished; and how low that was, at
#: least, relative to the mean of all earlier days.
MAX_REMAINING, MIN_LOW = 0.1, 0.25
#: Least share of the days since whose mean has moved by a third of the step; `MIN_DAYS` at least.
MIN_MOVED_SHARE = 0.6
#: Rows added to a share of 0 or 1 for its standard error.
PRIOR = 1.0


@dataclass(frozen=True)
class Daily:
    """Sums over the rows of each day, (days, statistics): values, their squares, and rows; *days* are their dates."""

    days: Any
    totals: Array
    squares: Array
    counts: Array


@dataclass(frozen=True)
class Step:
    """The change of one statistic: its number, the first day, and the means before and since.

    *errors* is the difference in standard errors, *rows* the number of rows since.
    """

    statistic: int
    since: str
    before: float
    after: float
    errors: float
    rows: int

    @property
    def rise(self) -> float:
        """The difference of the means."""
        return self.after - self.before


@dataclass(frozen=True)
class Days:
    """The day of each row as a number from 0, and the dates of the days."""

    codes: Any
    dates: Any

    @classmethod
    def of(cls, at: pd.Series[Any]) -> Days:
        """The days of the times *at*."""
        return cls(*pd.factorize(at.dt.floor("D"), sort=True))

    def sums(self, values: Any, groups: Any = None, many: int = 1) -> Daily:
        """The sums of *values*, (n,), by day and group from 0 to *many*; a row of group -1, or a NaN, does not count."""
        groups = np.zeros(len(values), dtype=int) if groups is None else groups
        values = np.asarray(values, dtype=float)
        counted = (groups >= 0) & ~np.isnan(values)
        cell = self.codes[counted] * many + groups[counted]

        def summed(each: Any) -> Array:
            return (
                np.bincount(cell, each, minlength=len(self.dates) * many).reshape(len(self.dates), many).astype(float)
            )

        kept = values[counted]
        return Daily(self.dates, summed(kept), summed(kept**2), summed(None))


def joined(parts: Sequence[Daily]) -> Daily:
    """The statistics of all *parts*, which have the same days."""
    names = ("totals", "squares", "counts")
    return Daily(parts[0].days, *(np.concatenate([getattr(each, name) for each in parts], axis=1) for name in names))


def steps(
    sums: Daily, first: pd.Timestamp, least: Array, *, together: bool = False, multiple: float = MIN_TIMES_USUAL
) -> list[Step]:
    """The step of each statistic that has one of at least *least*, (statistics,): the clearest since the day *first*.

    It exceeds the usual differences by the factor *multiple*; with *together*, those of all statistics, for statistics
    that were chosen for their recent means.
    """
    many = len(sums.days)
    start = max(MIN_BEFORE, int(np.searchsorted(sums.days, first.floor("D"))))
    found: dict[int, Step] = {}
    if not sums.totals.shape[1]:
        return []
    totals, squares, counts = (_running(each) for each in (sums.totals, sums.squares, sums.counts))
    with np.errstate(invalid="ignore", divide="ignore"):
        day_means = sums.totals / sums.counts
        for day in range(start, many - MIN_DAYS + 1):
            lasted = many - day
            width = max(lasted, WEEK)
            if day - lasted - width + 1 < MIN_PAIRS:
                continue
            now = (totals[-1] - totals[day]) / (counts[-1] - counts[day])
            then = totals[day] / counts[day]
            just = _means(totals, counts, day - width, day)
            change = np.where(np.abs(now - then) < np.abs(now - just), now - then, now - just)
            change = np.where((now - then) * (now - just) > 0, change, 0.0)
            errors = np.abs(change) / _error(sums, totals, squares, counts, day)
            at = np.arange(width, day - lasted + 1)
            usual = np.abs(_means(totals, counts, at, at + lasted) - _means(totals, counts, at - width, at))
            usual = np.nan_to_num(usual).max(axis=0)
            usual = np.full_like(usual, usual.max()) if together else usual
            lowest = np.nan_to_num(_means(totals, counts, at, at + lasted)).min(axis=0)
            vanished = (lasted >= WEEK) & (change < 0) & (now <= MAX_REMAINING * lowest) & (lowest >= MIN_LOW * then)
            unusual = (np.abs(change) >= multiple * usual) | vanished
            moved = (day_means[day:] - then) * np.sign(change) > np.abs(change) / 3
            lasting = moved.sum(axis=0) >= np.maximum(MIN_DAYS, MIN_MOVED_SHARE * (sums.counts[day:] > 0).sum(axis=0))
            clear = (np.abs(change) >= least) & unusual & (errors >= MIN_STANDARD_ERRORS) & lasting
            for each in np.flatnonzero(clear).tolist():
                if each not in found or errors[each] > found[each].errors:
                    date = str(sums.days[day])[:10]
                    rows = int(counts[-1, each] - counts[day, each])
                    found[each] = Step(each, date, float(then[each]), float(now[each]), float(errors[each]), rows)
    return sorted(found.values(), key=lambda step: -step.errors)


def _running(values: Array) -> Array:
    """Sums over all days before each day, (days + 1, statistics)."""
    return np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(values, axis=0)])


def _means(totals: Array, counts: Array, start: Any, end: Any) -> Array:
    return np.asarray((totals[end] - totals[start]) / (counts[end] - counts[start]))


def _error(sums: Daily, totals: Array, squares: Array, counts: Array, day: int) -> Array:
    """The standard error of the difference of the days since *day* from those before (Welch 1947).

    The variance of a row is that of all rows. The days before and since have their own overdispersion: a group of rows on one
    day is no step.
    """
    pooled = (totals[-1] + PRIOR / 2) / (counts[-1] + PRIOR)
    variance = np.maximum((squares[-1] + PRIOR / 4) / (counts[-1] + PRIOR) - pooled**2, 1e-12)
    before = _dispersion(sums, slice(0, day)) / counts[day]
    since = _dispersion(sums, slice(day, None)) / (counts[-1] - counts[day])
    return np.asarray(np.sqrt(variance * (before + since)))


def _dispersion(sums: Daily, days: slice) -> Array:
    """Variance of the means of some *days*, relative to that of independent rows; at least 1."""
    totals, squares, counts = sums.totals[days], sums.squares[days], sums.counts[days]
    rows = counts.sum(axis=0)
    mean = totals.sum(axis=0) / rows
    own = np.maximum((squares.sum(axis=0) + PRIOR / 4) / (rows + PRIOR) - mean**2, 1e-12)
    residual = np.nan_to_num(counts * (totals / counts - mean) ** 2).sum(axis=0)
    seen = (counts > 0).sum(axis=0)
    return np.asarray(np.maximum(residual / own / np.maximum(seen - 1, 1), 1.0))

"""The confidence interval of a paired difference, where rows of one day, and of one key, are dependent.

Days are drawn with replacement, with all of their rows (a paired cluster bootstrap; Efron and Tibshirani 1993, ch. 8;
Field and Welsh 2007). Its percentiles are stretched around the estimate to correct for two things:

- keys with rows on several days make days dependent: the standard error becomes the two-way cluster-robust one, V(day) + V(key) - V(day and key) (Cameron, Gelbach and Miller 2011), never
  less than that of days alone;
- few days make percentiles too narrow: they are widened by sqrt(G / (G - 1)) and by Student's t
  over the normal quantile (Hesterberg 2015), G being the effective number of days (Carter, Schnepel
  and Steigerwald 2017: days of unequal size count as fewer).
"""

from __future__ import annotations

import bisect
import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy import special

from checks.comparison.weighted_metrics import METRICS, RELATIVE, Measure
from checks.evidence import Array
from contracts.comparison_limits import LARGER_IS_BETTER

#: Longest forecast of the days that would settle a comparison, in multiples of the days so far.
MAX_FORECAST = 1_000


@dataclass(frozen=True)
class Blocks:
    """Which day and which key each row is of, (n,) as codes from 0, and how often days are drawn.

    *holdout_days* are the days of the holdout that the rows are from, 0 where that is not known.
    """

    day: Any
    key: Any
    draws: int
    seed: int
    holdout_days: int = 0

    @cached_property
    def days(self) -> int:
        """How many days there are."""
        return int(self.day.max()) + 1 if len(self.day) else 0

    @cached_property
    def times(self) -> Array:
        """How often each day is drawn: (draws, days)."""
        random = np.random.default_rng(self.seed)
        drawn = random.multinomial(self.days, np.full(self.days, 1 / self.days), self.draws)
        return drawn.astype(np.float64)

    @cached_property
    def recurs(self) -> bool:
        """Whether some key has rows on more than one day."""
        keys = int(self.key.max()) + 1 if len(self.key) else 0
        return keys < len(self.key) and len(np.unique(self._cell)) > keys

    @cached_property
    def effective(self) -> float:
        """The effective number of days: of days of equal size with as much information."""
        return _effective(self.day)

    @cached_property
    def freedom(self) -> float:
        """Degrees of freedom: the effective number of days, or of recurring keys, minus one."""
        keys = _effective(self.key) if self.recurs else math.inf
        return max(1.0, min(self.effective, keys) - 1)

    def of(self, rows: Any) -> Blocks:
        """The blocks of the *rows* in a mask."""
        day, key = (np.unique(each[rows], return_inverse=True)[1] for each in (self.day, self.key))
        return Blocks(day, key, self.draws, self.seed, self.holdout_days)

    def key_factor(self, influence: Array) -> float:
        """The factor by which recurring keys widen a standard error; *influence* is (n,)."""
        if not self.recurs:
            return 1.0
        day, key, both = (_squares(each, influence) for each in (self.day, self.key, self._cell))
        return math.sqrt(1 + max(0.0, key - both) / day) if day > 0 else 1.0

    @cached_property
    def _cell(self) -> Any:
        return self.key.astype(np.int64) * (self.days + 1) + self.day


@dataclass(frozen=True)
class Gap:
    """The gain of one model over another, with its confidence interval.

    *ours* and *theirs* are the values of the metric; *value* is the gain: the difference with the sign by which larger
    is better, for `RELATIVE` metrics as a share of *theirs*. *low* and *high* are None without an interval. *error* is
    the standard error, *freedom* its degrees of freedom. *holdout_days* are the days that the comparison has at most, 0
    where that is not known. *periods* is the number of earlier periods that count (`checks.comparison.pooled_gain`).
    """

    metric: str
    ours: float
    theirs: float
    value: float
    low: float | None
    high: float | None
    error: float
    freedom: float
    rows: int
    days: int
    confidence: float
    holdout_days: int = 0
    periods: int = 0

    def p_value(self, limit: float) -> float:
        """The one-sided p-value of the hypothesis that the gain is *limit* or more."""
        if self.error == 0:
            return float(self.value >= limit)
        return float(special.stdtr(self.freedom, (self.value - limit) / self.error))

    def days_to_settle(self, limit: float) -> int | None:
        """How many more days like these until the interval is on one side of *limit*, if the estimate stays.

        The interval narrows with the root of the days, and with Student's t. None beyond `MAX_FORECAST`.
        """
        if self.low is None or self.high is None:
            return None
        away = self.value - limit
        side = self.value - self.low if away > 0 else self.high - self.value

        def settles(days: int) -> bool:
            """Whether so many days settle it; if so, more days do as well."""
            share = days / self.days
            narrower = _stretch(self.freedom * share, self.confidence) / math.sqrt(share)
            return side * narrower / _stretch(self.freedom, self.confidence) <= abs(away)

        far = range(self.days + 1, self.days * MAX_FORECAST + 1)
        place = bisect.bisect_left(far, True, key=settles)
        return far[place] - self.days if place < len(far) else None


def paired(
    metric: str,
    measures: tuple[Measure, Measure],
    blocks: Blocks,
    confidence: float,
    least: int = 2,
    widened: float = 1.0,
) -> Gap:
    """The gain of the first of *measures* over the second on the same rows, with its interval.

    There is no interval with fewer than *least* days, or where the metric is undefined (one class is absent).
    *widened* is the factor for the effect of the period (`checks.comparison.gain_effect`).
    """
    ours, theirs = (float(measure()) for measure in measures)
    value = float(difference(metric, ours, theirs))
    rows, days, freedom = len(blocks.day), blocks.days, blocks.freedom if blocks.days else 1.0
    sizes = (freedom, rows, days, confidence, blocks.holdout_days)
    if days < max(2, least) or not math.isfinite(value):
        return Gap(metric, ours, theirs, value, None, None, math.inf, *sizes)
    drawn = difference(metric, *(m.drawn(blocks.day, blocks.times) for m in measures))
    drawn = drawn[np.isfinite(drawn)]
    wider = widened * _wider(blocks.effective) * blocks.key_factor(_influence(metric, measures, ours, theirs))
    far = wider * _stretch(blocks.freedom, confidence)
    tail = (1 - confidence) / 2 * 100
    # Around the estimate rather than the mean of the draws, which for a difference are nearly equal.
    low, high = (float(each) for each in np.percentile(drawn, [tail, 100 - tail]))
    low, high = value - far * max(0.0, value - low), value + far * max(0.0, high - value)
    return Gap(metric, ours, theirs, value, low, high, wider * float(drawn.std()), *sizes)


def difference(metric: str, ours: Any, theirs: Any) -> Any:
    """The gain of *ours* over *theirs*; a share of *theirs* for `RELATIVE` metrics.

    Relative to an error of 0 (a constant outcome, predicted exactly) any gain but 0 is NaN.
    """
    gap = ours - theirs if metric in LARGER_IS_BETTER else theirs - ours
    return _share(gap, theirs) if metric in RELATIVE else gap


def measures(metric: str, truth: Array, *scores: Array) -> tuple[Measure, ...]:
    """The *metric* of each of the *scores*."""
    return tuple(METRICS[metric](truth, each) for each in scores)


def _influence(metric: str, both: tuple[Measure, Measure], ours: float, theirs: float) -> Array:
    """The influence of each row on the difference."""
    here, there = (measure.influence() for measure in both)
    if metric in RELATIVE:
        return np.asarray(_share(_share(ours * there, theirs), theirs) - _share(here, theirs))
    return np.asarray(here - there if metric in LARGER_IS_BETTER else there - here)


def _share(part: Any, whole: Any) -> Any:
    """*part* over *whole*; where *whole* is 0: 0 if *part* is 0, else NaN."""
    undefined = np.where(np.asarray(part) == 0, 0.0, np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(np.asarray(whole) == 0, undefined, np.divide(part, whole))


def _wider(blocks: float) -> float:
    return math.sqrt(blocks / (blocks - 1)) if blocks > 1 else math.inf


def _stretch(freedom: float, confidence: float) -> float:
    tail = (1 + confidence) / 2
    return float(special.stdtrit(freedom, tail) / special.ndtri(tail))


def _squares(group: Any, influence: Array) -> float:
    _, code = np.unique(group, return_inverse=True)
    return float((np.bincount(code, influence) ** 2).sum())


def _effective(group: Any) -> float:
    sizes = np.bincount(group)
    return float(sizes.sum() ** 2 / (sizes**2.0).sum())

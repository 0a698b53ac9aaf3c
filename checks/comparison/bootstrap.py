"""The interval of a paired difference, when rows of one day go together, and rows of one key too.

Days are drawn with replacement, all their rows with them (a paired cluster bootstrap; Efron and
Tibshirani 1993, ch. 8; Field and Welsh 2007). Two things it does not see are put right by
stretching its percentiles around the estimate:

- a key with rows on several days ties days together: the standard error is made the two-way
  cluster-robust one, V(day) + V(key) - V(day and key) (Cameron, Gelbach and Miller 2011), never
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
from contracts.thresholds import LARGER_IS_BETTER

#: So many times the days there are is as far as anybody looks ahead.
FAR = 1_000


@dataclass(frozen=True)
class Blocks:
    """Which day and which key each row is of, (n,) as codes from 0, and how often days are drawn."""

    day: Any
    key: Any
    draws: int
    seed: int

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
        """The number of days of equal size that would tell as much."""
        return _effective(self.day)

    @cached_property
    def freedom(self) -> float:
        """Degrees of freedom: the effective number of days, or of recurring keys, less one."""
        keys = _effective(self.key) if self.recurs else math.inf
        return max(1.0, min(self.effective, keys) - 1)

    def of(self, rows: Any) -> Blocks:
        """The blocks of some *rows* (a mask) alone."""
        day, key = (np.unique(each[rows], return_inverse=True)[1] for each in (self.day, self.key))
        return Blocks(day, key, self.draws, self.seed)

    def tie(self, pull: Array) -> float:
        """By how much keys that recur widen a standard error; *pull* is the influence (n,)."""
        if not self.recurs:
            return 1.0
        day, key, both = (_squares(each, pull) for each in (self.day, self.key, self._cell))
        return math.sqrt(1 + max(0.0, key - both) / day) if day > 0 else 1.0

    @cached_property
    def _cell(self) -> Any:
        return self.key.astype(np.int64) * (self.days + 1) + self.day


@dataclass(frozen=True)
class Gap:
    """How much better one is than the other, and the interval of that.

    *ours*, *theirs* are the metric's values; *value* is the difference, turned so that more is
    better, for `RELATIVE` metrics as a share of *theirs*. *low* and *high* are None where there is no
    interval. *error* is the standard error, *freedom* its degrees.
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

    def chance_of_less(self, than: float) -> float:
        """The one-sided p-value of the difference being *than* or more; small if it is less."""
        if self.error == 0:
            return float(self.value >= than)
        return float(special.stdtr(self.freedom, (self.value - than) / self.error))

    def days_to_tell(self, limit: float) -> int | None:
        """How many more days like these until the interval is on one side of *limit*.

        As if the estimate stayed what it is; None where that is further than anybody looks. The
        interval narrows with the root of the days, and Student's t with it.
        """
        if self.low is None or self.high is None:
            return None
        away = self.value - limit
        side = self.value - self.low if away > 0 else self.high - self.value

        def tells(days: int) -> bool:
            """Whether so many days would; more days always do as well."""
            share = days / self.days
            narrower = _stretch(self.freedom * share, self.confidence) / math.sqrt(share)
            return side * narrower / _stretch(self.freedom, self.confidence) <= abs(away)

        far = range(self.days + 1, self.days * FAR + 1)
        found = bisect.bisect_left(far, True, key=tells)
        return far[found] - self.days if found < len(far) else None


def paired(metric: str, measures: tuple[Measure, Measure], blocks: Blocks, confidence: float, least: int = 2) -> Gap:
    """The *metric* of ours less that of theirs on the same rows, with its interval.

    With fewer than *least* days there is none, nor where it cannot be measured (one class is absent).
    """
    ours, theirs = (float(measure()) for measure in measures)
    value = float(difference(metric, ours, theirs))
    rows, days, freedom = len(blocks.day), blocks.days, blocks.freedom if blocks.days else 1.0
    told = (freedom, rows, days, confidence)
    if days < max(2, least) or not math.isfinite(value):
        return Gap(metric, ours, theirs, value, None, None, math.inf, *told)
    drawn = difference(metric, *(m.drawn(blocks.day, blocks.times) for m in measures))
    drawn = drawn[np.isfinite(drawn)]
    wider = _wider(blocks.effective) * blocks.tie(_pull(metric, measures, ours, theirs))
    far = wider * _stretch(blocks.freedom, confidence)
    tail = (1 - confidence) / 2 * 100
    # Around the estimate, not around the draws' own middle: of a difference they are one.
    low, high = (float(each) for each in np.percentile(drawn, [tail, 100 - tail]))
    low, high = value - far * max(0.0, value - low), value + far * max(0.0, high - value)
    return Gap(metric, ours, theirs, value, low, high, wider * float(drawn.std()), *told)


def difference(metric: str, ours: Any, theirs: Any) -> Any:
    """How much better *ours* is; a share of *theirs* for `RELATIVE` metrics.

    Of an error of 0, as of a constant outcome that is predicted exactly, only 0 is a share: NaN.
    """
    gap = ours - theirs if metric in LARGER_IS_BETTER else theirs - ours
    return _share(gap, theirs) if metric in RELATIVE else gap


def measures(metric: str, truth: Array, *scores: Array) -> tuple[Measure, ...]:
    """The *metric* of each of the *scores*."""
    return tuple(METRICS[metric](truth, each) for each in scores)


def _pull(metric: str, both: tuple[Measure, Measure], ours: float, theirs: float) -> Array:
    """The influence of each row on the difference."""
    here, there = (measure.influence() for measure in both)
    if metric in RELATIVE:
        return np.asarray(_share(_share(ours * there, theirs), theirs) - _share(here, theirs))
    return np.asarray(here - there if metric in LARGER_IS_BETTER else there - here)


def _share(part: Any, whole: Any) -> Any:
    """*part* of *whole*; of a whole of 0 it is 0 where the part is as well, and NaN where not."""
    nothing = np.where(np.asarray(part) == 0, 0.0, np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(np.asarray(whole) == 0, nothing, np.divide(part, whole))


def _wider(blocks: float) -> float:
    return math.sqrt(blocks / (blocks - 1)) if blocks > 1 else math.inf


def _stretch(freedom: float, confidence: float) -> float:
    tail = (1 + confidence) / 2
    return float(special.stdtrit(freedom, tail) / special.ndtri(tail))


def _squares(group: Any, pull: Array) -> float:
    _, code = np.unique(group, return_inverse=True)
    return float((np.bincount(code, pull) ** 2).sum())


def _effective(group: Any) -> float:
    sizes = np.bincount(group)
    return float(sizes.sum() ** 2 / (sizes**2.0).sum())

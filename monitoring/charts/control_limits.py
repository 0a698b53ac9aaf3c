"""Control limits, solved from a budget of false alarms.

In-control quarters are resampled from the reference (`monitoring.charts.in_control_days`). Mean and standard deviation are
re-estimated in each draw on a resampled reference, so that estimation error counts (Jones, Champ and Rigdon, 2001;
Gandy and Kvaløy, 2013).

Each severity is solved separately, so that many drifting features do not use up the budget of performance. Within a
severity all charts have the same false alarm rate: a limit is a quantile of the largest values of quarters, extended by
an exponential tail (its scale is the mean excess: Pickands, 1975, with shape 0). The rate is found by bisection, so
that the alarms of all charts stay within the share of the budget.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from monitoring.charts.control_chart import ewma
from monitoring.charts.in_control_days import resampled_days

Numbers = np.ndarray[Any, Any]
Side = Literal["upper", "lower", "both"]

QUARTER = 91
#: The share of the budget that is used; the rest allows for references whose tails or months are not typical.
BUDGET_SHARE = 0.15
#: Numbers in memory at once: quarters are drawn in batches.
AT_ONCE = 6_000_000
#: The largest values of quarters that the tail is fitted to.
TAIL = 16


@dataclass(frozen=True)
class Limits:
    """A chart's limits: *day* (Shewhart) and *level* (EWMA), in standard deviations.

    *mean* and *deviation* are the reference's, in units of the series. *run_length* is the in-control run length of the
    chart in days, by resampling; without a false alarm, all resampled days.
    """

    mean: float
    deviation: float
    day: float
    level: float
    run_length: float


@dataclass(frozen=True)
class Series:
    """A charted series: the *side* of deterioration and the *tolerance*, in units of the series.

    The tolerance is the smallest relevant distance from the mean, or (with *absolute*) the smallest relevant value.
    """

    name: str
    side: Side
    tolerance: float
    absolute: bool = False

    def above(self, limits: Limits) -> tuple[float | None, float | None]:
        """The upper limits of day and level, in units of the series."""
        if self.side == "lower":
            return None, None
        return self._limit(limits, limits.day, 1), self._limit(limits, limits.level, 1)

    def below(self, limits: Limits) -> tuple[float | None, float | None]:
        """The lower limits of day and level."""
        if self.side == "upper":
            return None, None
        return self._limit(limits, limits.day, -1), self._limit(limits, limits.level, -1)

    def _limit(self, limits: Limits, deviations: float, sign: int) -> float:
        distance = deviations * limits.deviation
        if self.absolute:
            return max(limits.mean + distance, self.tolerance)
        return limits.mean + sign * max(distance, self.tolerance)


@dataclass(frozen=True)
class Rule:
    """An alarm: a chart is outside its limits on *lasting* of *of* days; *quiet* days within them end it."""

    lasting: int
    of: int
    quiet: int


@dataclass(frozen=True)
class Budget:
    """False *alarms* a quarter for all series of a severity, by *draws* of quarters, reproducible by *seed*."""

    alarms: float
    weight: float
    draws: int
    seed: int


def solve(reference: Numbers, weekdays: Numbers, series: Sequence[Series], rule: Rule, budget: Budget) -> list[Limits]:
    """The limits of the *series* of one severity: *reference* is (days, series), NaN for missing.

    *weekdays* (days,) are 0 to 6.
    """
    tolerances = np.array([each.tolerance for each in series])
    sides: list[Side] = [each.side for each in series]
    resampled = _resampled(reference, weekdays, tolerances, sides, budget)
    day, level, lengths = _solved(*resampled, rule, BUDGET_SHARE * budget.alarms)
    columns = (*_moments(reference, tolerances), day, level, lengths)
    return [Limits(*map(float, each)) for each in zip(*columns, strict=True)]


def oriented(values: Numbers, sides: Sequence[Side]) -> Numbers:
    """Values (..., series) oriented so that larger is worse: unchanged, negated, or absolute."""
    signs = np.array([-1.0 if side == "lower" else 1.0 for side in sides])
    both = np.array([side == "both" for side in sides])
    return np.where(both, np.abs(values), values * signs)


def persistent(values: Numbers, rule: Rule) -> Numbers:
    """The *lasting*-th largest of the last *of* days, along the second last axis.

    Of booleans: whether at least *lasting* of them are true.
    """
    if rule.of == 1:
        return values
    earlier = [np.roll(values, n, axis=-2) for n in range(rule.of)]
    for n, shifted in enumerate(earlier):
        shifted[..., :n, :] = 0
    return np.asarray(np.sort(np.stack(earlier), axis=0)[-rule.lasting])


def alarms_begin(beyond: Numbers, quiet: int) -> Numbers:
    """The days (..., days) on which an alarm begins: outside limits, after *quiet* days within them."""
    begins = beyond.copy()
    for n in range(1, quiet + 1):
        begins[..., n:] &= ~beyond[..., :-n]
    return begins


def _moments(days: Numbers, tolerances: Numbers) -> tuple[Numbers, Numbers]:
    """Mean and standard deviation along the second last axis; the deviation is at least 1/20 of the tolerance."""
    known = ~np.isnan(days)
    count = np.maximum(known.sum(axis=-2, keepdims=True), 1)
    mean = np.where(known, days, 0).sum(axis=-2, keepdims=True) / count
    square = np.where(known, (days - mean) ** 2, 0).sum(axis=-2) / np.maximum(count[..., 0, :] - 1, 1)
    return mean[..., 0, :], np.maximum(np.sqrt(square), np.maximum(tolerances / 20, 1e-12))


def _resampled(
    reference: Numbers, weekdays: Numbers, tolerances: Numbers, sides: Sequence[Side], budget: Budget
) -> tuple[Numbers, Numbers]:
    """Days and levels of in-control quarters, oriented: two of (draws, days, series)."""
    random = np.random.default_rng(budget.seed)
    count, before = len(reference), QUARTER // 7
    each = max(1, AT_ONCE // ((QUARTER + before + count) * reference.shape[1]))
    days, levels = [], []
    for first in range(0, budget.draws, each):
        draws = min(each, budget.draws - first)
        drawn = resampled_days(reference, weekdays, draws, count + before + QUARTER, random)
        known, quarter = drawn[:, :count], drawn[:, count:]
        mean, deviation = _moments(known, tolerances)
        scaled = (quarter - mean[:, None, :]) / deviation[:, None, :]
        level = oriented(ewma(scaled, budget.weight), sides)[:, before:].astype(np.float32)
        day = np.nan_to_num(oriented(scaled, sides)[:, before:]).astype(np.float32)
        days.append(day)
        levels.append(level)
    return np.concatenate(days), np.concatenate(levels)


def _solved(days: Numbers, levels: Numbers, rule: Rule, alarms: float) -> tuple[Numbers, Numbers, Numbers]:
    """Limits of day and level at which quarters have *alarms* on average, and run lengths."""
    both = days, levels
    extremes = [_Extremes.of(persistent(each, rule)) for each in both]
    rarities = [one.rarity(each) for one, each in zip(extremes, both, strict=True)]
    apart = persistent(np.maximum(*rarities), rule)
    worst = apart.max(axis=-1)
    low, high = 0.0, float(worst.max()) * 1.01
    for _ in range(40):
        middle = (low + high) / 2
        begun = alarms_begin(worst > middle, rule.quiet).sum() / len(worst)
        # With low limits alarms merge and are few again, so that side is excluded.
        low, high = (middle, high) if begun > alarms or (worst > middle).mean() > 0.5 else (low, middle)
    begun = alarms_begin(np.moveaxis(apart, -1, 0) > high, rule.quiet).sum(axis=(1, 2))
    day, level = (each.value(high) for each in extremes)
    return day, level, len(days) * QUARTER / np.maximum(begun, 1)


@dataclass(frozen=True)
class _Extremes:
    """The distribution of the largest values of quarters, by series.

    *tops* (quarters, series) are sorted; each is exceeded in one of ``exp(rarities)`` quarters. Beyond the last,
    rarity rises by 1 for each *scale* (series,).
    """

    tops: Numbers
    rarities: Numbers
    scale: Numbers

    @classmethod
    def of(cls, values: Numbers) -> _Extremes:
        """From oriented *values* (quarters, days, series)."""
        tops = np.maximum(np.sort(values.max(axis=1), axis=0), 0.1)
        tail = min(TAIL, len(tops) // 2)
        known, beyond = tops[: 1 - tail], tops[1 - tail :]
        rarities = np.log(len(tops) / np.arange(len(tops), tail - 1, -1))
        return cls(known, rarities, np.maximum((beyond - known[-1]).mean(axis=0), 0.01))

    def rarity(self, values: Numbers) -> Numbers:
        """The rarity of *values* (..., series); 0 where every quarter exceeds them."""
        rarity = np.maximum(values - self.tops[-1], 0) / self.scale
        for n, tops in enumerate(self.tops.T):
            rarity[..., n] += np.interp(values[..., n], tops, self.rarities)
        return np.asarray(rarity)

    def value(self, rarity: float) -> Numbers:
        """The values (series,) with that rarity."""
        known = [np.interp(rarity, self.rarities, tops) for tops in self.tops.T]
        return np.asarray(known + self.scale * max(rarity - self.rarities[-1], 0))

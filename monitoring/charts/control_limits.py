"""Limits of control charts, solved from one budget of false alarms.

Quiet quarters are drawn from the reference (`monitoring.charts.in_control_days`). Mean and deviation are estimated anew on a
resampled reference in each draw: an unlucky one is a cause of false alarms like any other (Jones, Champ
and Rigdon, 2001; Gandy and Kvaløy, 2013).

A tier of alarms is solved by itself, so that fifty features do not drown the one estimate of performance.
Within a tier every chart has as rare an alarm as any other: a limit is exceeded by the largest value of one
quarter in so many, among those drawn, and beyond the last few of them by an exponential tail (the
mean excess is its scale: Pickands, 1975, with shape 0). How rare, for all charts alike, is found so that the tier's
alarms keep to its share of the budget.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from monitoring.charts.control_chart import ewma
from monitoring.charts.in_control_days import quiet_days

Numbers = np.ndarray[Any, Any]
Side = Literal["upper", "lower", "both"]

QUARTER = 91
#: The share of the budget that is spent; the rest is for what a reference cannot know: that its tails are
#: longer than they looked, that it was an unusually calm month.
SPENT = 0.15
#: Numbers that are held at once: series are many, quarters are drawn a few at a time.
AT_ONCE = 6_000_000
#: Of the drawn quarters' largest values so many are a chart's tail.
TAIL = 16


@dataclass(frozen=True)
class Limits:
    """A chart's limits: *day* (Shewhart's) and *level* (the EWMA's), in standard deviations.

    *mean* and *deviation* are the reference's, in the series' units. *run_length*: days from one
    false alarm of this chart to the next, as resampled; all days that were drawn where there was none.
    """

    mean: float
    deviation: float
    day: float
    level: float
    run_length: float


@dataclass(frozen=True)
class Series:
    """What is charted: the *side* that is bad, and what is a *trifle*, in the series' own units.

    With *absolute* a value below the trifle is one, else a distance from the mean is.
    """

    name: str
    side: Side
    trifle: float
    absolute: bool = False

    def above(self, limits: Limits) -> tuple[float | None, float | None]:
        """The upper limits of the day and of the level, in the series' units."""
        if self.side == "lower":
            return None, None
        return self._limit(limits, limits.day, 1), self._limit(limits, limits.level, 1)

    def below(self, limits: Limits) -> tuple[float | None, float | None]:
        """The lower ones."""
        if self.side == "upper":
            return None, None
        return self._limit(limits, limits.day, -1), self._limit(limits, limits.level, -1)

    def _limit(self, limits: Limits, far: float, sign: int) -> float:
        away = far * limits.deviation
        if self.absolute:
            return max(limits.mean + away, self.trifle)
        return limits.mean + sign * max(away, self.trifle)


@dataclass(frozen=True)
class Rule:
    """When a tier alarms: a chart is beyond on *lasting* of *of* days; *quiet* days end it."""

    lasting: int
    of: int
    quiet: int


@dataclass(frozen=True)
class Budget:
    """*alarms* a quarter over a tier's series, by a number of *draws* of quarters, reproducible by *seed*."""

    alarms: float
    weight: float
    draws: int
    seed: int


def solve(reference: Numbers, weekdays: Numbers, series: Sequence[Series], rule: Rule, budget: Budget) -> list[Limits]:
    """The limits of the *series* of one tier: *reference* is (days, series), NaN without a verdict.

    *weekdays* (days,) are 0 to 6.
    """
    trifles = np.array([each.trifle for each in series])
    sides: list[Side] = [each.side for each in series]
    drawn = _drawn(reference, weekdays, trifles, sides, budget)
    day, level, lengths = _solved(*drawn, rule, SPENT * budget.alarms)
    columns = (*_moments(reference, trifles), day, level, lengths)
    return [Limits(*map(float, each)) for each in zip(*columns, strict=True)]


def towards(values: Numbers, sides: Sequence[Side]) -> Numbers:
    """Values (..., series) with what is bad upward: as they are, negated, or without their sign."""
    signs = np.array([-1.0 if side == "lower" else 1.0 for side in sides])
    both = np.array([side == "both" for side in sides])
    return np.where(both, np.abs(values), values * signs)


def lasts(beyond: Numbers, rule: Rule) -> Numbers:
    """The *lasting*-th largest of the last *of* days, along the first axis but one; NaN counts as none.

    With booleans: whether it was so on that many of them.
    """
    if rule.of == 1:
        return beyond
    earlier = [np.roll(beyond, n, axis=-2) for n in range(rule.of)]
    for n, shifted in enumerate(earlier):
        shifted[..., :n, :] = 0
    return np.asarray(np.sort(np.stack(earlier), axis=0)[-rule.lasting])


def alarms_begin(beyond: Numbers, quiet: int) -> Numbers:
    """The days (..., days) on which an alarm begins: beyond, and not so on the *quiet* days before."""
    begins = beyond.copy()
    for n in range(1, quiet + 1):
        begins[..., n:] &= ~beyond[..., :-n]
    return begins


def _moments(days: Numbers, trifles: Numbers) -> tuple[Numbers, Numbers]:
    """Mean and deviation along the first axis but one; a trifle's twentieth is the least deviation."""
    known = ~np.isnan(days)
    count = np.maximum(known.sum(axis=-2, keepdims=True), 1)
    mean = np.where(known, days, 0).sum(axis=-2, keepdims=True) / count
    square = np.where(known, (days - mean) ** 2, 0).sum(axis=-2) / np.maximum(count[..., 0, :] - 1, 1)
    return mean[..., 0, :], np.maximum(np.sqrt(square), np.maximum(trifles / 20, 1e-12))


def _drawn(
    reference: Numbers, weekdays: Numbers, trifles: Numbers, sides: Sequence[Side], budget: Budget
) -> tuple[Numbers, Numbers]:
    """Days and levels of quiet quarters, bad upward: two of (draws, days, series)."""
    random = np.random.default_rng(budget.seed)
    count, before = len(reference), QUARTER // 7
    each = max(1, AT_ONCE // ((QUARTER + before + count) * reference.shape[1]))
    days, levels = [], []
    for first in range(0, budget.draws, each):
        draws = min(each, budget.draws - first)
        both = quiet_days(reference, weekdays, draws, count + before + QUARTER, random)
        known, quarter = both[:, :count], both[:, count:]
        mean, deviation = _moments(known, trifles)
        scaled = (quarter - mean[:, None, :]) / deviation[:, None, :]
        level = towards(ewma(scaled, budget.weight), sides)[:, before:].astype(np.float32)
        day = np.nan_to_num(towards(scaled, sides)[:, before:]).astype(np.float32)
        days.append(day)
        levels.append(level)
    return np.concatenate(days), np.concatenate(levels)


def _solved(days: Numbers, levels: Numbers, rule: Rule, alarms: float) -> tuple[Numbers, Numbers, Numbers]:
    """Limits of days and levels at which quarters have *alarms* on average; each chart's run length."""
    drawn = days, levels
    extremes = [_Extremes.of(lasts(each, rule)) for each in drawn]
    rarities = [one.rarity(each) for one, each in zip(extremes, drawn, strict=True)]
    apart = lasts(np.maximum(*rarities), rule)
    worst = apart.max(axis=-1)
    low, high = 0.0, float(worst.max()) * 1.01
    for _ in range(40):
        middle = (low + high) / 2
        begun = alarms_begin(worst > middle, rule.quiet).sum() / len(worst)
        # Where nothing is rare, alarms run together and are few: the budget is sought from above.
        low, high = (middle, high) if begun > alarms or (worst > middle).mean() > 0.5 else (low, middle)
    begun = alarms_begin(np.moveaxis(apart, -1, 0) > high, rule.quiet).sum(axis=(1, 2))
    day, level = (each.value(high) for each in extremes)
    return day, level, len(days) * QUARTER / np.maximum(begun, 1)


@dataclass(frozen=True)
class _Extremes:
    """The largest values of quarters, by series, and so how rare a value is.

    *tops* (quarters, series) rise; each is exceeded in one of ``exp(rarities)`` quarters. Beyond the last a
    value is rarer by 1 for each *scale* (series,).
    """

    tops: Numbers
    rarities: Numbers
    scale: Numbers

    @classmethod
    def of(cls, values: Numbers) -> _Extremes:
        """Those of *values* (quarters, days, series), bad upward."""
        tops = np.maximum(np.sort(values.max(axis=1), axis=0), 0.1)
        tail = min(TAIL, len(tops) // 2)
        known, beyond = tops[: 1 - tail], tops[1 - tail :]
        rarities = np.log(len(tops) / np.arange(len(tops), tail - 1, -1))
        return cls(known, rarities, np.maximum((beyond - known[-1]).mean(axis=0), 0.01))

    def rarity(self, values: Numbers) -> Numbers:
        """How rare *values* (..., series) are; 0 where every quarter goes further."""
        found = np.maximum(values - self.tops[-1], 0) / self.scale
        for n, tops in enumerate(self.tops.T):
            found[..., n] += np.interp(values[..., n], tops, self.rarities)
        return np.asarray(found)

    def value(self, rarity: float) -> Numbers:
        """The values (series,) that are so rare."""
        known = [np.interp(rarity, self.rarities, tops) for tops in self.tops.T]
        return np.asarray(known + self.scale * max(rarity - self.rarities[-1], 0))

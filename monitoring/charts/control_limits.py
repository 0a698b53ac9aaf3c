"""Control limits, solved from a budget of false alarms.

In-control quarters are resampled from the reference (`monitoring.charts.in_control_days`). Mean and standard deviation are
re-estimated in each draw on a resampled reference, so that estimation error counts (Jones, Champ and Rigdon, 2001;
Gandy and Kvaløy, 2013). The standard deviation is squeezed to that of earlier days (`monitoring.charts.variance_prior`),
in the draws as in the limits. No limit is further than `MAX_DEVIATIONS`, or outside the range of its metric.

Each severity is solved separately, so that many drifting features do not use up the budget of performance. Within a
severity all charts have the same false alarm rate: a limit is a quantile of the largest values of quarters, extended by
an exponential tail (its scale is the mean excess: Pickands, 1975, with shape 0). The rate is found by bisection, so
that the alarms of all charts stay within the share of the budget.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from monitoring.charts.charted_series import Limits, Series, Side, oriented
from monitoring.charts.control_chart import MEMORY, cusum, ewma
from monitoring.charts.in_control_days import Shape, resampled_days
from monitoring.charts.variance_prior import Prior, moments, pooled, squeezed

Numbers = np.ndarray[Any, Any]

QUARTER = 91
#: The share of the budget that is used; the rest allows for references whose tails or months are not typical.
BUDGET_SHARE = 0.15
#: No limit of a day is further from the mean, and no limit of a level further than that many of the level's deviations:
#: what needs more is lost among the days' differences, and a chart that cannot alarm must not look like one that can.
MAX_DEVIATIONS = 6.0
#: A series whose days would need a limit further than that, and whose skewness of at least `ODD` shows it on enough
#: `DAYS`, has too many odd ones: no single day is an alarm, the level is. A share or distance has a smallest relevant
#: value instead, and keeps its limit.
TOO_FAR, ODD, DAYS = 10.0, 1.5, 20
#: The smallest slack of a CUSUM: it is then best for a shift of half a standard deviation.
MIN_SLACK = 0.25
#: Numbers in memory at once: quarters are drawn in batches.
BATCH_NUMBERS = 6_000_000
#: The largest values of quarters that the tail is fitted to.
TAIL = 16


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


def solve(
    reference: Numbers,
    weekdays: Numbers,
    series: Sequence[Series],
    rule: Rule,
    budget: Budget,
    prior: Prior | None = None,
) -> list[Limits]:
    """The limits of the *series* of one severity: *reference* is (days, series), NaN for missing, in their units.

    *weekdays* (days,) are 0 to 6.
    """
    prior = prior or Prior.none(len(series))
    scaled = np.column_stack([one.scaled(values) for one, values in zip(series, reference.T, strict=True)])
    known = _Known.of(scaled, series, prior)
    days, levels = _resampled(known, weekdays, series, budget)
    day, level, lengths = _solved(days, levels, known, rule, BUDGET_SHARE * budget.alarms, budget.weight)
    odd = (day > TOO_FAR) & (np.abs(known.shape.skew) >= ODD) & (known.shape.days >= DAYS)
    odd &= [not one.absolute for one in series]
    day = np.where(odd, np.inf, np.minimum(day, MAX_DEVIATIONS))
    columns = (known.mean, known.deviation, day, level, lengths, known.slack)
    return [Limits(*map(float, each)) for each in zip(*columns, strict=True)]


@dataclass(frozen=True)
class _Known:
    """The reference and what follows from it: mean, deviation, and the slack of CUSUMs, all (series,).

    In control the days vary by the *simulated* deviation, which is 0 for a constant; *deviation* is at least *least*.
    """

    days: Numbers
    prior: Prior
    shape: Shape
    least: Numbers
    mean: Numbers
    deviation: Numbers
    slack: Numbers
    simulated: Numbers

    @classmethod
    def of(cls, days: Numbers, series: Sequence[Series], prior: Prior) -> _Known:
        """Of the scaled *days* (days, series)."""
        count, mean, _, skew, lag = moments(days)
        weights = (count, prior.shape_days)
        shape = Shape(pooled((skew, prior.skew), weights), pooled((lag, prior.lag), weights), np.sum(weights, axis=0))
        least = np.array([_smallest(one, each) for one, each in zip(series, mean, strict=True)])
        mean, deviation = _estimated(days, prior, least, prior.mean, prior.variance)
        # The mean's own error, which a CUSUM with less slack would add up day by day.
        longer = np.sqrt((1 + shape.persistence) / (1 - shape.persistence))
        error = longer / np.sqrt(np.maximum(count + prior.mean_days, 1))
        slack = np.where([one.cumulative for one in series], np.clip(1.5 * error, MIN_SLACK, 1.0), 0.0)
        _, simulated = _estimated(days, prior, np.zeros(len(series)), prior.mean, prior.variance)
        return cls(days, prior, shape, least, mean, deviation, slack, simulated)


def _smallest(one: Series, mean: float) -> float:
    """The smallest deviation of a series on its scale: 1/20 of the tolerance, so that constants have limits."""
    start = one.unscaled(mean)
    end = start + one.tolerance if start + one.tolerance <= one.most else start - one.tolerance
    return max(abs(float(one.scaled(end)) - float(one.scaled(start))) / 20, 1e-12)


def _estimated(
    days: Numbers, prior: Prior, least: Numbers, mean: Numbers, variance: Numbers
) -> tuple[Numbers, Numbers]:
    """Mean and standard deviation of *days* (..., days, series), with a prior's *mean* and *variance*."""
    known = ~np.isnan(days)
    count = known.sum(axis=-2)
    own = np.where(known, days, 0).sum(axis=-2) / np.maximum(count, 1)
    square = np.where(known, (days - own[..., None, :]) ** 2, 0).sum(axis=-2)
    degrees = np.maximum(count - 1, 0)
    found = squeezed(square / np.maximum(degrees, 1), degrees, replace(prior, variance=variance))
    return pooled((own, mean), (count, prior.mean_days + 0 * count)), np.maximum(np.sqrt(found), least)


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


def _resampled(known: _Known, weekdays: Numbers, series: Sequence[Series], budget: Budget) -> tuple[Numbers, Numbers]:
    """Days and levels of in-control quarters, oriented: two of (draws, days, series)."""
    random = np.random.default_rng(budget.seed)
    sides: list[Side] = [one.side for one in series]
    summed = [one.cumulative for one in series]
    count, before = len(known.days), MEMORY
    each = max(1, BATCH_NUMBERS // ((QUARTER + before + count) * len(series)))
    _, own, variance, _, _ = moments(known.days)
    # In control the days vary by the squeezed deviation.
    spread = known.simulated
    centred = (known.days - own) / np.maximum(np.sqrt(variance), 1e-100) * spread
    days, levels = [], []
    for first in range(0, budget.draws, each):
        draws = min(each, budget.draws - first)
        drawn = resampled_days(centred, weekdays, draws, count + before + QUARTER, random, known.shape, spread)
        reference, quarter = drawn[:, :count], drawn[:, count:]
        estimated = _estimated(reference, known.prior, known.least, *_prior_draws(known, draws, random))
        scaled = (quarter - estimated[0][:, None, :]) / estimated[1][:, None, :]
        level = oriented(ewma(scaled, budget.weight), sides)
        if any(summed):
            level = np.where(summed, _sums(scaled, known.slack, sides), level)
        days.append(np.nan_to_num(oriented(scaled, sides)[:, before:]).astype(np.float32))
        levels.append(level[:, before:].astype(np.float32))
    return np.concatenate(days), np.concatenate(levels)


def _prior_draws(known: _Known, draws: int, random: np.random.Generator) -> tuple[Numbers, Numbers]:
    """The errors of a prior's mean, and its variances, in each draw: two of (draws, series)."""
    prior, shape = known.prior, (draws, len(known.deviation))
    error = known.simulated * np.sqrt((1 + known.shape.persistence) / (1 - known.shape.persistence))
    mean = error / np.sqrt(np.maximum(prior.mean_days, 1)) * random.standard_normal(shape)
    degrees = np.maximum(prior.days, 1)
    return mean, known.simulated**2 * random.chisquare(degrees, shape) / degrees


def _sums(scaled: Numbers, slack: Numbers, sides: Sequence[Side]) -> Numbers:
    """The CUSUM towards deterioration, for both sides the larger one."""
    upper, lower = cusum(scaled, slack), cusum(-scaled, slack)
    lowered, both = ([side == name for side in sides] for name in ("lower", "both"))
    return np.where(both, np.maximum(upper, lower), np.where(lowered, lower, upper))


def _solved(
    days: Numbers, levels: Numbers, known: _Known, rule: Rule, alarms: float, weight: float
) -> tuple[Numbers, Numbers, Numbers]:
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
    # Autocorrelation widens the deviations of an EWMA.
    share, kept = known.shape.persistence, 1 - weight
    spread = np.sqrt(weight / (2 - weight) * (1 + kept * share) / (1 - kept * share))
    most = np.where(known.slack > 0, np.inf, MAX_DEVIATIONS * np.minimum(spread, 0.5))
    day, level = (each.value(high) for each in extremes)
    level = np.minimum(level, most)
    beyond = (days > np.minimum(day, MAX_DEVIATIONS)) | (levels > level)
    begun = alarms_begin(np.moveaxis(persistent(beyond, rule), -1, 0), rule.quiet)
    return day, level, len(days) * QUARTER / np.maximum(begun.sum(axis=(1, 2)), 1)


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

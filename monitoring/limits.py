"""Limits of control charts, solved from one budget of false alarms.

The reference's days are resampled into quiet quarters: blocks of days in their order, each begun on
the weekday that it takes the place of (the stationary bootstrap of Politis and Romano, 1994, matched by
weekday), all series of a day together, so that what moves together still does. A few weeks have
no tail to speak of, so most of each day's variance is noise instead (a smoothed bootstrap that adds no
variance: Silverman and Young, 1987), as skewed and as persistent as the series, and apart for each, which
errs on the side of the budget. Mean and deviation are estimated anew on a resampled
reference in each draw, and each draw has another skewness, as far from the one that was found as a
few weeks are from the truth: an unlucky reference is a cause of false alarms like any other
(Jones, Champ and Rigdon, 2001; Gandy and Kvaløy, 2013).

A tier of alarms is solved by itself, so that fifty features do not drown the one estimate of performance.
Within a tier every chart is as far from its alarm as any other, measured on its tail: that falls off
exponentially above a high quantile (the mean excess is its scale: Pickands, 1975, with shape 0). How long
a tail is, few days say badly, so a scale is drawn half way towards that of a tail in proportion to the
quantile, which errs like its neighbours. One distance for all charts is found at which the tier's alarms keep
to its share of the budget.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from monitoring.chart import ewma

Numbers = np.ndarray[Any, Any]
Side = Literal["upper", "lower", "both"]

QUARTER = 91
#: Days that a block goes on for, on average: a week and its weather.
BLOCK = 7
#: The share of a day's variance that is noise.
SMOOTH = 0.8
#: Beyond it a series is a few odd days and nothing else.
MOST_SKEWED = 6.0
#: The share of the budget that is spent; the rest is for what a reference cannot know: that its tails are
#: longer than they looked, that it was an unusually calm month.
SPENT = 0.25
#: Numbers that are held at once: series are many, quarters are drawn a few at a time.
AT_ONCE = 6_000_000
#: The share of its days that is a chart's tail.
COMMON = 0.02


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


def solve(
    reference: Numbers, weekdays: Numbers, series: Sequence[Series], rule: Rule, budget: Budget
) -> list[Limits]:
    """The limits of the *series* of one tier: *reference* is (days, series), NaN without a verdict.

    *weekdays* (days,) are 0 to 6.
    """
    trifles = np.array([each.trifle for each in series])
    sides: list[Side] = [each.side for each in series]
    drawn = _drawn(reference, weekdays, trifles, sides, budget)
    day, level, lengths = _factor(*drawn, rule, SPENT * budget.alarms)
    lengths = np.where(np.isfinite(lengths), lengths, budget.draws * QUARTER)
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


def quiet_days(
    reference: Numbers, weekdays: Numbers, draws: int, days: int, random: np.random.Generator
) -> Numbers:
    """Days drawn from the *reference* (days, series): (draws, days, series), see the module's words."""
    order = _order(weekdays, draws, days, random)
    mean = np.nanmean(reference, axis=0)
    apart = np.nan_to_num(reference - mean)
    noise = _noise(apart, draws, days, random)
    smooth = mean + np.sqrt(1 - SMOOTH) * apart[order] + np.sqrt(SMOOTH) * noise
    return np.asarray(np.where(np.isnan(reference)[order], np.nan, smooth))


def _noise(apart: Numbers, draws: int, days: int, random: np.random.Generator) -> Numbers:
    """Noise (draws, days, series) as wide, as skewed and as persistent as the days (days, series).

    The innovations are of a shifted gamma distribution (Pearson's third type).
    """
    count = len(apart)
    deviation = np.sqrt(np.mean(apart**2, axis=0))
    least = np.maximum(deviation, 1e-100)
    lag = (apart[1:] * apart[:-1]).sum(axis=0) / (count * least**2)
    # What few days say of it is too low (Marriott and Pope, 1954); half a standard error on top.
    persistence = np.clip(lag + (1 + 3 * lag) / count + 0.5 / np.sqrt(count), 0, 0.9)
    skew = _skews(np.mean(apart**3, axis=0) / least**3, count, draws, random)
    shape = 4 / skew**2
    fresh = random.standard_gamma(shape, size=(draws, days, len(least)))
    noise = (fresh - shape) / np.sqrt(shape) * np.sign(skew)
    share = np.sqrt(1 - persistence**2)
    for day in range(1, days):
        noise[:, day] = persistence * noise[:, day - 1] + share * noise[:, day]
    return np.asarray(noise * deviation)


def _skews(found: Numbers, count: int, draws: int, random: np.random.Generator) -> Numbers:
    """How skewed each series may be (draws, 1, series), where *count* days say *found*.

    What few days say is too low (corrected as Bobée and Robitaille, 1975, do for this distribution), and is off
    by a standard error that is as large itself: the asymptotic one of Pearson's third type.
    """
    true = found * (
        1 + 6.51 / count + 20.2 / count**2 + (1.48 / count + 6.77 / count**2) * found**2
    )
    error = np.sqrt(6 * (1 + 1.5 * true**2 + 0.3125 * true**4) / count)
    skew = true + error * random.standard_normal((draws, 1, len(found)))
    return np.asarray(np.where(np.abs(skew) < 0.02, 0.02, np.clip(skew, -MOST_SKEWED, MOST_SKEWED)))


def _order(weekdays: Numbers, draws: int, days: int, random: np.random.Generator) -> Numbers:
    """Which day of the reference each drawn day is (draws, days)."""
    count = len(weekdays)
    alike = {day: np.flatnonzero(weekdays == day) for day in range(7)}
    order = np.empty((draws, days), dtype=int)
    today = random.integers(0, count, draws)
    for day in range(days):
        order[:, day] = today
        tomorrow = np.minimum(today + 1, count - 1)
        wanted = (weekdays[today] + 1) % 7
        breaks = (
            (random.random(draws) < 1 / BLOCK)
            | (today + 1 >= count)
            | (weekdays[tomorrow] != wanted)
        )
        anew = random.integers(0, count, draws)
        for weekday, those in alike.items():
            if len(those):
                at = wanted == weekday
                anew[at] = random.choice(those, int(at.sum()))
        today = np.where(breaks, anew, tomorrow)
    return order


def _moments(days: Numbers, trifles: Numbers) -> tuple[Numbers, Numbers]:
    """Mean and deviation along the first axis but one; a trifle's twentieth is the least deviation."""
    known = ~np.isnan(days)
    count = np.maximum(known.sum(axis=-2, keepdims=True), 1)
    mean = np.where(known, days, 0).sum(axis=-2, keepdims=True) / count
    square = np.where(known, (days - mean) ** 2, 0).sum(axis=-2) / np.maximum(
        count[..., 0, :] - 1, 1
    )
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


def _factor(
    days: Numbers, levels: Numbers, rule: Rule, alarms: float
) -> tuple[Numbers, Numbers, Numbers]:
    """Limits of days and levels at which quarters have *alarms* on average; each chart's run length."""
    tails = [_tail(days), _tail(levels)]
    distances = [_distance(*each) for each in zip((days, levels), tails, strict=True)]
    apart = lasts(np.maximum(*distances), rule)
    worst = apart.max(axis=-1)
    low, high = 0.0, float(worst.max()) * 1.01
    for _ in range(40):
        middle = (low + high) / 2
        begun = alarms_begin(worst > middle, rule.quiet).sum() / len(worst)
        # Below the loudest factor, alarms run together: the budget is sought from above.
        low, high = (
            (middle, high) if begun > alarms or (worst > middle).mean() > 0.5 else (low, middle)
        )
    begun = alarms_begin(np.moveaxis(apart, -1, 0) > high, rule.quiet).sum(axis=(1, 2))
    with np.errstate(divide="ignore"):
        lengths = len(days) * QUARTER / begun
    day, level = (usual * min(high, 1) + scale * max(high - 1, 0) for usual, scale in tails)
    return day, level, lengths


def _tail(values: Numbers) -> tuple[Numbers, Numbers]:
    """Where each series' tail begins, and its scale: of values (draws, days, series), bad upward."""
    usual = np.maximum(np.quantile(values, 1 - COMMON, axis=(0, 1)), 0.1)
    over = np.maximum(values - usual, 0)
    own = over.sum(axis=(0, 1)) / np.maximum((over > 0).sum(axis=(0, 1)), 1)
    return usual, np.sqrt(usual * np.maximum(own, 0.01))


def _distance(values: Numbers, tail: tuple[Numbers, Numbers]) -> Numbers:
    """How far out values are: 1 where the tail begins, and one more for each of its scales."""
    usual, scale = tail
    return np.asarray(np.where(values <= usual, values / usual, 1 + (values - usual) / scale))

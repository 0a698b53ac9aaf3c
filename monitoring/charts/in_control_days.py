"""Quiet days like the reference's: what a chart would see if nothing changed.

The reference's days are resampled: blocks of days in their order, each begun on the weekday that it
takes the place of (the stationary bootstrap of Politis and Romano, 1994, matched by weekday), all series of a
day together, so that what moves together still does. A few weeks have no tail to speak of, so most of
each day's variance is noise instead (a smoothed bootstrap that adds no variance: Silverman and Young,
1987), as skewed and as persistent as the series, and apart for each, which errs on the side of the budget.
Each draw has another skewness, as far from the one that was found as a few weeks are from the truth.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Numbers = np.ndarray[Any, Any]

#: Days that a block goes on for, on average: a week and its weather.
BLOCK = 7
#: The share of a day's variance that is noise.
SMOOTH = 0.8
#: Beyond it a series is a few odd days and nothing else.
MOST_SKEWED = 6.0


def quiet_days(reference: Numbers, weekdays: Numbers, draws: int, days: int, random: np.random.Generator) -> Numbers:
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
    true = found * (1 + 6.51 / count + 20.2 / count**2 + (1.48 / count + 6.77 / count**2) * found**2)
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
        breaks = (random.random(draws) < 1 / BLOCK) | (today + 1 >= count) | (weekdays[tomorrow] != wanted)
        anew = random.integers(0, count, draws)
        for weekday, those in alike.items():
            if len(those):
                at = wanted == weekday
                anew[at] = random.choice(those, int(at.sum()))
        today = np.where(breaks, anew, tomorrow)
    return order

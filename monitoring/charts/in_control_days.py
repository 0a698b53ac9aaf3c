"""Resamples in-control days from the reference.

Blocks of consecutive days are drawn, matched by weekday (the stationary bootstrap of Politis and Romano, 1994), with all
series of a day together, so that their correlation is kept. A few weeks have too few extremes, so most of the variance is
replaced by noise with the skewness and autocorrelation of the series (a smoothed bootstrap that adds no variance:
Silverman and Young, 1987). The noise is independent between series, which is conservative. The skewness varies between
draws by its standard error.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Numbers = np.ndarray[Any, Any]

#: Mean length of a block in days.
BLOCK = 7
#: The share of the variance that is noise.
SMOOTH = 0.8
#: Skewness is clipped here.
MOST_SKEWED = 6.0


def resampled_days(
    reference: Numbers, weekdays: Numbers, draws: int, days: int, random: np.random.Generator
) -> Numbers:
    """Days resampled from the *reference* (days, series): (draws, days, series)."""
    order = _order(weekdays, draws, days, random)
    mean = np.nanmean(reference, axis=0)
    apart = np.nan_to_num(reference - mean)
    noise = _noise(apart, draws, days, random)
    smooth = mean + np.sqrt(1 - SMOOTH) * apart[order] + np.sqrt(SMOOTH) * noise
    return np.asarray(np.where(np.isnan(reference)[order], np.nan, smooth))


def _noise(apart: Numbers, draws: int, days: int, random: np.random.Generator) -> Numbers:
    """Noise (draws, days, series) with variance, skewness and autocorrelation of *apart* (days, series).

    The innovations have a shifted gamma distribution (Pearson type III).
    """
    count = len(apart)
    deviation = np.sqrt(np.mean(apart**2, axis=0))
    least = np.maximum(deviation, 1e-100)
    lag = (apart[1:] * apart[:-1]).sum(axis=0) / (count * least**2)
    # Bias correction (Marriott and Pope, 1954), plus half a standard error.
    persistence = np.clip(lag + (1 + 3 * lag) / count + 0.5 / np.sqrt(count), 0, 0.9)
    skew = _skews(np.mean(apart**3, axis=0) / least**3, count, draws, random)
    shape = 4 / skew**2
    innovations = random.standard_gamma(shape, size=(draws, days, len(least)))
    noise = (innovations - shape) / np.sqrt(shape) * np.sign(skew)
    share = np.sqrt(1 - persistence**2)
    for day in range(1, days):
        noise[:, day] = persistence * noise[:, day - 1] + share * noise[:, day]
    return np.asarray(noise * deviation)


def _skews(sample: Numbers, count: int, draws: int, random: np.random.Generator) -> Numbers:
    """Skewness of each series (draws, 1, series), given the sample skewness *sample* of *count* days.

    Corrected for bias (Bobée and Robitaille, 1975), and drawn with the asymptotic standard error of Pearson type III.
    """
    true = sample * (1 + 6.51 / count + 20.2 / count**2 + (1.48 / count + 6.77 / count**2) * sample**2)
    error = np.sqrt(6 * (1 + 1.5 * true**2 + 0.3125 * true**4) / count)
    skew = true + error * random.standard_normal((draws, 1, len(sample)))
    return np.asarray(np.where(np.abs(skew) < 0.02, 0.02, np.clip(skew, -MOST_SKEWED, MOST_SKEWED)))


def _order(weekdays: Numbers, draws: int, days: int, random: np.random.Generator) -> Numbers:
    """Indices of the reference days that are drawn, (draws, days)."""
    count = len(weekdays)
    of_weekday = {day: np.flatnonzero(weekdays == day) for day in range(7)}
    order = np.empty((draws, days), dtype=int)
    today = random.integers(0, count, draws)
    for day in range(days):
        order[:, day] = today
        tomorrow = np.minimum(today + 1, count - 1)
        wanted = (weekdays[today] + 1) % 7
        breaks = (random.random(draws) < 1 / BLOCK) | (today + 1 >= count) | (weekdays[tomorrow] != wanted)
        restart = random.integers(0, count, draws)
        for weekday, those in of_weekday.items():
            if len(those):
                at = wanted == weekday
                restart[at] = random.choice(those, int(at.sum()))
        today = np.where(breaks, restart, tomorrow)
    return order

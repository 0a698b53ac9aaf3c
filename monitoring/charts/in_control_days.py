"""Resamples in-control days from the reference.

Blocks of consecutive days are drawn, matched by weekday (the stationary bootstrap of Politis and Romano, 1994), with all
series of a day together, so that their correlation is kept. A few weeks have too few extremes, so most of the variance is
replaced by noise with the skewness and autocorrelation of the series (a smoothed bootstrap that adds no variance:
Silverman and Young, 1987). The noise is independent between series, which is conservative. The skewness varies between
draws by its standard error.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from monitoring.charts.variance_prior import moments

Numbers = np.ndarray[Any, Any]

#: Mean length of a block in days.
BLOCK = 7
#: The share of the variance that is noise.
SMOOTH = 0.8
#: Skewness is clipped here.
MAX_SKEWED = 3.0


@dataclass(frozen=True)
class Shape:
    """Skewness and lag-1 autocorrelation of each series (series,), from *days* days (series,)."""

    skew: Numbers
    lag: Numbers
    days: Numbers

    @property
    def persistence(self) -> Numbers:
        """The autocorrelation that is simulated: without the bias of a short sample, plus half a standard error.

        The bias correction is that of Marriott and Pope (1954, Biometrika 41).
        """
        count = np.maximum(self.days, 2)
        return np.asarray(np.clip(self.lag + (1 + 3 * self.lag) / count + 0.5 / np.sqrt(count), 0, 0.9))

    def skews(self, draws: int, random: np.random.Generator) -> Numbers:
        """Skewness of each draw, (draws, 1, series).

        Corrected for bias (Bobée and Robitaille, 1975), and drawn with the asymptotic standard error of Pearson type
        III.
        """
        count = np.maximum(self.days, 3)
        true = self.skew * (1 + 6.51 / count + 20.2 / count**2 + (1.48 / count + 6.77 / count**2) * self.skew**2)
        true = np.clip(true, -MAX_SKEWED, MAX_SKEWED)
        error = np.sqrt(6 * (1 + 1.5 * true**2 + 0.3125 * true**4) / count)
        skew = true + error * random.standard_normal((draws, 1, len(self.skew)))
        return np.asarray(np.where(np.abs(skew) < 0.02, 0.02, np.clip(skew, -MAX_SKEWED, MAX_SKEWED)))


def resampled_days(
    reference: Numbers,
    weekdays: Numbers,
    draws: int,
    days: int,
    random: np.random.Generator,
    shape: Shape | None = None,
    deviation: Numbers | None = None,
) -> Numbers:
    """Days resampled from the *reference* (days, series): (draws, days, series).

    *shape* and standard *deviation* of the noise (series,) are by default the reference's own.
    """
    order = _order(weekdays, draws, days, random)
    count, mean, variance, skew, lag = moments(reference)
    apart = np.nan_to_num(reference - mean)
    spread = np.sqrt(variance) if deviation is None else deviation
    # A day that is drawn from n days varies by (n - 1) / n less than the days that they are drawn from.
    drawn = apart * np.sqrt(len(apart) / max(len(apart) - 1, 1))
    noise = _noise(shape or Shape(skew, lag, count), draws, days, random) * spread
    smooth = mean + np.sqrt(1 - SMOOTH) * drawn[order] + np.sqrt(SMOOTH) * noise
    return np.asarray(np.where(np.isnan(reference)[order], np.nan, smooth))


def _noise(shape: Shape, draws: int, days: int, random: np.random.Generator) -> Numbers:
    """Noise (draws, days, series) of variance 1 with a *shape*; innovations are shifted gammas (Pearson type III)."""
    persistence, skew = shape.persistence, shape.skews(draws, random)
    form = 4 / skew**2
    innovations = random.standard_gamma(form, size=(draws, days, len(persistence)))
    noise = (innovations - form) / np.sqrt(form) * np.sign(skew)
    share = np.sqrt(1 - persistence**2)
    for day in range(1, days):
        noise[:, day] = persistence * noise[:, day - 1] + share * noise[:, day]
    return np.asarray(noise)


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

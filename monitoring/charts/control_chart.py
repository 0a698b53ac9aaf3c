"""Control charts and their run lengths: Shewhart's for jumps, EWMA and CUSUM for small persistent shifts.

A chart has a value a day, in standard deviations from the reference mean. Shewhart's chart uses the day alone
(Shewhart, 1931), the EWMA ``level = (1 - weight) * level + weight * value`` (Roberts, 1959, "Control chart tests based on
geometric moving averages", Technometrics 1), the CUSUM ``sum = max(0, sum + value - slack)`` (Page, 1954, Biometrika 41).
A day without a value leaves level and sum unchanged.

The run lengths here are for independent Gaussian values with known parameters, and test the charts against published
tables. Monitored streams are neither: `monitoring.charts.control_limits` solves their limits on the reference.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

Numbers = np.ndarray[Any, Any]

#: Values are clipped here before they enter the level: an outlier belongs to Shewhart's chart, and in the level it
#: would keep an alert open for weeks.
CLIP = 4.0
#: Days that a CUSUM looks back: every day of a run's window then has the same sum as in the run before.
MEMORY = 28
#: States of the Markov chain; 151 reproduce the digits of published tables.
STATES = 151


def ewma(values: Numbers, weight: float) -> Numbers:
    """The level after each day: *values* (..., days, series) in standard deviations, NaN for missing.

    It starts at 0; values are clipped to ± `CLIP`.
    """
    level = np.zeros_like(values[..., 0, :])
    levels = np.empty_like(values)
    for day in range(values.shape[-2]):
        value = np.clip(values[..., day, :], -CLIP, CLIP)
        level = np.where(np.isnan(value), level, (1 - weight) * level + weight * value)
        levels[..., day, :] = level
    return levels


def cusum(values: Numbers, slack: Numbers) -> Numbers:
    """The upper CUSUM of the last `MEMORY` days: *values* (..., days, series), *slack* (series,).

    It is the largest ``sum(value - slack)`` over any last days; without the limit to `MEMORY` days that is Page's
    recursion. Values are clipped to ± `CLIP`, so a sum above it is never one odd day. For the lower one negate *values*.
    """
    steps = np.nan_to_num(np.clip(values, -CLIP, CLIP) - slack)
    total = np.cumsum(steps, axis=-2)
    before = np.concatenate([np.zeros((*steps.shape[:-2], MEMORY, steps.shape[-1])), total - steps], axis=-2)
    lowest = total.copy()
    for lag in range(MEMORY):
        start = MEMORY - lag
        np.minimum(lowest, before[..., start : start + total.shape[-2], :], out=lowest)
    return np.asarray(total - lowest)


def shewhart_run_length(limit: float, shift: float = 0.0) -> float:
    """Mean days until a day is outside ± *limit* standard deviations, for a mean shifted by *shift*."""
    return 1 / (_normal(-limit - shift) + _normal(shift - limit))


def ewma_run_length(weight: float, limit: float, shift: float = 0.0) -> float:
    """Mean days until the level is outside ± *limit* of its asymptotic standard deviations.

    By a Markov chain over the level's range (Brook and Evans, 1972, Biometrika 59; for the EWMA:
    Lucas and Saccucci, 1990, Technometrics 32).
    """
    width = limit * math.sqrt(weight / (2 - weight))
    step = 2 * width / STATES
    middles = -width + step * (np.arange(STATES) + 0.5)
    decayed = (1 - weight) * middles[:, None]
    upper = (middles[None, :] + step / 2 - decayed) / weight - shift
    lower = (middles[None, :] - step / 2 - decayed) / weight - shift
    transitions = _normals(upper) - _normals(lower)
    lengths = np.linalg.solve(np.eye(STATES) - transitions, np.ones(STATES))
    return float(lengths[STATES // 2])


def _normal(x: float) -> float:
    return 0.5 * math.erfc(-x / math.sqrt(2))


_normals = np.vectorize(_normal, otypes=[float])

"""Control charts: Shewhart's for jumps, EWMA and CUSUM for small persistent shifts.

A chart has a value a day, in standard deviations from the reference mean. Shewhart's chart uses the day alone
(Shewhart, 1931), the EWMA ``level = (1 - weight) * level + weight * value`` (Roberts, 1959, "Control chart tests based on
geometric moving averages", Technometrics 1), the CUSUM ``sum = max(0, sum + value - slack)`` (Page, 1954, Biometrika 41).
A day without a value leaves level and sum unchanged.

Their limits are solved on the reference (`monitoring.charts.control_limits`): monitored streams are neither Gaussian nor
independent.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Numbers = np.ndarray[Any, Any]

#: Values are clipped here before they enter the level: an outlier belongs to Shewhart's chart, and in the level it
#: would keep an alert open for weeks.
CLIP = 4.0
#: Days that a CUSUM looks back: every day of a run's window then has the same sum as in the run before.
MEMORY = 28


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

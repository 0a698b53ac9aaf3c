"""Control charts: Shewhart's for jumps, EWMA for small shifts that last; and how long they run.

A chart sees a value a day, in standard deviations from the reference's mean. Shewhart's looks at the
day alone (Shewhart, 1931). The EWMA looks at ``level = (1 - weight) * level + weight * value`` (Roberts,
1959, "Control chart tests based on geometric moving averages", Technometrics 1). A day without a value
leaves the level where it was.

The run lengths here are those of textbooks, for independent Gaussian values and known parameters. They
prove the charts against published tables. A watched stream is neither: its limits and its run
lengths are solved on its own reference in `monitoring.charts.control_limits`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

Numbers = np.ndarray[Any, Any]

#: A value beyond it moves the level no further: one wild day is Shewhart's to tell, and a level that
#: it carried off would keep an alert open for weeks.
FARTHEST = 4.0
#: Intervals that the continuous state of an EWMA is cut into; 151 give the published tables' digits.
STATES = 151


def ewma(values: Numbers, weight: float) -> Numbers:
    """The level after each day: *values* (..., days, series) in standard deviations, NaN unknown.

    It starts at 0. Values beyond `FARTHEST` count as `FARTHEST`.
    """
    level = np.zeros_like(values[..., 0, :])
    levels = np.empty_like(values)
    for day in range(values.shape[-2]):
        value = np.clip(values[..., day, :], -FARTHEST, FARTHEST)
        level = np.where(np.isnan(value), level, (1 - weight) * level + weight * value)
        levels[..., day, :] = level
    return levels


def shewhart_run_length(limit: float, shift: float = 0.0) -> float:
    """Mean days until a day lies beyond ± *limit* standard deviations, the mean being off by *shift*."""
    return 1 / (_normal(-limit - shift) + _normal(shift - limit))


def ewma_run_length(weight: float, limit: float, shift: float = 0.0) -> float:
    """Mean days until the level lies beyond ± *limit* of its own long-run standard deviations.

    By a Markov chain over the level's range (Brook and Evans, 1972, Biometrika 59; for the EWMA:
    Lucas and Saccucci, 1990, Technometrics 32).
    """
    width = limit * math.sqrt(weight / (2 - weight))
    step = 2 * width / STATES
    middles = -width + step * (np.arange(STATES) + 0.5)
    stays = (1 - weight) * middles[:, None]
    upper = (middles[None, :] + step / 2 - stays) / weight - shift
    lower = (middles[None, :] - step / 2 - stays) / weight - shift
    moves = _normals(upper) - _normals(lower)
    lengths = np.linalg.solve(np.eye(STATES) - moves, np.ones(STATES))
    return float(lengths[STATES // 2])


def _normal(x: float) -> float:
    return 0.5 * math.erfc(-x / math.sqrt(2))


_normals = np.vectorize(_normal, otypes=[float])

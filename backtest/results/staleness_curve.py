"""The staleness curve: how much more a model loses as it gets older. Pure.

Different ages are compared on the same periods: in period k the model of night i has the age of that period's start, and
its loss is compared with that of the newest model there. The periods' own difficulty cancels.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from backtest.results.realised_loss import Realised
from backtest.results.weighted_means import mean

FORMAT = 1
#: Fewest periods from which a point of the curve and its standard error are estimated.
MIN_PERIODS = 4


@dataclass(frozen=True)
class Point:
    """Models so many days old at the start of a period.

    *loss* is that of the newest models plus *more*, the mean paired difference, with its standard *error* (0 at the
    first age), over *nights* periods.
    """

    age_days: int
    loss: float
    more: float
    error: float
    nights: int


def staleness(realised: Realised) -> list[Point]:
    """The curve, the youngest age first; [] with too few periods."""
    loss, newest = realised.loss, np.diag(realised.loss)
    count, found = len(realised.days), []
    level = mean(newest, realised.rows)
    for age in range(count):
        older = np.array([math.nan] * age + [loss[k - age, k] - newest[k] for k in range(age, count)])
        gap = mean(older, realised.rows)
        if gap.count >= MIN_PERIODS:
            days = int(realised.days[age] - realised.days[0])
            error = gap.error if age else 0.0
            found.append(Point(days, level.value + gap.value, gap.value, error, gap.count))
    return found


def to_json(points: list[Point], metric: str, made: str) -> Mapping[str, Any]:
    """The content of staleness.json, which the gate reads."""
    return {
        "format": FORMAT,
        "metric": metric,
        "by_age": [
            {"age_days": each.age_days, "loss": each.loss, "error": each.error, "nights": each.nights}
            for each in points
        ],
        "made": made,
        "nights": max((each.nights for each in points), default=0),
    }

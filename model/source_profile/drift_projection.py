"""The day on which a significant linear trend will pass a limit. The standard library alone.

The gate uses it for fingerprints, monitoring for signals.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import combinations
from statistics import median

#: The least number of days for a trend.
MIN_DAYS = 10
#: Threshold of the Mann-Kendall statistic: passed by one in about 15,000 series without a trend.
TREND_THRESHOLD = 4.0


@dataclass(frozen=True)
class Break:
    """The day on which a *limit* is passed, with the *slope* per day."""

    day: date
    limit: float
    slope: float


def projected(values: Mapping[date, float], limit: float, horizon: int, *, rising: bool = True) -> Break | None:
    """When the trend of *values* by day passes the *limit*, within *horizon* days after the last day.

    None without a significant trend in that direction. Theil-Sen slope (Sen 1968) and Mann-Kendall test (Kendall 1975),
    which are robust against single outliers.
    """
    days = sorted(values)
    if len(days) < MIN_DAYS:
        return None
    series = [values[day] for day in days]
    at = [float(day.toordinal()) for day in days]
    slope = sen_slope(at, series)
    # Of a mostly constant column the test may be clear while the median of the slopes is 0.
    if (
        slope == 0
        or (slope < 0) == rising
        or (kendall_z(series) < TREND_THRESHOLD if rising else kendall_z(series) > -TREND_THRESHOLD)
    ):
        return None
    level = median(value - slope * (x - at[-1]) for x, value in zip(at, series, strict=True))
    left = (limit - level) / slope
    if not 0 < left <= horizon:
        return None
    return Break(days[-1] + timedelta(days=math.ceil(left)), limit, slope)


def sen_slope(at: Sequence[float], values: Sequence[float]) -> float:
    """The median of the slopes of all pairs of points."""
    pairs = combinations(zip(at, values, strict=True), 2)
    return median((b - a) / (y - x) for (x, a), (y, b) in pairs)


def kendall_z(values: Sequence[float]) -> float:
    """The Mann-Kendall statistic, with ties: standard normal without a trend."""
    count = len(values)
    score = sum((b > a) - (b < a) for a, b in combinations(values, 2))
    ties = [values.count(value) for value in set(values)]
    variance = count * (count - 1) * (2 * count + 5) - sum(t * (t - 1) * (2 * t + 5) for t in ties)
    if not score or variance <= 0:
        return 0.0
    return (score - math.copysign(1, score)) / math.sqrt(variance / 18)

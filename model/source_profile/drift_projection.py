"""When will a limit break, if it goes on like this? A line through days, drawn only where there is one.

The standard library alone: the gate asks it of fingerprints, the watch of signals.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import combinations
from statistics import median

#: Fewer days than these are no trend.
LEAST_DAYS = 10
#: Of Mann and Kendall's statistic: one series in some 15,000 without a trend is beyond it.
CLEAR = 4.0


@dataclass(frozen=True)
class Break:
    """The day on which a *limit* breaks, with the *slope* a day that leads there."""

    day: date
    limit: float
    slope: float


def projected(values: Mapping[date, float], limit: float, horizon: int, *, rising: bool = True) -> Break | None:
    """When the line through *values* by day meets the *limit*: after the last day, within *horizon* days.

    None where no trend is clear, or it leads elsewhere. The slope is Theil and Sen's (Sen 1968), the
    test Mann and Kendall's (Kendall 1975): neither is moved by a day that is out of line.
    """
    days = sorted(values)
    if len(days) < LEAST_DAYS:
        return None
    series = [values[day] for day in days]
    at = [float(day.toordinal()) for day in days]
    slope = sen_slope(at, series)
    if (slope <= 0) == rising or (kendall_z(series) < CLEAR if rising else kendall_z(series) > -CLEAR):
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
    """Mann and Kendall's statistic, ties counted: standard normal where there is no trend."""
    count = len(values)
    score = sum((b > a) - (b < a) for a, b in combinations(values, 2))
    ties = [values.count(value) for value in set(values)]
    variance = count * (count - 1) * (2 * count + 5) - sum(t * (t - 1) * (2 * t + 5) for t in ties)
    if not score or variance <= 0:
        return 0.0
    return (score - math.copysign(1, score)) / math.sqrt(variance / 18)

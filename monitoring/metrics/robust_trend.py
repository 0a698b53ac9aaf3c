"""A robust line through daily values, with a standard error that allows for autocorrelation, and tests whether it is one.

The slope is the median of the slopes between pairs of days (Theil, 1950; Sen, 1968).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

Numbers = np.ndarray[Any, Any]

#: Standard errors from which a slope, a bend or another movement is significant.
SIGNIFICANT = 3.5
#: Fewer days show no trend.
MIN_DAYS = 40
#: Residuals count at most so many deviations where their autocorrelation is estimated.
CLIP = 3.0


@dataclass(frozen=True)
class Trend:
    """A *slope* a day with its standard *error*; the line is 0 on the day *centre*, counted from 1970.

    Where it *bends* there is no line: the slope is 0.
    """

    slope: float
    error: float
    centre: float
    bends: bool = False

    def at(self, day: Any) -> Any:
        """The line on a *day*, or on days."""
        return self.slope * (day - self.centre)


def trend_of(day: Numbers, value: Numbers, centre: float, group: Numbers | None = None) -> Trend | None:
    """The significant trend of *value* (days,), or None. Each *group* of days has its own level."""
    of = np.zeros(len(day), dtype=int) if group is None else group
    x = day - centre
    if len(x) < MIN_DAYS:
        return None
    slope, error = _slope(x, value, of)
    if _bends(x, value, of) or not _holds(x, value, of, slope):
        return Trend(0.0, error, centre, bends=True)
    return Trend(slope, error, centre) if abs(slope) > SIGNIFICANT * error else None


def deviation_of_means(rest: Numbers) -> float:
    """The standard deviation of residuals *rest* (days,), increased as their autocorrelation increases that of a mean.

    Half a standard error is added to the autocorrelation, which is underestimated where days are few.
    """
    deviation = max(1.4826 * float(np.median(np.abs(rest - np.median(rest)))), 1e-12)
    near = np.clip(rest, -CLIP * deviation, CLIP * deviation)
    lag = float((near[1:] * near[:-1]).sum() / max((near**2).sum(), 1e-300)) + 0.5 / np.sqrt(len(rest))
    lag = min(max(lag, 0.0), 0.9)
    return float(deviation * np.sqrt((1 + lag) / (1 - lag)))


def _slope(x: Numbers, y: Numbers, group: Numbers) -> tuple[float, float]:
    """The median slope between pairs of days of a group, and its standard error, from that of least squares."""
    groups = [group == each for each in np.unique(group)]
    pairs = []
    for at in groups:
        first, second = np.triu_indices(int(at.sum()), 1)
        apart = x[at][second] - x[at][first]
        pairs.append((y[at][second] - y[at][first])[apart != 0] / apart[apart != 0])
    every = np.concatenate(pairs)
    if not len(every):
        return 0.0, float("inf")
    slope = float(np.median(every))
    rest = np.concatenate([y[at] - slope * x[at] - np.median(y[at] - slope * x[at]) for at in groups])
    spread = sum(float(((x[at] - x[at].mean()) ** 2).sum()) for at in groups)
    return slope, deviation_of_means(rest) / float(np.sqrt(max(spread, 1e-300)))


def _holds(x: Numbers, y: Numbers, group: Numbers, slope: float) -> bool:
    """Whether both halves of the days agree with the *slope*; after a step they do not."""
    middle = np.median(x)
    halves = [_slope(x[at], y[at], group[at]) for at in (x <= middle, x > middle)]
    return all(abs(own - slope) <= SIGNIFICANT * error for own, error in halves)


def _bends(x: Numbers, y: Numbers, group: Numbers) -> bool:
    """Whether a parabola fits significantly better than a line."""
    columns = [x, x**2, *((group == each).astype(float) for each in np.unique(group))]
    design = np.column_stack([each / max(float(np.abs(each).max()), 1e-300) for each in columns])
    least, *_ = np.linalg.lstsq(design, y, rcond=None)
    error = deviation_of_means(y - design @ least) * float(np.sqrt(np.linalg.pinv(design.T @ design)[1, 1]))
    return bool(abs(least[1]) > SIGNIFICANT * error)

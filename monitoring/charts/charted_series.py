"""A charted series and its limits: the side on which it deteriorates, its scale, its range, its smallest relevant change."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from monitoring.charts.control_chart import MEMORY
from monitoring.charts.scales import restored, stabilised

Numbers = np.ndarray[Any, Any]
Side = Literal["upper", "lower", "both"]


@dataclass(frozen=True)
class Limits:
    """A chart's limits: *day* (Shewhart) and *level* (EWMA, or CUSUM where *slack* is above 0), in standard deviations.

    *mean* and *deviation* are the reference's, on the scale of the chart. *day* is infinite where single days differ too
    much. *run_length* is the in-control run length of
    the chart in days, by resampling; without a false alarm, all resampled days.
    """

    mean: float
    deviation: float
    day: float
    level: float
    run_length: float
    slack: float = 0.0

    @property
    def lasting(self) -> float:
        """The limit of the level as a shift in standard deviations: of a CUSUM, the shift that it finds in `MEMORY` days."""
        return self.slack + self.level / MEMORY if self.slack else self.level

    def as_shift(self, level: float) -> float:
        """A *level* of the chart as a shift: at the level's limit it is `lasting`."""
        return level / self.level * self.lasting if self.slack and self.level else level


@dataclass(frozen=True)
class Series:
    """A charted series: the *side* of deterioration and the *tolerance*, in units of the series.

    The tolerance is the smallest relevant distance from the mean, or (with *absolute*) the smallest relevant value.
    *least* and *most* are the ends of the metric's range, chance for a ROC AUC; a limit that would be there or beyond
    is None, because no value can pass it. An *arcsine* series is charted on that scale (`monitoring.charts.scales`).
    A *cumulative* one has a CUSUM for small lasting shifts, others an EWMA.
    """

    name: str
    side: Side
    tolerance: float
    absolute: bool = False
    arcsine: bool = False
    least: float = -math.inf
    most: float = math.inf
    cumulative: bool = False

    def scaled(self, values: Any) -> Any:
        """*values* on the scale of the chart."""
        return stabilised(values) if self.arcsine else values

    def unscaled(self, value: float) -> float:
        """A *value* of the chart's scale in units of the series."""
        return float(restored(value)) if self.arcsine else value

    def above(self, limits: Limits) -> tuple[float | None, float | None]:
        """The upper limits of day and level, in units of the series."""
        if self.side == "lower":
            return None, None
        return self._limit(limits, limits.day, 1), self._limit(limits, limits.lasting, 1)

    def below(self, limits: Limits) -> tuple[float | None, float | None]:
        """The lower limits of day and level."""
        if self.side == "upper":
            return None, None
        return self._limit(limits, limits.day, -1), self._limit(limits, limits.lasting, -1)

    def _limit(self, limits: Limits, deviations: float, sign: int) -> float | None:
        mean = self.unscaled(limits.mean)
        limit = self.unscaled(limits.mean + sign * deviations * limits.deviation)
        if self.absolute:
            limit = max(limit, self.tolerance)
        else:
            limit = mean + sign * max(sign * (limit - mean), self.tolerance)
        return limit if self.least < limit < self.most else None


def oriented(values: Numbers, sides: Sequence[Side]) -> Numbers:
    """Values (..., series) oriented so that larger is worse: unchanged, negated, or absolute."""
    signs = np.array([-1.0 if side == "lower" else 1.0 for side in sides])
    both = np.array([side == "both" for side in sides])
    return np.where(both, np.abs(values), values * signs)

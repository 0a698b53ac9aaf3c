"""The realised performance of each night's model in each period after it: a table of numbers. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from checks.evidence import Array
from contracts.comparison_limits import LARGER_IS_BETTER


@dataclass(frozen=True)
class Realised:
    """The *metric* of the model of night i in period k: *values* (nights, periods), NaN where it does not exist yet.

    *rows* (periods,) are the rows with a known outcome, *days* (nights,) the day of each night from 0, *labels* its
    date as text. A night without a model has NaN in its row.
    """

    metric: str
    values: Array
    rows: Any
    days: Any
    labels: tuple[str, ...]

    @property
    def loss(self) -> Array:
        """The values as a loss, (nights, periods): smaller is better."""
        return np.asarray(-self.values if self.metric in LARGER_IS_BETTER else self.values)

    def of_path(self, live: Sequence[int]) -> Array:
        """The loss in each period, (periods,), where in period k the model of night *live*[k] served."""
        return np.asarray(self.loss[np.asarray(live), np.arange(len(live))])

    def until(self, period: int) -> Realised:
        """What was known before *period* began."""
        values = np.where(np.arange(self.values.shape[1]) < period, self.values, math.nan)
        return Realised(self.metric, values, self.rows, self.days, self.labels)

    def shown(self, loss: float) -> float:
        """A loss as the metric itself."""
        return -loss if self.metric in LARGER_IS_BETTER else loss


def table(
    metric: str, measured: Iterable[Sequence[tuple[int, float]]], days: Sequence[int], labels: Sequence[str]
) -> Realised:
    """The table of *measured*: for each night the rows and the metric of each period from that night on."""
    count = len(days)
    values, rows = np.full((count, count), math.nan), np.zeros(count, dtype=int)
    for night, found in enumerate(measured):
        for period, (many, value) in enumerate(found, night):
            values[night, period] = value
            rows[period] = many
    return Realised(metric, values, rows, np.asarray(days), tuple(labels))

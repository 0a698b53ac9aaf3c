"""What a shorter or longer window and holdout would have earned, on the nights for which they were fitted. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from backtest.results.realised_loss import Realised
from backtest.results.weighted_means import Mean, mean
from contracts.comparison_limits import LARGER_IS_BETTER


@dataclass(frozen=True)
class LengthResult:
    """A *share* of the recipe's own window or holdout (*of*), and how much *better* it was than the release model.

    The release model has the recipe's window and no holdout.
    """

    of: str
    share: float
    better: Mean


def length_results(measured: Mapping[int, Mapping[str, float]], realised: Realised) -> list[LengthResult]:
    """The result of each length; *measured* has by night the metric of each in the period after it."""
    names = {name for found in measured.values() for name in found}
    sign = -1 if realised.metric in LARGER_IS_BETTER else 1
    found = []
    for name in sorted(names, key=lambda each: (each.split()[0] != "window", float(each.split()[1]))):
        better = np.full(len(realised.days), math.nan)
        for night, values in measured.items():
            if name in values:
                better[night] = realised.loss[night, night] - sign * values[name]
        of, share = name.split()
        found.append(LengthResult(of, float(share), mean(better, realised.rows)))
    return found


def spread_nights(count: int, wanted: int) -> list[int]:
    """At most *wanted* of *count* nights, evenly spread."""
    if not wanted:
        return []
    return sorted({round(each) for each in np.linspace(0, count - 1, min(wanted, count))})

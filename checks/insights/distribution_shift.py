"""Data drift of each feature from training to fresh rows, for the report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from checks.evidence import Evidence


@dataclass(frozen=True)
class Shift:
    """The distance of a feature between training and fresh rows, from 0 to 1, and shares of rows.

    The distance is the Kolmogorov-Smirnov statistic for numbers, the total variation distance otherwise.
    *missing_then* is of training, *missing_now* of fresh rows; *new* is the share with values unknown in training.
    """

    name: str
    distance: float
    missing_then: float
    missing_now: float
    new: float


def shifts(evidence: Evidence) -> list[Shift]:
    """Every feature that is not private, the largest distance first."""
    fresh = evidence.holdout[evidence.fresh]
    result = []
    for feature in evidence.contract.features:
        if feature.name in evidence.contract.private or fresh.empty:
            continue
        then, now = evidence.train[feature.name], fresh[feature.name]
        new = 0.0
        if feature.kind == "number":
            distance = _smirnov(_numbers(then), _numbers(now))
        else:
            distance = _variation(then, now)
            new = float((~now[now.notna()].isin(then.dropna().unique())).sum() / len(now))
        missing = float(then.isna().mean()), float(now.isna().mean())
        result.append(Shift(feature.name, distance, *missing, new))
    return sorted(result, key=lambda each: -each.distance)


def _numbers(column: Any) -> Any:
    return np.sort(column.dropna().to_numpy(dtype=float))


def _smirnov(one: Any, other: Any) -> float:
    if not len(one) or not len(other):
        return float(len(one) != len(other))
    at = np.concatenate([one, other])
    parts = [np.searchsorted(each, at, side="right") / len(each) for each in (one, other)]
    return float(np.abs(parts[0] - parts[1]).max())


def _variation(one: Any, other: Any) -> float:
    shares = [each.astype(object).astype(str).value_counts(normalize=True) for each in (one, other)]
    return float(shares[0].sub(shares[1], fill_value=0.0).abs().sum() / 2)

"""How the fresh rows differ from those that were learnt from, feature by feature: for the reader."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from checks.evidence import Evidence


@dataclass(frozen=True)
class Shift:
    """A feature's distance between training and fresh rows, from 0 to 1, and shares of fresh rows.

    The distance is Kolmogorov and Smirnov's for numbers, the total variation for what else there is.
    """

    name: str
    distance: float
    missing_then: float
    missing_now: float
    new: float


def shifts(evidence: Evidence) -> list[Shift]:
    """Every feature that is not private, the farthest first."""
    fresh = evidence.holdout[evidence.fresh]
    found = []
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
        found.append(Shift(feature.name, distance, *missing, new))
    return sorted(found, key=lambda each: -each.distance)


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

"""What is the same in two models' scores: the tolerance of two computations of one score, and equal decisions.

Differences are relative to the score or, near zero, to the standard deviation of the scores: float32 keeps seven digits
of the terms of a sum, and a prediction near zero can be a sum of terms in the hundreds.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from contracts.row_contract import Contract

#: Four float32 steps at 1: the precision of a probability computed as 1 minus another.
PROBABILITY = 4 * 2.0**-23
#: Numbers whose range is below this share of the largest are equal: the rest is rounding.
EQUAL = 1e-12
Array = np.ndarray[Any, np.dtype[np.float64]]


def spread_of(values: Any) -> Any:
    """The standard deviation of *values*, (n,) or (n, classes): a float, or one for each class.

    Exactly 0 if the values are equal but for rounding. Their mean is rounded, so the computed deviation of equal numbers
    is seldom 0, and a division by it would amplify noise.
    """
    numbers = np.asarray(values, dtype=np.float64)
    equal = np.ptp(numbers, axis=0) <= EQUAL * np.abs(numbers).max(axis=0)
    return np.where(equal, 0.0, numbers.std(axis=0))[()]


def allowed(expected: Any, spread: Any, limit: float, probability: bool) -> Any:
    """The largest difference from *expected* that is within *limit*, of the shape of *expected*.

    *spread* is `spread_of` the holdout's scores; *probability* says whether they are probabilities.
    """
    scale = np.maximum(np.abs(np.asarray(expected, dtype=np.float64)), spread)
    return np.maximum(limit * scale, PROBABILITY if probability else 0.0)


def relative(found: Any, expected: Any, spread: Any, limit: float, probability: bool) -> Array:
    """The differences in units in which *limit* is the largest allowed; infinite for NaN, (n,)."""
    gap = np.abs(np.asarray(found, dtype=np.float64) - expected)
    most = allowed(expected, spread, limit, probability)
    # A constant zero has no scale: no difference is allowed.
    with np.errstate(divide="ignore", invalid="ignore"):
        units: Array = np.where(gap == 0, 0.0, gap / most * limit)
    worst: Array = np.nan_to_num(units, nan=np.inf, posinf=np.inf).reshape(len(gap), -1).max(axis=1)
    return worst


def decisions(contract: Contract, scores: Array, like: Array) -> Any:
    """Decisions by *scores*, (n,), with the thresholds of *like*, another model's scores.

    Binary: as many positives as *like* expects; multiclass: the most probable class; regression: the quartile of *like*
    that contains the value.
    """
    if contract.task == "multiclass":
        return scores.argmax(axis=1)
    cuts = [1 - like.mean()] if contract.task == "binary" else [0.25, 0.5, 0.75]
    return np.searchsorted(np.quantile(like, cuts), scores)


def changed_share(contract: Contract, scores: Array, like: Array) -> float:
    """The share of decisions by *scores* that differ from those by *like*."""
    return float((decisions(contract, scores, like) != decisions(contract, like, like)).mean())

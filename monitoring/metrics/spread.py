"""Standard deviation and standardised departure, robust to rounding errors of constant columns."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
import pandas as pd

#: Differences below this share of the largest value are rounding errors.
ROUNDING = 1e-12
#: Days that an interval of their mean needs.
MIN_DAYS = 4


def is_constant(values: pd.Series) -> bool:
    """Whether all known *values* are equal up to rounding errors."""
    known = values.dropna().astype(float)
    return bool(known.empty or known.max() - known.min() <= _noise(known))


def deviation(values: pd.Series) -> float:
    """The standard deviation; exactly 0 for a constant column."""
    return 0.0 if is_constant(values) else float(values.astype(float).std())


def departure(reference: pd.Series, values: pd.Series) -> pd.Series:
    """The departure of each of *values* from the mean of a *reference*, in its standard deviations.

    For a constant reference it is 1 above the constant, -1 below and 0 at it, so a day's mean is a share of its rows.
    """
    known, numbers = reference.astype(float), values.astype(float)
    spread = deviation(reference)
    if spread:
        return (numbers - known.mean()) / spread
    apart = numbers - (known.dropna().iloc[0] if known.notna().any() else 0.0)
    return pd.Series(np.sign(apart.where(apart.abs() > _noise(known), 0.0 * apart)), values.index)


def mean_interval(values: Sequence[float], weights: Sequence[float]) -> tuple[float, float] | None:
    """The 95 % confidence interval of a weighted mean of daily *values*; None with fewer than `MIN_DAYS`.

    From the variation between days, which are taken as independent: the linearised variance of a ratio, with Student's t
    quantile by its Cornish-Fisher expansion.
    """
    if len(values) < MIN_DAYS:
        return None
    share = np.asarray(weights, dtype=float) / sum(weights)
    mean = float(share @ np.asarray(values))
    count, z = len(values), NormalDist().inv_cdf(0.975)
    error = float(np.sqrt(count / (count - 1) * np.sum(share**2 * (np.asarray(values) - mean) ** 2)))
    df = count - 1
    t = z + (z**3 + z) / (4 * df) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * df**2)
    t += (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * df**3)
    return mean - t * error, mean + t * error


def _noise(known: pd.Series) -> float:
    return ROUNDING * float(known.abs().max()) if known.notna().any() else 0.0

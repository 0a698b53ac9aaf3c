"""Standard deviation and standardised departure, robust to rounding errors of constant columns."""

from __future__ import annotations

import numpy as np
import pandas as pd

#: Differences below this share of the largest value are rounding errors.
SAME = 1e-12


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


def _noise(known: pd.Series) -> float:
    return SAME * float(known.abs().max()) if known.notna().any() else 0.0

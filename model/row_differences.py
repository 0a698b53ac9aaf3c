"""Values of one column from two sources, row by row: which differ, and how they are stored in the manifest."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from contracts.tolerance import allowed, spread_of

#: The models compute in float32: differences up to this share of a number, or of the column's deviation, are rounding.
ROUNDING = 1e-5
Array = np.ndarray[Any, Any]


def unequal(found: Array, expected: Array, column: Array) -> Array:
    """Which numbers differ by more than rounding, or are missing (NaN) in one source alone: (n,).

    Rounding is relative to *expected* or to the standard deviation of the *column*, one of the two.
    """
    found, expected, column = (np.asarray(each, dtype=float) for each in (found, expected, column))
    known = np.isfinite(found) & np.isfinite(expected)
    differs = np.asarray(np.isnan(found) != np.isnan(expected))
    if known.any():
        spread = float(spread_of(column[known]))
        differs[known] = np.abs(found[known] - expected[known]) > allowed(expected[known], spread, ROUNDING, False)
    return differs


def unequal_texts(found: Array, expected: Array) -> Array:
    """Which texts differ, or are missing in one source alone: (n,)."""
    missing = pd.isna(found), pd.isna(expected)
    differs = np.asarray(missing[0] != missing[1])
    both = ~missing[0] & ~missing[1]
    differs[both] = found[both] != expected[both]
    return differs


def plain(value: Any, longest: int) -> Any:
    """A value for JSON: a text of at most *longest* characters, a number, None if it is missing or infinite."""
    if isinstance(value, str):
        return value[:longest]
    return None if pd.isna(value) or not np.isfinite(value) else float(value)

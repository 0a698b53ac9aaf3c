"""The decimal numbers from which 16-bit and 32-bit floats were made."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

#: The protocol's data types that are shorter than Python's floats, and their names in NumPy.
SHORT = {"FP16": "<f2", "FP32": "<f4"}
#: Decimals that are tried.
MAX_DECIMALS = 10


def shorten(datatype: str, values: Sequence[Any]) -> list[Any]:
    """*values* from JSON; a float that is exactly one of *datatype* is replaced by its decimal number."""
    floats = np.array([value for value in values if type(value) is float])
    with np.errstate(over="ignore"):
        found = floats.astype(SHORT[datatype])
    rest = iter(np.where(found == floats, shortest(found), floats).tolist())
    return [next(rest) if type(value) is float else value for value in values]


def shortest(found: Any) -> Any:
    """Each of *found* as the float64 with the fewest decimals that rounds to it.

    The float32 of 0.1 is 0.1 again, and not 0.10000000149011612: which would be above a maximum of
    0.1, and another value in the journal than the same number from JSON.
    """
    values = found.astype(float)
    left = np.flatnonzero(np.isfinite(values) & (values != np.trunc(values)))
    for decimals in range(1, MAX_DECIMALS + 1):
        rounded = values[left].round(decimals)
        same = rounded.astype(found.dtype) == found[left]
        values[left[same]] = rounded[same]
        left = left[~same]
    return values

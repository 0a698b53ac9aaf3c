"""What is allowed in a recipe's rows, and still likely to surprise: said when a model is trained."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from model.contract import Contract

#: float32 holds every whole number up to here, and not every one above.
WHOLE = 2**24


def remarks(rows: pd.DataFrame, contract: Contract) -> tuple[str, ...]:
    """Sentences about *rows* as the recipe loaded them: merged integers, times without a zone."""
    found = [
        line for f in contract.features if f.kind == "number" for line in _merged(rows, f.name)
    ]
    return (*found, *_naive(rows, contract))


def recorded(manifest: Mapping[str, Any]) -> list[str]:
    """The remarks that a bundle's manifest holds; none for a bundle without any, as older ones are."""
    found = manifest.get("remarks")
    return [each for each in found if isinstance(each, str)] if isinstance(found, list) else []


def without_zone(column: pd.Series[Any]) -> bool:
    """Whether a column of times, or its first value, has no time zone."""
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        return False
    first = next(iter(column.dropna()), None)
    try:
        return first is not None and pd.Timestamp(first).tzinfo is None
    except (ValueError, TypeError):
        return False


def _merged(rows: pd.DataFrame, name: str) -> Iterable[str]:
    values = rows[name].dropna().unique()
    try:
        exact = np.array([v for v in values.tolist() if abs(v) > WHOLE and v == int(v)])
    except (TypeError, ValueError, OverflowError):
        return  # the contract's check says what is wrong with them
    lost = len(exact) - len(np.unique(exact.astype("float64").astype("float32")))
    if lost:
        yield (
            f"{name}: {lost:,} of {len(exact):,} different whole numbers above {WHOLE:,} become equal"
            " to another one, since models compute in float32: make codes a category"
            f' (rows["{name}"].astype(str)), and subtract a fixed number from times and counters'
        )


def _naive(rows: pd.DataFrame, contract: Contract) -> Iterable[str]:
    if without_zone(rows[contract.time]):
        yield f"{contract.time}: {NAIVE.format(name=contract.time)}"


NAIVE = (
    "the times have no zone and are read as UTC; if they are local, rows are shifted, and where the clocks"
    " change an hour is missing or there twice: store times with their zone, or write"
    ' rows["{name}"].dt.tz_localize("Europe/Vienna", ambiguous=False, nonexistent="shift_forward"), with your zone'
)

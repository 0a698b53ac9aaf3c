"""Remarks on a recipe's rows or an export: allowed, but likely to surprise.

Shown by training, in the proposal and in the gate's report.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from contracts.row_contract import Contract

#: float32 represents all whole numbers up to here.
MAX_EXACT_INTEGER = 2**24
#: How many fields a remark names; the manifest has all.
MAX_NAMED = 10
HEADING = "Remarks on the data and the export"


def remarks(rows: pd.DataFrame, contract: Contract) -> tuple[str, ...]:
    """Sentences about *rows* as the recipe loaded them: merged integers, times without a zone."""
    found = [line for f in contract.features if f.kind == "number" for line in _merged(rows, f.name)]
    return (*found, *_naive(rows, contract))


def recorded(manifest: Mapping[str, Any]) -> list[str]:
    """The remarks on a bundle's export, and those on its data.

    Older bundles have none. Values of another form than export writes are ignored, since the gate reads manifests from
    anybody.
    """
    features = _table(manifest.get("contract")).get("features") or []
    revised = [str(each["name"]) for each in features if each.get("revised")]
    said = [f"revised by design, so rules on changed values leave it out: {_few(revised)}"] if revised else []
    return [*replayed(_table(manifest.get("parity"))), *_texts(manifest.get("remarks")), *said]


def replayed(parity: Mapping[str, Any]) -> list[str]:
    """The limits of the replay by a manifest's `parity`: rows that were not tried, and fields without a bound."""
    found = []
    near, unbounded = _table(parity.get("beside_thresholds")), _texts(parity.get("unbounded"))
    tried, of = near.get("replayed"), near.get("of")
    if isinstance(tried, int) and isinstance(of, int) and tried < of:
        found.append(f"replayed {tried:,} of {of:,} rows beside thresholds, a regular sample")
    why: dict[str, list[str]] = {}
    for name, reason in _table(near.get("unchecked")).items():
        why.setdefault(str(reason), []).append(name)
    for reason, names in why.items():
        found.append(
            f"not checked beside thresholds: features that are {reason}: {_few(names)}. A value very close to"
            " a threshold may get the score of its other side"
        )
    if unbounded:
        found.append(
            f"for very large values of {_few(unbounded)} the estimator fails or ONNX"
            " differs from it; the contract admits any number there: give minimum and maximum"
        )
    return found


def _texts(value: Any) -> list[str]:
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []


def _table(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _few(names: Sequence[str]) -> str:
    more = f" and {len(names) - MAX_NAMED:,} more" if len(names) > MAX_NAMED else ""
    return ", ".join(names[:MAX_NAMED]) + more


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
        exact = np.array([v for v in values.tolist() if abs(v) > MAX_EXACT_INTEGER and v == int(v)])
    except (TypeError, ValueError, OverflowError):
        return  # the contract's check reports them
    lost = len(exact) - len(np.unique(exact.astype("float64").astype("float32")))
    if lost:
        yield (
            f"{name}: {lost:,} of {len(exact):,} different whole numbers above {MAX_EXACT_INTEGER:,} become equal"
            " to another one, since models compute in float32: make codes a category"
            f' (rows["{name}"].astype(str)), and subtract a fixed number from times and counters'
        )


def _naive(rows: pd.DataFrame, contract: Contract) -> Iterable[str]:
    for name in filter(None, (contract.time, contract.target.known_at)):
        if without_zone(rows[name]):
            yield f"{name}: {NAIVE.format(name=name)}"


NAIVE = (
    "the times have no zone and are read as UTC; if they are local, rows are shifted, and where the clocks"
    " change an hour is missing or there twice: store times with their zone, or write"
    ' rows["{name}"].dt.tz_localize("Europe/Vienna", ambiguous=False, nonexistent="shift_forward"), with your zone'
)

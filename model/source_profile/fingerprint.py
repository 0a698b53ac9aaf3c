"""The fingerprint of training rows: plain values, small enough for a manifest.

It has the fields, quantiles of numbers, shares of categories with their first and last day, missing values, and rows by
hour. `model.source_profile.fingerprint_changes` compares two fingerprints. Days are UTC. A private field has only its
kind and its missing values.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from contracts.row_contract import Contract, Feature

FORMAT = 1
#: How many of the newest days have separate values; a source changes from one day to the next.
MAX_DAYS = 35
#: How many values of a category are kept, the most frequent ones.
MAX_VALUES = 50
QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)


def source_of(rows: pd.DataFrame, contract: Contract, until: datetime) -> dict[str, Any]:
    """The fingerprint of *rows* (the contract's columns, at least one row), queried up to *until*.

    The same rows give the same fingerprint: numbers are rounded to six digits.
    """
    rows = rows.reset_index(drop=True)
    at = rows[contract.time]
    day = at.dt.floor("D")
    days = pd.date_range(day.min(), day.max(), freq="D")[-MAX_DAYS:]
    place = pd.Series(days.get_indexer(day), index=rows.index)  # -1: before the days with separate values
    late = place >= 0
    hours = np.zeros((len(days), 24), dtype=int)
    np.add.at(hours, (place[late].to_numpy(), at[late].dt.hour.to_numpy()), 1)
    private = set(contract.private)
    fields = {
        f.name: _field(f, rows[f.name], day, place, len(days), public=f.name not in private)
        for f in contract.columns
        if f.name in rows
    }
    return {
        "format": FORMAT,
        "rows": len(rows),
        "start": _iso(at.min()),
        "end": _iso(at.max()),
        "until": _iso(until),
        "days": [f"{each:%Y-%m-%d}" for each in days],
        "hours": hours.tolist(),
        "fields": fields,
    }


def _field(feature: Feature, column: Any, day: Any, place: Any, days: int, public: bool) -> dict[str, Any]:
    missing = column.isna()
    found: dict[str, Any] = {
        "kind": feature.kind,
        "missing": _number(missing.mean()),
        "daily": {"missing": _by_day(missing, place, days)},
    }
    if not public or missing.all():
        return found
    if feature.kind == "category":
        found |= _values(column, day)
        found["daily"]["new"] = _growth(column, place, days)
    else:
        numbers = column.astype("float64")
        found["quantiles"] = [_number(each) for each in numbers.quantile(QUANTILES)]
        if feature.kind == "number":
            found["daily"] |= _numbers(numbers, place, days)
        else:
            found["daily"]["share"] = _by_day(numbers, place, days)
    return found


def _numbers(numbers: Any, place: Any, days: int) -> dict[str, Any]:
    """By day: quantiles, the size of nonzero values, and the shares of the minimum and the maximum."""
    present = numbers[(place >= 0) & numbers.notna()]
    groups = present.groupby(place[present.index])
    quantiles: list[Any] = [None] * days
    ends: list[Any] = [None] * days
    sizes: list[Any] = [None] * days
    for number, values in groups:
        inside = values.to_numpy()
        found = np.quantile(inside, QUANTILES)
        quantiles[number] = [_number(each) for each in found]
        ends[number] = [_number((inside == found[i]).mean()) for i in (0, -1)]
        some = np.abs(inside[inside != 0])
        sizes[number] = _number(np.median(some)) if len(some) else None
    return {"quantiles": quantiles, "ends": ends, "size": sizes}


def _values(column: Any, day: Any) -> dict[str, Any]:
    """For each value its share of the rows while it occurred, its first and last day, and its longest gap.

    A gap is a number of days with rows, but without the value, between two days with it.
    """
    present = column[column.notna()].astype(str)
    seen = day[present.index].groupby(present).agg(["size", "min", "max"])
    top = seen.sort_values("size", ascending=False, kind="stable").head(MAX_VALUES)
    per_day = day.value_counts().sort_index()
    total, at = per_day.cumsum().to_numpy(), per_day.index
    values = {}
    for value, (size, first, last) in zip(top.index, top.to_numpy(), strict=True):
        start, end = at.get_loc(first), at.get_loc(last)
        rows = total[end] - (total[start - 1] if start else 0)
        values[value] = [_number(size / rows), f"{first:%Y-%m-%d}", f"{last:%Y-%m-%d}"]
    frequent = present[present.isin(top.index)]
    came = pd.DataFrame({"value": frequent, "place": at.get_indexer(day[frequent.index])})
    came = came.drop_duplicates().sort_values(["value", "place"])
    longest = came.groupby("value")["place"].diff().groupby(came["value"]).max()
    gaps = {value: int(longest[value] - 1) for value in top.index if longest[value] > 1}
    return {"distinct": len(seen), "values": values, "gaps": gaps}


def _growth(column: Any, place: Any, days: int) -> list[int]:
    """By day: how many values occurred for the first time."""
    present = column[column.notna()].astype(str)
    first = place[present.index].groupby(present).min()
    found = np.zeros(days, dtype=int)
    np.add.at(found, first[first >= 0].to_numpy(), 1)
    growth: list[int] = found.tolist()
    return growth


def _by_day(values: Any, place: Any, days: int) -> list[float | None]:
    found = values.astype("float64").groupby(place).mean()
    return [_number(found[n]) if n in found.index else None for n in range(days)]


def _number(value: Any) -> float | None:
    """*value* rounded to six digits, so that digests do not depend on the last bit; None for NaN."""
    return float(f"{value:.6g}") if value == value else None  # noqa: PLR0124 -- NaN


def _iso(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")

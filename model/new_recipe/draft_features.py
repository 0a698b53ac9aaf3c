"""Which columns of a table can be features, and how a recipe declares each: kind, limits with room, missing values."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from model.new_recipe.column_roles import is_key, is_text

#: A category with more values than this, of which most occur once, is free text or an id.
MAX_VALUES = 1_000
MAX_TEXT_LENGTH = 60
#: From so many values on, a column whose name says so is an id.
MAX_CODES = 12


@dataclass(frozen=True)
class DraftFeature:
    """A feature as the recipe declares it, and a *remark* beside it."""

    name: str
    kind: str
    minimum: float | None = None
    maximum: float | None = None
    nullable: bool = False
    remark: str = ""


def kind_of(column: pd.Series[Any]) -> str:
    """number, category or boolean; "" for times and other objects."""
    values = column.dropna()
    if pd.api.types.is_datetime64_any_dtype(column) or values.empty:
        return ""
    if pd.api.types.is_bool_dtype(column) or (column.dtype == object and values.isin([True, False]).all()):
        return "boolean"
    if pd.api.types.is_numeric_dtype(column):
        return "number"
    return "category" if is_text(column) else ""


def unusable(name: str, column: pd.Series[Any]) -> str:
    """Why the *column* called *name* is no feature; "" if it may be one."""
    values, kind = column.dropna(), kind_of(column)
    many = values.astype(str).nunique()  # lists and other objects cannot be counted as they are
    whole = pd.api.types.is_integer_dtype(column)
    is_long = kind == "category" and (
        many > MAX_VALUES or many > 0.5 * len(values) or values.str.len().max() > MAX_TEXT_LENGTH
    )
    reasons = {
        "it has no values": many == 0,
        "it has one value": many == 1 and column.notna().all(),
        "a time: write the hours between it and the event in load(), as a number": pd.api.types.is_datetime64_any_dtype(
            column
        ),
        "values that are no number, text or boolean": not kind,
        "an id": is_key(name) and many > MAX_CODES and (whole or kind == "category"),
        f"{many:,} different texts: an id, or words": is_long,
        "a running number": whole and many == len(column) and np.ptp(column) < 2 * many,
    }
    return next((why for why, is_so in reasons.items() if is_so), "")


def declared_feature(name: str, column: pd.Series[Any], words: Sequence[str] = ()) -> DraftFeature:
    """The *column* as the field *name*; *words* are texts that are read as missing numbers."""
    kind, nullable = kind_of(column), bool(column.isna().any())
    if kind != "number":
        values = column.dropna().unique()
        remark = (
            ""
            if kind == "boolean"
            else f"{len(values)} values: {', '.join(sorted(values)[:4])}" + ", ..." * (len(values) > 4)
        )
        return DraftFeature(name, kind, nullable=nullable, remark=remark)
    least, most = float(column.min()), float(column.max())
    lower, upper = _room(least, most)
    read = f"; missing where the text is {', '.join(words)}" if words else ""
    return DraftFeature(name, kind, lower, upper, nullable, f"unit? seen {least:g} to {most:g}{read}")


def _room(least: float, most: float) -> tuple[float, float]:
    """Limits with room: no number seen below 0 is below 0, one up to 1 stays there, else as much again on either side."""
    if least >= 0 and most <= 1:
        return 0.0, 1.0
    span = most - least
    upper = _rounded(most + max(span, abs(most)), math.ceil)
    return (0.0 if least >= 0 else _rounded(least - max(span, abs(least)), math.floor)), upper


def _rounded(value: float, how: Callable[[float], int]) -> float:
    if value == 0:
        return 0.0
    step = 10.0 ** (math.floor(math.log10(abs(value))) - 1)
    return float(f"{how(value / step) * step:.6g}")

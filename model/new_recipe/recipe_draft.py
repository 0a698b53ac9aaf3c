"""A recipe for a table: the decisions, each of them a guess that its text says, or an answer to a question."""

from __future__ import annotations

import keyword
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd

from contracts.row_fields import SCORE, Task
from model.features.recipe_syntax import literal
from model.new_recipe.column_roles import (
    hour_column,
    in_utc,
    is_key,
    is_text,
    key_candidates,
    known_afterwards,
    labels,
    target_candidates,
    time_candidates,
    times,
)
from model.new_recipe.source_table import SourceError, SourceTable
from model.new_recipe.text_numbers import TextNumbers, text_numbers, without_infinity

#: A category with more values than this, of which most occur once, is free text or an id.
MOST_VALUES = 1_000
LONGEST_TEXT = 60
#: Slices are categories with at most so many values.
MOST_SLICES = 12
#: Rows that a training window is long enough for, and its least and greatest length in days.
ENOUGH_ROWS, SHORTEST, LONGEST = 30_000, 60, 365


@dataclass(frozen=True)
class Asked:
    """What cannot be known from a table; empty where it is left to a guess."""

    target: str = ""
    time: str = ""
    key: str = ""
    zone: str = ""
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True)
class DraftFeature:
    """A feature as the recipe declares it, and a *remark* beside it."""

    name: str
    kind: str
    minimum: float | None = None
    maximum: float | None = None
    nullable: bool = False
    remark: str = ""


@dataclass(frozen=True)
class Draft:
    """All that the recipe's text is made of. *renamed* maps the table's names to those of the contract.

    *key* is "" if the table has none. *left* maps columns that are no features to the reason,
    *numbers* columns of texts to the expression that reads their numbers.
    """

    name: str
    table: SourceTable
    task: Task
    target: str
    classes: tuple[Any, ...]
    time: str
    time_column: str
    time_reading: str
    local: bool
    key: str
    features: tuple[DraftFeature, ...]
    slices: tuple[str, ...]
    zone: str
    window: timedelta
    holdout: timedelta
    last_day: date
    renamed: Mapping[str, str] = field(default_factory=dict)
    left: Mapping[str, str] = field(default_factory=dict)
    numbers: Mapping[str, str] = field(default_factory=dict)
    without_target: int = 0
    blank: bool = False


#: Chooses among candidates: (what is asked, candidates with the likeliest first) -> a column, or "" for none.
Choose = Callable[[str, Sequence[str]], str]


def draft(name: str, table: SourceTable, asked: Asked, choose: Choose) -> Draft:
    """The recipe for *table*. Raises `SourceError` with every problem if a column cannot be found or guessed."""
    rows = table.rows
    named = [("target", asked.target), ("time", asked.time), ("key", asked.key), *(("drop", n) for n in asked.left_out)]
    problems = [f"--{what}: there is no column {name!r}" for what, name in named if name and name not in rows]
    if problems:
        raise SourceError("\n".join([*problems, f"the columns are {', '.join(rows)}"]))
    rows = rows.drop(columns=list(asked.left_out))
    blank = any(is_text(rows[name]) and rows[name].eq("").any() for name in rows)
    rows = rows.replace("", None) if blank else rows
    names = list(rows)
    time = asked.time or choose("time", time_candidates(rows))
    key = asked.key or choose("key", key_candidates(rows, [each for each in names if each != time]))
    rest = [each for each in names if each not in (time, key)]
    target = asked.target or choose("target", target_candidates(rows, rest))
    missing = [what for what, found in (("time", time), ("target", target)) if not found]
    if missing:
        raise SourceError(
            "\n".join(f"which column is the {what} cannot be guessed; type --{what} COLUMN" for what in missing)
            + f"\nthe columns are {', '.join(names)}"
        )
    return replace(_decided(name, table, rows, asked, time, key, target), blank=blank)


def _decided(
    name: str, table: SourceTable, rows: pd.DataFrame, asked: Asked, time: str, key: str, target: str
) -> Draft:
    zone = asked.zone or "UTC"
    read = times(rows, time, zone, asked=True)
    if read is None:
        raise SourceError(f"--time: {time} has no times; expected dates or times such as 2026-11-23T03:17:00Z")
    at, reading, renamed = read.utc, read.reading, _identifiers(rows)
    hour = hour_column(rows, time) if read.local else None
    if hour:
        reading = f'{reading} + pd.to_timedelta(rows[{literal(hour)}], unit="h")'
        at = in_utc(at.dt.tz_convert(zone).dt.tz_localize(None) + pd.to_timedelta(rows[hour], unit="h"), zone)
    numbers = _numbers(rows.drop(columns=[time, *filter(None, [key])]))
    rows = rows.assign(**{each: found.numbers for each, found in numbers.items()})
    known = rows[target].notna() & at.notna()
    rows, at = rows[known], at[known]
    classes = labels(rows[target])
    if len(classes) == 1 or not len(rows):
        raise SourceError(f"--target: {target} has one value, {classes or 'nothing'}; expected an outcome that differs")
    task: Task = "regression" if not classes else "binary" if len(classes) == 2 else "multiclass"
    others = [each for each in rows if each not in (time, key, target)]
    left = dict.fromkeys(asked.left_out, "the analyst's choice (--drop)")
    left |= known_afterwards(rows, [each for each in others if _kind(rows[each])], rows[target])
    left |= {
        each: f'a time after the event: if the outcome is known then, write Target(..., known_at="{renamed[each]}")'
        for each in others
        if (later := times(rows, each, zone)) is not None
        and (later.utc.dropna() >= at[later.utc.notna()]).mean() > 0.95
    }
    features = []
    for each in others:
        why = left.get(each) or _unusable(each, rows[each])
        if why:
            left[each] = why
        else:
            words = numbers[each].words if each in numbers else ()
            features.append(_feature(renamed[each], rows[each], words))
    if not features:
        raise SourceError("no column is left to be a feature:\n" + "\n".join(f"{k}: {v}" for k, v in left.items()))
    past = at[at <= pd.Timestamp.now("UTC")]  # a few rows may have a wrong date
    at = at if past.empty else past
    window, holdout = _lengths(at)
    few = [f.name for f in features if f.kind == "category" and rows[_column(renamed, f.name)].nunique() <= MOST_SLICES]
    return Draft(
        name=name, table=table, task=task, target=renamed[target], classes=classes, time=renamed[time],
        time_column=time, time_reading=reading, local=read.local, key=renamed.get(key, ""), features=tuple(features), slices=tuple(few[:2]),
        zone=zone if zone != "UTC" else "", window=window, holdout=holdout,
        last_day=(_usual(at).max() + timedelta(days=1)).date(), renamed={k: v for k, v in renamed.items() if k != v},
        left=left, numbers={each: found.reading for each, found in numbers.items()}, without_target=int((~known).sum()),
    )  # fmt: skip


def _identifiers(rows: pd.DataFrame) -> dict[str, str]:
    """The table's names -> names of fields: plain identifiers that differ, none of which is reserved."""
    found: dict[str, str] = {}
    for name in rows:
        plain = re.sub(r"\W+", "_", str(name), flags=re.ASCII).strip("_").lower() if not _is_name(name) else str(name)
        if not plain or plain[0].isdigit() or keyword.iskeyword(plain):
            plain = f"field_{plain}".rstrip("_")
        if plain == SCORE or plain.startswith(SCORE + "_"):
            plain = f"given_{plain}"
        while plain in found.values():
            plain += "_"
        found[str(name)] = plain
    return found


def _is_name(name: str) -> bool:
    return name.isidentifier() and name.isascii() and not keyword.iskeyword(name)


def _column(renamed: Mapping[str, str], field_name: str) -> str:
    return next(column for column, name in renamed.items() if name == field_name)


def _kind(column: pd.Series[Any]) -> str:
    """number, category or boolean; "" for times and other objects."""
    values = column.dropna()
    if pd.api.types.is_datetime64_any_dtype(column) or values.empty:
        return ""
    if pd.api.types.is_bool_dtype(column) or (column.dtype == object and values.isin([True, False]).all()):
        return "boolean"
    if pd.api.types.is_numeric_dtype(column):
        return "number"
    return "category" if is_text(column) else ""


def _unusable(name: str, column: pd.Series[Any]) -> str:
    """Why the *column* called *name* is no feature; "" if it may be one."""
    values, kind = column.dropna(), _kind(column)
    many = values.astype(str).nunique()  # lists and other objects cannot be counted as they are
    whole = pd.api.types.is_integer_dtype(column)
    is_long = kind == "category" and (
        many > MOST_VALUES or many > 0.5 * len(values) or values.str.len().max() > LONGEST_TEXT
    )
    reasons = {
        "it has no values": many == 0,
        "it has one value": many == 1 and column.notna().all(),
        "a time: write the hours between it and the event in load(), as a number": pd.api.types.is_datetime64_any_dtype(
            column
        ),
        "values that are no number, text or boolean": not kind,
        "an id": is_key(name) and many > MOST_SLICES and (whole or kind == "category"),
        f"{many:,} different texts: an id, or words": is_long,
        "a running number": whole and many == len(column) and np.ptp(column) < 2 * many,
    }
    return next((why for why, is_so in reasons.items() if is_so), "")


def _numbers(rows: pd.DataFrame) -> dict[str, TextNumbers]:
    """The columns of *rows* whose numbers a recipe has to read itself: from texts, or without infinite ones."""
    texts = {name: text_numbers(rows[name], name) for name in rows if is_text(rows[name]) and not is_key(name)}
    floats = [name for name in rows if pd.api.types.is_float_dtype(rows[name]) and np.isinf(rows[name]).any()]
    return {name: found for name, found in texts.items() if found} | {
        name: without_infinity(rows[name], name) for name in floats
    }


def _feature(name: str, column: pd.Series[Any], words: Sequence[str] = ()) -> DraftFeature:
    kind, nullable = _kind(column), bool(column.isna().any())
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


def _usual(at: pd.Series[Any]) -> pd.Series[Any]:
    """*at* without the days, such as 1900-01-01 and 9999-12-31, that stand far from all others."""
    low, high = at.quantile(0.001), at.quantile(0.999)
    room = max((high - low) / 10, timedelta(days=30))
    return at[(at >= low - room) & (at <= high + room)]


def _lengths(at: pd.Series[Any]) -> tuple[timedelta, timedelta]:
    """Training window and holdout, in days: weeks where there are some, a fifth of the days where there are few."""
    at = _usual(at)
    days = (at.max() - at.min()).days + 1
    needed = math.ceil(ENOUGH_ROWS / (len(at) / days))
    window = min(days, max(SHORTEST, min(LONGEST, needed)))
    holdout = 14 if window >= 56 else max(1, window // 5)
    return timedelta(days=window), timedelta(days=holdout)

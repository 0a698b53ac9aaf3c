"""A recipe for a table: the decisions, each of them a guess that its text says, or an answer to a question."""

from __future__ import annotations

import math
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd

from contracts.row_fields import Task
from model.features.recipe_syntax import literal
from model.new_recipe.column_roles import (
    hour_column,
    in_utc,
    is_key,
    is_text,
    key_candidates,
    known_afterwards,
    labels,
    strong_alone,
    target_candidates,
    time_candidates,
    times,
)
from model.new_recipe.draft_features import DraftFeature, declared_feature, kind_of, unusable
from model.new_recipe.field_names import field_names
from model.new_recipe.outcome_times import OutcomeTimes, later_times, likely, outcome_times
from model.new_recipe.source_table import SourceError, SourceTable
from model.new_recipe.text_numbers import TextNumbers, text_numbers, without_infinity

#: Slices are categories with at most so many values.
MAX_SLICES = 12
#: Rows of a holdout: the gate compares models on 500 or more (min_fresh_rows), and a night may have fewer than the last.
HOLDOUT_ROWS = 600
#: With fewer rows in the training window, boosting is slower and its trees are smaller: on generated tables of 700 to 10,000
#: rows, 150 trees of 15 leaves were worse than one tree of depth three, which the gate rejects.
SMALL = 20_000
#: Rows that a training window is long enough for, and its least and greatest length in days.
ENOUGH_ROWS, MIN_WINDOW_DAYS, MAX_WINDOW_DAYS = 30_000, 60, 365


@dataclass(frozen=True)
class Asked:
    """What cannot be known from a table; empty where it is left to a guess."""

    target: str = ""
    time: str = ""
    key: str = ""
    zone: str = ""
    left_out: tuple[str, ...] = ()
    known_at: str = ""


@dataclass(frozen=True)
class Draft:
    """All that the recipe's text is made of. *renamed* maps the table's names to those of the contract.

    *key* is "" if the table has none; the column with a number for each row is then *row*. *left* maps columns that are no features to the reason,
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
    outcomes: OutcomeTimes = field(default_factory=OutcomeTimes)
    row: str = "row"
    without_target: int = 0
    holdout_rows: int = 0
    is_small: bool = False
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
    return replace(_decided(name, table, rows, asked, choose, (time, key, target)), blank=blank)


def _decided(
    name: str, table: SourceTable, rows: pd.DataFrame, asked: Asked, choose: Choose, roles: tuple[str, str, str]
) -> Draft:
    time, key, target = roles
    zone = asked.zone or "UTC"
    read = times(rows, time, zone, asked=True)
    if read is None:
        raise SourceError(f"--time: {time} has no times; expected dates or times such as 2026-11-23T03:17:00Z")
    at, reading, renamed = read.utc, read.reading, field_names(rows)
    hour = hour_column(rows, time) if read.local else None
    if hour:
        reading = f'{reading} + pd.to_timedelta(rows[{literal(hour)}], unit="h")'
        at = in_utc(at.dt.tz_convert(zone).dt.tz_localize(None) + pd.to_timedelta(rows[hour], unit="h"), zone)
    numbers = _numbers(rows.drop(columns=[time, *filter(None, [key])]))
    rows = rows.assign(**{each: found.numbers for each, found in numbers.items()})
    later = later_times(rows, [each for each in rows if each not in roles], at, zone)
    outcomes = outcome_times(asked.known_at or choose("known_at", likely(later, rows[target])), rows, at, target, zone)
    known = rows[target].notna() & at.notna()
    usable = at.notna() if outcomes.come_late else known
    rows, at, known = rows[usable], at[usable], known[usable]
    classes = labels(rows[target])
    if len(classes) == 1 or not known.any():
        raise SourceError(f"--target: {target} has one value, {classes or 'nothing'}; expected an outcome that differs")
    task: Task = "regression" if not classes else "binary" if len(classes) == 2 else "multiclass"
    others = [each for each in rows if each not in (*roles, outcomes.column)]
    left = dict.fromkeys(asked.left_out, "the analyst's choice (--drop)")
    left |= known_afterwards(rows[known], [each for each in others if kind_of(rows[each])], rows.loc[known, target])
    left |= {
        each: f"a time after the event: if the outcome is known then, type --known-at {shlex.quote(each)}"
        for each in later
        if each != outcomes.column
    }
    usual = [each for each in others if each not in left and not unusable(each, rows[each])]
    strong = strong_alone(rows[known], usual, rows.loc[known, target])
    features = []
    for each in others:
        why = left.get(each) or unusable(each, rows[each])
        if why:
            left[each] = why
        else:
            words = numbers[each].words if each in numbers else ()
            made = declared_feature(renamed[each], rows[each], words)
            features.append(replace(made, remark=made.remark + _alone(strong[each])) if each in strong else made)
    if not features:
        raise SourceError("no column is left to be a feature:\n" + "\n".join(f"{k}: {v}" for k, v in left.items()))
    past = at[at <= pd.Timestamp.now("UTC")]  # a few rows may have a wrong date
    at = at if past.empty else past
    window, holdout = _lengths(at)
    few = [f.name for f in features if f.kind == "category" and rows[_column(renamed, f.name)].nunique() <= MAX_SLICES]
    return Draft(
        name=name, table=table, task=task, target=renamed[target], classes=classes, time=renamed[time],
        time_column=time, time_reading=reading, local=read.local, key=renamed.get(key, ""), features=tuple(features), slices=tuple(few[:2]),
        zone=zone if zone != "UTC" else "", window=window, holdout=holdout,
        last_day=(_usual(at).max() + timedelta(days=1)).date(), renamed={k: v for k, v in renamed.items() if k != v},
        left=left, numbers={each: found.reading for each, found in numbers.items()}, without_target=int((~usable).sum()), outcomes=outcomes, row=_row_name(renamed),
        is_small=bool((at >= at.max() - window).sum() < SMALL),
        holdout_rows=int((_usual(at) >= _usual(at).max() - holdout).sum()),
    )  # fmt: skip


def _alone(power: float) -> str:
    return f"; alone it has {power:.0%} of a perfect model's power: is it known when the event happens? (leak.solo)"


def _row_name(renamed: Mapping[str, str]) -> str:
    """The name of a column with a number for each row: "row", unless the table has one."""
    return next(name for name in ("row", "row_number", "row_number_of_table") if name not in renamed.values())


def _column(renamed: Mapping[str, str], field_name: str) -> str:
    return next(column for column, name in renamed.items() if name == field_name)


def _numbers(rows: pd.DataFrame) -> dict[str, TextNumbers]:
    """The columns of *rows* whose numbers a recipe has to read itself: from texts, or without infinite ones."""
    texts = {name: text_numbers(rows[name], name) for name in rows if is_text(rows[name]) and not is_key(name)}
    floats = [name for name in rows if pd.api.types.is_float_dtype(rows[name]) and np.isinf(rows[name]).any()]
    return {name: found for name, found in texts.items() if found} | {
        name: without_infinity(rows[name], name) for name in floats
    }


def _usual(at: pd.Series[Any]) -> pd.Series[Any]:
    """*at* without the days, such as 1900-01-01 and 9999-12-31, that stand far from all others."""
    low, high = at.quantile(0.001), at.quantile(0.999)
    room = max((high - low) / 10, timedelta(days=30))
    return at[(at >= low - room) & (at <= high + room)]


def _lengths(at: pd.Series[Any]) -> tuple[timedelta, timedelta]:
    """Training window and holdout, in days: weeks where there are some, a fifth of the days where there are few.

    The holdout has as many rows as the gate compares models on, if they are a third of the window's days or fewer; where a
    stream is slow, the window is longer for that.
    """
    at = _usual(at)
    days = (at.max() - at.min()).days + 1
    needed = math.ceil(ENOUGH_ROWS / (len(at) / days))
    window = min(days, max(MIN_WINDOW_DAYS, min(MAX_WINDOW_DAYS, needed)))
    holdout = 14 if window >= 56 else max(1, window // 5)
    reached = (at.max().normalize() - at.nlargest(HOLDOUT_ROWS).min().normalize()).days + 1
    if reached > holdout:
        holdout = math.ceil(reached / 7) * 7 if reached >= 14 else reached
        window = min(days, max(window, 3 * holdout))
        holdout = max(1, min(holdout, window // 3))
    return timedelta(days=window), timedelta(days=holdout)

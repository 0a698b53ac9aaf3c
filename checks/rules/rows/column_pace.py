"""The pace of a column: how many values it had, in the order of time.

A figure that is published each month has three values in a quarter, however many rows repeat them: a value that is new
and far from the others is what comes next, not a code for "missing". Such a column is *slow*: its values belong to days.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

#: A column is slow if its values occur on less than this share of the days on which as many rows would occur by chance ...
SLOW = 0.5
#: ... or if it has one value on at least this share of the days.
CONSTANT = 0.9


@dataclass(frozen=True)
class Pace:
    """*looks* is the number of values, each counted once for every run of days; *most* is the usual number on a day."""

    slow: bool
    looks: int
    most: int


def pace_of(column: pd.Series[Any], at: pd.Series[Any]) -> Pace:
    """The pace of the values in *column* at the times *at*; a column that is not slow has as many looks as rows."""
    known = column.notna().to_numpy()
    if not known.any():
        return Pace(False, 0, 0)
    values = pd.factorize(column[known])[0]
    day = pd.factorize(at[known].dt.floor("D"), sort=True)[0]
    pairs = np.unique(np.stack([values, day]), axis=1)
    rows, days = np.bincount(values), np.bincount(pairs[0])
    share = np.bincount(day) / len(day)
    several = np.bincount(day) > 1
    per_day = np.bincount(pairs[1])
    most = int(np.quantile(per_day, 0.95, method="higher"))
    if len(rows) < 2:
        return Pace(True, 1, most)
    counts, where = np.unique(rows, return_inverse=True)
    expected = (1 - np.exp(-np.outer(counts, share))).sum(axis=1)[where]
    clustered = float((rows * days / expected).sum() / rows.sum()) < SLOW
    constant = several.any() and float((per_day[several] == 1).mean()) >= CONSTANT
    if not clustered and not constant:
        return Pace(False, len(values), most)
    begins = np.ones(pairs.shape[1], dtype=bool)  # pairs are in the order of values, then days
    begins[1:] = (np.diff(pairs[0]) != 0) | (np.diff(pairs[1]) > 1)
    return Pace(True, int(begins.sum()), most)


def runs_of_days(column: pd.Series[Any], at: pd.Series[Any], top: float, least: int) -> list[tuple[float | None, int]]:
    """Runs of days with one value in more than the share *top* of the rows: the value, and the number of days.

    Days with other values are runs of one day with the value None; days with fewer than *least* rows are left out.
    """
    known = column.dropna().astype(float)
    day = pd.factorize(at[known.index].dt.floor("D"), sort=True)[0]
    values, value = np.unique(known.to_numpy(), return_inverse=True)
    cells, rows = np.unique(day * len(values) + value, return_counts=True)
    days = cells // max(1, len(values))
    order = np.lexsort((cells, -rows, days))  # of equally common values, the smallest
    first = order[np.r_[True, np.diff(days[order]) > 0]] if len(order) else order
    runs: list[tuple[float | None, int]] = []
    for total, cell, most in zip(np.bincount(day), cells[first], rows[first], strict=True):
        if total < least:
            continue
        one = float(values[cell % len(values)]) if most / total > top else None
        if one is not None and runs and runs[-1][0] == one:
            runs[-1] = (one, runs[-1][1] + 1)
        else:
            runs.append((one, 1))
    return runs

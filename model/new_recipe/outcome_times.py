"""When the outcomes of a table become known: a column with the time, a number of days, or at once."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from model.new_recipe.column_roles import Times, times
from model.new_recipe.source_table import SourceError

#: A column is the time of the outcome without a question if it is empty where the outcome is, in this share of rows.
ALIKE = 0.98
#: A number of days, as it is typed.
DAYS = re.compile(r"(\d+) ?d(ays?)?")


@dataclass(frozen=True)
class OutcomeTimes:
    """The *column* with the time at which an outcome is known, as *read*; or *days* after the event; or neither: at once.

    *whole_days*: the column has days, whose end counts. *early*: some outcomes are known before the event. *timeless*:
    some outcomes have no time, *empty*: some times have no outcome.
    """

    column: str = ""
    read: Times | None = None
    days: int = 0
    whole_days: bool = False
    early: bool = False
    timeless: bool = False
    empty: bool = False

    @property
    def come_late(self) -> bool:
        """Whether a row may have no outcome yet."""
        return bool(self.column or self.days)


def later_times(rows: pd.DataFrame, names: Iterable[str], at: pd.Series[Any], zone: str) -> Mapping[str, Times]:
    """Those of the columns *names* that are times after the event, at *at*, in 95 of 100 rows that have them."""
    found = {name: times(rows, name, zone) for name in names}
    return {
        name: read
        for name, read in found.items()
        if read is not None and (read.utc.dropna() >= at[read.utc.notna()].dt.floor("D")).mean() > 0.95
    }


def likely(later: Mapping[str, Times], outcome: pd.Series[Any]) -> list[str]:
    """Those of the *later* times that are known where the *outcome* is, and empty where it is."""
    unknown = outcome.isna()
    if not unknown.any() or unknown.all():
        return []
    alike = {name: float((read.utc.isna() == unknown).mean()) for name, read in later.items()}
    return sorted((name for name in alike if alike[name] >= ALIKE), key=alike.__getitem__, reverse=True)


def outcome_times(said: str, rows: pd.DataFrame, at: pd.Series[Any], target: str, zone: str) -> OutcomeTimes:
    """What *said*, a column's name, days such as 30d, or "", means for *rows* at *at*. Raises `SourceError`."""
    if not said:
        return OutcomeTimes()
    if said not in rows:
        if not (days := DAYS.fullmatch(said)) or int(days[1]) < 1:
            raise SourceError(
                f"--known-at: there is no column {said!r}; expected a column with times, or days such as 30d"
            )
        return OutcomeTimes(days=int(days[1]))
    read = times(rows, said, zone, asked=True)
    if read is None:
        raise SourceError(
            f"--known-at: {said} has no times; expected when the outcome became known, or days such as 30d"
        )
    there = read.utc.notna()
    naive = read.utc.dt.tz_convert(zone if read.local else "UTC")
    outcome = rows[target].notna()
    whole_days = bool(there.any() and (naive[there].dt.normalize() == naive[there]).all())
    ends = read.utc + pd.Timedelta(days=1) if whole_days else read.utc
    return OutcomeTimes(
        said,
        read,
        whole_days=whole_days,
        early=bool((ends < at).any()),
        timeless=bool((outcome & ~there).any()),
        empty=bool((~outcome & there).any()),
    )

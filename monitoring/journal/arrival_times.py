"""When answers and outcomes arrived, by the day that a row is about: which days are complete, and the label delay.

Outcomes of a day are counted by their age: the days from the row's day to the day on which the outcome came. Label
coverage at one age is compared with earlier days at the same age, so a usual delay lowers nothing (the additive method
of claims reserving reads the same triangle: Schmidt, 2006).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from monitoring.charts.signals import Measure

Numbers = np.ndarray[Any, Any]

#: The proportion of all outcomes that ever come, at which outcomes are complete.
COMPLETE_SHARE = 0.95
#: The proportion at which a change of the delay shows soonest: half of the outcomes are still to come.
HALF = 0.5
#: With fewer outcomes the delay is not estimated.
MIN_OUTCOMES = 50
#: The delay of rows is the one after which `DAYS_IN` of the days had `ROWS_IN` of their rows; it needs `MIN_DAYS`.
DAYS_IN, ROWS_IN, MIN_DAYS = 0.9, 0.95, 5


def local_days(times: pd.Series, zone: str) -> pd.Series:
    """The day of each of *times* (aware), counted from 1970 in *zone*; NaN where the time is missing."""
    local = times.dt.tz_convert(zone or "UTC").dt.tz_localize(None)
    return (local - pd.Timestamp(0)) // pd.Timedelta(days=1)


def read_times(texts: pd.Series) -> pd.Series:
    """ISO 8601 texts as times in UTC; NaT where a text is not a time."""
    return pd.to_datetime(texts, utc=True, errors="coerce", format="ISO8601").astype("datetime64[us, UTC]")


def arrivals(rows: pd.DataFrame, outcomes: pd.DataFrame, zone: str) -> pd.DataFrame:
    """The "day" (from 1970), "late", "age" and outcome ("value", encoded) of each of the *rows*.

    "late" is the seconds from the end of the row's day to its answer, negative within the day. "age" is the number of
    days after which its outcome came, from the row's day or the answer's, whichever is later; NaN without an outcome.
    An outcome without a time has age 0.
    """
    rows = rows[rows["time"].notna()]
    day = local_days(rows["time"].astype("datetime64[us, UTC]"), zone)
    answered = read_times(rows["at"])
    known = outcomes.drop_duplicates("id").set_index("id")
    came = local_days(read_times(rows["id"].map(known["at"])), zone)
    begun = np.fmax(day, local_days(answered, zone))
    age = (came - begun).clip(lower=0).fillna(0).where(rows["id"].isin(known.index))
    late = (answered - _midnights(day + 1, zone)).dt.total_seconds()
    value = rows["id"].map(known["value"]) if "value" in known else np.nan
    return pd.DataFrame({"day": day.astype(int), "late": late, "age": age, "value": value})


def complete_until(end: str, arrived: pd.DataFrame, now: datetime, zone: str) -> str:
    """The day after the last complete one, *end* or earlier, by the clock *now* and the usual delay of rows."""
    first, last = int(arrived["day"].min()) if len(arrived) else number_of(end), number_of(end)
    wait = pd.Timedelta(seconds=row_delay(arrived[arrived["day"] < last]))
    while last > first and _midnights(pd.Series([last]), zone)[0] + wait > pd.Timestamp(now):
        last -= 1
    return day_of(last)


def row_delay(arrived: pd.DataFrame) -> float:
    """The seconds from a day's end until its rows have arrived, on nine of ten days; 0 where rows are answered at once.

    A job that scores yesterday's rows at night completes a day only then. With fewer than `MIN_DAYS` days the delay
    is unknown, and 0.
    """
    by_day = arrived.dropna(subset=["late"]).groupby("day")["late"].quantile(ROWS_IN)
    return max(float(by_day.quantile(DAYS_IN)), 0.0) if len(by_day) >= MIN_DAYS else 0.0


@dataclass(frozen=True)
class Triangle:
    """Outcomes by day and age: *days* (from 1970, n), their *rows* (n,), and outcomes that *came* at each age (n, ages).

    *last* is the last complete day; a day's ages after it are not known yet.
    """

    days: Numbers
    rows: Numbers
    came: Numbers
    last: int

    @classmethod
    def of(cls, arrived: pd.DataFrame, last: int) -> Triangle:
        """The triangle of what `arrivals` returned, up to the day *last*."""
        arrived = arrived[arrived["day"] <= last]
        sizes = arrived.groupby("day").size()
        days = sizes.index.to_numpy()
        ages = last - int(days.min()) + 1 if len(days) else 1
        came = np.zeros((len(days), ages))
        known = arrived[arrived["age"].notna() & (arrived["age"] <= last - arrived["day"])]
        np.add.at(came, (np.searchsorted(days, known["day"]), known["age"].to_numpy(dtype=int)), 1)
        return cls(days, sizes.to_numpy(), came, last)

    def coverage(self, age: int) -> list[Measure]:
        """The label coverage of each day after *age* days; only days that are as old."""
        share = self.came[:, : age + 1].sum(axis=1) / self.rows
        return [
            Measure("label_coverage", "share", "", day_of(day), float(value), int(rows))
            for day, value, rows in zip(self.days, share, self.rows, strict=True)
            if day + age <= self.last
        ]

    def settled(self, least: int, recent: int, part: float = COMPLETE_SHARE) -> int | None:
        """The age at which a *part* of the outcomes have come, the label delay; None while there are too few outcomes.

        Estimated from what was known *recent* days ago, so that outcomes that stop coming do not change it; if that
        is too little, from what is known now. Only ages that *least* days have reached count.
        """
        for until in (self.last - recent, self.last):
            ages = until - np.sort(self.days)[least - 1] + 1 if len(self.days) >= least else 0
            if ages < 1:
                continue
            old = self.days[:, None] + np.arange(ages) <= until
            came = np.where(old, self.came[:, :ages], 0).sum(axis=0)
            share = np.cumsum(came / np.where(old, self.rows[:, None], 0).sum(axis=0))
            if came.sum() >= MIN_OUTCOMES:
                return int(np.argmax(share >= part * share[-1]))
        return None


def _midnights(days: pd.Series, zone: str) -> pd.Series:
    """When *days* (from 1970) begin in *zone*, in UTC; where clocks skip midnight, the moment after it."""
    local = pd.to_datetime(days * 86_400, unit="s").astype("datetime64[us]")
    first = np.ones(len(days), dtype=bool)
    begun = local.dt.tz_localize(zone or "UTC", ambiguous=first, nonexistent="shift_forward")
    return begun.dt.tz_convert("UTC")


def day_of(number: int) -> str:
    """The text of a day counted from 1970, such as 2026-11-23."""
    return str(np.datetime64(int(number), "D"))


def number_of(day: str) -> int:
    """The number of a day such as 2026-11-23."""
    return int(np.datetime64(day, "D").astype(int))

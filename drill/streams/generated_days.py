"""Rows that are generated day by day, so that the same days have the same rows in each load."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta

import pandas as pd


def rows_between(
    of_day: Callable[[int], pd.DataFrame], first: date, at: str, start: datetime, end: datetime
) -> pd.DataFrame:
    """The rows with a time *at* from *start* up to *end*; *of_day* gives those of a day, counted from the day *first*."""
    newest = (end - timedelta(microseconds=1)).date()
    days = range((start.date() - first).days, (newest - first).days + 1)
    rows = pd.concat([of_day(day) for day in days], ignore_index=True)
    return rows[(rows[at] >= start) & (rows[at] < end)].reset_index(drop=True)

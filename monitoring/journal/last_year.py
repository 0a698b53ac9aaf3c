"""The days a year before those that are monitored: from the journal, whichever version answered, or from training rows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import pandas as pd

from contracts.journal_format import Place
from contracts.row_contract import Contract
from monitoring.charts.expected_movement import HALF_WIDTH, YEAR
from monitoring.journal.arrival_times import day_of, number_of
from monitoring.journal.day_cache import Reading
from monitoring.journal.window import Window, days_of, place_of, read_window

#: Outcomes that came more days later than this after the days are not read.
MAX_DAYS_LATE = 35
#: The folder of the cache for these days: other days are forgotten in it than in that of the window.
FOLDER = "a-year-before"


@dataclass(frozen=True)
class Until:
    """A *place* without the folders of days after *last*."""

    place: Place
    last: str

    def days(self) -> list[str]:
        """Those until *last*."""
        return [day for day in self.place.days() if day <= self.last]

    def names(self, day: str) -> list[str]:
        """As in the place; segments are of today."""
        return self.place.names(day) if day else []

    def open(self, name: str) -> BinaryIO:
        """As in the place."""
        return self.place.open(name)

    def url(self, name: str) -> str:
        """As in the place."""
        return self.place.url(name)


def days_a_year_before(
    journal: Path | Place,
    reading: Reading,
    train: pd.DataFrame,
    reference: pd.DataFrame,
    until: pd.Timestamp,
    days: int,
) -> Window | None:
    """Those of the *reference*'s days, of the *days* days before *until*, and of the days between.

    They are in the *journal*, or in the *train*ing rows; None without any. Raises `JournalError`.
    """
    contract = reading.contract
    first = min(reference[contract.time].min(), until - pd.Timedelta(days=days))
    begin, end = f"{first:%Y-%m-%d}", f"{until:%Y-%m-%d}"
    return read_last_year(journal, reading, begin, end) or last_year_of(train, contract, begin, end)


def read_last_year(journal: Path | Place, reading: Reading, first: str, until: str) -> Window | None:
    """The window a year before the days from *first* to *until* (exclusive), and some around it; None without such days.

    Raises `JournalError` if the journal cannot be read.
    """
    begin, end = number_of(first) - YEAR - HALF_WIDTH, number_of(until) - YEAR + HALF_WIDTH
    place = place_of(journal)
    if not any(day_of(begin) <= day <= day_of(end) for day in place.days()):
        return None
    kept = reading.folder / FOLDER if reading.folder else None
    every = replace(reading, version="", folder=kept)
    midnight = pd.Timestamp(day_of(end), tz=reading.contract.zone or "UTC")
    found = read_window(Until(place, day_of(end + MAX_DAYS_LATE)), every, end - begin - 1, midnight)
    return found if len(found.rows) else None


def last_year_of(train: pd.DataFrame, contract: Contract, first: str, until: str) -> Window | None:
    """As `read_last_year`, of training rows that reach back so far; without traffic, since they need not be all rows."""
    if train.empty:
        return None
    begin, end = number_of(first) - YEAR - HALF_WIDTH, number_of(until) - YEAR + HALF_WIDTH
    day = days_of(train, contract.time)
    rows = train[(day >= day_of(begin)) & (day < day_of(end))].reset_index(drop=True)
    return Window(rows, (), until=day_of(end)) if len(rows) else None

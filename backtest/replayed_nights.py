"""The nights that are replayed, and the periods between them. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

#: The file with what was fitted, in the folder of a backtest.
NIGHTS = "nights.json"
#: Without a first day, so many nights are replayed.
COUNT = 30


class BacktestError(Exception):
    """There is nothing to replay. The message says why and what to type."""


@dataclass(frozen=True)
class Period:
    """The time from one night up to the next, in which the model of some night serves."""

    start: datetime
    end: datetime

    @property
    def days(self) -> int:
        """Its length in days."""
        return (self.end - self.start).days


@dataclass(frozen=True)
class NightFit:
    """The models of one night: the folder of their bundle, or why there is none."""

    today: str
    bundle: str = ""
    left_out: str = ""


def days_of(text: str) -> int:
    """The days that *text* states, such as "7d" or "7". Raises ValueError."""
    number = text.strip().lower().removesuffix("d")
    if not number.isdecimal() or int(number) < 1:
        raise ValueError(f"{text!r}; expected a number of days, such as 7d")
    return int(number)


def nights(first: date | None, last: date, every: int) -> list[date]:
    """The nights from *first* (by default `COUNT` before *last*), *every* so many days, all before *last*.

    Raises ValueError if there are fewer than three: the first has no decision, and two decide little.
    """
    begin = first or last - timedelta(days=every * COUNT)
    found = [begin + timedelta(days=day) for day in range(0, max(0, (last - begin).days), every)]
    if len(found) < 3:
        raise ValueError(
            f"from {begin} to {last} there are {len(found)} nights, one every {every} days; expected three or more:"
            " an earlier FROM, a later TO, or a smaller EVERY"
        )
    return found


def periods(found: list[date], last: date) -> list[Period]:
    """The period after each of the nights *found*; the last one ends on the day *last*."""
    ends = [*found[1:], last]
    return [Period(_midnight(start), _midnight(end)) for start, end in zip(found, ends, strict=True)]


def is_monthly(found: list[date], number: int) -> bool:
    """Whether the night *number* is the first one in its month."""
    return number > 0 and found[number].month != found[number - 1].month


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)

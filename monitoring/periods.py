"""Periods of one or more days: a stream of few rows is evaluated by periods that are long enough for a distance.

The length follows from the usual rows a day: a day, two, three, or a week from Monday to Sunday. Periods begin on fixed
days, so a run of tomorrow has the same ones. The rows of a period are dated at noon of its last day, and every
metric by day is then one by period.
"""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from contracts.monitoring_limits import Monitoring
from monitoring.charts.signals import Measure
from monitoring.journal.arrival_times import day_of, number_of
from monitoring.journal.window import days_of

LENGTHS = (1, 2, 3, 7)
#: The ratio of two numbers of rows a day up to which they are similar.
SIMILAR = 1.5
#: A period begins with this day, counted from 1970: a Monday.
MONDAY = 4
#: Rows with an outcome that a share, a loss or a ROC AUC needs. Their sampling error is known, so they need fewer rows
#: than a distance does, and a chart adds them up.
OUTCOMES = 20
#: Rows below which a day of such a stream is left out.
MIN_ROWS = 10


def period_days(rows: float, least: int) -> int:
    """The length of a period with *least* rows, for a usual day of *rows* rows; a week at most."""
    return next((days for days in LENGTHS if days * rows >= least), LENGTHS[-1])


def usual_rows(window: pd.Series, reference: pd.Series) -> float:
    """The rows of a usual day, from the rows by day of a window and of the reference.

    It is the reference's where the window has nearly as many, so that the length of periods does not change from run
    to run.
    """
    now, before = float(window.median()), float(reference.median()) if len(reference) else 0.0
    return before if before and 1 / SIMILAR <= now / before <= SIMILAR else now


def longest(days: int, least: int) -> int:
    """The longest period of which a reference of *days* days has *least*; a day, if there are fewer days than that."""
    return max((length for length in LENGTHS if length * least <= days), default=1)


def length_of(days: int) -> str:
    """The length of a period as text: "a day", "3 days", "a week"."""
    return {1: "a day", 7: "a week"}.get(days, f"{days} days")


def last_day(day: str, days: int, begin: int = MONDAY) -> str:
    """The last day of the period that *day* is in; one of the periods begins with the day *begin* (from 1970)."""
    number = number_of(day)
    return day_of(number + days - 1 - (number - begin) % days)


def in_periods(rows: pd.DataFrame, time: str, days: int, until: str = "") -> pd.DataFrame:
    """The *rows* of whole periods of *days* days, dated at noon of the last day of their period.

    Periods are whole from the first day of the rows on, and end before *until*. Without *until* they end with the last
    day of the rows: those of a reference, which need not begin on a Monday.
    """
    if days == 1 or rows.empty:
        return rows
    day = days_of(rows, time)
    known = sorted(day.dropna().unique())
    begin = MONDAY if until else number_of(known[-1]) + 1
    ends = {each: last_day(each, days, begin) for each in known}
    whole = {
        end for end in ends.values() if number_of(end) - days + 1 >= number_of(known[0]) and (not until or end < until)
    }
    kept = rows[day.map(ends).isin(whole)]
    noon = pd.to_datetime(day[kept.index].map(ends)) + pd.Timedelta(hours=12)
    return kept.assign(**{time: noon.dt.tz_localize(rows[time].dt.tz)}).reset_index(drop=True)


def counts_in_periods(counts: pd.DataFrame, days: int, until: str) -> pd.DataFrame:
    """The *counts* by day (see `Window`), summed over whole periods."""
    if days == 1 or counts.empty:
        return counts
    ends = [last_day(str(day), days) for day in counts.index]
    first = number_of(str(counts.index.min()))
    sums = counts.select_dtypes("number").groupby(ends).sum()
    whole = [number_of(end) - days + 1 >= first and end < until for end in sums.index]
    return sums[whole]


def over(measures: list[Measure], days: int) -> list[Measure]:
    """The *measures*, each of which covers *days* days."""
    return [replace(each, days=days) for each in measures]


def for_few_rows(rules: Monitoring) -> Monitoring:
    """The *rules* for metrics that need `OUTCOMES` rows a period instead of `min_rows`."""
    return replace(rules, min_rows=min(rules.min_rows, MIN_ROWS))

"""The window: the rows that a version answered, joined with their outcomes, in the columns of a bundle's evidence.

Incomplete lines, repeated ids and outcomes without an answer are counted and reported, and never stop a run. An answer
whose outcome is not known yet has no label. Of a journal with folders by day, the newest are read, back to the window's
first day.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from contracts.journal_format import Folder, Place
from contracts.row_contract import Contract, read_time
from monitoring.journal import raw_rows
from monitoring.journal.arrival_times import arrivals, complete_until, number_of
from monitoring.journal.day_cache import Days, Reading, level_for

_DTYPES = {"number": "float64", "category": "object", "boolean": "boolean"}


class JournalError(Exception):
    """The journal cannot be read. The message says which."""


@dataclass(frozen=True)
class Window:
    """The rows that one version answered, oldest first, and what was left out of the journal.

    Columns: the contract's key, time and features (private ones only if the journal has them), the encoded target (NaN
    without an outcome), `score` or `score_0` … `score_{k-1}`. *counts* are of all rows, by day (see `queries.daily`);
    *rows* are 1 in *weight* of them. *answered* is the time of this version's newest answer by the scorer's clock,
    *began* that of the oldest answer that was read; "" without answers. *until* is the day after the last one, *ahead*
    the number of rows about later days.

    Of all versions, since traffic and outcomes do not belong to one: *traffic* is the number of answers about each day,
    *arrivals* when they and their outcomes came, *other_versions* the other versions that answered. *classes* names the
    outcomes, such as "bought=True", in the order of the classes.
    """

    rows: pd.DataFrame
    oddities: tuple[str, ...]
    answered: str = ""
    counts: pd.DataFrame = field(default_factory=pd.DataFrame)
    weight: int = 1
    until: str = ""
    ahead: int = 0
    began: str = ""
    traffic: pd.Series[Any] = field(default_factory=lambda: pd.Series(dtype=int))
    arrivals: pd.DataFrame = field(default_factory=pd.DataFrame)
    other_versions: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()


def read_window(
    journal: Path | Place,
    reading: Reading,
    days: int,
    until: pd.Timestamp | None = None,
    least: int = 1,
    now: datetime | None = None,
) -> Window:
    """The rows of a day and the *days* days before it (by the rows' time) that a version answered.

    The last day is the one before *until*, even if it has no rows. With *now* it must be complete: where rows are
    answered hours after the day that they are about, it is an earlier day. Without *until* it is the newest day with
    *least* rows: a single row with a time in 2113 must not hide the present. Raises `JournalError` if the journal
    cannot be read.
    """
    place = place_of(journal)
    contract = reading.contract
    odd: Counter[str] = Counter()
    try:
        cache = Days(place, reading)
        read, complete = _days_back(cache, _Span(days, until, least, 2 if contract.zone else 1))
        answers = {day: cache.answers(day) for day in read}
        counts = _summed([day.counts for day in answers.values()])
        traffic = _traffic([day.traffic for day in answers.values()])
        usual = max(1, int((counts["rows"] >= least).sum()))
        level = level_for(sum(day.lines for day in answers.values()), reading.sample * usual)
        frames = [cache.answers(day, level).at(level) for day in read]
        oldest = "" if complete else min(filter(None, read), default="")
        later = [cache.outcomes(day, level) for day in cache.since("outcomes", oldest)]
        cache.forget(oldest)
    except OSError as error:
        raise JournalError(f"the journal cannot be read: {error}") from error
    for day in (*answers.values(), *later):
        odd += day.odd
    frames.append(raw_rows.answers([], contract, reading.version, odd))
    rows = _firsts(frames, odd, raw_rows.REPEATED_ANSWERS)
    outcomes = _firsts(
        [*(day.at(level) for day in later), raw_rows.outcomes([], contract, odd)], odd, raw_rows.REPEATED_OUTCOMES
    )
    if complete and not level:  # otherwise their answers may be of other days, or not in the sample
        odd["outcomes of answers that are not in the journal"] = int((~outcomes["id"].isin(rows["id"])).sum())
    came = arrivals(rows, outcomes, contract.zone)
    end = _end(counts, until, least)
    if now is not None and end:
        end = complete_until(end, came, now, contract.zone)
    today, ahead = (int(counts["rows"][at].sum()) for at in (counts.index == end, counts.index > end))
    if until is None:
        odd["rows of later days, too few to evaluate"] = today + ahead
    else:
        odd[f"rows of {end}, which is not over"] = today
        odd[f"rows of days after {end}"] = ahead
    first = _earlier(end, days + 1)
    counts = counts[(counts.index >= first) & (counts.index < end)]
    traffic = traffic[(traffic["day"] >= first) & (traffic["day"] < end)]
    came = came[(came["day"] >= number_of(first)) & (came["day"] < number_of(end))] if end else came
    rows = _shaped(rows, outcomes, contract)
    hidden = [f.name for f in contract.features if f.name in contract.private and rows[f.name].isna().all()]
    rows = rows.drop(columns=hidden)
    oddities = [f"{count:,} {what}" for what, count in sorted(odd.items()) if count]
    if hidden:
        oddities.append(f"private, so not in the journal and not monitored: {', '.join(hidden)}")
    if level:
        oddities.append(
            f"1 in {2**level} of {int(counts['rows'].sum()):,} rows is in the sample for distances, estimates, outcomes"
            " and slices; rows, missing values, unseen categories and means are counted over all rows"
        )
    answered = max((str(day.counts["answered"].max() or "") for day in answers.values() if len(day.counts)), default="")
    began = min((str(day.counts["asked"].min() or "") for day in answers.values() if len(day.counts)), default="")
    inside = days_of(rows, contract.time).isin(counts.index)
    other_versions = sorted({*traffic["version"]} - {reading.version})
    return Window(
        rows[inside].reset_index(drop=True),
        tuple(oddities),
        answered,
        counts,
        2**level,
        end,
        ahead,
        began,
        traffic.groupby("day")["rows"].sum(),
        came,
        tuple(other_versions),
        tuple(f"{contract.target.name}={each}" for each in contract.target.classes),
    )


@dataclass(frozen=True)
class _Span:
    """The rows to read: *days* days before *until*, or before the newest day with *least* rows.

    *slack* is the number of days by which a journal's days may differ from the rows', by clocks and time zones.
    """

    days: int
    until: pd.Timestamp | None
    least: int
    slack: int


def _days_back(cache: Days, span: _Span) -> tuple[list[str], bool]:
    """The days of the journal that are needed, back to the window's first day, and whether those are all.

    A day's files have the rows that were answered then, which may be about a later day. So many days as rows were ahead
    are read in addition.
    """
    sizes: Counter[str] = Counter()
    read: list[str] = []
    ahead = 0
    for day in cache.back("answers"):
        full = [each for each, size in sizes.items() if size >= span.least]
        if span.until is not None:
            full = [_earlier(f"{span.until:%Y-%m-%d}", 1)]
        if day and full:
            first = _ordinal(max(full)) - span.days - span.slack
            if _ordinal(day) + ahead < first:
                return read[::-1], False
        read.append(day)
        for at, count in cache.answers(day).counts.iterrows():
            sizes[str(at)] += int(count["rows"])
            answered = str(count["asked"])[:10]
            if re.fullmatch(r"\d{4}-\d\d-\d\d", answered) and read_time(answered):
                ahead = max(ahead, _ordinal(str(at)) - _ordinal(answered))
    return read[::-1], True


def _ordinal(day: str) -> int:
    return date.fromisoformat(day).toordinal()


def _summed(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """The counts by the day that rows are about, summed over the days on which they were written."""
    filled = [part.drop(columns=["asked", "answered"]) for part in parts if len(part)]
    if not filled:
        return pd.DataFrame({"rows": pd.Series(dtype=int)}, index=pd.Index([], dtype=object))
    return pd.concat(filled).astype(float).groupby(level=0).sum().sort_index()


def _traffic(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """The answers by day and version, summed over the days on which they were written."""
    filled = [part for part in parts if len(part)]
    if not filled:
        return pd.DataFrame(columns=["day", "version", "rows"], dtype=object)
    return pd.concat(filled).groupby(["day", "version"], as_index=False)["rows"].sum()


def _end(counts: pd.DataFrame, until: pd.Timestamp | None, least: int) -> str:
    """The day after the last one; "" without days."""
    if until is not None:
        return f"{until:%Y-%m-%d}"
    full = counts.index[counts["rows"] >= least]
    last = max(full if len(full) else counts.index, default="")
    return _earlier(last, -1) if last else ""


def _earlier(day: str, days: int) -> str:
    return f"{date.fromisoformat(day) - timedelta(days=days)}" if day else ""


def _firsts(frames: Sequence[pd.DataFrame], odd: Counter[str], what: str) -> pd.DataFrame:
    """The rows of all *frames*; of those with the same id the first, and *odd* counts the others as *what*."""
    filled = [frame for frame in frames if len(frame)] or list(frames[-1:])
    found = pd.concat(filled, ignore_index=True)
    again = found["id"].duplicated()
    odd[what] += int(again.sum())
    return found[~again]


def _shaped(rows: pd.DataFrame, outcomes: pd.DataFrame, contract: Contract) -> pd.DataFrame:
    """Typed rows with their outcomes, in the columns of a bundle's evidence, oldest first."""
    names = [f.name for f in contract.features]
    scores = [name for name in rows if name == "score" or name.startswith("score_")]
    rows = rows[rows["mine"].astype(bool) & rows["fits"].astype(bool)]
    known = outcomes.set_index("id")["value"]
    times = rows["time"].astype("datetime64[us, UTC]").dt.tz_convert(contract.zone or "UTC")
    found = {contract.key: rows["key"], contract.time: times}
    found |= {name: rows[name].astype(_DTYPES[contract.feature(name).kind]) for name in names}
    found[contract.target.name] = rows["id"].map(known).astype(float)
    found |= {name: rows[name].astype(float) for name in scores}
    order = rows.sort_values(["time", "id"], kind="stable").index
    return pd.DataFrame(found).loc[order].reset_index(drop=True)


def place_of(journal: Path | Place) -> Place:
    """The place of a journal's files. Raises `JournalError` if the folder does not exist."""
    if not isinstance(journal, Path):
        return journal
    if not journal.is_dir():
        raise JournalError(f"there is no journal at {journal}; the scorer's --journal names it")
    return Folder(journal)


def days_of(rows: pd.DataFrame, time: str) -> Any:
    """The day of each row by the column *time* in its time zone, such as 2026-11-23; None where the time is missing.

    Each distinct day is formatted once: formatting every row would take seconds.
    """
    which, days = pd.factorize(rows[time].dt.tz_localize(None).dt.floor("D"))
    names = np.array([*days.strftime("%Y-%m-%d"), None], dtype=object)
    return pd.Series(names[which], rows.index, name=time)


def full_days(rows: pd.DataFrame, time: str, least: int) -> tuple[pd.DataFrame, list[str]]:
    """The rows of days with enough rows, and the other days.

    A day needs *least* rows; the first and the last, which may be incomplete, also half of the median day's.
    """
    if rows.empty:
        return rows, []
    day = days_of(rows, time)
    sizes = day.value_counts().sort_index()
    enough = sizes >= least
    enough.iloc[[0, -1]] &= sizes.iloc[[0, -1]] >= sizes.median() / 2
    return rows[day.isin(sizes[enough].index)], sizes[~enough].index.tolist()

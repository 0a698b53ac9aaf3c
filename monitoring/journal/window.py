"""Journal and outcomes -> one frame of rows per version, shaped like a bundle's evidence.

What a crash tore, what came twice, what belongs to nothing is counted and said, and never stops the
watch. An answer whose outcome is not known yet has no label: it is never taken for a negative.

Of a journal that was put away by the day, the newest days are read, back to where the window begins.
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
from monitoring.journal import raw_rows as loose
from monitoring.journal.arrival_times import arrivals, number_of, whole_until
from monitoring.journal.day_cache import Days, Reading, level_for

_DTYPES = {"number": "float64", "category": "object", "boolean": "boolean"}


class JournalError(Exception):
    """The journal cannot be read. The message says where it was looked for."""


@dataclass(frozen=True)
class Window:
    """The rows that one version answered, oldest first, and what was odd about the journal.

    Columns: the contract's key, time and features (private ones only if they were kept), the target
    encoded (NaN without an outcome), `score` or `score_0` … `score_{k-1}`. *answered* is when the
    newest answer of this version was given, by the scorer's clock; "" if none was. *counts* are of all
    rows, by day, as `query.daily` says; *rows* are 1 in *weight* of them. *until* is the day after the last one;
    *ahead* is how many rows are about days after *until*, *began* when the oldest answer that was read was given.

    Of all versions, since traffic and its outcomes are not one version's: *traffic* is how many answers are
    about each day, *arrivals* when they and their outcomes came, *strangers* the other versions that answered.
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
    strangers: tuple[str, ...] = ()


def read_window(
    journal: Path | Place,
    reading: Reading,
    days: int,
    until: pd.Timestamp | None = None,
    least: int = 1,
    now: datetime | None = None,
) -> Window:
    """The rows of a day and the *days* days before it (by the rows' own time) that a version answered.

    They end with the day before *until*, though it may have none. With *now* that day must be whole: where rows are
    answered hours after the day that they are about, it is an earlier one. Without *until* they end with the newest
    day that has *least* rows: the website says what a row's time is, and one that says 2113 must not hide the
    present. Raises `JournalError` if there is no journal.
    """
    place = place_of(journal)
    contract = reading.contract
    odd: Counter[str] = Counter()
    try:
        book = Days(place, reading)
        read, whole = _back(book, _Asked(days, until, least, 2 if contract.zone else 1))
        answers = {day: book.answers(day) for day in read}
        counts = _summed([day.counts for day in answers.values()])
        traffic = _traffic([day.traffic for day in answers.values()])
        usual = max(1, int((counts["rows"] >= least).sum()))
        level = level_for(sum(day.lines for day in answers.values()), reading.sample * usual)
        frames = [book.answers(day, level).at(level) for day in read]
        oldest = "" if whole else min(filter(None, read), default="")
        told = [book.outcomes(day, level) for day in book.since("outcomes", oldest)]
        book.forget(oldest)
    except OSError as error:
        raise JournalError(f"the journal cannot be read: {error}") from error
    for day in (*answers.values(), *told):
        odd += day.odd
    frames.append(loose.answers([], contract, reading.version, odd))
    rows = _firsts(frames, odd, "answers whose id came before (the first stands)")
    outcomes = _firsts(
        [*(day.at(level) for day in told), loose.outcomes([], contract, odd)],
        odd,
        "outcomes told again (the first stands)",
    )
    if whole and not level:  # else they may be of days or rows that are not looked at
        odd["outcomes of answers that are not in the journal"] = int((~outcomes["id"].isin(rows["id"])).sum())
    came = arrivals(rows, outcomes, contract.zone)
    end = _end(counts, until, least)
    if now is not None and end:
        end = whole_until(end, came, now, contract.zone)
    today, ahead = (int(counts["rows"][at].sum()) for at in (counts.index == end, counts.index > end))
    if until is None:
        odd["rows of later days, too few to judge"] = today + ahead
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
    said = [f"{count:,} {what}" for what, count in sorted(odd.items()) if count]
    if hidden:
        said.append(f"private, so not in the journal and not watched: {', '.join(hidden)}")
    if level:
        said.append(
            f"of {int(counts['rows'].sum()):,} rows 1 in {2**level} was looked at by itself, the same by its id in each"
            " run: for distances, estimates, outcomes and slices; all were counted for rows, missing values, unseen"
            " categories and means"
        )
    answered = max((str(day.counts["answered"].max() or "") for day in answers.values() if len(day.counts)), default="")
    began = min((str(day.counts["asked"].min() or "") for day in answers.values() if len(day.counts)), default="")
    inside = days_of(rows, contract.time).isin(counts.index)
    strangers = sorted({*traffic["version"]} - {reading.version})
    return Window(
        rows[inside].reset_index(drop=True),
        tuple(said),
        answered,
        counts,
        2**level,
        end,
        ahead,
        began,
        traffic.groupby("day")["rows"].sum(),
        came,
        tuple(strangers),
    )


@dataclass(frozen=True)
class _Asked:
    """Which rows are wanted: *days* days of them, before *until*, of days with *least* rows.

    *slack* are the days that a journal's days may differ from the rows', by clocks and time zones.
    """

    days: int
    until: pd.Timestamp | None
    least: int
    slack: int


def _back(book: Days, asked: _Asked) -> tuple[list[str], bool]:
    """The days of the journal that are needed, back to where the window begins, and whether that is all of them.

    A day's files have the rows that were answered then, which may be about another day: as far ahead
    as rows were seen to be, so much further back is read.
    """
    sizes: Counter[str] = Counter()
    read: list[str] = []
    ahead = 0
    for day in book.back("answers"):
        full = [each for each, size in sizes.items() if size >= asked.least]
        if asked.until is not None:
            full = [_earlier(f"{asked.until:%Y-%m-%d}", 1)]
        if day and full:
            first = _ordinal(max(full)) - asked.days - asked.slack
            if _ordinal(day) + ahead < first:
                return read[::-1], False
        read.append(day)
        for at, count in book.answers(day).counts.iterrows():
            sizes[str(at)] += int(count["rows"])
            answered = str(count["asked"])[:10]
            if re.fullmatch(r"\d{4}-\d\d-\d\d", answered) and read_time(answered):
                ahead = max(ahead, _ordinal(str(at)) - _ordinal(answered))
    return read[::-1], True


def _ordinal(day: str) -> int:
    return date.fromisoformat(day).toordinal()


def _summed(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Counts of the days that rows are about, over all days that they were written on."""
    whole = [part.drop(columns=["asked", "answered"]) for part in parts if len(part)]
    if not whole:
        return pd.DataFrame({"rows": pd.Series(dtype=int)}, index=pd.Index([], dtype=object))
    return pd.concat(whole).astype(float).groupby(level=0).sum().sort_index()


def _traffic(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Answers by day and version, over all days that they were written on."""
    whole = [part for part in parts if len(part)]
    if not whole:
        return pd.DataFrame(columns=["day", "version", "rows"], dtype=object)
    return pd.concat(whole).groupby(["day", "version"], as_index=False)["rows"].sum()


def _end(counts: pd.DataFrame, until: pd.Timestamp | None, least: int) -> str:
    """The day after the last that is looked at; "" of nothing."""
    if until is not None:
        return f"{until:%Y-%m-%d}"
    full = counts.index[counts["rows"] >= least]
    last = max(full if len(full) else counts.index, default="")
    return _earlier(last, -1) if last else ""


def _earlier(day: str, days: int) -> str:
    return f"{date.fromisoformat(day) - timedelta(days=days)}" if day else ""


def _firsts(frames: Sequence[pd.DataFrame], odd: Counter[str], what: str) -> pd.DataFrame:
    """All rows of the *frames*; of those with the same id, the first. The others are counted."""
    whole = [frame for frame in frames if len(frame)] or list(frames[-1:])
    found = pd.concat(whole, ignore_index=True)
    again = found["id"].duplicated()
    odd[what] += int(again.sum())
    return found[~again]


def _shaped(rows: pd.DataFrame, outcomes: pd.DataFrame, contract: Contract) -> pd.DataFrame:
    """Rows by type -> as a bundle's evidence has them, oldest first."""
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
    """Where a journal's files are. Raises `JournalError` if there is no such folder."""
    if not isinstance(journal, Path):
        return journal
    if not journal.is_dir():
        raise JournalError(f"there is no journal at {journal}; the scorer's --journal names it")
    return Folder(journal)


def days_of(rows: pd.DataFrame, time: str) -> Any:
    """The day of each row by the column *time* in its own zone, such as 2026-11-23; none where it has no time.

    Each day is spelt once: every row's would take seconds.
    """
    which, days = pd.factorize(rows[time].dt.tz_localize(None).dt.floor("D"))
    names = np.array([*days.strftime("%Y-%m-%d"), None], dtype=object)
    return pd.Series(names[which], rows.index, name=time)


def full_days(rows: pd.DataFrame, time: str, least: int) -> tuple[pd.DataFrame, list[str]]:
    """The rows of days that can be judged, and the days that cannot.

    A day needs *least* rows; the first and the last, which may be cut, half of the median day's too.
    """
    if rows.empty:
        return rows, []
    day = days_of(rows, time)
    sizes = day.value_counts().sort_index()
    whole = sizes >= least
    whole.iloc[[0, -1]] &= sizes.iloc[[0, -1]] >= sizes.median() / 2
    return rows[day.isin(sizes[whole].index)], sizes[~whole].index.tolist()

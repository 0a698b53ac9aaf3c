"""Which outcomes are known as of a time, by what the contract says of them.

As of a time nothing is used that became known later: not the outcome, and not that it will come.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from contracts.row_contract import Contract
from model.loaded_columns import KNOWN_LATER, read_times
from model.notices import without_zone

#: By how much clocks may differ: an outcome known later than now is a planned time.
CLOCKS = timedelta(days=1)
DAY = pd.Timedelta(days=1)
#: A feed has stopped where so many reports are usual in the time without one.
USUAL = 20
Array = np.ndarray[Any, Any]


def known(rows: pd.DataFrame, contract: Contract) -> Array:
    """Which *rows* have an outcome: (n,)."""
    return np.asarray(rows[contract.target.name].notna().to_numpy())


def as_of(rows: pd.DataFrame, contract: Contract, moment: datetime) -> pd.DataFrame:
    """The *rows* with the outcomes that were known at *moment*; the others are missing, and so are their times."""
    target = contract.target
    at = rows[target.known_at] if target.known_at else rows[contract.time] + target.maturity
    there = at <= moment
    outcome = rows[target.name].astype(object) if target.classes else rows[target.name].astype(float)
    found = {target.name: outcome.where(there, None)} | ({target.known_at: at.where(there)} if target.known_at else {})
    return rows.assign(**found)


def delays(rows: pd.DataFrame, contract: Contract, moment: datetime) -> Array:
    """Days from each row's time until its outcome was known, or until *moment* where it is not known yet: (n,)."""
    target, at = contract.target, rows[contract.time]
    age = (pd.Timestamp(moment) - at) / DAY
    took = (rows[target.known_at] - at) / DAY if target.known_at else target.maturity / DAY
    found: Array = np.where(known(rows, contract), took, age).astype(float)
    return found


def stopped_feeds(rows: pd.DataFrame, contract: Contract, moment: datetime) -> Iterable[str]:
    """A sentence for each class of which no outcome was reported for long, where many are usual.

    For longer than twice the longest pause before, so that a feed that comes in batches is not named, and where
    `USUAL` reports are usual in the time.
    """
    target = contract.target
    if not target.known_at:
        return
    for name in target.classes or ("",):
        mine = rows[rows[target.name] == name] if target.classes else rows[rows[target.name].notna()]
        days = np.sort(((mine[target.known_at] - pd.Timestamp(0, tz=UTC)) / DAY).to_numpy())
        if len(days) < USUAL:
            continue
        begun = days[len(days) // 20]  # the first reports of a window are few
        pause = (pd.Timestamp(moment) - pd.Timestamp(0, tz=UTC)) / DAY - days[-1]
        usual = float((days >= begun).sum() / max(days[-1] - begun, 1))
        if pause > 2 * float(np.diff(days[days >= begun]).max(initial=0.0)) and pause * usual >= USUAL:
            of = f" of {name}" if target.classes else ""
            yield (
                f"{target.name}: no outcome{of} became known since {mine[target.known_at].max():%Y-%m-%d}, for {pause:.0f} days, in"
                f" which about {pause * usual:,.0f} are usual: has the feed stopped? Rows without an outcome are trained on as if"
                " it came as before"
            )


def wrong_outcome_times(rows: pd.DataFrame, contract: Contract, end: datetime) -> Iterable[str]:
    """Every problem of the column `known_at` of *rows*, which `load` returned for a window up to *end*."""
    name, outcome = contract.target.known_at, contract.target.name
    column = rows[name]
    at, wrong = read_times(column)
    if at is None:
        yield wrong
        return
    unread = column.notna() & at.isna()
    if unread.any():
        first = column[unread].iloc[0]
        blank = isinstance(first, str) and not first.strip()
        cure = (
            f'rows["{name}"].replace({first!r}, None)'
            if blank
            else f'pd.to_datetime(rows["{name}"], format=…, utc=True)'
        )
        yield (
            f"{name}: the times of {int(unread.sum()):,} rows cannot be read, such as {first!r}; write {cure}"
            f"{', where there is no outcome yet' if blank else ', with your format'}"
        )
        return
    limit = max(end, datetime.now(UTC)) + CLOCKS
    future = at > limit
    if future.any():
        yield (
            f"{name}: {int(future.sum()):,} rows have an outcome that becomes known in the future, such as"
            f" {at[future].iloc[0]}; expected when it became known, not a planned time: leave both empty in such rows"
        )
    if outcome in rows:
        yield from _half_known(rows, contract, at, end)
    if contract.time in rows:
        yield from _before_the_row(rows, contract, at)


def lost_outcomes(rows: pd.DataFrame, contract: Contract, end: datetime) -> Iterable[str]:
    """Rows without an outcome that are older than the contract's *maturity*."""
    name, maturity = contract.target.name, contract.target.maturity
    at, _ = read_times(rows[contract.time])
    if maturity is None or at is None:
        return
    lost = rows[name].isna() & (at + maturity <= end)
    if lost.any():
        yield (
            f"{name}: {int(lost.sum()):,} rows are older than the maturity of {maturity} and have no outcome; leave"
            f" such rows out of load(), write a longer maturity, or {KNOWN_LATER}"
        )


def _half_known(rows: pd.DataFrame, contract: Contract, at: pd.Series[Any], end: datetime) -> Iterable[str]:
    name, outcome = contract.target.known_at, contract.target.name
    given = rows[outcome].notna()
    timeless, empty = given & at.isna(), ~given & (at <= end)
    if timeless.any():
        yield (
            f"{name}: {int(timeless.sum()):,} rows have a {outcome} and no time at which it became known; write that"
            f' time, or leave the outcome empty: rows.loc[rows["{name}"].isna(), "{outcome}"] = None'
        )
    if empty.any():
        yield (
            f"{name}: {int(empty.sum()):,} rows have a time and no {outcome}; leave the time empty until there is one:"
            f' rows.loc[rows["{outcome}"].isna(), "{name}"] = None'
        )


def _before_the_row(rows: pd.DataFrame, contract: Contract, at: pd.Series[Any]) -> Iterable[str]:
    name, time = contract.target.known_at, contract.time
    since, _ = read_times(rows[time])
    if since is None:
        return  # reported of the time itself
    zones = {each: without_zone(rows[each]) for each in (name, time) if rows[each].notna().any()}
    if len(set(zones.values())) > 1:
        lacking = next(each for each, naive in zones.items() if naive)
        yield (
            f"{name}: {lacking} has no time zone, and {time if lacking == name else name} has one; write"
            f' rows["{lacking}"].dt.tz_localize("Europe/Vienna"), with your zone'
        )
        return
    early = at < since
    if early.any():
        midnight = bool((at[early] == at[early].dt.floor("D")).all()) and bool((since - at)[early].max() < timedelta(1))
        cure = (
            f'it has days only: write rows["{name}"] + pd.Timedelta(days=1), the end of the day'
            if midnight
            else "expected a time from the row's on; is it another column, or another zone?"
        )
        first = early.to_numpy().argmax()
        yield (
            f"{name}: {int(early.sum()):,} rows have an outcome that is known before their {time}, such as"
            f" {at.iloc[first]} before {since.iloc[first]}; {cure}"
        )

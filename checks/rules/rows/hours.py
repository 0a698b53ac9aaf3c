"""A shifted clock: from one day on, rows arrive some hours earlier or later than in the two weeks before.

Each day's distribution over the hours is compared with that of the same weekday one and two weeks earlier. The part of
the difference that a shift by so many hours explains (a projection) is the share of rows that moved. It must exceed
the usual movement between days: daylight and habits move by minutes a week. A shift by one hour on the day on which
some country changes to or from summer time is reported and does not fail. On any other day it holds the candidate, and
two hours or more block it: new opening hours and timetables move rows by an hour.
"""

from __future__ import annotations

import math
import zoneinfo
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from checks.evidence import Array, Evidence
from checks.verdict import Finding, at_most_hold, ruled
from contracts.gate_limits import Rows

#: Weeks before a day that it is compared with, and the most days after a shift that are averaged.
WEEKS, MAX_DAYS_AFTER = 2, 7
#: The least days after a shift (of a segment: one more), the least days before it, and the least rows of a day.
MIN_DAYS, MIN_BEFORE, MIN_ROWS = 2, 7, 8
#: The least distance from the usual movement between days, in its standard deviations.
SPREADS = 6.0
#: And the least multiple of the largest movement on as many days before.
BEYOND = 1.5
#: The least part of the shift that is not there in the week before.
STEP = 0.6
#: The least part of a difference (sum of squares, without that of chance) that a shift must explain.
EXPLAINED = 0.6
#: Shifts that explain the difference nearly as well as the best one.
ALIKE = 0.1
#: The days whose profile is shifted; the least square of what a shift moves, in variances by chance.
PROFILE_DAYS, MIN_SQUARE = 28, 10
#: A segment is named in place of all rows if so much more of it is shifted.
MIN_SHARE_MORE = 0.15
#: The least share of all rows of a segment, and the most segments of a category.
SEGMENT, SEGMENTS = 0.05, 8
#: Below this share of the rows, a shift by two hours may be one by an hour.
PARTLY = 0.75
#: Days around a change of a country's clock on which a shift by an hour is expected.
CLOCK_CHANGE_DAYS = 2


@dataclass(frozen=True)
class Shift:
    """From the day *since* on, the *share* of the rows (of a *segment*, "" for all) came *hours* later, *spreads* away."""

    since: date
    hours: int
    share: float
    spreads: float
    segment: str = ""

    def __str__(self) -> str:
        rows = f"of the rows with {self.segment}" if self.segment else "of the rows"
        way = "later" if self.hours > 0 else "earlier"
        size = abs(self.hours)
        return f"since {self.since} {min(self.share, 1):.0%} {rows} are {size} hour{'s' * (size > 1)} {way} than before"


def clock(evidence: Evidence, limits: Rows) -> Finding:
    """No share of the rows, or of a segment's, is shifted by some hours of the day."""
    contract = evidence.contract
    rows = pd.concat([evidence.train, evidence.holdout], ignore_index=True)
    rows = rows[rows[contract.time] < pd.Timestamp(evidence.past.window[1]).floor("D")]  # the last day may not be over
    first = _first_new_day(evidence)
    found = [
        shift for name, part in _segments(rows, evidence) if (shift := shift_of(part, first, limits.max_clock, name))
    ]
    seasonal = [each for each in found if is_summer_time(each.since, each.hours)]
    shifts = [each for each in found if each not in seasonal]
    shifts.sort(key=lambda each: -each.share - (0 if each.segment else MIN_SHARE_MORE))
    observed = "the distribution over the hours of the day is not shifted"
    if shifts:
        observed = f"{shifts[0]}: a change of time zone in `{contract.time}`?"
    elif seasonal:
        observed = f"{seasonal[0]}: the change to or from summer time"
    return ruled(
        "data.clock",
        not shifts,
        observed,
        f"no shift by hours of more than {limits.max_clock:.0%} of the rows, summer time apart",
        "A change of time zone moves every row to another hour, and some to another day.",
        at_most_hold(limits.severity) if shifts and may_be_one_hour(shifts[0]) else limits.severity,
    )


def shift_of(at: pd.Series[Any], first: date, least: float, segment: str = "") -> Shift | None:
    """The clearest shift of the times *at* (UTC) on a day from *first* on, of more than the share *least*; or None."""
    days, hours = _by_day(at)
    differences, chance = _differences(hours)
    known = ~np.isnan(chance)
    if not known.any():
        return None
    usual = np.median(differences[known], axis=0)
    found = []
    for start in range(len(days)):
        after = [n for n in range(start, min(start + MAX_DAYS_AFTER, len(days))) if known[n]]
        early = days[start] < first - timedelta(days=MAX_DAYS_AFTER)
        if early or known[:start].sum() < MIN_BEFORE or len(after) < MIN_DAYS + bool(segment):
            continue
        noise = float(chance[after].mean()) / len(after)
        rows, earlier = hours[max(0, start - PROFILE_DAYS) : start].sum(axis=0), differences[:start][known[:start]]
        fits = _fits(rows, differences[after].mean(axis=0), usual, noise, earlier, len(after))
        # An hour of all rows and two hours of half of them are nearly the same.
        most = max((fit.explained for fit in fits), default=0.0)
        summer = [fit for fit in fits if fit.explained > most - ALIKE and is_summer_time(days[start], fit.hours)]
        found += [
            Shift(days[start], fit.hours, fit.share, fit.explained * fit.spreads, segment)
            for fit in summer or [fit for fit in fits if fit.explained == most]
            if fit.share > least
        ]
    clearest = max(found, key=lambda shift: shift.spreads, default=None)
    # One that began earlier is in the training rows of both models.
    return clearest if clearest and clearest.since >= first else None


class _Fit(NamedTuple):
    """The *share* of rows that a shift by *hours* moves, what part it *explained*, how many *spreads* it is away."""

    hours: int
    share: float
    explained: float
    spreads: float


def _fits(rows: Array, after: Array, middle: Array, noise: float, earlier: Array, days: int) -> list[_Fit]:
    """The shifts of the usual *rows* of each hour that explain the mean difference *after* so many *days*.

    It is taken relative to the *middle*, the median difference. Neither as many *earlier* days nor the week before
    may differ nearly as much.
    """
    moved = after - middle
    profile = rows / max(rows.sum(), 1)
    hours = np.array([*range(-11, 0), *range(1, 13)])
    away = profile[np.subtract.outer(-hours, -np.arange(len(profile))) % len(profile)] - profile
    size = (away**2).sum(axis=1)
    clear = size > MIN_SQUARE * 2 / max(rows.sum(), 1)  # with a flat profile, or few rows, a shift cannot be seen
    hours, away, size = hours[clear], away[clear], size[clear]
    if not len(hours) or len(earlier) < max(days, MIN_BEFORE):
        return []
    share = away @ moved / size
    explained = share**2 * size / np.maximum(max(float(moved @ moved) - noise, 1e-12), share**2 * size)
    usual = earlier @ away.T / size  # with its slow movement, which a shift must exceed
    sums = np.cumsum(np.vstack([np.zeros(len(hours)), usual]), axis=0)
    longest = np.abs(sums[days:] - sums[:-days]).max(axis=0) / days
    step = away @ after / size - usual[-MAX_DAYS_AFTER:].mean(axis=0)
    spreads = share * math.sqrt(days) / np.maximum(usual.std(axis=0, ddof=1), 1e-6)
    holds = (explained >= EXPLAINED) & (spreads >= SPREADS) & (step >= STEP * share) & (share >= BEYOND * longest)
    return [
        _Fit(int(h), float(s), float(e), float(z))
        for h, s, e, z, ok in zip(hours, share, explained, spreads, holds, strict=True)
        if ok
    ]


def may_be_one_hour(shift: Shift) -> bool:
    """Whether rows moved by one hour, or where clocks change: two hours of half of the rows are nearly one of all."""
    near = is_summer_time(shift.since, shift.hours // abs(shift.hours))
    return abs(shift.hours) == 1 or (near and abs(shift.hours) == 2 and shift.share < PARTLY)


def is_summer_time(since: date, hours: int) -> bool:
    """Whether some country changed its clock then, so that people who live by it are so many hours later in UTC."""
    around = (since + timedelta(days=days) for days in range(-CLOCK_CHANGE_DAYS, CLOCK_CHANGE_DAYS + 1))
    return abs(hours) == 1 and any(hours in clock_changes(day.year).get(day, ()) for day in around)


@cache
def clock_changes(year: int) -> Mapping[date, frozenset[int]]:
    """The days of the *year* on which the clock of a time zone changes -> the hours by which UTC times of people move.

    Clocks that go forward make local events an hour earlier in UTC: -1.
    """
    found: dict[date, set[int]] = {}
    starts = [datetime(year, 1, 1, tzinfo=UTC) + timedelta(days=day) for day in range(-1, 367)]
    for name in zoneinfo.available_timezones():
        zone = zoneinfo.ZoneInfo(name)
        offsets = [start.astimezone(zone).utcoffset() or timedelta(0) for start in starts]
        for start, old, new in zip(starts, offsets, offsets[1:], strict=False):
            if abs(new - old) == timedelta(hours=1):
                found.setdefault(start.date(), set()).add(-1 if new > old else 1)
    return {day: frozenset(each) for day, each in found.items()}


def _segments(rows: pd.DataFrame, evidence: Evidence) -> Iterable[tuple[str, pd.Series[Any]]]:
    """All times; then those of each frequent value of a category."""
    at = rows[evidence.contract.time]
    yield "", at
    for feature in evidence.contract.features:
        if feature.kind == "category" and feature.name not in evidence.contract.private:
            shares = rows[feature.name].value_counts(normalize=True).head(SEGMENTS)
            for value, share in shares.items():
                if SEGMENT <= share < 1 - SEGMENT:
                    yield f"{feature.name} = {value}", at[rows[feature.name] == value]


def _first_new_day(evidence: Evidence) -> date:
    """The first day that may be shifted: of the holdout, or after the champion's rows if that is earlier."""
    time = evidence.contract.time
    first: date = evidence.holdout[time].min().date()
    if evidence.past.before is not None:
        newest: date = evidence.past.before[time].max().date()
        first = min(first, newest)
    return first


def _by_day(at: pd.Series[Any]) -> tuple[Sequence[date], Array]:
    """The days from the first to the last with rows, and the rows of each day and hour: (days, 24)."""
    day = at.dt.floor("D")
    days = pd.date_range(day.min(), day.max(), freq="D")
    counts = np.zeros((len(days), 24))
    np.add.at(counts, (((day - days[0]) // pd.Timedelta(days=1)).to_numpy(), at.dt.hour.to_numpy()), 1)
    return [each.date() for each in days], counts


def _differences(hours: Array) -> tuple[Array, Array]:
    """Each day's distribution minus that of the same weekday one and two weeks before, and its variance by chance.

    In a window of less than four weeks: minus that of the week before. NaN for days with too few rows, or without
    earlier days.
    """
    counts = hours.sum(axis=1)
    profiles = hours / np.maximum(counts, 1)[:, None]
    lags = [7 * week for week in range(1, WEEKS + 1)] if len(hours) >= 28 else [*range(1, 8)]
    found, chance = np.full_like(profiles, np.nan), np.full(len(hours), np.nan)
    for number in range(len(hours)):
        earlier = [number - lag for lag in lags if lag <= number and counts[number - lag] >= MIN_ROWS]
        if earlier and counts[number] >= MIN_ROWS:
            found[number] = profiles[number] - profiles[earlier].mean(axis=0)
            chance[number] = 1 / counts[number] + float((1 / counts[earlier]).sum()) / len(earlier) ** 2
    return found, chance

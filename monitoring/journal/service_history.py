"""Errors and latency of the scorers by day, from the service counts in the journal.

The live version's answers of each day are compared with the days before it went live, whichever version answered then:
a release that is slow from its first hour has no good days to compare with.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from statistics import median
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd

from contracts.journal_format import Line, Listing, Part, Place, lines
from contracts.monitoring_limits import Monitoring
from contracts.row_contract import read_time
from monitoring.charts.signals import SERVICE, Measure, Signal, Unknown
from monitoring.journal.frame_store import FrameStore, digest_of
from monitoring.journal.window import JournalError, place_of
from monitoring.metrics.service_metrics import Counts
from monitoring.metrics.volume import RECENT_DAYS

#: The kind of the lines in the journal, and the format in which their sums are stored.
KIND, FORMAT = "service", 1
#: The quantiles of latency that are monitored.
SHARES = {"p50": 0.50, "p99": 0.99}
#: How many files are read at the same time: they are small, and may be remote.
MAX_CONCURRENT = 16
_STATUSES = {"answered": "2xx", "refused": "4xx", "failed": "5xx"}
_NAMES = ("at", "version", *_STATUSES, "bounds", "answers")
#: The counts of a day, by the version that was champion.
Day = Mapping[str, Counts]


@dataclass(frozen=True)
class Served:
    """Measures of the days *before*, of the days to evaluate *now*, and what could not be measured.

    *eve* has the measures of the last day before the live version, if that is in the evaluated days.
    """

    before: list[Measure]
    now: list[Measure]
    unknown: list[Unknown]
    eve: list[Measure]

    def was_so(self, signal: Signal) -> bool:
        """Whether the day before the live version was already above the limit: then the release is not the cause."""
        upper = signal.upper
        return upper is not None and any(m.name == signal.name and m.value > upper for m in self.eve)


def read_days(
    journal: Path | Place,
    days: int,
    until: pd.Timestamp | None,
    kept: Path | None = None,
    zone: str = "",
    *,
    forget: bool = False,
) -> dict[str, Day]:
    """The service counts of the newest day before *until* and the *days* days before that, oldest first.

    Days are those of *zone*. Incomplete and foreign lines are left out. The sums of a closed day, which has many files,
    are *kept* in a folder; *forget* removes other days from it. Raises `JournalError`.
    """
    place, end = place_of(journal), "9999" if until is None else f"{until:%Y-%m-%d}"
    store, found, names = FrameStore(kept), dict[str, dict[str, Counts]](), []
    try:
        listing = Listing(place)
        first = _earlier(max((day for day in listing.days if day < end), default=""), days)
        for day, files in listing.every(KIND, first).items():
            if day > end or (day == end and not zone):
                continue
            digest = digest_of([FORMAT, zone, [part.name for part in files]])
            names.append(f"{KIND}-{day}-{digest}")
            sums = _from_values(store.values(names[-1]))
            if not sums:
                sums = _read_all(place, files, zone)
                if day:  # open segments are read in each run
                    store.keep(f"{KIND}-{day}", digest, _to_values(sums), pd.DataFrame())
            for (at, version), counts in sums.items():
                if at < end:
                    _add(found.setdefault(at, {}).setdefault(version, Counts()), counts)
    except OSError as error:
        raise JournalError(f"the journal cannot be read: {error}") from error
    if until is None or forget:
        store.only(f"{KIND}-", names)
    first = _earlier(max(found, default=""), days)
    return {day: found[day] for day in sorted(found) if day >= first}


def served(days: Mapping[str, Day], version: str, rules: Monitoring) -> Served:
    """The measures to compare, where *version* is live."""
    if not days:
        why = "the journal has no service counts: the scorers are of an older version, or had no requests"
        return Served([], [], [Unknown(kind, why, yet=True) for kind in SERVICE], [])
    newest, began = max(days), _began(days, version)
    every = {day: _summed(by_version.values()) for day, by_version in days.items()}
    cut = max(_earlier(newest, RECENT_DAYS), _earlier(began, 1))
    usual = median(map(_requests, every.values()))
    # These days may be incomplete; with half of the usual requests they are evaluated.
    ends = dict.fromkeys((min(days), began, newest), usual / 2)
    # A share of errors needs few requests; the days that it is compared with need a usual number.
    few = min(rules.min_rows, usual / 2)
    known = {day: every[day] for day in every if day <= cut}
    before = [*_errors(known, few, ends), *_latencies(known, rules.min_rows, ends)]
    mine = {day: days[day][version] for day in days if day > cut and version in days[day]}
    unknown = []
    for kind in SERVICE:
        there = len({each.day for each in before if each.kind == kind})
        if there < rules.min_reference_days:
            why = f"{rules.min_reference_days} days up to {cut} are needed to compare with; there are {there}"
            unknown.append(Unknown(kind, why, yet=True))
    eve = max((each.day for each in before), default="") if cut == _earlier(began, 1) else ""
    return Served(
        before,
        [*_errors(mine, 1, {}), *_latencies(mine, rules.min_rows, ends)],
        unknown,
        [each for each in before if each.day == eve],
    )


def quantile(seconds: Mapping[float, float], share: float) -> float:
    """The quantile *share* of a latency histogram; *seconds* are answers by their bucket's upper bound.

    Interpolated on the logarithm within a bucket, as Prometheus' histogram_quantile does for native histograms. The
    first bucket is taken to begin at half its bound; answers above the last bound count as the last. NaN if empty.
    """
    bounds, seen = sorted(seconds), 0.0
    wanted, below = share * sum(seconds.values()), bounds[0] / 2 if bounds else math.nan
    for bound in bounds:
        count = seconds[bound]
        if count and seen + count >= wanted:
            if math.isinf(bound):
                return below
            return float(below * (bound / below) ** ((wanted - seen) / count))
        seen, below = seen + count, bound
    return math.nan


def _errors(days: Mapping[str, Counts], least: float, ends: Mapping[str, float]) -> Iterable[Measure]:
    """The share of failed requests of each day with *least* requests, or more where *ends* requires it."""
    for day, counts in sorted(days.items()):
        requests = _requests(counts)
        if requests >= max(least, ends.get(day, 0), 1):
            yield Measure("errors", "share", "", day, counts.statuses["5xx"] / requests, requests)


def _latencies(days: Mapping[str, Counts], least: int, ends: Mapping[str, float]) -> Iterable[Measure]:
    """The latencies of each day with *least* requests and answers, or more where *ends* requires it."""
    for day, counts in sorted(days.items()):
        answers = sum(counts.seconds.values())
        if answers >= least and _requests(counts) >= max(least, ends.get(day, 0)):
            for name, share in SHARES.items():
                value = 1e3 * quantile(counts.seconds, share)
                yield Measure("latency", name, "", day, value, answers)


def _read_all(place: Place, files: Sequence[Part], zone: str) -> dict[tuple[str, str], Counts]:
    """The sums of the lines of *files*, by day of the *zone* and champion."""
    found: dict[tuple[str, str], Counts] = {}
    with ThreadPoolExecutor(MAX_CONCURRENT) as pool:
        parts = pool.map(lambda part: [*lines(place, part, _NAMES)], files)
        for line in (line for each in parts for line in each if line):
            day, version, counts = _read(line, zone)
            if day:
                _add(found.setdefault((day, version), Counts()), counts)
    return found


def _to_values(sums: Mapping[tuple[str, str], Counts]) -> list[Any]:
    """The sums as JSON values; the infinite bound is null."""
    return [
        [*key, dict(counts.statuses), [[b if math.isfinite(b) else None, n] for b, n in counts.seconds.items()]]
        for key, counts in sums.items()
    ]


def _from_values(values: Any) -> dict[tuple[str, str], Counts]:
    """The sums that `_to_values` returned; empty if the values were changed by hand."""
    try:
        return {
            (day, version): Counts(
                Counter(statuses), Counter({math.inf if bound is None else bound: count for bound, count in seconds})
            )
            for day, version, statuses, seconds in values or ()
        }
    except (TypeError, ValueError):
        return {}


def _read(line: Line, zone: str) -> tuple[str, str, Counts]:
    """The day, the champion and the counts of a line; no day if it is not a service line."""
    try:
        day = date.fromisoformat(line["at"][:10]).isoformat()
        if zone and (at := read_time(line["at"])):
            day = f"{at.astimezone(ZoneInfo(zone)):%Y-%m-%d}"
        bounds, answers = [*map(float, line["bounds"])], [*map(int, line["answers"])]
        seconds = dict(zip([*bounds, math.inf], answers, strict=True))
        statuses = {name: int(line[key]) for key, name in _STATUSES.items()}
    except (KeyError, TypeError, ValueError, OverflowError):
        return "", "", Counts()
    if min([*answers, *statuses.values()]) < 0 or not all(bound > 0 for bound in bounds):
        return "", "", Counts()
    counts = Counts()
    counts.statuses.update(statuses)
    counts.seconds.update(seconds)
    return day, str(line.get("version", "")), counts


def _add(found: Counts, counts: Counts) -> None:
    # Unlike the sum of Counters, this keeps empty buckets, whose bounds are needed.
    found.statuses.update(counts.statuses)
    found.seconds.update(counts.seconds)


def _summed(counts: Iterable[Counts]) -> Counts:
    found = Counts()
    for each in counts:
        _add(found, each)
    return found


def _requests(counts: Counts) -> int:
    return sum(counts.statuses.values())


def _began(days: Mapping[str, Day], version: str) -> str:
    """The first of the newest days on which *version* was live without a break; else the day after all days."""
    began = _earlier(max(days), -1)
    for day in sorted(days, reverse=True):
        if version not in days[day]:
            break
        began = day
    return began


def _earlier(day: str, count: int) -> str:
    return f"{date.fromisoformat(day) - timedelta(days=count)}" if day else ""

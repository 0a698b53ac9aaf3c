"""How the scorers answered, by day, as their own counts in the journal have it: how long it took, what failed.

A release that is slow from its first hour on has no better days of its own. So what is judged are the live
version's own answers, a day at a time, and they are held against the days before it, whoever was live then.
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
from monitoring.journal.frame_store import Shelf, digest_of
from monitoring.journal.window import JournalError, place_of
from monitoring.metrics.service_metrics import Counts
from monitoring.metrics.volume import RECENT

#: What the journal calls such lines; and how what is kept of them is written.
KIND, FORMAT = "service", 1
#: Within so long came half of the answers, and all but the slowest hundredth: the one tells that everybody
#: waits, the other that somebody does.
SHARES = {"p50": 0.50, "p99": 0.99}
#: Files that are read at once: they are small, and may be far away.
AT_ONCE = 16
_STATUSES = {"answered": "2xx", "refused": "4xx", "failed": "5xx"}
_NAMES = ("at", "version", *_STATUSES, "bounds", "answers")
#: What was counted on a day, by the version that was champion.
Day = Mapping[str, Counts]


@dataclass(frozen=True)
class Served:
    """Measures of days *before*, of those to judge *now*, and what is wanting.

    *eve* are those of the last day before the live version, where it is younger than what is judged.
    """

    before: list[Measure]
    now: list[Measure]
    unknown: list[Unknown]
    eve: list[Measure]

    def was_so(self, signal: Signal) -> bool:
        """Whether the day before the live version was beyond the limit already: then it is not to blame."""
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
    """What scorers counted on the newest day before *until* and the *days* days before that, oldest first.

    Days are those of *zone*. What is torn, or no such line, is left out. A closed day's sums are *kept* in a folder,
    for its files are many; *forget* removes what is kept of other days. Raises `JournalError`.
    """
    place, end = place_of(journal), "9999" if until is None else f"{until:%Y-%m-%d}"
    shelf, found, names = Shelf(kept), dict[str, dict[str, Counts]](), []
    try:
        listing = Listing(place)
        first = _earlier(max((day for day in listing.days if day < end), default=""), days)
        for day, files in listing.every(KIND, first).items():
            if day > end or (day == end and not zone):
                continue
            digest = digest_of([FORMAT, zone, [part.name for part in files]])
            names.append(f"{KIND}-{day}-{digest}")
            sums = _kept(shelf.told(names[-1]))
            if not sums:
                sums = _read_all(place, files, zone)
                if day:  # what is in segments is read each time
                    shelf.keep(f"{KIND}-{day}", digest, _plain(sums), pd.DataFrame())
            for (at, version), counts in sums.items():
                if at < end:
                    _add(found.setdefault(at, {}).setdefault(version, Counts()), counts)
    except OSError as error:
        raise JournalError(f"the journal cannot be read: {error}") from error
    if until is None or forget:
        shelf.only(f"{KIND}-", names)
    first = _earlier(max(found, default=""), days)
    return {day: found[day] for day in sorted(found) if day >= first}


def served(days: Mapping[str, Day], version: str, rules: Monitoring) -> Served:
    """What of the *days* is held against what, where *version* is live."""
    if not days:
        why = "the journal has no counts of the scorers: they are older than these, or nobody has asked"
        return Served([], [], [Unknown(kind, why, yet=True) for kind in SERVICE], [])
    newest, began = max(days), _began(days, version)
    every = {day: _summed(by_version.values()) for day, by_version in days.items()}
    cut = max(_earlier(newest, RECENT), _earlier(began, 1))
    usual = median(map(_asked, every.values()))
    # Of these there may be a part only: so much as tells of a day there must be.
    ends = dict.fromkeys((min(days), began, newest), usual / 2)
    # Errors are counts: of however few requests they are judged, and held against days that are no exception.
    few = min(rules.min_rows, usual / 2)
    known = {day: every[day] for day in every if day <= cut}
    before = [*_errors(known, few, ends), *_latencies(known, rules.min_rows, ends)]
    mine = {day: days[day][version] for day in days if day > cut and version in days[day]}
    unknown = []
    for kind in SERVICE:
        there = len({each.day for each in before if each.kind == kind})
        if there < rules.min_reference_days:
            why = f"it needs {rules.min_reference_days} days up to {cut} to be held against; there are {there}"
            unknown.append(Unknown(kind, why, yet=True))
    eve = max((each.day for each in before), default="") if cut == _earlier(began, 1) else ""
    return Served(
        before,
        [*_errors(mine, 1, {}), *_latencies(mine, rules.min_rows, ends)],
        unknown,
        [each for each in before if each.day == eve],
    )


def quantile(seconds: Mapping[float, float], share: float) -> float:
    """The seconds within which a *share* of answers came; *seconds* are answers by their bucket's upper bound.

    Within a bucket as Prometheus' histogram_quantile tells it, but on the logarithm, as it does for native
    histograms: bounds grow by factors, and so do the times between them. Below the first bound lies a bucket of a
    factor of two; what is beyond the last counts as the last. NaN without any.
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
    """Of each day with *least* requests, or as many as *ends* says, where that is more."""
    for day, counts in sorted(days.items()):
        asked = _asked(counts)
        if asked >= max(least, ends.get(day, 0), 1):
            yield Measure("errors", "share", "", day, counts.statuses["5xx"] / asked, asked)


def _latencies(days: Mapping[str, Counts], least: int, ends: Mapping[str, float]) -> Iterable[Measure]:
    """Of each day with *least* requests and answers, or as many as *ends* says, where that is more."""
    for day, counts in sorted(days.items()):
        answers = sum(counts.seconds.values())
        if answers >= least and _asked(counts) >= max(least, ends.get(day, 0)):
            for name, share in SHARES.items():
                value = 1e3 * quantile(counts.seconds, share)
                yield Measure("latency", name, "", day, value, answers)


def _read_all(place: Place, files: Sequence[Part], zone: str) -> dict[tuple[str, str], Counts]:
    """What the lines of *files* sum to, by day of the *zone* and champion."""
    found: dict[tuple[str, str], Counts] = {}
    with ThreadPoolExecutor(AT_ONCE) as pool:
        told = pool.map(lambda part: [*lines(place, part, _NAMES)], files)
        for line in (line for each in told for line in each if line):
            day, version, counts = _read(line, zone)
            if day:
                _add(found.setdefault((day, version), Counts()), counts)
    return found


def _plain(sums: Mapping[tuple[str, str], Counts]) -> list[Any]:
    """As JSON has it; the bound of what took longest is null."""
    return [
        [*key, dict(counts.statuses), [[b if math.isfinite(b) else None, n] for b, n in counts.seconds.items()]]
        for key, counts in sums.items()
    ]


def _kept(told: Any) -> dict[tuple[str, str], Counts]:
    """What `_plain` gave; nothing of what is none, by another hand."""
    try:
        return {
            (day, version): Counts(
                Counter(statuses), Counter({math.inf if bound is None else bound: count for bound, count in seconds})
            )
            for day, version, statuses, seconds in told or ()
        }
    except (TypeError, ValueError):
        return {}


def _read(line: Line, zone: str) -> tuple[str, str, Counts]:
    """The day, the champion and the counts of a line; no day if it is none."""
    try:
        day = date.fromisoformat(line["at"][:10]).isoformat()
        if zone and (at := read_time(line["at"])):
            day = f"{at.astimezone(ZoneInfo(zone)):%Y-%m-%d}"
        bounds, answers = [*map(float, line["bounds"])], [*map(int, line["answers"])]
        seconds = dict(zip([*bounds, math.inf], answers, strict=True))
        statuses = {name: int(line[told]) for told, name in _STATUSES.items()}
    except (KeyError, TypeError, ValueError, OverflowError):
        return "", "", Counts()
    if min([*answers, *statuses.values()]) < 0 or not all(bound > 0 for bound in bounds):
        return "", "", Counts()
    counts = Counts()
    counts.statuses.update(statuses)
    counts.seconds.update(seconds)
    return day, str(line.get("version", "")), counts


def _add(found: Counts, counts: Counts) -> None:
    # Unlike a sum of Counters it keeps an empty bucket, whose bound the next one begins at.
    found.statuses.update(counts.statuses)
    found.seconds.update(counts.seconds)


def _summed(counts: Iterable[Counts]) -> Counts:
    found = Counts()
    for each in counts:
        _add(found, each)
    return found


def _asked(counts: Counts) -> int:
    return sum(counts.statuses.values())


def _began(days: Mapping[str, Day], version: str) -> str:
    """The first of the newest days on which *version* was live without a break; the day after all if none."""
    began = _earlier(max(days), -1)
    for day in sorted(days, reverse=True):
        if version not in days[day]:
            break
        began = day
    return began


def _earlier(day: str, count: int) -> str:
    return f"{date.fromisoformat(day) - timedelta(days=count)}" if day else ""

"""Two fingerprints of a source -> what probably changed upstream, in words.

The days that are new are held against the days before them. The standard library alone, since the gate
and the watch ask in environments of their own. What a fingerprint does not tell is not compared.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from statistics import median
from typing import Any, Literal

from contracts.row_contract import Contract
from model.source_profile.category_changes import EXPECTED, moved
from model.source_profile.drift_projection import projected
from model.source_profile.unit_changes import days_of, jump, sentinel

Source = Mapping[str, Any]
Kind = Literal["units", "stopped", "missing", "renamed", "categories", "rows", "schema", "outlook"]

#: Fewer days before than these tell nothing of what is usual: every weekday is among them.
LEAST_DAYS = 7
#: A day with fewer rows is not looked at.
LEAST_ROWS = 20


@dataclass(frozen=True)
class Change:
    """What probably changed: about which *field* ("" for all rows), *since* which day ("" if unknown).

    For an outlook *since* is the day on which a limit will break; *names* are the old and the new name of
    what is "renamed".
    """

    kind: Kind
    field: str
    since: str
    words: str
    names: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"`{self.field}` {self.words}" if self.field else self.words


@dataclass(frozen=True)
class Limits:
    """What counts: shares of rows, and days ahead."""

    missing_rise: float
    category_share: float
    sentinel_share: float
    max_missing: float
    horizon: int


def changes(old: Source | None, new: Source, since: str, limits: Limits) -> list[Change]:
    """What changed on the days from *since* (YYYY-MM-DD) on, by what both tell of the days before.

    *old* is the fingerprint that was usual; without one, *new*'s own days before *since* are.
    """
    parts = _Parts(old or {}, new, since)
    found = [*_schema(parts), *_stopped(parts)]
    if len(parts.before) >= LEAST_DAYS and parts.after:
        found += [*_rows(parts), *_fields(parts, limits)]
    return found


def outlook(source: Source, contract: Contract, limits: Limits) -> list[Change]:
    """Which limit of a field will break when, if it goes on like this: soonest first."""
    days = [date.fromisoformat(day) for day in source.get("days", ())]
    found = []
    for feature in contract.features:
        told = source.get("fields", {}).get(feature.name, {}).get("daily", {})
        ends = told.get("quantiles") or []
        series = [("missing values", told.get("missing") or [], limits.max_missing, True, f"{limits.max_missing:.0%}")]
        for limit, place, rising in ((feature.maximum, 5, True), (feature.minimum, 1, False)):
            if limit is not None:
                values = [each[place] if each else None for each in ends]
                word = "95th" if rising else "5th"
                series.append((f"the {word} percentile", values, limit, rising, f"{limit:g} {feature.unit}".strip()))
        for what, values, limit, rising, shown in series:
            known = {day: v for day, v in zip(days, values, strict=False) if v is not None}
            seen = projected(known, limit, limits.horizon, rising=rising)
            if seen:
                pace = f"{seen.slope:+.2%}" if what == "missing values" else f"{seen.slope:+.3g}"
                words = f"({what}) moves by {pace} a day: if it goes on like this, it passes {shown} about {seen.day}"
                found.append(Change("outlook", feature.name, f"{seen.day}", words))
    return sorted(found, key=lambda change: change.since)


class _Parts:
    """Both fingerprints, cut at a day: by day the rows of each hour, by field the days of each."""

    def __init__(self, old: Source, new: Source, since: str) -> None:
        self.old, self.new, self.since = old, new, since
        hours = _by_day(old) | _by_day(new)
        self.full = {day for day, each in hours.items() if sum(each) >= LEAST_ROWS}
        self.before = {day: each for day, each in hours.items() if day < since}
        starts = [str(each["start"])[:10] for each in (old, new) if each.get("start")]
        self.start = min(starts, default=min(hours, default=""))
        last = str(new.get("until", ""))[:10]  # the last day is whole only if all of it was asked for
        self.after = {day: each for day, each in _by_day(new).items() if since <= day < last}

    def daily(self, name: str, what: str) -> tuple[dict[str, Any], dict[str, Any]]:
        """What each day before, and each after, tells of a field."""
        found: dict[str, Any] = {}
        for source in (self.old, self.new):
            told = source.get("fields", {}).get(name, {}).get("daily", {}).get(what) or []
            found |= {
                d: v for d, v in zip(source.get("days", ()), told, strict=False) if v is not None and d in self.full
            }
        return (
            {day: each for day, each in sorted(found.items()) if day < self.since},
            {day: each for day, each in sorted(found.items()) if day >= self.since},
        )

    def numbers(self, name: str) -> tuple[list[Any], list[Any]]:
        """The days of a number, before and after."""
        found: dict[str, Any] = {}
        for source in (self.old, self.new):
            field = source.get("fields", {}).get(name, {})
            found |= {each.day: each for each in days_of(field, source.get("days", ()))}
        days = [found[day] for day in sorted(found) if day in self.full]
        return [d for d in days if d.day < self.since], [d for d in days if d.day >= self.since]


def _by_day(source: Source) -> dict[str, Sequence[int]]:
    return dict(zip(source.get("days", ()), source.get("hours", ()), strict=False))


def _schema(parts: _Parts) -> Iterable[Change]:
    old, new = (source.get("fields", {}) for source in (parts.old, parts.new))
    if not old:
        return
    for name in sorted({*old} - {*new}):
        yield Change("schema", name, "", "is no longer read from the source")
    for name in sorted({*new} - {*old}):
        yield Change("schema", name, "", "is read from the source for the first time")
    for name in sorted({*new} & {*old}):
        kinds = [each[name].get("kind") for each in (old, new)]
        if kinds[0] != kinds[1]:
            yield Change("schema", name, "", f"is a {kinds[1]} now, and was a {kinds[0]}")


def _stopped(parts: _Parts) -> Iterable[Change]:
    """No rows up to the end of what was asked for, in hours in which every day before had some."""
    if len(parts.before) < LEAST_DAYS or "until" not in parts.new or "end" not in parts.new:
        return
    last, until = (datetime.fromisoformat(str(parts.new[each])) for each in ("end", "until"))
    moment = last.replace(minute=0, second=0) + timedelta(hours=1)
    silent = [0] * 24
    while moment + timedelta(hours=1) <= until:
        silent[moment.hour] += 1
        moment += timedelta(hours=1)
    once = [sum(day[hour] for hour in range(24) if silent[hour]) for day in parts.before.values()]
    expected = sum(median(d[hour] for d in parts.before.values()) * silent[hour] for hour in range(24))
    if min(once) > 0 and expected >= EXPECTED:
        parts.after = {day: each for day, each in parts.after.items() if day < f"{last:%Y-%m-%d}"}
        yield Change(
            "stopped",
            "",
            f"{last:%Y-%m-%d}",
            f"no rows from the source after {last:%H:%M} UTC on {last:%Y-%m-%d},"
            f" where about {expected:,.0f} are usual until {until:%Y-%m-%d %H:%M}",
        )
    yield from _holes(parts)


def _holes(parts: _Parts) -> Iterable[Change]:
    """Hours that have rows every day, and have none on the days after; days without any row."""
    days = list(parts.after.items())
    least = [min(day[hour] for day in parts.before.values()) for hour in range(24)]
    # Beside an hour that is empty at times, rows may be an hour early or late: summer time, or a schedule.
    usual = [min(least[hour - 1], least[hour], least[(hour + 1) % 24]) for hour in range(24)]
    typical = [median(day[hour] for day in parts.before.values()) for hour in range(24)]
    for number, (day, _) in enumerate(days):
        late = [hours for _, hours in days[number:]]
        # Hour by hour: where few rows come, one of two dozen hours is often empty by chance.
        empty = [
            hour
            for hour in range(24)
            if usual[hour] > 0 and typical[hour] * len(late) >= EXPECTED and not any(each[hour] for each in late)
        ]
        if not empty or any(not sum(each) for each in late):
            continue
        shown = ", ".join(f"{hour:02}:00" for hour in empty[:3]) + ("" if len(empty) < 4 else ", …")
        yield Change(
            "stopped", "", day, f"no rows in the hours from {shown} UTC since {day}, which had some every day before"
        )
        return


def _rows(parts: _Parts) -> Iterable[Change]:
    """More or fewer rows than any day before; the same day at other hours."""
    usual = [sum(day) for day in parts.before.values()]
    days = list(parts.after.items())
    for number, (day, _) in enumerate(days):
        now = [sum(hours) for _, hours in days[number:]]
        factor = median(now) / (median(usual) or 1)
        if min(now) > 1.5 * max(usual):
            yield Change(
                "rows", "", day, f"{factor:.1f} times as many rows a day since {day}: loaded twice, or a new segment?"
            )
            return
        if max(now) < min(usual) / 1.5:
            yield Change("rows", "", day, f"{factor:.0%} of the usual rows a day since {day}: is the export cut?")
            return
    yield from _clock(parts)


def _clock(parts: _Parts) -> Iterable[Change]:
    usual, now = (_profile(part.values()) for part in (parts.before, parts.after))
    if not any(usual) or not any(now):
        return
    apart = {shift: _apart(now, usual[-shift:] + usual[:-shift]) for shift in range(24)}
    best = min(apart, key=lambda shift: apart[shift])
    if best and apart[0] > 0.15 and apart[best] < apart[0] / 3:
        hours = best if best <= 12 else best - 24
        why = "summer time, or a time zone?" if abs(hours) == 1 else "a time zone?"
        yield Change("rows", "", parts.since, f"the hours of the day moved by {hours:+} since {parts.since}: {why}")


def _profile(days: Iterable[Sequence[int]]) -> list[float]:
    sums = [sum(hour) for hour in zip(*days, strict=True)] or [0] * 24
    return [each / (sum(sums) or 1) for each in sums]


def _apart(one: Sequence[float], other: Sequence[float]) -> float:
    return sum(abs(a - b) for a, b in zip(one, other, strict=True)) / 2


def _fields(parts: _Parts, limits: Limits) -> Iterable[Change]:
    swapped = list(_swapped(parts))
    yield from swapped
    known = " ".join(change.words for change in swapped)
    for name, field in parts.new.get("fields", {}).items():
        kind = field.get("kind")
        if kind == "number":
            before, after = parts.numbers(name)
            turned = None if f"`{name}`" in known else jump(before, after)
            stands = sentinel(before, after, limits.sentinel_share)
            for since, words in filter(None, (turned, stands)):
                yield Change("units", name, since, f"{words} (since {since})")
        elif kind == "category":
            yield from _categories(parts, name, field, limits)
        yield from _missing(parts, name, limits)


def _missing(parts: _Parts, name: str, limits: Limits) -> Iterable[Change]:
    before, after = parts.daily(name, "missing")
    if len(before) < LEAST_DAYS:
        return
    usual, days = max(before.values()), list(after.items())
    for number, (day, _) in enumerate(days):
        now = [share for _, share in days[number:]]
        if min(now) > usual + limits.missing_rise:
            yield Change(
                "missing",
                name,
                day,
                f"is missing in {median(now):.0%} of rows since {day}, and was in at most {usual:.0%} of a day's",
            )
            return


def _categories(parts: _Parts, name: str, field: Source, limits: Limits) -> Iterable[Change]:
    rows = {day: sum(hours) for day, hours in (parts.before | parts.after).items()}
    usual = parts.old.get("fields", {}).get(name, {})
    for since, words, names in moved(usual, field, rows, parts.since, limits.category_share, parts.start):
        yield Change("renamed" if names else "categories", name, since, words, names)
    before, after = parts.daily(name, "new")
    most = max(list(before.values())[1:], default=0)  # on the first day all is new
    days = list(after.items())
    for number, (day, _) in enumerate(days):
        now = [count for _, count in days[number:]]
        if len(before) >= LEAST_DAYS and min(now) > 5 * max(most, 4):
            yield Change(
                "categories",
                name,
                day,
                f"gets about {median(now):,.0f} values a day since {day} that never came before: an id?",
            )
            return


def _swapped(parts: _Parts) -> Iterable[Change]:
    """Two numbers that never overlapped, each now where the other was."""
    middles = {}
    for name, field in parts.new.get("fields", {}).items():
        before, after = parts.numbers(name) if field.get("kind") == "number" else ([], [])
        if len(before) >= LEAST_DAYS and after:
            middles[name] = ([d.quantiles[3] for d in before], [d.quantiles[3] for d in after])
    names = sorted(middles)
    for one in names:
        for other in names[names.index(one) + 1 :]:
            (was, now), (was_other, now_other) = middles[one], middles[other]
            apart = max(was) < min(was_other) or max(was_other) < min(was)
            if apart and _inside(median(now), was_other) and _inside(median(now_other), was):
                yield Change(
                    "units",
                    "",
                    parts.since,
                    f"`{one}` looks like `{other}`, and the other way round: two columns swapped since {parts.since}?",
                )


def _inside(now: float, was: Sequence[float]) -> bool:
    return min(was) <= now <= max(was)

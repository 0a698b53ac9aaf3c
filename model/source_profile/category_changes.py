"""Values of a category that disappeared, appeared or were renamed. The standard library alone.

A fingerprint has for each value its share of the rows while it occurred, its first and last day, and the longest gap
between two days on which it occurred. A value has disappeared when it is absent for longer than is usual for it: a
weekday returns within the week, a month within the year.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from difflib import SequenceMatcher
from typing import Any, NamedTuple

from contracts.row_contract import show

#: With fewer rows, an absence may be chance.
EXPECTED = 10
#: A value that occurred on fewer days is not expected to return.
MIN_DAYS_PRESENT = 5
#: Absences up to so many times the longest gap are chance; one time more for gaps longer than a week.
TIMES = 2
#: The absence of a weekly value in days: assumed for an older fingerprint without gaps.
WEEK = 6
#: A value with this share of the rows while it occurred was the only one. If it lasted fewer days than these, it belongs
#: to the calendar, as a month or a season, whose end is not a change of the source.
ONLY_VALUE_SHARE, SEASON_DAYS = 0.9, 100
#: Values that return each year, also if they share the rows with others.
YEARLY = frozenset(
    {
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
        "jan",
        "feb",
        "mar",
        "apr",
        "jun",
        "jul",
        "aug",
        "sep",
        "sept",
        "oct",
        "nov",
        "dec",
        "winter",
        "spring",
        "summer",
        "autumn",
        "fall",
    }
)


class Moved(NamedTuple):
    """A change: its first day, its description, and the old and the new name of a renamed value."""

    day: str
    words: str
    names: tuple[str, ...] = ()


class Value(NamedTuple):
    """A value's share of the rows while it occurred, its first and last day, and its longest gap in days."""

    share: float
    first: str
    last: str
    gap: int

    @property
    def lived(self) -> int:
        """Days from the first to the last."""
        return _days(self.first, self.last)

    @property
    def passing(self) -> bool:
        """Whether it may belong to the calendar."""
        return self.share >= ONLY_VALUE_SHARE and self.lived < SEASON_DAYS


def moved(
    old: Mapping[str, Any], new: Mapping[str, Any], rows: Mapping[str, int], since: str, least: float, start: str = ""
) -> Iterator[Moved]:
    """Changes of values with at least the share *least*.

    *old* and *new* are a category's parts of two fingerprints (*old* may be empty), *rows* the rows of each day, *start*
    the first day of either (YYYY-MM-DD). Only changes that could not be known before the day *since* are reported.
    """
    start = start or min(rows, default="")
    seen = _seen(old, new)
    came = _came(old, new, seen, rows, since, least, start)
    gone = {name: value for name, value in seen.items() if _is_away(value, new, rows, since, least)}
    for name, lost in sorted(gone.items()):
        away = _after(lost.last, 1)
        alike = {
            other: value
            for other, value in seen.items()
            if other in new.get("values", {}) and _may_be(name, lost, other, value, rows)
        }
        if alike:
            found = max(alike, key=lambda each: SequenceMatcher(None, name, each).ratio())
            came.pop(found, None)
            now, day = _share_since(alike[found], rows), alike[found].first
            share = "the same share" if abs(now - lost.share) < 0.01 else "about that share"
            why = "; only case or white space differ" if _bare(name) == _bare(found) else ""
            words = f"renamed? {show(name)} is gone, {show(found)} with {share} ({now:.0%}) came on {day}{why}"
            yield Moved(day, words, (name, found))
        elif _is_missed(name, lost, rows, start):
            words = f"has no {show(name)} since {away}, which was {lost.share:.0%} of rows"
            usual = f" and never stayed away for more than {lost.gap} days" if lost.gap else ""
            yield Moved(away, words + usual)
    for name, value in sorted(came.items()):
        words = f"has a new value {show(name)} since {value.first}, in {_share_since(value, rows):.0%} of rows"
        yield Moved(value.first, words)


def _seen(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Value]:
    """Each value by both fingerprints, with the newer share."""
    found = {}
    for name in {**old.get("values", {}), **new.get("values", {})}:
        parts = [each for each in (old, new) if name in each.get("values", {})]
        values = [each["values"][name] for each in parts]
        gaps = [each["gaps"].get(name, 0) for each in parts if "gaps" in each]
        between = _days(values[0][2], values[-1][1]) - 1  # if one ends before the other begins
        gap = max([*gaps, between, 0]) if gaps else max(WEEK, between)
        found[name] = Value(values[-1][0], min(e[1] for e in values), values[-1][2], gap)
    return found


def _is_away(value: Value, new: Mapping[str, Any], rows: Mapping[str, int], since: str, least: float) -> bool:
    """Whether the absence became significant after that day."""
    if new.get("distinct", 0) > len(new.get("values", {})):
        return False  # a fingerprint has only the most frequent values: an absent one may be rare
    return value.share >= least and value.lived >= MIN_DAYS_PRESENT and _sure(value, rows) >= (since or " ")


def _sure(value: Value, rows: Mapping[str, int], before: int = 0) -> str:
    """The day since which the value's absence is significant; "" if it may be chance.

    *before* are the days of absence before its first day.
    """
    gap = max(value.gap, before)
    usual = TIMES * gap + max(0, gap - WEEK)  # the longest of several irregular gaps is less certain
    known = min(rows, default=value.last)
    days = max(0, _days(value.last, known) - 1)  # whose number of rows is not known any more
    expected = value.share * days * sum(rows.values()) / max(len(rows), 1)
    for day in sorted(each for each in rows if each > value.last and rows[each]):
        days, expected = days + 1, expected + value.share * rows[day]
        if days > usual and expected >= EXPECTED:
            return day
    return ""


def _is_missed(name: str, value: Value, rows: Mapping[str, int], start: str) -> bool:
    """Whether its end is a change: not of the calendar, and it occurred for longer than it was absent before."""
    if value.passing or _bare(name) in YEARLY:
        return False
    before = _days(start, value.first)
    return bool(_sure(value, rows, before if before > value.lived else 0))


def _came(
    old: Mapping[str, Any],
    new: Mapping[str, Any],
    seen: Mapping[str, Value],
    rows: Mapping[str, int],
    since: str,
    least: float,
    start: str,
) -> dict[str, Value]:
    known = old.get("values", {})
    if old.get("distinct", 0) > len(known):
        known = known | new.get("values", {})  # it may have occurred, but rarely
    return {
        name: value
        for name, value in seen.items()
        if name not in known
        and value.first >= since
        and _days(start, value.first) > max(WEEK, TIMES * value.gap)
        and not (value.passing or _bare(name) in YEARLY)
        and (share := _share_since(value, rows)) >= least
        and share * _rows_from(value.first, rows) >= EXPECTED
    }


def _may_be(name: str, lost: Value, other: str, value: Value, rows: Mapping[str, int]) -> bool:
    """Whether they are one value: the new one replaces the other as often, or their spelling is similar."""
    late = _days(_after(lost.last, 1), value.first)
    share = _share_since(value, rows)
    if not -1 <= late <= lost.gap + 1 or share * _rows_from(value.first, rows) < EXPECTED:
        return False
    if _bare(name) == _bare(other):
        return name != other
    if {_bare(name), _bare(other)} <= YEARLY or (lost.passing and value.passing):
        return False
    # As often, up to chance and one occurrence more or fewer of an occasional value.
    wanted = lost.share * _rows_from(_after(lost.last, 1), rows)
    once = lost.share * (lost.gap + 1) * sum(rows.values()) / len(rows) if lost.gap else 0.0
    return abs(share * _rows_from(value.first, rows) - wanted) <= 0.25 * wanted + 2 * math.sqrt(wanted) + once


def _share_since(value: Value, rows: Mapping[str, int]) -> float:
    """Its share of all rows since its first day, including those after its last day."""
    until = sum(count for day, count in rows.items() if value.first <= day <= value.last)
    whole = _rows_from(value.first, rows)
    return value.share * until / whole if whole else 0.0


def _rows_from(day: str, rows: Mapping[str, int]) -> int:
    return sum(count for each, count in rows.items() if each >= day)


def _bare(value: str) -> str:
    return "".join(value.split()).casefold()


def _days(first: str, last: str) -> int:
    return (date.fromisoformat(last) - date.fromisoformat(first)).days


def _after(day: str, days: int) -> str:
    return f"{date.fromisoformat(day) + timedelta(days=days)}"

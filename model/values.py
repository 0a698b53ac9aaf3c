"""Which values of a category went, which came, and which are one value under two names.

Of each value a fingerprint tells its share of the rows while it came, its first day and its last. The
standard library alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from difflib import SequenceMatcher
from typing import Any, NamedTuple

from model.contract import show

#: With fewer rows than these, absent may be chance.
EXPECTED = 10
#: A value that came on fewer days is none that could be missed.
LIVED = 5


class Moved(NamedTuple):
    """From which day on what is so, in words; the old and the new name, if it may be one value under two."""

    day: str
    words: str
    names: tuple[str, ...] = ()


class Value(NamedTuple):
    """A value's share of the rows while it came, and the first day it came or stayed away."""

    share: float
    day: str


def moved(
    old: Mapping[str, Any], new: Mapping[str, Any], rows: Mapping[str, int], since: str, least: float
) -> Iterator[Moved]:  # fmt: skip
    """What became of values with at least the share *least*.

    *old* and *new* are a category's parts of two fingerprints (*old* may be empty), *rows* the rows of
    each day; only what moved *since* (YYYY-MM-DD) is told.
    """
    gone, came = _gone(old, new, rows, since, least), _came(old, new, rows, since, least)
    for name, lost in sorted(gone.items()):
        alike = [each for each in came if _may_be(name, lost, each, came[each])]
        if not alike:
            words = f"has no {show(name)} since {lost.day}, which was {lost.share:.0%} of rows"
            yield Moved(lost.day, words)
            continue
        found = max(alike, key=lambda each: SequenceMatcher(None, name, each).ratio())
        value = came.pop(found)
        share = "the same share" if abs(value.share - lost.share) < 0.01 else "about that share"
        why = "; only case or white space differ" if _bare(name) == _bare(found) else ""
        words = f"renamed? {show(name)} is gone, {show(found)} with {share} ({value.share:.0%}) came on {value.day}{why}"
        yield Moved(value.day, words, (name, found))
    for name, value in sorted(came.items()):
        words = f"has a new value {show(name)} since {value.day}, in {value.share:.0%} of rows"
        yield Moved(value.day, words)


def _gone(
    old: Mapping[str, Any], new: Mapping[str, Any], rows: Mapping[str, int], since: str, least: float
) -> dict[str, Value]:  # fmt: skip
    told, values = old.get("values", {}), new.get("values", {})
    if new.get("distinct", 0) > len(values):  # only the commonest are told: absent may be rare
        told = {}
    found = {}
    last = max(rows, default="")
    for value, (share, first, end) in (told | values).items():
        quiet = sum(count for day, count in rows.items() if day > end)
        away = _after(end, 1)
        lived = date.fromisoformat(end) - date.fromisoformat(first)
        if (
            share >= least
            and end < last
            and share * quiet >= EXPECTED
            and away >= since
            and lived.days >= LIVED
        ):
            found[value] = Value(share, away)
    return found


def _came(
    old: Mapping[str, Any], new: Mapping[str, Any], rows: Mapping[str, int], since: str, least: float
) -> dict[str, Value]:  # fmt: skip
    known = old.get("values", {})
    if old.get("distinct", 0) > len(known):
        known = known | new.get("values", {})  # it may have been there, and rare
    found = {}
    for value, (share, first, _) in new.get("values", {}).items():
        times = share * sum(count for day, count in rows.items() if day >= first)
        if share >= least and value not in known and first >= since and times >= EXPECTED:
            found[value] = Value(share, first)
    return found


def _may_be(name: str, lost: Value, other: str, value: Value) -> bool:
    """Whether they are one: it came when the other went, as often, or they are spelt alike."""
    when = abs(date.fromisoformat(value.day) - date.fromisoformat(lost.day)) <= timedelta(days=1)
    often = abs(value.share - lost.share) <= max(0.25 * lost.share, 0.005)
    return when and (often or _bare(name) == _bare(other))


def _bare(value: str) -> str:
    return "".join(value.split()).casefold()


def _after(day: str, days: int) -> str:
    return f"{date.fromisoformat(day) + timedelta(days=days)}"

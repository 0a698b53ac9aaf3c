"""Two fingerprints of a source, cut at a day: the days before it and the days from it on. The standard library alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from model.source_profile.unit_changes import Day, days_of

Source = Mapping[str, Any]
#: With fewer days before, what is usual is not known: every weekday must be among them.
MIN_DAYS = 7
#: A day with fewer rows is left out.
MIN_ROWS = 20


class Periods:
    """The fingerprints *old* and *new*, cut at the day *since*: the rows of each hour, by day, *before* and *after*.

    *full* are the days with enough rows, *start* is the first day.
    """

    def __init__(self, old: Source, new: Source, since: str) -> None:
        self.old, self.new, self.since = old, new, since
        hours = _hours_by_day(old) | _hours_by_day(new)
        self.full = {day for day, each in hours.items() if sum(each) >= MIN_ROWS}
        self.before = {day: each for day, each in hours.items() if day < since}
        starts = [str(each["start"])[:10] for each in (old, new) if each.get("start")]
        self.start = min(starts, default=min(hours, default=""))
        last = str(new.get("until", ""))[:10]  # the last day is complete only if the query reached its end
        self.after = {day: each for day, each in _hours_by_day(new).items() if since <= day < last}

    def daily(self, name: str, what: str) -> tuple[dict[str, Any], dict[str, Any]]:
        """The values of *what* of a field, by day: before, and after. Only of days with enough rows."""
        found: dict[str, Any] = {}
        for source in (self.old, self.new):
            values = source.get("fields", {}).get(name, {}).get("daily", {}).get(what) or []
            found |= {
                d: v for d, v in zip(source.get("days", ()), values, strict=False) if v is not None and d in self.full
            }
        return (
            {day: each for day, each in sorted(found.items()) if day < self.since},
            {day: each for day, each in sorted(found.items()) if day >= self.since},
        )

    def numbers(self, name: str) -> tuple[list[Day], list[Day]]:
        """The days of a numeric field that have enough rows: before, and after."""
        found: dict[str, Day] = {}
        for source in (self.old, self.new):
            field = source.get("fields", {}).get(name, {})
            found |= {each.day: each for each in days_of(field, source.get("days", ()))}
        days = [found[day] for day in sorted(found) if day in self.full]
        return [d for d in days if d.day < self.since], [d for d in days if d.day >= self.since]


def _hours_by_day(source: Source) -> dict[str, Sequence[int]]:
    return dict(zip(source.get("days", ()), source.get("hours", ()), strict=False))

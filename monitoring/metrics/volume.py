"""How many rows and outcomes arrive, compared with the stream's own earlier days: row rate and label coverage.

The reference cannot say what is usual there. Both are of the whole stream, whichever version answered, so a landing, a
rollback or a traffic split does not change them. A day without a row is a value: 0 rows.
"""

from __future__ import annotations

from dataclasses import replace

from contracts.monitoring_limits import Monitoring
from monitoring.charts.signals import Measure, Unknown
from monitoring.journal.arrival_times import SETTLED, Triangle, day_of, number_of
from monitoring.journal.window import Window

#: Of the window's days, so many of the last are compared with those before them.
RECENT = 14
#: A stream has begun when a day has so much of a usual day's rows: a trial call is not its beginning.
BEGUN = 0.1


def volume(window: Window, rules: Monitoring) -> tuple[list[Measure], list[Measure], list[Unknown]]:
    """Row rate and label coverage: of earlier days, of the last days, and what is wanting."""
    if window.traffic.empty:
        return [], [], []
    yesterday, age = number_of(window.until) - 1, waiting(window, rules)
    outcomes = Triangle.of(window.arrivals, yesterday)
    covered = [replace(m, rows=window.weight * m.rows) for m in outcomes.coverage(age)]
    before, now, unknown = [], [], []
    for kind, found, last in (("row_rate", rates(window), yesterday), ("label_coverage", covered, yesterday - age)):
        cut = day_of(last - RECENT)
        old = [each for each in found if each.day <= cut]
        if kind == "label_coverage" and settled(window, rules) is None:
            why = "no history of delays yet: too few outcomes have come in to compare with"
            unknown.append(Unknown(kind, why, yet=True))
        elif len(old) >= rules.min_reference_days:
            before += old
            now += [each for each in found if each.day > cut]
        else:
            unknown.append(_wanting(kind, len(found), age, rules))
    return before, now, unknown


def rates(window: Window) -> list[Measure]:
    """The rows of each day since the stream began, but for the first, which may be cut."""
    usual = float(window.traffic.median())
    begun = window.traffic.index[window.traffic >= BEGUN * usual].min()
    days = map(day_of, range(number_of(begun) + 1, number_of(window.until)))
    sizes = {day: int(window.traffic.get(day, 0)) for day in days}
    return [Measure("row_rate", "rows", "", day, float(n), n) for day, n in sizes.items()]


def settled(window: Window, rules: Monitoring) -> int | None:
    """After how many days nearly all outcomes are in, by those that came so far; None while there are too few."""
    if window.arrivals.empty:
        return None
    found = Triangle.of(window.arrivals, number_of(window.until) - 1)
    return found.settled(rules.min_reference_days, RECENT)


def waiting(window: Window, rules: Monitoring) -> int:
    """How many days a day's outcomes are waited for: until nearly all are in, and `maturity_days` at least."""
    return max(settled(window, rules) or 0, rules.maturity_days)


def delay_words(window: Window, rules: Monitoring) -> str:
    """When outcomes are in, for people; "" while it is not known."""
    days = settled(window, rules)
    if days is None:
        return ""
    waits = f"; maturity_days is {rules.maturity_days}"
    if days > rules.maturity_days:
        waits += f", so a day's outcomes are judged after {days} days"
    return f"{SETTLED:.0%} of outcomes are in after {days} day{'' if days == 1 else 's'}{waits}"


def _wanting(kind: str, there: int, age: int, rules: Monitoring) -> Unknown:
    """Too few days. Where the window can never have enough, no waiting helps."""
    needed = rules.min_reference_days + RECENT
    why = f"it needs {needed} days to be held against; there are {there}"
    if kind == "label_coverage" and needed + age > rules.window_days:
        why += (
            f". {SETTLED:.0%} of outcomes are in after {age} days, so [monitoring] window_days must be"
            f" {needed + age} or more; it is {rules.window_days}"
        )
        return Unknown(kind, why)
    return Unknown(kind, why, yet=True)

"""Row rate and label coverage, compared with the stream's own earlier days.

The reference does not have them. Both are of the whole stream, whichever version answered, so a release, a rollback or a
traffic split does not change them. A day without rows counts, with 0.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pandas as pd

from contracts.monitoring_limits import Monitoring
from monitoring.charts.signals import EARLY, Measure, Unknown
from monitoring.journal.arrival_times import COMPLETE_SHARE, HALF, Triangle, day_of, number_of
from monitoring.journal.window import Window

#: The last days of the window, which are compared with those before.
RECENT_DAYS = 14
#: The stream starts on the first day with this share of the median day's rows, so that trial calls do not count.
BEGUN = 0.1


def volume(window: Window, rules: Monitoring) -> tuple[list[Measure], list[Measure], list[Unknown]]:
    """Row rate and label coverage: of earlier days, of the last days, and what is not monitored."""
    if window.traffic.empty:
        return [], [], []
    yesterday, age = number_of(window.until) - 1, waiting(window, rules)
    outcomes = Triangle.of(window.arrivals, yesterday)
    covered = [replace(m, rows=window.weight * m.rows) for m in outcomes.coverage(age)]
    before, now, unknown = [], [], []
    for kind, found, last in (("row_rate", rates(window), yesterday), ("label_coverage", covered, yesterday - age)):
        cut = day_of(last - RECENT_DAYS)
        old = [each for each in found if each.day <= cut]
        if kind == "label_coverage" and settled(window, rules) is None:
            why = "the label delay is not known yet: too few outcomes have arrived"
            unknown.append(Unknown(kind, why, yet=True))
        elif len(old) >= rules.min_reference_days:
            before += old
            now += [each for each in found if each.day > cut]
        else:
            unknown.append(_too_few_days(kind, len(found), age, rules))
    for found, last in early(window, rules):
        cut = day_of(last - RECENT_DAYS)
        old = [each for each in found if each.day <= cut]
        if len(old) >= rules.min_reference_days:
            before += old
            now += [each for each in found if each.day > cut]
    return before, now, unknown


def early(window: Window, rules: Monitoring) -> Iterator[tuple[list[Measure], int]]:
    """The share of rows whose outcome of a class is known at the age at which half of such outcomes are, and its last day.

    A feed that became slower, or stopped for one class, lowers it long before a day is mature. A class is left out while the
    delay of its outcomes is not known.
    """
    yesterday = number_of(window.until) - 1
    for name, mine in by_class(window):
        triangle = Triangle.of(mine, yesterday)
        age = triangle.settled(rules.min_reference_days, RECENT_DAYS, HALF)
        if age is not None:
            found = triangle.coverage(age)
            yield [replace(m, metric=EARLY, feature=name, rows=window.weight * m.rows) for m in found], yesterday - age


def by_class(window: Window) -> Iterator[tuple[str, pd.DataFrame]]:
    """What arrived of the outcomes of each class, by a name such as "cancelled=True"; "" for a regression."""
    came = window.arrivals
    if not window.classes or "value" not in came:
        yield "", came
        return
    for number, name in enumerate(window.classes):
        yield name, came.assign(age=came["age"].where(came["value"] == number))


def rates(window: Window) -> list[Measure]:
    """The rows of each day since the stream started, without the first, which may be partial."""
    usual = float(window.traffic.median())
    begun = window.traffic.index[window.traffic >= BEGUN * usual].min()
    days = map(day_of, range(number_of(begun) + 1, number_of(window.until)))
    sizes = {day: int(window.traffic.get(day, 0)) for day in days}
    return [Measure("row_rate", "rows", "", day, float(n), n) for day, n in sizes.items()]


def settled(window: Window, rules: Monitoring) -> int | None:
    """The label delay: days until nearly all outcomes are known; None with too few outcomes."""
    if window.arrivals.empty:
        return None
    found = Triangle.of(window.arrivals, number_of(window.until) - 1)
    return found.settled(rules.min_reference_days, RECENT_DAYS)


def waiting(window: Window, rules: Monitoring) -> int:
    """Days until a day is mature: the label delay, and at least `maturity_days`."""
    return max(settled(window, rules) or 0, rules.maturity_days)


def delay_text(window: Window, rules: Monitoring) -> str:
    """The label delay as a sentence; "" while it is not known."""
    days = settled(window, rules)
    if days is None:
        return ""
    waits = f"; maturity_days is {rules.maturity_days}"
    if days > rules.maturity_days:
        waits += f", so a day's outcomes are evaluated after {days} days"
    halves = [
        f"{found[0].feature} after {_days(number_of(window.until) - 1 - last)}"
        for found, last in early(window, rules)
        if found and found[0].feature
    ]
    half = f"; half of the outcomes {', '.join(halves)}" if halves else ""
    return f"label delay: {COMPLETE_SHARE:.0%} of outcomes are known after {_days(days)}{half}{waits}"


def _days(many: int) -> str:
    return f"{many} day{'' if many == 1 else 's'}"


def _too_few_days(kind: str, there: int, age: int, rules: Monitoring) -> Unknown:
    """Too few days; an error in the settings where the window can never have enough."""
    needed = rules.min_reference_days + RECENT_DAYS
    why = f"{needed} days are needed for comparison; there are {there}"
    if kind == "label_coverage" and needed + age > rules.window_days:
        why += (
            f". {COMPLETE_SHARE:.0%} of outcomes are known after {age} days, so [monitoring] window_days must be"
            f" {needed + age} or more; it is {rules.window_days}"
        )
        return Unknown(kind, why)
    return Unknown(kind, why, yet=True)

"""Columns with one value a day, a week or a month: prices of a market, macro figures, warnings. The standard library alone.

A day of such a column has no spread, and its number of independent values is that of its runs, not of its rows or
days. The next value is compared with the steps between the values before.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date
from itertools import pairwise
from statistics import median
from typing import NamedTuple

from model.source_profile.unit_changes import CERTAIN_FACTOR, FACTOR, SENTINELS, SMALL, SPREADS, Day, named, rounded

#: A column is slow if at least this share of its days has one value (apart from 5 % of the rows at either end).
SLOW = 0.8
#: Fewest values before, to know how large a step is usual.
LOOKS = 5
#: The least step that is a change of unit (of a logarithm).
MIN_STEP = 0.3
#: With fewer values: the most that its values may have differed, as a factor, and the least change of unit.
MAX_RANGE_FACTOR = 3.0
#: A usual code for "missing" up to this may be the next figure: September follows August.
MIN_CODE = 9


class Run(NamedTuple):
    """A value, and its first and last day."""

    value: float
    first: str
    last: str


def is_slow(days: Sequence[Day]) -> bool:
    """Whether a number has one value on most *days*, and it is not the same value on all of them.

    A number that is mostly zero has no size of zeros: it is not slow.
    """
    constant = sum(_has_one_value(day) for day in days)
    return len(days) > 0 and constant >= SLOW * len(days) and any(day.size for day in days if _has_one_value(day))


def runs_of(days: Sequence[Day]) -> list[Run]:
    """The values of a slow column, in the order of their days."""
    runs: list[Run] = []
    for day in days:
        value = day.quantiles[3]
        if runs and math.isclose(runs[-1].value, value, rel_tol=1e-5, abs_tol=1e-12):
            runs[-1] = runs[-1]._replace(last=day.day)
        else:
            runs.append(Run(value, day.day, day.day))
    return runs


def step(before: Sequence[Day], after: Sequence[Day], widest: Sequence[float]) -> tuple[str, str, bool] | None:
    """The day since which a slow number may have another unit, a description, and whether that is certain.

    *widest* are the quantiles of all earlier rows, which reach back further than *before*.
    """
    known, new = runs_of(before), runs_of(after)
    if not known or not new:
        return None
    last = known[-1]
    for start, run in enumerate(new):
        late = [each.value for each in new[start:]]
        if all(value * last.value < 0 for value in late):
            return _turned(known, run, late)
        if all(value * last.value > 0 for value in late) and all(each.value * last.value > 0 for each in known):
            found = _stepped(known, run, late, widest)
            if found:
                return found
    return None


def continues(before: Sequence[Day], after: Sequence[Day]) -> bool:
    """Whether the first value of *after* may follow on the values *before*: after a usual step, of at least five."""
    known, new = runs_of(before), runs_of(after)
    steps = [abs(b.value - a.value) for a, b in pairwise(known)]
    return len(known) >= LOOKS and abs(new[0].value - known[-1].value) <= SMALL * max(steps)


def sentinel_of(value: float, ends: Sequence[float]) -> bool:
    """Whether the new smallest or largest *value* of a slow column is a code: *ends* are its shares on the days.

    A small code may be the next figure, unless it occurs beside other values on the same days.
    """
    return value in SENTINELS and (abs(value) > MIN_CODE or max(ends) < SLOW)


def _stepped(
    known: Sequence[Run], run: Run, late: Sequence[float], widest: Sequence[float]
) -> tuple[str, str, bool] | None:
    moves = [math.log(value / known[-1].value) for value in late]
    if len({move > 0 for move in moves}) > 1:
        return None
    least = min(moves, key=abs)
    factor, unit = named(math.exp(moves[0]))
    if abs(least) < MIN_STEP or (abs(moves[0]) < math.log(FACTOR) and not unit):
        return None
    usual = [(abs(math.log(b.value / a.value)), _days(a.last, b.first)) for a, b in pairwise(known)]
    if len(known) >= LOOKS:
        # After a pause of the source, the value may have made as many steps as days.
        gap = max(1.0, _days(known[-1].last, run.first) / median(days for _, days in usual))
        sizes = [size for size, _ in usual]
        if abs(least) < gap * max(SMALL * max(sizes), SPREADS * 1.4826 * median(sizes)):
            return None
        return run.first, _words(factor, unit), True
    low, high = min(widest, default=0.0), max(widest, default=0.0)
    narrow = low * high > 0 and max(low / high, high / low) < MAX_RANGE_FACTOR
    certain = bool(unit) and narrow and max(factor, 1 / factor) >= CERTAIN_FACTOR
    return run.first, _words(factor, unit) + ("" if certain else _few(known)), certain


def _turned(known: Sequence[Run], run: Run, late: Sequence[float]) -> tuple[str, str, bool] | None:
    """A sign that changed: certain if the value is otherwise what it was, as seldom happens to a figure."""
    if not all(each.value * known[-1].value > 0 for each in known):
        return None  # it had both signs before
    same = all(abs(math.log(abs(value / known[-1].value))) < 0.1 for value in late)
    certain = same and len(known) >= LOOKS
    return run.first, "changed its sign" + ("" if certain else _few(known)), certain


def _words(factor: float, unit: str) -> str:
    size = f"{rounded(factor)} times larger" if factor > 1 else f"{rounded(1 / factor)} times smaller"
    return f"is about {size}: {unit or 'another unit?'}"


def _few(known: Sequence[Run]) -> str:
    return f" Not certain: the {len(known)} value{'s' * (len(known) > 1)} before do not show how much it usually moves"


def _has_one_value(day: Day) -> bool:
    return day.quantiles[1] == day.quantiles[5]


def _days(first: str, last: str) -> int:
    return max(1, (date.fromisoformat(last) - date.fromisoformat(first)).days)

"""Changes of a number's unit, by comparing days before and after. The standard library alone.

A day is described by a few quantiles and its size, the median of absolute nonzero values. Sizes vary from day to day; a
change of the unit changes them by far more, on one day, and for all rows alike.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Any

#: A size this many times larger or smaller means another unit, also an unknown one.
FACTOR = 5.0
#: The least distance from the days before, in their standard deviations; and the least standard deviation (of a logarithm).
SPREADS, MIN_SPREAD = 6.0, 0.05
#: The least distance, relative to the most distant day before, for a factor below `FACTOR`.
SMALL = 2.5
#: How many days must have changed if the factor is below this: a day of fog or frost changes that much, too.
CERTAIN_FACTOR, DAYS = 30.0, 3
#: A sentinel closer to earlier values than this share of their range needs as many days: the first frost, a new maximum.
CLOSE_SHARE = 0.1
#: How similar the factors of the quantiles must be for a small factor to be a conversion (of a logarithm).
ALIKE = 0.12
#: A factor, its description, and the description of its inverse.
CONVERSIONS = (
    (100.0, "cents, or per cent?", "no longer cents, or a share in place of per cent?"),
    (1000.0, "thousandths, such as milliseconds or grams?", "in thousands, such as seconds or kilograms?"),
    (1e6, "millionths?", "in millions?"),
    (60.0, "seconds in place of minutes?", "minutes in place of seconds?"),
    (3600.0, "seconds in place of hours?", "hours in place of seconds?"),
    (24.0, "hours in place of days?", "days in place of hours?"),
    (1.609344, "kilometres in place of miles?", "miles in place of kilometres?"),
    (3.28084, "feet in place of metres?", "metres in place of feet?"),
    (2.204623, "pounds in place of kilograms?", "kilograms in place of pounds?"),
    (2.54, "centimetres in place of inches?", "inches in place of centimetres?"),
    (25.4, "millimetres in place of inches?", "inches in place of millimetres?"),
    (33.8639, "millibar in place of inches of mercury?", "inches of mercury in place of millibar?"),
)
#: Values that often mean "missing".
SENTINELS = frozenset({-1.0, *(sign * (10.0**n - 1) for n in range(1, 7) for sign in (1, -1))})


@dataclass(frozen=True)
class Day:
    """One day of a number: seven quantiles (0, 5, 25, 50, 75, 95, 100 %), size, shares of the two ends."""

    day: str
    quantiles: Sequence[float]
    size: float | None
    ends: Sequence[float]


def days_of(field: Mapping[str, Any], days: Sequence[str]) -> list[Day]:
    """The days of a number's part of a fingerprint that have values."""
    daily = field.get("daily", {})
    parts = (daily.get(name) or [] for name in ("quantiles", "size", "ends"))
    return [
        Day(day, quantiles, size, ends)
        for day, quantiles, size, ends in zip(days, *parts, strict=False)
        if quantiles and ends
    ]


def jump(before: Sequence[Day], after: Sequence[Day]) -> tuple[str, str] | None:
    """The day since which a number has another unit, with a description; None if it has not.

    *before* needs five days; all days of *after* from that day on must have changed. Not for slow columns: see
    `slow_columns.step`.
    """
    if len(before) < 5 or not after:
        return None
    for start in range(len(after)):
        late = after[start:]
        text = _turned(before, late) or _warmer(before, late) or _larger(before, late)
        if text:
            return late[0].day, text
    return None


def sentinel(
    before: Sequence[Day],
    after: Sequence[Day],
    least: float,
    is_code: Callable[[float, Sequence[float]], bool] = lambda value, _: value in SENTINELS,
) -> tuple[str, str] | None:
    """The day since which a value that often means "missing" occurs in at least *least* of the rows.

    *is_code* decides about a value and its shares of the days.
    """
    if not before:
        return None
    low = min(day.quantiles[0] for day in before)
    high = max(day.quantiles[-1] for day in before)
    for end in (0, -1):
        for number, day in enumerate(after):
            value, late = day.quantiles[end], after[number:]
            if (
                not low <= value <= high
                and (len(late) >= DAYS or max(low - value, value - high) > CLOSE_SHARE * (high - low))
                and all(d.quantiles[end] == value and d.ends[end] >= least for d in late)
                and is_code(value, [d.ends[end] for d in late])
            ):
                share = median(d.ends[end] for d in late)
                return day.day, f"is {value:g} in {share:.1%} of rows: does it mean missing?"
    return None


def _larger(before: Sequence[Day], after: Sequence[Day]) -> str:
    usual = [math.log(day.size) for day in before if day.size]
    now = [math.log(day.size) for day in after if day.size]
    if len(usual) < 5 or len(now) < len(after):
        return ""
    middle = median(usual)
    spread = max(1.4826 * median(abs(value - middle) for value in usual), MIN_SPREAD)
    moves = [value - middle for value in now]
    up = moves[0] > 0
    beyond = (max(usual) - middle) if up else (middle - min(usual))
    if not all((m > 0) == up and abs(m) > SPREADS * spread and abs(m) > 1.5 * beyond for m in moves):
        return ""
    factor = math.exp(median(moves))
    if max(factor, 1 / factor) < CERTAIN_FACTOR and len(after) < DAYS:
        return ""
    factor, unit = named(factor) if _alike(before, after) else (factor, "")
    if max(factor, 1 / factor) < FACTOR and not (unit and min(map(abs, moves)) > SMALL * beyond):
        return ""
    size = f"{rounded(factor)} times larger" if up else f"{rounded(1 / factor)} times smaller"
    return f"is about {size}: {unit or 'another unit?'}"


def named(factor: float) -> tuple[float, str]:
    """The known conversion close to *factor*, with its description; *factor* and "" if there is none."""
    for known, larger, smaller in CONVERSIONS:
        for one, text in ((known, larger), (1 / known, smaller)):
            if abs(math.log(factor / one)) < max(ALIKE, 0.03 * abs(math.log(one))):
                return one, text
    return factor, ""


def _alike(before: Sequence[Day], after: Sequence[Day]) -> bool:
    """Whether all informative quantiles changed by about the same factor."""
    ratios = []
    for n in range(1, 6):
        old, new = (median(day.quantiles[n] for day in days) for days in (before, after))
        if old and new and (old > 0) == (new > 0):
            ratios.append(math.log(new / old))
    return len(ratios) >= 2 and max(ratios) - min(ratios) < 2 * ALIKE


def _turned(before: Sequence[Day], after: Sequence[Day]) -> str:
    """Positive numbers became negative ones, or the reverse."""
    for sign in (1, -1):
        was = all(min(sign * day.quantiles[1], sign * day.quantiles[5]) > 0 for day in before)
        if was and all(max(sign * d.quantiles[1], sign * d.quantiles[5]) < 0 for d in after):
            return "changed its sign"
    return ""


def _warmer(before: Sequence[Day], after: Sequence[Day]) -> str:
    """Fahrenheit and Celsius: the day of the change compared with the day before, relative to usual differences.

    Days must have changed for good, and no two days before differ as much: amounts at the end of a month.
    """
    middles = [day.quantiles[3] for day in before]
    steps = [abs(b - a) for a, b in pairwise(middles)]
    usual = max(1.4826 * median(steps), 1e-9)
    now = after[0]
    last = middles[-1]
    if len(after) < DAYS or abs(now.quantiles[3] - last) < 1.5 * max(steps):
        return ""
    wide, narrow = (median(day.quantiles[5] - day.quantiles[1] for day in days) for days in (before, after))
    for text, slope, zero in (
        ("Celsius in place of Fahrenheit?", 1 / 1.8, -32 / 1.8),
        ("Fahrenheit in place of Celsius?", 1.8, 32.0),
    ):
        if (
            abs(now.quantiles[3] - last) > SPREADS * usual
            and abs(now.quantiles[3] - (zero + slope * last)) < 2 * usual * max(slope, 1)
            and wide > 0
            and abs(narrow / wide / slope - 1) < 0.35
            and not any(min(middles) <= day.quantiles[3] <= max(middles) for day in after)
        ):
            return f"moved from {last:.3g} to {now.quantiles[3]:.3g} in a day: {text}"
    return ""


def rounded(factor: float) -> str:
    """A factor with two digits, as text."""
    return f"{float(f'{factor:.2g}'):,.15g}"

"""Movement that is expected of a series of daily values, and how uncertain it is: a trend, or the year before.

The chart shows what is left. Means follow the trend of their feature (`monitoring.metrics.row_trends`). With a year in
the journal, the days a year before are measured in the same way, against the reference's days of that year, and a series
is expected to move as it did then. A series whose trend bends cannot be extrapolated: its *season is unknown* until the
journal has a year.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from monitoring.charts.scales import range_of
from monitoring.charts.signals import Measure, Signal, by_series
from monitoring.metrics.robust_trend import MIN_DAYS, SIGNIFICANT, Trend, deviation_of_means, trend_of

Numbers = np.ndarray[Any, Any]

#: Days of a year of whole weeks, so that weekdays match.
YEAR = 364
#: Kinds that may follow a trend. A loss of performance is never expected, nor are missing values that become more.
TRENDING = ("univariate_drift", "multivariate_drift", "score_drift")
#: Standard errors of a movement by which limits are wider.
STANDARD_ERRORS = 2.0
#: The Jensen-Shannon distance (base 2) of two normal distributions a small part of a standard deviation apart, by that
#: part: the root of its Fisher information over 8 ln 2.
OF_A_SHIFT = 1 / np.sqrt(8 * np.log(2))
#: A year before is one year of many: the share of its movement by which another year may differ.
BETWEEN_YEARS = 0.25
#: Weights of the days around a day of the year before: two weeks of means over a week, which have no weekday.
WEIGHTS = np.convolve(np.ones(7), np.ones(7)) / 49
HALF_WIDTH = len(WEIGHTS) // 2
#: The sum of the weights of the days that are there, from which their mean counts.
MIN_WEIGHT = 0.3


@dataclass(frozen=True)
class Movement:
    """By day, counted from 1970: how far a series is expected to be from the reference's mean, and how much wider limits are."""

    offset: Callable[[Numbers], Numbers]
    width: Callable[[Numbers], Numbers]


@dataclass(frozen=True)
class Expected:
    """The movements by the name of the series, and the series whose season is unknown."""

    movements: Mapping[str, Movement]
    unknown: frozenset[str] = frozenset()

    def without(self, measures: Iterable[Measure]) -> list[Measure]:
        """The *measures* without the movement that is expected of them."""
        return [replace(each, value=each.value - self._of(each)[0]) for each in measures]

    def with_movement(self, signals: Iterable[Signal]) -> list[Signal]:
        """The *signals* of `without` in the units of the series again, with limits around the movement."""
        return [
            replace(moved, severity="digest") if moved.name in self.unknown else moved
            for each in signals
            for moved in [_shifted(each, *self._of(each))]
        ]

    def _of(self, each: Measure | Signal) -> tuple[float, float]:
        movement = self.movements.get(each.name)
        if movement is None:
            return 0.0, 0.0
        day = _days([each])
        return float(movement.offset(day)[0]), float(movement.width(day)[0])


def expected(
    before: Sequence[Measure],
    last_year: Sequence[Measure] = (),
    newest: str = "",
    training: Sequence[Measure] = (),
    trends: Mapping[str, Trend] | None = None,
) -> Expected:
    """What is expected of each series until the day *newest*.

    *before* are the measures of the reference's days, *last_year* those of the days a year before, from the first of
    the reference on. *training* are distances of the days of the training rows from the reference, and *trends* those
    of means, by series. A year before is preferred to a trend.
    """
    movements: dict[str, Movement] = {}
    unknown = set()
    past, trained = by_series(last_year), by_series(training)
    for name, known in by_series(before).items():
        if len(past.get(name, ())) >= MIN_DAYS:
            found = _as_last_year(known, past[name], newest)
        elif name in trained:
            found = _apart(known, trained[name])
        else:
            trend = (trends or {}).get(name)
            if trend and trend.bends:
                unknown.add(name)
            found = _along(trend, known) if trend and not trend.bends else None
        if found:
            movements[name] = found
    # A day's estimate varies less than what was realised, so it shows a season that the other hides.
    for name in past:
        estimate = movements.get(name.replace("realised", "estimated", 1))
        if name.startswith("realised_performance") and estimate:
            movements.setdefault(name, estimate)
    return Expected(movements, frozenset(unknown))


def _along(trend: Trend, known: Sequence[Measure]) -> Movement:
    """A mean that follows a *trend*; or the distance of rows without it, which the error of the slope makes larger."""

    def wrong(at: Numbers) -> Numbers:
        return np.asarray(STANDARD_ERRORS * trend.error * np.abs(at - trend.centre))

    if known[0].metric != "jensen_shannon":
        return Movement(trend.at, wrong)
    level = float(np.mean([each.value for each in known]))
    return Movement(np.zeros_like, lambda at: np.sqrt(level**2 + (OF_A_SHIFT * wrong(at)) ** 2) - level)


def _apart(known: Sequence[Measure], trained: Sequence[Measure]) -> Movement | None:
    """The movement of a distance: its square grows with the square of the time from the reference, on both sides."""
    centre = float(_days(known).mean())
    level = float(np.mean([each.value for each in known]))
    time = (_days(trained) - centre) ** 2
    trend = trend_of(time, np.array([each.value for each in trained]) ** 2, 0.0)
    if not trend or trend.slope <= 0:
        return None

    def along(at: Numbers, slope: float) -> Numbers:
        return np.asarray(np.sqrt(level**2 + slope * (at - centre) ** 2) - level)

    more = trend.slope + STANDARD_ERRORS * trend.error
    return Movement(lambda at: along(at, trend.slope), lambda at: along(at, more) - along(at, trend.slope))


def _as_last_year(known: Sequence[Measure], past: Sequence[Measure], newest: str) -> Movement | None:
    """The movement of the year before, or None where it is not significant."""
    days = _days(known)
    first, last = int(days[0]), day_number(newest)
    squared = known[0].metric == "jensen_shannon"  # squares of distances add up
    calendar = np.arange(first - HALF_WIDTH, last + HALF_WIDTH + 1)
    value = np.full(len(calendar), np.nan)
    place = (_days(past) + YEAR - calendar[0]).astype(int)
    inside = (place >= 0) & (place < len(value))
    value[place[inside]] = np.array([each.value for each in past])[inside] ** (2 if squared else 1)
    there = np.isfinite(value)
    weight = np.convolve(there, WEIGHTS, "same")
    smooth = np.convolve(np.where(there, value, 0.0), WEIGHTS, "same") / np.where(weight > MIN_WEIGHT, weight, np.nan)
    rest = (value - smooth)[np.isfinite(value - smooth)]
    usual = smooth[days.astype(int) - calendar[0]]
    if len(rest) < MIN_DAYS or not np.isfinite(usual).any():
        return None
    moved = smooth - np.nanmean(usual)
    error = deviation_of_means(rest) * float(np.sqrt((WEIGHTS**2).sum() + 1 / len(known)))
    watched = moved[(calendar > days[-1]) & (calendar <= last)]
    if not np.isfinite(watched).any() or np.nanmax(np.abs(watched)) < SIGNIFICANT * error:
        return None
    level = float(np.mean([each.value for each in known]))
    # Ten times as many rows as a year before move ten times as much.
    scale = level / float(np.nanmean(usual)) if known[0].kind == "row_rate" else 1.0
    at_day, offsets = calendar[np.isfinite(moved)], scale * moved[np.isfinite(moved)]

    def offset(at: Numbers, more: float = 0.0) -> Numbers:
        found = np.interp(at, at_day, offsets)
        found = found + np.sign(found) * (BETWEEN_YEARS * np.abs(found) + STANDARD_ERRORS * abs(scale) * error) * more
        return np.asarray(np.sqrt(np.maximum(level**2 + found, 0.0)) - level if squared else found)

    return Movement(offset, lambda at: np.abs(offset(at, 1.0) - offset(at)))


def _shifted(signal: Signal, offset: float, width: float) -> Signal:
    """A signal with its value and everything around it moved by *offset*, and limits wider by *width*.

    A limit that is moved out of the metric's range is None: no value can pass it.
    """
    if not offset and not width:
        return signal
    least, most = range_of(signal)

    def moved(value: float | None, wider: float = 0.0) -> float | None:
        limit = None if value is None else value + offset + wider
        return limit if limit is None or least < limit < most else None

    return replace(
        signal,
        value=signal.value + offset,
        expected=signal.expected + offset,
        lower=moved(signal.lower, -width),
        upper=moved(signal.upper, width),
        level=None if signal.level is None else signal.level + offset,
        level_lower=moved(signal.level_lower, -width),
        level_upper=moved(signal.level_upper, width),
    )


def _days(measures: Sequence[Measure | Signal]) -> Numbers:
    return np.array([day_number(each.day) for each in measures], dtype=float)


def day_number(day: str) -> int:
    """The number of a *day* since 1970."""
    return int(np.datetime64(day, "D").astype(int))

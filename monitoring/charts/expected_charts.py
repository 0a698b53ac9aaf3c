"""Control charts of what is left of a series without the movement that is expected, and without holidays."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from contracts.monitoring_limits import Monitoring
from monitoring.charts.charting import Chart, charts, signals_of
from monitoring.charts.expected_movement import TRENDING, day_number, expected
from monitoring.charts.signals import Measure, Signal, Unknown, by_series
from monitoring.metrics.robust_trend import Trend

#: Kinds that are no alarm on a holiday: how many rows there are, and which.
ON_HOLIDAYS = ("row_rate", *TRENDING)
#: Fewer rows than this share of the expected ones are an outage on holidays, too.
OUTAGE = 0.1
#: What is said of a kind whose series bend.
SEASON_UNKNOWN = (
    "some of its series move with the calendar, and there is no year of history to compare them with: season unknown,"
    " so they are only in the digest"
)


@dataclass(frozen=True)
class Part:
    """Measures with one source: of the days that they are compared with, and of the days to evaluate.

    *last_year*, *training* and *trends* (by series) show how the series move, see `expected`.
    """

    before: list[Measure]
    now: list[Measure]
    last_year: list[Measure] = field(default_factory=list)
    training: list[Measure] = field(default_factory=list)
    trends: Mapping[str, Trend] = field(default_factory=dict)


@dataclass(frozen=True)
class Drawn:
    """The *charts* of what is left, the *signals* with the movement, and the kinds whose season is *unknown*."""

    charts: list[Chart]
    signals: list[Signal]
    unknown: list[Unknown]


def chart_expected(
    parts: Sequence[Part],
    influences: Mapping[str, float],
    rules: Monitoring,
    holidays: Mapping[str, str],
    trained: Sequence[Measure] = (),
) -> Drawn:
    """The charts of the *parts*. *holidays* are by day, with their names; *trained* are as in `charts`."""
    movements = [expected(each.before, each.last_year, _newest(each), each.training, each.trends) for each in parts]
    ordinary = [
        (
            of.without(_enough(each.before, _ordinary(each.before, holidays), rules.min_reference_days)),
            of.without(_ordinary(each.now, holidays)),
        )
        for each, of in zip(parts, movements, strict=True)
    ]
    for of in movements:
        trained = of.without(trained)
    drawn = charts(ordinary, influences, rules, trained)
    signals: list[Signal] = []
    for each, of, (_, now) in zip(parts, movements, ordinary, strict=True):
        mine = {measure.name for measure in now}
        own = [signal for chart in drawn if chart.series.name in mine for signal in signals_of(chart, rules)]
        signals += of.with_movement([*own, *_on_holidays(of.without(each.now), by_series(own), holidays)])
    unknown = {signal.kind for of in movements for signal in signals if signal.name in of.unknown}
    return Drawn(drawn, signals, [Unknown(kind, SEASON_UNKNOWN, yet=True) for kind in sorted(unknown)])


def holiday_remarks(signals: Iterable[Signal]) -> list[str]:
    """The values that were outside their limits on a holiday, as sentences."""
    return [
        f"holiday: {each.holiday} ({each.day}): {each.name.replace('_', ' ')} is {each.formatted(each.value)}, usual"
        f" {each.formatted(each.expected)}; no alarm"
        for each in signals
        if each.holiday and replace(each, holiday="").breached
    ]


def movement_remarks(signals: Sequence[Signal]) -> list[str]:
    """The series that are expected to move, as sentences."""
    return [
        f"{name.replace('_', ' ')}: {days[0].formatted(days[0].expected)} expected on {days[0].day},"
        f" {days[-1].formatted(days[-1].expected)} on {days[-1].day}"
        for name, days in by_series(signals).items()
        if days[0].expected != days[-1].expected
    ]


def _ordinary(measures: Sequence[Measure], holidays: Mapping[str, str]) -> list[Measure]:
    """The *measures* without those that a holiday may move, except an outage."""
    rates = [each.value for each in measures if each.kind == "row_rate"]
    usual = float(np.median(rates)) if rates else 0.0
    return [
        each
        for each in measures
        if each.day not in holidays
        or each.kind not in ON_HOLIDAYS
        or (each.kind == "row_rate" and each.value < OUTAGE * usual)
    ]


def _enough(every: Sequence[Measure], ordinary: Sequence[Measure], least: int) -> list[Measure]:
    """The *ordinary* days of each series, or *every* day of it where those are fewer than *least*."""
    kept = by_series(ordinary)
    return [
        each
        for name, days in by_series(every).items()
        for each in (kept[name] if len(kept.get(name, ())) >= least else days)
    ]


def _on_holidays(
    measures: Sequence[Measure], charted: Mapping[str, Sequence[Signal]], holidays: Mapping[str, str]
) -> Iterable[Signal]:
    """The days of holidays on the charts: with the limits of the nearest day, and no alarm."""
    for each in measures:
        days = charted.get(each.name, ())
        if each.day in holidays and days and not any(day.day == each.day for day in days):
            nearest = min(days, key=lambda day: (abs(day_number(day.day) - day_number(each.day)), day.day))
            yield replace(
                nearest, day=each.day, value=each.value, rows=each.rows, level=None, holiday=holidays[each.day]
            )


def _newest(part: Part) -> str:
    return max((each.day for each in (*part.now, *part.before)), default="")

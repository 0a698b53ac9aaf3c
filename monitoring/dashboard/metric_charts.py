"""Performance and control charts: a figure per metric and per signal, all with one time axis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from monitoring.charts.signals import Signal, by_series
from monitoring.dashboard.dashboard_data import DashboardData
from monitoring.dashboard.day_charts import Flag, Line, day_grid, line_chart
from monitoring.metrics.daily_metrics import LOSSES
from reporting.html import Figure

#: Versions whose lines one chart can hold; the newest.
MAX_VERSIONS = 4
#: The order of signals, by their severity.
_SEVERITIES = {"page": 0, "issue": 1, "digest": 2}


def performance(data: DashboardData) -> list[Figure]:
    """A chart per metric: realised and estimated performance, and the value on the holdout."""
    figures = (_metric(data, metric) for metric in data.metrics)
    return [figure for figure in figures if figure]


def signals(data: DashboardData) -> dict[str, Any]:
    """A control chart per signal: *loud* are those that were beyond a limit; {} without a signal."""
    by_name: dict[str, dict[str, list[Signal]]] = {}
    for version in data.versions:
        mine = [signal for owner, signal in data.signals if owner == version]
        for name, days in by_series(mine).items():
            by_name.setdefault(name, {})[version] = days
    if not by_name:
        return {}
    ordered = sorted(by_name.values(), key=_loudest_first)
    loud = [each for each in ordered if _alarms(each)]
    quiet = [each for each in ordered if not _alarms(each)]
    return {
        "count": len(ordered),
        "loud": [_signal(data, each) for each in loud],
        "quiet": [_signal(data, each) for each in quiet],
        "loud_grid": _grid("Beyond a limit, by day", data, loud),
        "quiet_grid": _grid("Within limits, by day", data, quiet),
    }


def series_words(signal: Signal) -> str:
    """A series for people: "unseen categories: origin"."""
    about = signal.metric if "performance" in signal.kind else ""
    if signal.kind == "latency":
        about = f"{signal.metric} in ms"
    what = " ".join(each for each in (about, signal.feature) if each)
    return _words(signal.kind) + (f": {what}" if what else "")


def short(version: str) -> str:
    """The part of a version's name that identifies it, at most seven characters."""
    return version.rpartition("-")[2][:7]


def releases(data: DashboardData) -> list[Flag]:
    """Each day on which another version than the day before answered most rows, by the rows' own time.

    Where no rows are known: on which another version was monitored.
    """
    most: dict[str, tuple[int, str]] = {}
    for version, signal in data.signals:
        most[signal.day] = (0, version)
    for day in data.days:
        most[day.day] = max(most.get(day.day, (0, "")), (day.rows, day.version))
    found, before = [], ""
    for at, (_, version) in sorted(most.items()):
        if before and version != before:
            found.append(Flag(_day(at), short(version)))
        before = version
    return found


def _metric(data: DashboardData, metric: str) -> Figure | None:
    lines, means = [], []
    estimates: dict[date, float] = {}
    shown = [v for v in data.versions if _has(data, v, metric)][-MAX_VERSIONS:]
    for version in shown:
        number = data.versions.index(version)
        mine = [d for d in data.days if d.version == version]
        realised = tuple((_day(d.day), d.metrics[metric]) for d in mine if metric in d.metrics)
        estimated = tuple(
            (_day(s.day), s.value)
            for owner, s in data.signals
            if owner == version and s.kind == "estimated_performance" and s.metric == metric
        )
        usual = data.usual.get(version, {}).get(metric)
        name = short(version)
        if realised:
            mean = sum(value for _, value in realised) / len(realised)
            means.append(f"{name}: realised {mean:.3f} on average over {len(realised)} days")
            lines.append(Line(f"{name} realised", number, realised))
        estimates |= dict(estimated)
        if usual is not None:
            days = sorted({day for day, _ in (*realised, *estimated)})
            lines.append(
                Line(f"{name} on the holdout", number, tuple((d, usual) for d in days), bare=True, end="holdout")
            )
    if estimates:
        lines.append(Line("estimated", 5, tuple(sorted(estimates.items()))))
    if not lines:
        return None
    better = "lower" if metric in LOSSES else "higher"
    title = f"{_words(metric)} ({better} is better)"
    return line_chart(title, "; ".join(means), lines, releases(data), _span(data), unit=_words(metric))


def _has(data: DashboardData, version: str, metric: str) -> bool:
    return any(metric in d.metrics for d in data.days if d.version == version) or any(
        owner == version and s.kind == "estimated_performance" and s.metric == metric for owner, s in data.signals
    )


def _signal(data: DashboardData, by_version: Mapping[str, Sequence[Signal]]) -> Figure | None:
    """One series over all versions, each with its own control limits."""
    lines: list[Line] = []
    shown = list(by_version)[-MAX_VERSIONS:]
    for version in shown:
        days, number = by_version[version], data.versions.index(version)
        alarms = frozenset(_day(d.day) for d in days if d.breached)
        values = tuple((_day(d.day), d.value) for d in days)
        name = short(version)
        lines.append(Line(name, number, values, alarms=alarms))
        limits = tuple((_day(d.day), limit) for d in days if (limit := _limit(d)) is not None)
        if limits:
            lines.append(Line(f"{name}: limit", number, limits, bare=True, end="limit"))
        if len({d.expected for d in days}) > 1:
            expected = tuple((_day(d.day), d.expected) for d in days)
            lines.append(Line(f"{name}: expected", number, expected, bare=True, end="expected"))
        if any(d.breached and not _is_jump(d) for d in days):
            levels = tuple((_day(d.day), d.level) for d in days if d.level is not None)
            lines.append(Line(f"{name}: level", 5, levels, end="level"))
    every = [day for days in by_version.values() for day in days]
    beyond, last = sum(d.breached for d in every), max(every, key=lambda d: d.day)
    often = f" · a false alarm in {_long(last.run_length)}" if last.run_length else ""
    description = (
        f"{last.severity} · beyond on {beyond} of {len(every)} days · {last.formatted(last.value, '.3g')} on {last.when},"
        f" usually {last.formatted(last.expected, '.3g')}{often}"
    ) + "".join(f" · holiday: {d.holiday} on {d.day}" for d in every if d.holiday)
    period = {1: "", 7: ", by week"}.get(last.days, f", by {last.days} days")
    title, unit = series_words(every[0]) + period, _unit(every[0])
    return line_chart(title, description, lines, releases(data), _span(data), unit=unit, note=True)


def _unit(signal: Signal) -> str:
    """The quantity of a series with its unit, for the axis."""
    units = {"latency": "ms", "errors": "share of requests", "row_rate": "rows a day", "score_drift": "mean score"}
    return units.get(signal.kind, _words(signal.metric))


def _long(days: float) -> str:
    return f"{days / 365:.0f} years" if days >= 730 else f"{days:.0f} days"


def _grid(title: str, data: DashboardData, series: Sequence[Mapping[str, Sequence[Signal]]]) -> Figure | None:
    """Which signals were beyond a limit on which day: what was so together is one column."""
    days = sorted({signal.day for _, signal in data.signals})
    rows = []
    for each in series:
        every = sorted((day for found in each.values() for day in found), key=lambda day: day.breached)
        marked = {day.day: "#" if day.breached else "." for day in every}
        rows.append((series_words(every[0]), "".join(marked.get(day, " ") for day in days)))
    beyond = [label for label, marks in rows if "#" in marks]
    return day_grid(title, "Beyond limits at least once: " + (", ".join(beyond) or "none"), days, rows)


def _limit(day: Signal) -> float | None:
    """The limit that the value is nearer to."""
    sides = [side for side in (day.lower, day.upper) if side is not None]
    return min(sides, key=lambda side: abs(side - day.value), default=None)


def _is_jump(day: Signal) -> bool:
    above = day.upper is not None and day.value > day.upper
    return above or (day.lower is not None and day.value < day.lower)


def _alarms(by_version: Mapping[str, Sequence[Signal]]) -> int:
    return sum(day.breached for days in by_version.values() for day in days)


def _loudest_first(by_version: Mapping[str, Sequence[Signal]]) -> tuple[bool, int, int, str]:
    first = next(iter(by_version.values()))[0]
    alarms = _alarms(by_version)
    return not alarms, _SEVERITIES.get(first.severity, 3), -alarms, first.name


def _span(data: DashboardData) -> tuple[date, date]:
    days = [*(d.day for d in data.days), *(s.day for _, s in data.signals)]
    return _day(min(days)), _day(max(days))


def _words(name: str) -> str:
    return name.replace("_", " ")


def _day(text: str) -> date:
    return date.fromisoformat(text)

"""How well it did and what moved: a chart per metric and per signal, all with one time. HTML from a story."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

from monitoring.charts.signals import Signal, by_series
from monitoring.dashboard.chart_svg import Line, Mark, chart
from monitoring.dashboard.dashboard_data import Story
from monitoring.dashboard.timeline import grid
from monitoring.metrics.daily_metrics import LOSSES

#: Versions whose lines one chart can hold; the newest.
TOGETHER = 4
#: The order of what is watched, as its tiers have it.
_TIERS = {"page": 0, "issue": 1, "digest": 2}


def performance(story: Story) -> str:
    """A chart per metric: realised, estimated, and as it was judged."""
    drawn = "".join(_metric(story, metric) for metric in story.metrics)
    if not drawn:
        return (
            '<p class="empty">A chart per metric appears when outcomes are told (<code>POST /outcome</code>) and'
            " the watch has looked at them: <code>make watch</code>.</p>"
        )
    return (
        '<p class="soft">Realised: by the outcomes told. Estimated: by the watch, before outcomes are in; it assumes'
        " that features still mean for the target what they meant. Dashed: when it was judged. Flags: another"
        f' version answers.</p><div class="charts">{drawn}</div>'
    )


def signals(story: Story) -> str:
    """Every signal on its control chart: those that were beyond a limit first, the quiet ones folded."""
    if not story.signals:
        return (
            '<p class="empty">A control chart per signal appears here, with its alarms and the releases marked, once'
            " the watch has judged a day: <code>make watch</code>.</p>"
        )
    by_name: dict[str, dict[str, list[Signal]]] = {}
    for version in story.versions:
        mine = [signal for owner, signal in story.signals if owner == version]
        for name, days in by_series(mine).items():
            by_name.setdefault(name, {})[version] = days
    ordered = sorted(by_name.values(), key=_loudest_first)
    loud = [each for each in ordered if _alarms(each)]
    quiet = [each for each in ordered if not _alarms(each)]
    told = (
        f"Beyond a limit at some time: {len(loud)} of {len(ordered)} signals."
        " Dashed: the limit. Ringed: beyond it. Flags: another version answers."
    )
    parts = [f'<p class="soft">{told}</p>']
    if loud:
        parts.append(_grid("What moved together", story, loud))
        parts.append(f'<div class="charts">{"".join(_signal(story, each) for each in loud)}</div>')
    if quiet:
        charts = "".join(_signal(story, each) for each in quiet)
        words = f"{len(quiet)} {'chart' if len(quiet) == 1 else 'charts'} that stayed within limits"
        parts.append(
            f'<details class="more"><summary>{words}</summary>{_grid("Day by day", story, quiet)}<div class="charts">{charts}</div></details>'
        )
    return "".join(parts)


def series_words(signal: Signal) -> str:
    """A series for people: "unseen categories: origin"."""
    about = signal.metric if "performance" in signal.kind else ""
    if signal.kind == "latency":
        about = f"{signal.metric} in ms"
    what = " ".join(each for each in (about, signal.feature) if each)
    return _words(signal.kind) + (f": {what}" if what else "")


def short(version: str) -> str:
    """What tells versions apart, in seven signs."""
    return version.rpartition("-")[2][:7]


def marks(story: Story) -> list[Mark]:
    """Each day on which another version than before answered the most rows, by the rows' own time.

    Where no rows are known: on which another was watched.
    """
    most: dict[str, tuple[int, str]] = {}
    for version, signal in story.signals:
        most[signal.day] = (0, version)
    for day in story.days:
        most[day.day] = max(most.get(day.day, (0, "")), (day.rows, day.version))
    found, before = [], ""
    for at, (_, version) in sorted(most.items()):
        if before and version != before:
            found.append(Mark(_day(at), short(version)))
        before = version
    return found


def _metric(story: Story, metric: str) -> str:
    lines, told = [], []
    estimates: dict[date, float] = {}
    shown = [v for v in story.versions if _has(story, v, metric)][-TOGETHER:]
    for version in shown:
        number = story.versions.index(version)
        mine = [d for d in story.days if d.version == version]
        realised = tuple((_day(d.day), d.metrics[metric]) for d in mine if metric in d.metrics)
        estimated = tuple(
            (_day(s.day), s.value)
            for owner, s in story.signals
            if owner == version and s.kind == "estimated_performance" and s.metric == metric
        )
        usual = story.usual.get(version, {}).get(metric)
        name = short(version)
        if realised:
            mean = sum(value for _, value in realised) / len(realised)
            told.append(f"{name}: realised {mean:.3f} on average over {len(realised)} days")
            lines.append(Line(f"{name} realised", number, realised))
        estimates |= dict(estimated)
        if usual is not None:
            days = sorted({day for day, _ in (*realised, *estimated)})
            judged = ((days[0], usual), *((day, usual) for day in days[1:]))
            lines.append(Line(f"{name} when judged: {usual:.3f}", number, judged, bare=True, end="judged"))
    if estimates:
        lines.append(Line("estimated", 5, tuple(sorted(estimates.items()))))
    if not lines:
        return ""
    better = "smaller" if metric in LOSSES else "larger"
    title = f"{_words(metric)} ({better} is better)"
    return chart(title, "; ".join(told), lines, marks(story), _span(story))


def _has(story: Story, version: str, metric: str) -> bool:
    return any(metric in d.metrics for d in story.days if d.version == version) or any(
        owner == version and s.kind == "estimated_performance" and s.metric == metric for owner, s in story.signals
    )


def _signal(story: Story, by_version: Mapping[str, Sequence[Signal]]) -> str:
    """One series over all versions: each has limits of its own."""
    lines: list[Line] = []
    shown = list(by_version)[-TOGETHER:]
    for version in shown:
        days, number = by_version[version], story.versions.index(version)
        alarms = frozenset(_day(d.day) for d in days if d.breached)
        values = tuple((_day(d.day), d.value) for d in days)
        name = short(version)
        lines.append(Line(name, number, values, alarms=alarms))
        limits = tuple((_day(d.day), limit) for d in days if (limit := _limit(d)) is not None)
        if limits:
            lines.append(Line(f"{name}: limit", number, limits, bare=True, end="limit"))
        if any(d.breached and not _is_jump(d) for d in days):
            levels = tuple((_day(d.day), d.level) for d in days if d.level is not None)
            lines.append(Line(f"{name}: lately", 5, levels, end="lately"))
    every = [day for days in by_version.values() for day in days]
    beyond, last = sum(d.breached for d in every), max(every, key=lambda d: d.day)
    often = f" · a false alarm in {_long(last.run_length)}" if last.run_length else ""
    told = (
        f"{last.tier} · beyond on {beyond} of {len(every)} days · {last.told(last.value, '.3g')} on {last.day},"
        f" usually {last.told(last.expected, '.3g')}{often}"
    )
    return chart(series_words(every[0]), told, lines, marks(story), _span(story), said=True)


def _long(days: float) -> str:
    return f"{days / 365:.0f} years" if days >= 730 else f"{days:.0f} days"


def _grid(title: str, story: Story, series: Sequence[Mapping[str, Sequence[Signal]]]) -> str:
    """Signals, day by day: what moved together is one column."""
    days = sorted({signal.day for _, signal in story.signals})
    rows = []
    for each in series:
        every = sorted((d for found in each.values() for d in found), key=lambda d: d.breached)
        marked = {d.day: "#" if d.breached else "." for d in every}
        rows.append((series_words(every[0]), "".join(marked.get(day, " ") for day in days)))
    loud = [label for label, found in rows if "#" in found]
    told = "Beyond limits at least once: " + (", ".join(loud) or "none")
    return grid(title, told, days, rows)


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
    return not alarms, _TIERS.get(first.tier, 3), -alarms, first.name


def _span(story: Story) -> tuple[date, date]:
    days = [*(d.day for d in story.days), *(s.day for _, s in story.signals)]
    return _day(min(days)), _day(max(days))


def _words(name: str) -> str:
    return name.replace("_", " ")


def _day(text: str) -> date:
    return date.fromisoformat(text)

"""Story -> one HTML page that needs no network: what was live, how well it did, what moved.

Pure. Everything that comes from data, notes or people is escaped, and the page's own policy forbids
it to load or run anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from html import escape
from typing import Any

from monitoring.drawing import Line, chart, grid, lanes, table
from monitoring.metrics import LOSSES
from monitoring.signals import Signal, by_series
from monitoring.story import Story

_STYLE = """
:root { color-scheme: light dark; --paper: #fff; --ink: #1b1b1b; --soft: #5b5b5b; --rule: #d9d9d9;
  --v0: #0072b2; --v1: #b35900; --v2: #00785a; --v3: #a3467a; --v4: #8a6d00; --v5: #2b7fb0; --alarm: #d55e00; }
@media (prefers-color-scheme: dark) { :root { --paper: #16181b; --ink: #ececec; --soft: #a9adb2;
  --rule: #3a3e44; --v0: #56b4e9; --v1: #e69f00; --v2: #2fc79b; --v3: #e08fbb; --v4: #f0e442; --v5: #9ecbe8;
  --alarm: #ff7f2a; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1rem; max-width: 76rem; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.5rem; margin: 0 0 .25rem; } h2 { font-size: 1.15rem; margin: 2rem 0 .5rem; }
p { max-width: 46rem; } .soft { color: var(--soft); }
.charts { display: grid; gap: 1rem 1.5rem; grid-template-columns: repeat(auto-fit, minmax(min(100%, 27rem), 1fr)); }
figure { margin: 0; min-width: 0; } figcaption { font-weight: 600; }
.scroll { overflow-x: auto; } svg { display: block; width: 100%; height: auto; }
.wide svg { min-width: 46rem; }
text { font: 12px system-ui, sans-serif; fill: var(--soft); }
.rule { stroke: var(--rule); fill: none; }
.line { fill: none; stroke-width: 1.8; } .bare { fill: none; stroke-width: 1.3; stroke-dasharray: 5 4; }
.v0 { stroke: var(--v0); } .v1 { stroke: var(--v1); } .v2 { stroke: var(--v2); } .v3 { stroke: var(--v3); }
.v4 { stroke: var(--v4); } .v5 { stroke: var(--v5); }
.point, .bar { stroke-width: 1.2; } .point.v0, .bar.v0 { fill: var(--v0); } .point.v1, .bar.v1 { fill: var(--v1); }
.point.v2, .bar.v2 { fill: var(--v2); } .point.v3, .bar.v3 { fill: var(--v3); }
.point.v4, .bar.v4 { fill: var(--v4); } .point.v5, .bar.v5 { fill: var(--v5); }
.alarm { fill: none; stroke: var(--alarm); stroke-width: 2; }
.beyond { fill: var(--alarm); } .within { fill: var(--soft); }
.legend { list-style: none; margin: .25rem 0; padding: 0; display: flex; flex-wrap: wrap; gap: 0 1rem; font-size: .85rem; }
.key { display: inline-block; width: 1rem; height: 1rem; vertical-align: -.15rem; }
table { border-collapse: collapse; font-size: .85rem; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .2rem .8rem .2rem 0; border-bottom: 1px solid var(--rule); vertical-align: top; }
summary { cursor: pointer; font-size: .85rem; color: var(--soft); }
pre { white-space: pre-wrap; overflow-wrap: anywhere; font-size: .8rem; border-left: 3px solid var(--rule); padding-left: .8rem; }
"""
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


def page(story: Story) -> str:
    """The page, as one HTML document."""
    name = story.name or "no model yet"
    sections = [
        ("Which version answered", _served(story)),
        ("How well it did", _performance(story)),
        ("What moved", _drift(story)),
        ("Alerts", _alerts(story.alerts)),
        ("Releases", _releases(story.releases)),
        ("Proposals", _proposals(story.proposals)),
        ("Could not be read", _list(story.notes)),
    ]
    body = "".join(
        f"<section><h2>{heading}</h2>{inside}</section>" for heading, inside in sections if inside
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(name)}: the story so far</title><style>{_STYLE}</style></head>"
        f"<body><header><h1>{escape(name)}</h1><p>{escape(summary(story))}</p></header>"
        f"<main>{body}</main></body></html>\n"
    )


def summary(story: Story) -> str:
    """The story in three sentences."""
    live = story.moves[-1].champion if story.moves else ""
    rows, known = sum(d.rows for d in story.days), sum(d.labelled for d in story.days)
    opened = [alert for alert in story.alerts if alert.state == "open"]
    return (
        (f"{live} is live. " if live else "Nothing is live. ")
        + f"{rows:,} rows were answered by {_count(len(story.versions), 'version')},"
        + f" outcomes are known for {known:,}. "
        + (f"{_count(len(opened), 'alert')} open." if opened else "No alert is open.")
    )


def _served(story: Story) -> str:
    rows = [
        (version, style, [(_day(d.day), d.rows) for d in story.days if d.version == version])
        for style, version in enumerate(story.versions)
    ]
    told = "; ".join(f"{version} from {days[0][0]} to {days[-1][0]}" for version, _, days in rows)
    moves = table(
        ["when", "champion", "why"],
        [[move.at, move.champion or "none", move.message] for move in story.moves],
    )
    drawn = lanes("Rows answered by day, by the rows' own time", told, rows)
    changes = f"<p class='soft'>Every change of live.toml:</p>{moves}" if story.moves else ""
    return f'<div class="charts"><div>{drawn}</div><div>{changes}</div></div>'


def _performance(story: Story) -> str:
    drawn = "".join(_metric(story, metric) for metric in story.metrics)
    if not drawn:
        return '<p class="soft">No outcomes are known yet, and no run of the watch has estimated any.</p>'
    return (
        '<p class="soft">Realised: by the outcomes told. Estimated: by the watch, before outcomes are in;'
        " it assumes that features still mean for the target what they meant. Dashed: when it was judged.</p>"
        f'<div class="charts">{drawn}</div>'
    )


def _metric(story: Story, metric: str) -> str:
    lines, told = [], []
    for number, version in enumerate(story.versions):
        mine = [d for d in story.days if d.version == version]
        realised = tuple((_day(d.day), d.metrics[metric]) for d in mine if metric in d.metrics)
        estimated = tuple(
            (_day(s.day), s.value)
            for owner, s in story.signals
            if owner == version and s.kind == "estimated_performance" and s.metric == metric
        )
        usual = story.usual.get(version, {}).get(metric)
        short = version[-7:]
        if realised:
            mean = sum(value for _, value in realised) / len(realised)
            told.append(f"{short}: realised {mean:.3f} on average over {len(realised)} days")
            lines.append(Line(f"{short} realised", number, realised))
        if estimated:
            lines.append(Line(f"{short} estimated", 5, estimated))
        if usual is not None and (realised or estimated):
            days = sorted({day for day, _ in (*realised, *estimated)})
            judged = ((days[0], usual), *((day, usual) for day in days[1:]))
            lines.append(Line(f"{short} when judged: {usual:.3f}", number, judged, bare=True))
    better = "smaller" if metric in LOSSES else "larger"
    return chart(f"{_words(metric)} ({better} is better)", "; ".join(told), lines)


def _drift(story: Story) -> str:
    drawn, grids = [], []
    for version in story.versions:
        mine = [signal for owner, signal in story.signals if owner == version]
        series = by_series(mine)
        short = version[-7:]
        main = [
            days
            for days in series.values()
            if days[0].kind in ("multivariate_drift", "score_drift")
            or (days[0].kind == "unseen_categories" and any(d.breached for d in days))
        ]
        drawn += [_signal(short, days) for days in main]
        days = sorted({signal.day for signal in mine})
        rows = []
        for each in sorted(series.values(), key=lambda each: -sum(d.breached for d in each)):
            marks = {signal.day: "#" if signal.breached else "." for signal in each}
            rows.append((series_words(each[0]), "".join(marks.get(day, " ") for day in days)))
        title = f"{short}: every signal, day by day"
        beyond = [label for label, marks in rows if "#" in marks]
        told = "Beyond limits at least once: " + (", ".join(beyond) or "none")
        grids.append(f'<div class="wide">{grid(title, told, days, rows)}</div>')
    if not drawn:
        return '<p class="soft">The watch has not judged a day yet.</p>'
    return f'<div class="charts">{"".join(drawn)}</div>{"".join(grids)}'


def _signal(short: str, days: Sequence[Signal]) -> str:
    alarms = frozenset(_day(d.day) for d in days if d.breached)
    limits = tuple(
        (_day(d.day), limit)
        for d in days
        if (limit := d.upper if d.upper is not None else d.lower) is not None
    )
    lines = [Line("value", 0, tuple((_day(d.day), d.value) for d in days), alarms=alarms)]
    if limits:
        lines.append(Line("limit", 1, limits, bare=True))
    return chart(
        f"{short}: {series_words(days[0])}",
        f"beyond its limit on {len(alarms)} of {len(days)} days",
        lines,
    )


def series_words(signal: Signal) -> str:
    """A series for people: "unseen categories: origin"."""
    what = signal.feature or (signal.metric if signal.kind.endswith("performance") else "")
    return _words(signal.kind) + (f": {what}" if what else "")


def _alerts(alerts: Iterable[Any]) -> str:
    found = []
    for alert in alerts:
        head = f"<strong>{escape(alert.state)}</strong> · {alert.number} · {escape(alert.title)}"
        history = _list(alert.history)
        found.append(f"<details><summary>{head}</summary>{history}{_text(alert.body)}</details>")
    return "".join(found) or '<p class="soft">There was none.</p>'


def _releases(releases: Iterable[Any]) -> str:
    return "".join(
        f"<details><summary><strong>{escape(each.state)}</strong> · {escape(each.version)} ·"
        f" {escape(each.at)}</summary>{_text(each.notes)}</details>"
        for each in releases
    )


def _proposals(proposals: Iterable[Any]) -> str:
    found = []
    for each in proposals:
        said = each.status[1] if each.status else "no verdict yet"
        more = "".join(_text(comment) for comment in each.comments.values())
        head = f"<strong>{escape(each.state)}</strong> · {each.number} · {escape(each.title)}"
        found.append(
            f"<details><summary>{head}<br>{escape(said)}</summary>{_text(each.body)}{more}</details>"
        )
    return "".join(found)


def _list(lines: Sequence[str]) -> str:
    return "<ul>" + "".join(f"<li>{escape(line)}</li>" for line in lines) + "</ul>" if lines else ""


def _text(text: str) -> str:
    return f"<pre>{escape(text)}</pre>" if text.strip() else ""


def _words(name: str) -> str:
    return name.replace("_", " ")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")


def _day(text: str) -> date:
    return date.fromisoformat(text)

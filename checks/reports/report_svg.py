"""Charts of the report's page: bars with a line over them, bars by name, and intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from checks.reports.evidence_charts import Chart
from reporting import svg
from reporting.html import Figure, Table
from reporting.mermaid import number

WIDTH, HEIGHT = 360, 220
LEFT, RIGHT, TOP, BOTTOM = 44, 8, 26, 78
ROW, NAME, MAX_NAME_LENGTH = 20, 132, 22
#: Labels below an axis that have room beside each other.
LABELS = 6


@dataclass(frozen=True)
class Interval:
    """A value with its interval, and the limit that the whole of it should lie above (None: 0)."""

    name: str
    value: float
    low: float
    high: float
    limit: float | None = None


def bars(chart: Chart) -> Figure:
    """Bars from 0 in the order of *chart*, such as days, and its line over them."""
    floor = HEIGHT - BOTTOM
    y = svg.linear([0.0, *chart.bars, *chart.line], floor, TOP)
    step = (WIDTH - LEFT - RIGHT) / len(chart.bars)
    every = math.ceil(len(chart.bars) / LABELS)
    parts = [svg.y_axis(y, LEFT, WIDTH - RIGHT, chart.axis)]
    for place, (label, value) in enumerate(zip(chart.labels, chart.bars, strict=True)):
        left, top = LEFT + place * step, y(max(value, 0.0))
        parts.append(svg.rect("bar v0", left + step * 0.12, top, step * 0.76, floor - top))
        if place % every == 0:
            x = left + step / 2
            parts.append(
                f'<g transform="rotate(-30 {x:.1f} {floor + 14})">{svg.text(x, floor + 14, label[:16], anchor="end")}</g>'
            )
    parts.append(svg.text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 6, chart.across, "axis-name", "middle"))
    points = [(LEFT + (n + 0.5) * step, y(value)) for n, value in enumerate(chart.line)]
    if points:
        parts.append(svg.polyline("line v1", points))
        parts += [svg.shape(1, x, at) for x, at in points]
    rows = [
        [label, number(value), *(number(each) for each in chart.line[n : n + 1])]
        for n, (label, value) in enumerate(zip(chart.labels, chart.bars, strict=True))
    ]
    table = Table([chart.across, chart.axis, *(["line"] if chart.line else [])], rows)
    return Figure(chart.title, svg.drawing(chart.title, chart.words, (WIDTH, HEIGHT), parts), table, chart.words)


def named_bars(title: str, note: str, axis: str, shares: Sequence[tuple[str, float]]) -> Figure:
    """A bar for each name, one below the other; *axis* is the quantity with its unit."""
    bottom = ROW * len(shares) + 8
    x = svg.linear([0.0, *(value for _, value in shares)], NAME, WIDTH - RIGHT - 4)
    parts = [svg.x_axis(x, 4, bottom, axis)]
    for place, (name, value) in enumerate(shares):
        top = ROW * place + 8
        parts += [_name(name, top + 11), svg.rect("bar v0", NAME, top + 2, x(value) - NAME, ROW - 8)]
    table = Table(["", axis], [[name, number(value)] for name, value in shares])
    return Figure(title, svg.drawing(title, note, (WIDTH, bottom + 36), parts), table, note)


def intervals(title: str, note: str, axis: str, each: Sequence[Interval]) -> Figure | None:
    """A line for each interval, a point for its value, a bar for its limit; None without any.

    An interval that is not wholly above its limit is dashed, and its point is hollow.
    """
    if not each:
        return None
    bottom = ROW * len(each) + 8
    ends = (value for one in each for value in (one.low, one.high, one.value, one.limit or 0.0))
    x = svg.linear([0.0, *ends], NAME, WIDTH - RIGHT - 10)
    parts = [svg.x_axis(x, 4, bottom, axis), svg.path("zero", f"M{x(0):.1f} 4V{bottom}")]
    for place, one in enumerate(each):
        y = ROW * place + 16
        parts.append(_name(one.name, y + 4))
        if not all(map(math.isfinite, (one.value, one.low, one.high))):
            continue
        above = one.low > (one.limit or 0.0)
        parts.append(svg.path(f"line {'v0' if above else 'v5 unsure'}", f"M{x(one.low):.1f} {y}H{x(one.high):.1f}"))
        parts.append(svg.shape(0 if above else 5, x(one.value), y, 4))
        if one.limit is not None:
            parts.append(svg.path("limit", f"M{x(one.limit):.1f} {y - 8}V{y + 8}"))
    rows = [
        [o.name, f"{o.value:+.4f}", f"{o.low:+.4f}", f"{o.high:+.4f}", "" if o.limit is None else f"{o.limit:+.4f}"]
        for o in each
    ]
    table = Table(["", "value", "from", "to", "limit"], rows)
    return Figure(title, svg.drawing(title, note, (WIDTH, bottom + 36), parts), table, note)


def _name(name: str, y: float) -> str:
    short = name if len(name) <= MAX_NAME_LENGTH else f"{name[: MAX_NAME_LENGTH - 1]}…"
    return svg.text(NAME - 8, y, short, "name", "end")

"""Charts as SVG for the report's page: bars with a line, and intervals. Words are escaped here.

What tells two series apart is their shape, bar or line with points, as well as their colour.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from checks.reports.mermaid import Chart, number

WIDTH, HEIGHT = 460, 230
LEFT, RIGHT, TOP, BOTTOM = 48, 8, 10, 64
ROW, NAME = 22, 150


@dataclass(frozen=True)
class Interval:
    """A value with its interval, and the limit that the whole of it should lie above (None: none)."""

    name: str
    value: float
    low: float
    high: float
    limit: float | None = None


def bars(chart: Chart) -> str:
    """A figure: bars from nought, the line over them, and the same as a table."""
    top = max([*chart.bars, *chart.line, 0.0]) * 1.1 or 1.0
    step = (WIDTH - LEFT - RIGHT) / len(chart.bars)

    def y(value: float) -> float:
        return HEIGHT - BOTTOM - max(value, 0.0) / top * (HEIGHT - TOP - BOTTOM)

    inside = [
        f'<path class="rule" d="M{LEFT} {y(tick):.1f}H{WIDTH - RIGHT}"/>'
        f'<text x="{LEFT - 5}" y="{y(tick) + 4:.1f}" text-anchor="end">{number(tick, 2)}</text>'
        for tick in (0, top / 2, top)
    ]
    every = max(1, round(len(chart.bars) / 6))
    for place, (label, value) in enumerate(zip(chart.labels, chart.bars, strict=True)):
        left = LEFT + place * step
        inside.append(
            f'<rect class="bar" x="{left + step * 0.12:.1f}" y="{y(value):.1f}" width="{step * 0.76:.1f}" height="{HEIGHT - BOTTOM - y(value):.1f}"/>'
        )
        if place % every == 0:
            inside.append(
                f'<text x="{left + step / 2:.1f}" y="{HEIGHT - BOTTOM + 14}" text-anchor="end" transform="rotate(-30 {left + step / 2:.1f} {HEIGHT - BOTTOM + 14})">{escape(label[:14])}</text>'
            )
    points = [(LEFT + (n + 0.5) * step, y(value)) for n, value in enumerate(chart.line)]
    if points:
        inside.append(f'<path class="line" d="M{" L".join(f"{x:.1f} {at:.1f}" for x, at in points)}"/>')
        inside += [f'<circle class="point" cx="{x:.1f}" cy="{at:.1f}" r="3.5"/>' for x, at in points]
    names = ["", chart.axis, *(["line"] if chart.line else [])]
    rows = [
        [label, number(value), *([number(chart.line[n])] if chart.line else [])]
        for n, (label, value) in enumerate(zip(chart.labels, chart.bars, strict=True))
    ]
    return _figure(chart.title, chart.words, inside, HEIGHT) + _folded(names, rows)


def intervals(title: str, words: str, each: Sequence[Interval]) -> str:
    """A figure: a line for each interval, a point for its value, a bar for its limit; nought is marked."""
    if not each:
        return ""
    ends = [0.0, *(v for one in each for v in (one.low, one.high, one.value, one.limit or 0.0))]
    low, high = min(ends), max(ends)
    room = (high - low or 1.0) * 0.05
    low, high = low - room, high + room
    height = ROW * len(each) + 30

    def x(value: float) -> float:
        return NAME + (value - low) / (high - low) * (WIDTH - NAME - RIGHT)

    inside = [
        (
            f'<path class="rule" d="M{x(0):.1f} 4V{height - 22}"/>'
            f'<text x="{x(0):.1f}" y="{height - 6}" text-anchor="middle">0</text>'
        )
    ]
    for place, one in enumerate(each):
        y = ROW * place + 16
        sure = one.low > (0.0 if one.limit is None else one.limit)
        inside.append(f'<text x="{NAME - 8}" y="{y + 4}" text-anchor="end">{escape(one.name[:22])}</text>')
        inside.append(f'<path class="{"line" if sure else "unsure"}" d="M{x(one.low):.1f} {y}H{x(one.high):.1f}"/>')
        inside.append(f'<circle class="{"point" if sure else "hollow"}" cx="{x(one.value):.1f}" cy="{y}" r="4"/>')
        if one.limit is not None:
            inside.append(f'<path class="limit" d="M{x(one.limit):.1f} {y - 8}V{y + 8}"/>')
    rows = [
        [o.name, f"{o.value:+.4f}", f"{o.low:+.4f}", f"{o.high:+.4f}", "" if o.limit is None else f"{o.limit:+.4f}"]
        for o in each
    ]
    return _figure(title, words, inside, height) + _folded(["", "value", "from", "to", "limit"], rows)


def table(names: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table that scrolls by itself where the page is narrow."""
    head = "".join(f"<th>{escape(name)}</th>" for name in names)
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f'<div class="scroll" tabindex="0"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _figure(title: str, words: str, inside: Sequence[str], height: int) -> str:
    return (
        f'<figure><figcaption>{escape(title)}</figcaption><svg viewBox="0 0 {WIDTH} {height}" role="img"'
        f' aria-label="{escape(words)}">{"".join(inside)}</svg><p class="soft">{escape(words)}</p></figure>'
    )


def _folded(names: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return f"<details><summary>as a table</summary>{table(names, rows)}</details>"

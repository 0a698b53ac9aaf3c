"""Charts as SVG inside HTML: drawn to be read without colour, with the keyboard, and as a table.

A chart is 460 units wide, so that its words stay readable on a phone. What tells lines apart is
the shape of their points as well as their colour (Okabe and Ito's palette, set in the page's style).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from html import escape

WIDTH, HEIGHT = 460, 200
LEFT, RIGHT, TOP, BOTTOM = 44, 8, 10, 24
STYLES = 6


@dataclass(frozen=True)
class Line:
    """Points (day, value), in order. *style* picks colour and shape; alarms get a mark of their own.

    A *bare* line is thin and dashed, without points: a limit, or what was usual.
    """

    label: str
    style: int
    points: tuple[tuple[date, float], ...]
    bare: bool = False
    alarms: frozenset[date] = frozenset()


def chart(title: str, told: str, lines: Sequence[Line]) -> str:
    """A line chart with legend and table; "" without a point. *told* says in words what it shows."""
    points = [point for line in lines for point in line.points]
    if not points:
        return ""
    first, last = min(day for day, _ in points), max(day for day, _ in points)
    ticks = _ticks(min(value for _, value in points), max(value for _, value in points))

    def x(day: date) -> float:
        share = (day - first).days / ((last - first).days or 1)
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    def y(value: float) -> float:
        share = (value - ticks[0]) / (ticks[-1] - ticks[0])
        return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)

    inside = [
        f'<path class="rule" d="M{LEFT} {y(tick):.1f}H{WIDTH - RIGHT}"/>'
        f'<text x="{LEFT - 5}" y="{y(tick) + 4:.1f}" text-anchor="end">{tick:.4g}</text>'
        for tick in ticks
    ]
    inside += [
        f'<text x="{x(day):.1f}" y="{HEIGHT - 6}" text-anchor="{anchor}">{day:%d %b}</text>'
        for day, anchor in _days(first, last)
    ]
    for line in lines:
        colour = f"v{line.style % STYLES}"
        kind = "bare" if line.bare else "line"
        inside += [
            f'<polyline class="{kind} {colour}" points="'
            + " ".join(f"{x(day):.1f},{y(value):.1f}" for day, value in stretch)
            + '"/>'
            for stretch in _stretches(line.points)
        ]
        if not line.bare:
            inside += [
                shape(line.style, x(day), y(value))
                + (_alarm(x(day), y(value)) if day in line.alarms else "")
                for day, value in line.points
            ]
    legend = "".join(f"<li>{_key(line)} {escape(line.label)}</li>" for line in lines)
    if any(line.alarms for line in lines):
        legend += f"<li>{_swatch(_alarm(8, 8))} beyond the limit</li>"
    return figure(
        title,
        told,
        "".join(inside),
        (WIDTH, HEIGHT),
        f'<ul class="legend">{legend}</ul>' + _numbers(lines),
    )


def figure(title: str, told: str, inside: str, size: tuple[int, int], below: str) -> str:
    """An SVG of *size* with its name and its description, and what belongs *below* it."""
    return (
        f'<figure><figcaption>{escape(title)}</figcaption><div class="scroll" tabindex="0">'
        f'<svg viewBox="0 0 {size[0]} {size[1]}" role="img"><title>{escape(title)}</title>'
        f"<desc>{escape(told)}</desc>{inside}</svg></div>{below}</figure>"
    )


def grid(title: str, told: str, days: Sequence[str], rows: Sequence[tuple[str, str]]) -> str:
    """A row of marks per series (label, marks), one a day: ``#`` beyond, ``.`` within, else blank."""
    if not rows:
        return ""
    left, cell, high = 210, 14, 18
    inside = []
    for number, (label, marks) in enumerate(rows):
        top = 4 + number * high
        inside.append(
            f'<text x="{left - 6}" y="{top + 12}" text-anchor="end">{escape(label)}</text>'
        )
        inside += [_mark(mark, left + i * cell, top) for i, mark in enumerate(marks)]
    foot = 4 + len(rows) * high
    inside += [
        f'<text x="{left + i * cell + 6}" y="{foot + 14}" text-anchor="middle">{label}</text>'
        for i, label in enumerate(f"{date.fromisoformat(day):%d %b}" for day in days)
        if i % 4 == 0
    ]
    counts = [
        [label, str(marks.count("#")), str(sum(mark in "#." for mark in marks))]
        for label, marks in rows
    ]
    legend = (
        f'<ul class="legend"><li>{_swatch(_mark("#", 2, 1))} beyond its limit</li>'
        f"<li>{_swatch(_mark('.', 2, 1))} within</li><li>blank: not judged</li></ul>"
    )
    return figure(
        title,
        told,
        "".join(inside),
        (max(WIDTH, left + len(days) * cell + 30), foot + 22),
        legend + _folded(table(["signal", "days beyond", "days judged"], counts)),
    )


def lanes(
    title: str, told: str, rows: Sequence[tuple[str, int, Sequence[tuple[date, int]]]]
) -> str:
    """A lane per version (label, style, [(day, rows)]): a bar a day, as high as its rows."""
    bars = [bar for _, _, days in rows for bar in days]
    if not bars:
        return ""
    first, last = min(day for day, _ in bars), max(day for day, _ in bars)
    most, high = max(count for _, count in bars), 48
    step = (WIDTH - LEFT - RIGHT) / ((last - first).days + 1)
    inside = []
    for number, (label, style, days) in enumerate(rows):
        floor = (number + 1) * high
        inside.append(
            f'<text x="{LEFT}" y="{floor - high + 13}">{escape(label)}</text>'
            f'<path class="rule" d="M{LEFT} {floor}H{WIDTH - RIGHT}"/>'
        )
        for day, count in days:
            tall = max(1.5, count / most * (high - 20))
            at = LEFT + (day - first).days * step
            inside.append(
                f'<rect class="bar v{style % STYLES}" x="{at:.1f}" y="{floor - tall:.1f}"'
                f' width="{max(step - 1, 1):.1f}" height="{tall:.1f}"/>'
            )
    foot = len(rows) * high
    inside += [
        f'<text x="{LEFT + (day - first).days * step:.1f}" y="{foot + 16}"'
        f' text-anchor="{anchor}">{day:%d %b}</text>'
        for day, anchor in _days(first, last)
    ]
    counts = [
        [label, f"{days[0][0]}", f"{days[-1][0]}", f"{sum(count for _, count in days):,}"]
        for label, _, days in rows
    ]
    below = _folded(table(["version", "from", "to", "rows"], counts))
    return figure(title, told, "".join(inside), (WIDTH, foot + 22), below)


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """An HTML table of text."""
    head = "".join(f'<th scope="col">{escape(each)}</th>' for each in heads)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(each)}</td>" for each in row) + "</tr>" for row in rows
    )
    return (
        f'<div class="scroll" tabindex="0"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def shape(style: int, x: float, y: float, size: float = 3.2) -> str:
    """The point of a *style*: circle, square, triangle, diamond, cross or hollow circle."""
    kind = f'class="point v{style % STYLES}"'
    s = size
    drawn = (
        f'<circle {kind} cx="{x:.1f}" cy="{y:.1f}" r="{s}"/>',
        f'<rect {kind} x="{x - s:.1f}" y="{y - s:.1f}" width="{2 * s}" height="{2 * s}"/>',
        f'<path {kind} d="M{x:.1f} {y - s:.1f}l{s} {2 * s}h{-2 * s}z"/>',
        f'<path {kind} d="M{x:.1f} {y - 1.3 * s:.1f}l{s} {1.3 * s}l{-s} {1.3 * s}l{-s} {-1.3 * s}z"/>',
        f'<path {kind} d="M{x - s:.1f} {y - s:.1f}l{2 * s} {2 * s}m{-2 * s} 0l{2 * s} {-2 * s}"/>',
        f'<circle {kind} fill-opacity="0" cx="{x:.1f}" cy="{y:.1f}" r="{s}"/>',
    )
    return drawn[style % STYLES]


def _key(line: Line) -> str:
    colour = f"v{line.style % STYLES}"
    if line.bare:
        return _swatch(f'<path class="bare {colour}" d="M0 8H16"/>')
    return _swatch(f'<path class="line {colour}" d="M0 8H16"/>' + shape(line.style, 8, 8))


def _swatch(inside: str) -> str:
    return f'<svg class="key" viewBox="0 0 16 16" aria-hidden="true">{inside}</svg>'


def _mark(mark: str, x: float, y: float) -> str:
    if mark == "#":
        return f'<rect class="beyond" x="{x}" y="{y}" width="12" height="14" rx="2"/>'
    return f'<circle class="within" cx="{x + 6}" cy="{y + 7}" r="2"/>' if mark == "." else ""


def _alarm(x: float, y: float) -> str:
    return f'<circle class="alarm" cx="{x:.1f}" cy="{y:.1f}" r="6.5"/>'


def _folded(inside: str) -> str:
    return f"<details><summary>as a table</summary>{inside}</details>"


def _numbers(lines: Sequence[Line]) -> str:
    days = sorted({day for line in lines for day, _ in line.points})
    values = [dict(line.points) for line in lines]
    rows = []
    for day in days:
        cells = [f"{known[day]:.4g}" if day in known else "" for known in values]
        beyond = [line.label for line in lines if day in line.alarms]
        rows.append([day.isoformat(), *cells, ", ".join(beyond)])
    return _folded(table(["day", *(line.label for line in lines), "beyond the limit"], rows))


def _stretches(points: Sequence[tuple[date, float]]) -> list[list[tuple[date, float]]]:
    """The points, parted where a day is missing: a line must not say what nobody saw."""
    found: list[list[tuple[date, float]]] = []
    for point in points:
        if found and (point[0] - found[-1][-1][0]).days == 1:
            found[-1].append(point)
        else:
            found.append([point])
    return found


def _ticks(least: float, most: float) -> list[float]:
    """Three to six round numbers from below *least* to above *most*."""
    span = (most - least) or abs(most) or 1.0
    power = 10 ** math.floor(math.log10(span / 4))
    step = next(n * power for n in (1, 2, 2.5, 5, 10) if span / (n * power) <= 5)
    low, high = math.floor(least / step), math.ceil(most / step)
    return [n * step for n in range(low, max(high, low + 1) + 1)]


def _days(first: date, last: date) -> Iterable[tuple[date, str]]:
    if (last - first).days >= 2:
        yield first, "start"
        yield first + (last - first) / 2, "middle"
        yield last, "end"
    else:
        yield first, "start"

"""Charts as SVG inside HTML: drawn to be read without colour, with the keyboard, and as a table.

A chart is 360 units wide, which is a phone's width: its words are as large as those around it. What
tells lines apart is the shape of their points as well as their colour (Okabe and Ito's palette, set in
the page's style), and the newest value is written at its line's end.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from html import escape
from itertools import pairwise

WIDTH, HEIGHT = 360, 180
LEFT, RIGHT, TOP, BOTTOM = 40, 58, 24, 22
STYLES = 6
#: More points than these run together: then only the line is drawn, and what is beyond its limit.
POINTS = 40
#: How near to each other two words may stand, down and across.
ROW, COLUMN = 12, 52


@dataclass(frozen=True)
class Line:
    """Points (day, value), in order. *style* picks colour and shape; alarms get a mark of their own.

    A *bare* line is thin and dashed, without points: a limit, or what was usual. *end* is written at
    its end: the newest value, where nothing is given; a bare line that has one is not in the legend. *spread*
    is what may be true on a day, from the lowest to the highest: it is shaded.
    """

    label: str
    style: int
    points: tuple[tuple[date, float], ...]
    bare: bool = False
    alarms: frozenset[date] = frozenset()
    end: str = ""
    spread: tuple[tuple[date, float, float], ...] = ()


@dataclass(frozen=True)
class Mark:
    """Something that happened on a day, in a word: a release."""

    day: date
    label: str


def chart(
    title: str,
    told: str,
    lines: Sequence[Line],
    marks: Sequence[Mark] = (),
    days: tuple[date, date] | None = None,
    *,
    said: bool = False,
) -> str:
    """A line chart with legend and table; "" without a point. *told* says in words what it shows.

    *days* are the first and the last, so that charts beside each other have one time. Each of *marks*
    is an upright with its word above. With *said* the words are seen, too.
    """
    points = [point for line in lines for point in line.points]
    if not points:
        return ""
    points += [(day, each) for line in lines for day, *ends in line.spread for each in ends]
    first, last = days or (min(day for day, _ in points), max(day for day, _ in points))
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
        f'<text x="{x(day):.1f}" y="{HEIGHT - 5}" text-anchor="{anchor}">{day:%d %b}</text>'
        for day, anchor in ends_of(first, last)
    ]
    inside += _uprights([(x(m.day), m.label) for m in marks if first <= m.day <= last])
    for line in lines:
        colour = f"v{line.style % STYLES}"
        kind = "bare" if line.bare else "line"
        if line.spread:
            there = [f"{x(day):.1f},{y(high):.1f}" for day, _, high in line.spread]
            back = [f"{x(day):.1f},{y(low):.1f}" for day, low, _ in line.spread[::-1]]
            inside.append(f'<polygon class="spread {colour}" points="{" ".join(there + back)}"/>')
        inside += [
            f'<polyline class="{kind} {colour}" points="'
            + " ".join(f"{x(day):.1f},{y(value):.1f}" for day, value in stretch)
            + '"/>'
            for stretch in _stretches(line.points)
        ]
        if not line.bare:
            few = len(line.points) <= POINTS
            inside += [
                (shape(line.style, x(day), y(value), 2.4) if few or day in line.alarms else "")
                + (_alarm(x(day), y(value)) if day in line.alarms else "")
                for day, value in line.points
            ]
    inside += _ends(
        [
            (y(line.points[-1][1]), line)
            for line in lines
            if line.points and x(line.points[-1][0]) > WIDTH - 2 * RIGHT  # else it ends in the midst
        ]
    )
    legend = "".join(f"<li>{_key(line)} {escape(line.label)}</li>" for line in lines if not (line.bare and line.end))
    if any(line.alarms for line in lines):
        legend += f"<li>{swatch(_alarm(8, 8))} beyond the limit</li>"
    below = f'<ul class="legend">{legend}</ul>' + _numbers(lines)
    seen = f'<p class="soft">{escape(told)}</p>' if said else ""
    return figure(title, told, "".join(inside), (WIDTH, HEIGHT), below, above=seen)


def _uprights(marks: Sequence[tuple[float, str]]) -> Iterable[str]:
    """An upright each, its word on the side that has room for it; none where neither has."""
    free = 0.0
    for (at, label), (following, _) in pairwise([*sorted(marks), (float(WIDTH), "")]):
        yield f'<path class="mark" d="M{at:.1f} {TOP - 8}V{HEIGHT - BOTTOM}"/>'
        yield f'<path class="flag" d="M{at:.1f} {TOP - 8}l-4 -6h8z"/>'
        to_right, to_left = following - at > COLUMN + 8, at - free > COLUMN + 8
        free = at + (COLUMN + 8 if to_right else 4)
        if to_right or to_left:
            place, anchor = (at + 6, "start") if to_right else (at - 6, "end")
            yield (f'<text class="word" x="{place:.1f}" y="{TOP - 9}" text-anchor="{anchor}">{escape(label)}</text>')


def _ends(ends: Sequence[tuple[float, Line]]) -> Iterable[str]:
    """The word at the end of each line, moved down where another has its place."""
    free = -math.inf
    for at, line in sorted(ends, key=lambda each: each[0]):
        where = max(at + 4, free)
        words = line.end or f"{line.points[-1][1]:.3g}"
        soft = "" if line.bare else f" v{line.style % STYLES}"
        yield f'<text class="end{soft}" x="{WIDTH - RIGHT + 6}" y="{where:.1f}">{escape(words)}</text>'
        free = where + ROW


def figure(title: str, told: str, inside: str, size: tuple[int, int], below: str, *, above: str = "") -> str:
    """An SVG of *size* with its name and its description, and what belongs *above* and *below* it."""
    return (
        f"<figure><figcaption>{escape(title)}</figcaption>{above}"
        f'<svg viewBox="0 0 {size[0]} {size[1]}" role="img"><title>{escape(title)}</title>'
        f"<desc>{escape(told)}</desc>{inside}</svg>{below}</figure>"
    )


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """An HTML table of text."""
    head = "".join(f'<th scope="col">{escape(each)}</th>' for each in heads)
    body = "".join("<tr>" + "".join(f"<td>{escape(each)}</td>" for each in row) + "</tr>" for row in rows)
    return f'<div class="scroll" tabindex="0"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


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
        return swatch(f'<path class="bare {colour}" d="M0 8H16"/>')
    return swatch(f'<path class="line {colour}" d="M0 8H16"/>' + shape(line.style, 8, 8))


def swatch(inside: str) -> str:
    """A mark of a legend."""
    return f'<svg class="key" viewBox="0 0 16 16" aria-hidden="true">{inside}</svg>'


def _alarm(x: float, y: float) -> str:
    return f'<circle class="alarm" cx="{x:.1f}" cy="{y:.1f}" r="6.5"/>'


def folded(inside: str) -> str:
    """A table that opens when it is asked for."""
    return f"<details><summary>as a table</summary>{inside}</details>"


def _numbers(lines: Sequence[Line]) -> str:
    columns = [(line.label, dict(line.points)) for line in lines]
    for line in lines:
        if line.spread:
            columns.append(("at least", {day: low for day, low, _ in line.spread}))
            columns.append(("at most", {day: high for day, _, high in line.spread}))
    rows = []
    for day in sorted({day for _, known in columns for day in known}):
        cells = [f"{known[day]:.4g}" if day in known else "" for _, known in columns]
        beyond = [line.label for line in lines if day in line.alarms]
        rows.append([day.isoformat(), *cells, ", ".join(beyond)])
    return folded(table(["day", *(label for label, _ in columns), "beyond the limit"], rows))


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


def ends_of(first: date, last: date) -> Iterable[tuple[date, str]]:
    """The days below an axis, with what their words are anchored by."""
    if (last - first).days >= 2:
        yield first, "start"
        yield first + (last - first) / 2, "middle"
        yield last, "end"
    else:
        yield first, "start"

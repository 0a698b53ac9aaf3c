"""Charts over days: lines with limits and alarms, rows by day, and a grid of which signals were beyond a limit.

A chart is 360 units wide, which is a phone's width, so that its text is as large as that around it. A line that has
points ends with its newest value.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

from reporting import svg
from reporting.html import Figure, Table

WIDTH, HEIGHT = 360, 196
LEFT, RIGHT, TOP, BOTTOM = 44, 58, 40, 22
#: A line of more points is drawn without them, except those beyond a limit.
POINTS = 40
#: Units that a text needs: down from the text above, and across beside a flag.
TEXT_HEIGHT, TEXT_WIDTH = 12, 60
#: Where the marks of a grid begin, the height of its rows, and the characters of a label that fit before them.
GRID_LEFT, GRID_ROW, LABEL = 172, 17, 25
#: The height of a version's bars with its name.
LANE = 48


@dataclass(frozen=True)
class Line:
    """Points (day, value), in order. *style* is its colour and shape; days of *alarms* are ringed.

    A *bare* line is thin and dashed, without points: a limit, or the value on the holdout. *end* is the text at its end
    (the newest value where it is empty); a bare line that has one is not in the legend. *band* is shaded: the lowest
    and the highest value of each day.
    """

    label: str
    style: int
    points: tuple[tuple[date, float], ...]
    bare: bool = False
    alarms: frozenset[date] = frozenset()
    end: str = ""
    band: tuple[tuple[date, float, float], ...] = ()


@dataclass(frozen=True)
class Flag:
    """An event on a day, such as a release, with a short label."""

    day: date
    label: str


def line_chart(
    title: str,
    description: str,
    lines: Sequence[Line],
    flags: Sequence[Flag] = (),
    days: tuple[date, date] | None = None,
    *,
    unit: str = "",
    note: bool = False,
) -> Figure | None:
    """A chart of *lines*, or None without a point; *unit* names the quantity of the upright axis.

    *days* are the first and the last, so that charts beside each other have one time axis. With *note* readers see the
    *description* as well.
    """
    points = [point for line in lines for point in line.points]
    if not points:
        return None
    values = [*(value for _, value in points), *(end for line in lines for _, *ends in line.band for end in ends)]
    first, last = days or (min(day for day, _ in points), max(day for day, _ in points))
    x_scale = svg.daily(first, last, LEFT, WIDTH - RIGHT)
    y = svg.linear(values, HEIGHT - BOTTOM, TOP)

    def x(day: date) -> float:
        return x_scale(day.toordinal())

    parts = [svg.y_axis(y, LEFT, WIDTH - RIGHT), svg.text(0, 11, unit, "axis-name"), svg.day_axis(x_scale, HEIGHT - 5)]
    parts += _flags([(x(flag.day), flag.label) for flag in flags if first <= flag.day <= last])
    for line in lines:
        colour = f"v{line.style % svg.STYLES}"
        if line.band:
            outline = [(x(day), y(high)) for day, _, high in line.band]
            outline += [(x(day), y(low)) for day, low, _ in line.band[::-1]]
            parts.append(svg.polyline(f"band {colour}", outline, closed=True))
        kind = f"{'bare' if line.bare else 'line'} {colour}"
        parts += [svg.polyline(kind, [(x(day), y(value)) for day, value in part]) for part in _unbroken(line.points)]
        if not line.bare:
            few = len(line.points) <= POINTS
            parts += [svg.shape(line.style, x(d), y(v), 2.4) for d, v in line.points if few or d in line.alarms]
            parts += [_ring(x(day), y(value)) for day, value in line.points if day in line.alarms]
    # A line that ends in the middle of the chart has no text at its end.
    ended = [line for line in lines if line.points and x(line.points[-1][0]) > WIDTH - 2 * RIGHT]
    parts += _ends([(y(line.points[-1][1]), line) for line in ended])
    legend = [(_key(line), line.label) for line in lines if not (line.bare and line.end)]
    if any(line.alarms for line in lines):
        legend.append((svg.swatch(_ring(8, 8)), "beyond the limit"))
    drawing = svg.drawing(title, description, (WIDTH, HEIGHT), parts)
    return Figure(title, drawing, _numbers(lines), description if note else "", legend)


def day_grid(title: str, description: str, days: Sequence[str], rows: Sequence[tuple[str, str]]) -> Figure | None:
    """A row of marks per series (label, marks), one mark a day: ``#`` beyond a limit, ``.`` within, else not judged."""
    if not rows:
        return None
    cell = (WIDTH - GRID_LEFT - 2) / len(days)
    parts = []
    for number, (label, marks) in enumerate(rows):
        top = 4 + number * GRID_ROW
        short = label if len(label) <= LABEL else f"{label[: LABEL - 1]}…"
        parts.append(svg.text(GRID_LEFT - 6, top + 11, short, "name", "end"))
        parts += [_mark(mark, GRID_LEFT + i * cell, top, cell * 0.85) for i, mark in enumerate(marks)]
    foot = 4 + len(rows) * GRID_ROW
    scale = svg.daily(date.fromisoformat(days[0]), date.fromisoformat(days[-1]), GRID_LEFT, WIDTH - 2)
    drawing = svg.drawing(title, description, (WIDTH, foot + 20), [*parts, svg.day_axis(scale, foot + 13)])
    counts = [[label, str(marks.count("#")), str(sum(mark in "#." for mark in marks))] for label, marks in rows]
    legend = [
        (svg.swatch(_mark("#", 2, 1, 12)), "beyond its limit"),
        (svg.swatch(_mark(".", 2, 1, 12)), "within"),
        ("", "blank: not judged"),
    ]
    return Figure(title, drawing, Table(["signal", "days beyond", "days judged"], counts), legend=legend)


def rows_by_day(title: str, rows: Sequence[tuple[str, int, Sequence[tuple[date, int]]]]) -> Figure | None:
    """Bars a day for each version (label, style, [(day, rows)]), one version below the other, all on one scale."""
    rows = [each for each in rows if each[2]]
    if not rows:
        return None
    every = [bar for _, _, days in rows for bar in days]
    first, last, most = min(day for day, _ in every), max(day for day, _ in every), max(count for _, count in every)
    step = (WIDTH - LEFT - 8) / ((last - first).days + 1)
    parts = []
    for number, (label, style, days) in enumerate(rows):
        floor = 14 + (number + 1) * LANE
        y = svg.Scale(0, max(most, 1), floor, floor - LANE + 18, ((0, "0"), (max(most, 1), f"{most:,}")))
        parts += [svg.y_axis(y, LEFT, WIDTH - 8), svg.text(LEFT, floor - LANE + 13, label, "word")]
        for day, count in days:
            left = LEFT + (day - first).days * step
            top = min(y(count), floor - 1.5)
            parts.append(svg.rect(f"bar v{style % svg.STYLES}", left, top, max(step - 1, 1), floor - top))
    foot = 14 + len(rows) * LANE
    parts += [
        svg.text(0, 11, "rows a day", "axis-name"),
        svg.day_axis(svg.daily(first, last, LEFT, WIDTH - 8), foot + 16),
    ]
    description = "; ".join(f"{label} from {days[0][0]} to {days[-1][0]}" for label, _, days in rows)
    counts = [
        [label, f"{days[0][0]}", f"{days[-1][0]}", f"{sum(count for _, count in days):,}"] for label, _, days in rows
    ]
    drawing = svg.drawing(title, description, (WIDTH, foot + 22), parts)
    return Figure(title, drawing, Table(["version", "from", "to", "rows"], counts))


def _flags(flags: Sequence[tuple[float, str]]) -> list[str]:
    """An upright for each flag; its label is on the side that has room for it, and left out where neither has."""
    free, parts = 0.0, []
    for (at, label), (following, _) in pairwise([*sorted(flags), (float(WIDTH), "")]):
        parts.append(svg.path("mark", f"M{at:.1f} {TOP - 8}V{HEIGHT - BOTTOM}"))
        parts.append(svg.path("flag", f"M{at:.1f} {TOP - 8}l-4 -6h8z"))
        right, left = following - at > TEXT_WIDTH, at - free > TEXT_WIDTH
        free = at + (TEXT_WIDTH if right else 4)
        if right or left:
            place, anchor = (at + 6, "start") if right else (at - 6, "end")
            parts.append(svg.text(place, TOP - 9, label, "word", anchor))
    return parts


def _ends(ends: Sequence[tuple[float, Line]]) -> list[str]:
    """The text at the end of each line, moved down where another has its place."""
    ordered = sorted(ends, key=lambda end: end[0])
    places = svg.spread_down([at + 4 for at, _ in ordered], TEXT_HEIGHT)
    return [
        svg.text(
            WIDTH - RIGHT + 6,
            place,
            line.end or f"{line.points[-1][1]:.3g}",
            "end" if line.bare else f"end v{line.style % svg.STYLES}",
        )
        for place, (_, line) in zip(places, ordered, strict=True)
    ]


def _key(line: Line) -> str:
    colour = f"v{line.style % svg.STYLES}"
    if line.bare:
        return svg.swatch(svg.path(f"bare {colour}", "M0 8H16"))
    return svg.swatch(svg.path(f"line {colour}", "M0 8H16") + svg.shape(line.style, 8, 8))


def _ring(x: float, y: float) -> str:
    return f'<circle class="alarm" cx="{x:.1f}" cy="{y:.1f}" r="6.5"/>'


def _mark(mark: str, x: float, y: float, width: float) -> str:
    """Beyond its limit: as high as the row; within: a dash."""
    if mark == "#":
        return svg.rect("beyond", x, y, max(width, 1), 13)
    return svg.rect("within", x, y + 6, max(width, 1), 1.5) if mark == "." else ""


def _numbers(lines: Sequence[Line]) -> Table:
    columns = [(line.label, dict(line.points)) for line in lines]
    for line in lines:
        if line.band:
            columns.append(("at least", {day: low for day, low, _ in line.band}))
            columns.append(("at most", {day: high for day, _, high in line.band}))
    rows = []
    for day in sorted({day for _, values in columns for day in values}):
        cells = [f"{values[day]:.4g}" if day in values else "" for _, values in columns]
        rows.append([day.isoformat(), *cells, ", ".join(line.label for line in lines if day in line.alarms)])
    return Table(["day", *(label for label, _ in columns), "beyond the limit"], rows)


def _unbroken(points: Sequence[tuple[date, float]]) -> list[list[tuple[date, float]]]:
    """The points in parts without a missing day: a line across one would show values that do not exist."""
    parts: list[list[tuple[date, float]]] = []
    for point in points:
        if parts and (point[0] - parts[-1][-1][0]).days == 1:
            parts[-1].append(point)
        else:
            parts.append([point])
    return parts

"""Small charts as inline SVG, for the status page: what they show is said in words as well.

Colours come from the page's style sheet by class, so that they follow light and dark; series differ
by a dash or a hatch too, not by colour alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from markupsafe import Markup, escape

WIDTH, HEIGHT = 320, 150
LEFT, RIGHT, TOP, BOTTOM = 44, 8, 10, 22


class Line(NamedTuple):
    """A named series; None where there is nothing."""

    name: str
    values: Sequence[float | None]


def bars(
    id_: str, title: str, says: str, series: Sequence[Line], ends: tuple[str, str], unit: str
) -> Markup:
    """Bars side by side, one group for each step from one of *ends* to the other."""
    steps = max((len(line.values) for line in series), default=0)
    top = _top(series)
    room = (WIDTH - LEFT - RIGHT) / max(steps, 1)
    wide = max(room * 0.8 / max(len(series), 1), 1.0)
    shapes = [
        Markup('<rect class="s{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"/>').format(
            place, LEFT + room * (step + 0.1) + wide * place, _y(value, top), wide,
            HEIGHT - BOTTOM - _y(value, top),
        )
        for place, line in enumerate(series)
        for step, value in enumerate(line.values)
        if value
    ]  # fmt: skip
    return _framed(id_, title, says, shapes, f"{_short(top)} {unit}", ends)


def lines(
    id_: str, title: str, says: str, series: Sequence[Line], ends: tuple[str, str], unit: str
) -> Markup:
    """Lines with a dot at each value; they break where there is none."""
    top = _top(series)
    shapes: list[Markup] = []
    for place, line in enumerate(series):
        step = (WIDTH - LEFT - RIGHT) / max(len(line.values), 1)
        points = [
            (LEFT + step * (number + 0.5), _y(value, top)) if value is not None else None
            for number, value in enumerate(line.values)
        ]
        for before, after in pairwise(points):
            if before and after:
                shapes.append(
                    Markup(
                        '<line class="s{}" x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}"/>'
                    ).format(place, *before, *after)
                )
        shapes += [_dot(place, *point) for point in points if point]
    return _framed(id_, title, says, shapes, f"{_short(top)} {unit}", ends)


def _dot(place: int, x: float, y: float) -> Markup:
    if place % 2:
        return Markup('<rect class="d{}" x="{:.1f}" y="{:.1f}" width="6" height="6"/>').format(
            place, x - 3, y - 3
        )
    return Markup('<circle class="d{}" cx="{:.1f}" cy="{:.1f}" r="3"/>').format(place, x, y)


def _framed(
    id_: str, title: str, says: str, shapes: Sequence[Markup], top: str, ends: tuple[str, str]
) -> Markup:
    floor = HEIGHT - BOTTOM
    head = Markup(
        '<svg role="img" viewBox="0 0 {w} {h}" aria-labelledby="{id}-title {id}-says">'
        '<title id="{id}-title">{title}</title><desc id="{id}-says">{says}</desc>'
        '<line class="axis" x1="{left}" y1="{floor}" x2="{right}" y2="{floor}"/>'
        '<line class="grid" x1="{left}" y1="{ceiling}" x2="{right}" y2="{ceiling}"/>'
        '<g aria-hidden="true"><text x="{before}" y="{floor}" text-anchor="end">0</text>'
        '<text x="{before}" y="{low}" text-anchor="end">{top}</text>'
        '<text x="{left}" y="{under}">{first}</text>'
        '<text x="{right}" y="{under}" text-anchor="end">{last}</text></g>'
    ).format(
        w=WIDTH, h=HEIGHT, id=id_, title=title, says=says, left=LEFT, right=WIDTH - RIGHT,
        floor=floor, ceiling=TOP, before=LEFT - 5, low=TOP + 8, top=top, under=HEIGHT - 6,
        first=ends[0], last=ends[1],
    )  # fmt: skip
    return head + Markup("").join(shapes) + Markup("</svg>")


def legend(series: Sequence[Line]) -> Markup:
    """The names of the series, each beside its mark."""
    return Markup("").join(
        Markup('<span class="key"><span class="k{}" aria-hidden="true"></span>{}</span> ').format(
            place, escape(line.name)
        )
        for place, line in enumerate(series)
    )


def _top(series: Sequence[Line]) -> float:
    most = max((value or 0.0 for line in series for value in line.values), default=0.0)
    if most <= 0:
        return 1.0
    size = 10.0 ** (len(str(int(most))) - 1) if most >= 1 else _small(most)
    return next(size * n for n in (1, 2, 5, 10) if size * n >= most * 0.999)


def _small(most: float) -> float:
    size = 1.0
    while size > most:
        size /= 10
    return size


def _y(value: float, top: float) -> float:
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * min(value / top, 1.0)


def _short(value: float) -> str:
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:g} {letter}"
    return f"{value:g}"

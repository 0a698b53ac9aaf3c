"""Parts of a chart as SVG: scales, axes with ticks and units, lines, bars and marks.

Each style has a shape as well as a colour (the palette of Okabe and Ito, 2008), so that a chart can be read without
colour. Colours are variables of `templates/svg.css`, which follows the reader's dark mode. All text is escaped.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from html import escape
from itertools import pairwise
from pathlib import Path

#: Styles that differ in shape; further ones repeat.
STYLES = 6
#: Marks in front of words, 16 units square: an outline each, or a filled shape.
_RING = "M8 3a5 5 0 1 0 .01 0z"
_MARKS = {
    "tick": ("M3 9l3.5 3.5L13 4", ""),
    "cross": ("M4 4l8 8m0 -8l-8 8", ""),
    "ring": (_RING, ""),
    "dot": (_RING, _RING),
    "half": (_RING, "M8 3a5 5 0 0 0 0 10z"),
    "triangle": ("M8 3L13.5 13H2.5z", ""),
    "alarm": ("M8 3L13.5 13H2.5z", "M8 3L13.5 13H2.5z"),
    "equal": ("M3 6h10M3 10.5h10", ""),
    "question": ("M5 5.5a3 3 0 1 1 4.5 2.6c-1 .6 -1.5 1 -1.5 2.2M8 12.6v.6", ""),
}
STYLE_SHEET = (Path(__file__).parent / "templates" / "svg.css").read_text(encoding="utf-8")


@dataclass(frozen=True)
class Scale:
    """Values from *low* to *high* on pixels from *start* to *end*; *ticks* are values with their text."""

    low: float
    high: float
    start: float
    end: float
    ticks: tuple[tuple[float, str], ...]
    logarithmic: bool = False

    def __call__(self, value: float) -> float:
        """The pixel of *value*; the nearest end for a value beyond the scale."""
        place = math.log10 if self.logarithmic else float
        share = (place(min(max(value, self.low), self.high)) - place(self.low)) / (place(self.high) - place(self.low))
        return self.start + share * (self.end - self.start)


def linear(values: Iterable[float], start: float, end: float, most: int = 5) -> Scale:
    """A scale over the finite *values* that begins and ends at a tick; ticks are round, at most *most* steps apart."""
    finite = [value for value in values if math.isfinite(value)] or [0.0]
    least, greatest = min(finite), max(finite)
    span = (greatest - least) or abs(greatest) or 1.0
    power = 10 ** math.floor(math.log10(span / most))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10, 20) if span / (factor * power) <= most)
    low = math.floor(least / step + 1e-9)
    high = max(math.ceil(greatest / step - 1e-9), low + 1)
    ticks = tuple(
        (n * step, f"{n * step:.4g}" if abs(n * step) < 1e4 else f"{n * step:,.0f}") for n in range(low, high + 1)
    )
    return Scale(low * step, high * step, start, end, ticks)


def logarithmic(values: Iterable[float], start: float, end: float) -> Scale:
    """A scale over positive *values* with a tick at each power of ten."""
    powers = [math.log10(value) for value in values]
    low, high = math.floor(min(powers)), math.ceil(max(powers))
    high = max(high, low + 1)
    return Scale(
        10.0**low, 10.0**high, start, end, tuple((10.0**n, f"{10.0**n:,g}") for n in range(low, high + 1)), True
    )


def daily(first: date, last: date, start: float, end: float) -> Scale:
    """A scale over ordinals of days, with ticks at both ends and in the middle."""
    middle = first + (last - first) // 2
    days = [first, middle, last] if (last - first).days >= 2 else [first]
    end_day = max(last, first + timedelta(days=1))
    ticks = tuple((float(day.toordinal()), f"{day:%d %b}") for day in days)
    return Scale(first.toordinal(), end_day.toordinal(), start, end, ticks)


def text(x: float, y: float, content: str, kind: str = "", anchor: str = "start") -> str:
    """Escaped text; *anchor* is start, middle or end."""
    marked = f' class="{kind}"' if kind else ""
    return f'<text{marked} x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(content)}</text>'


def path(kind: str, commands: str) -> str:
    """A path with the class *kind*."""
    return f'<path class="{kind}" d="{commands}"/>'


def rect(kind: str, x: float, y: float, width: float, height: float, radius: float = 0) -> str:
    """A rectangle; *height* and *width* below 0 count as 0."""
    rounded = f' rx="{radius:g}"' if radius else ""
    size = f'width="{max(width, 0):.1f}" height="{max(height, 0):.1f}"'
    return f'<rect class="{kind}" x="{x:.1f}" y="{y:.1f}" {size}{rounded}/>'


def polyline(kind: str, points: Iterable[tuple[float, float]], closed: bool = False) -> str:
    """Straight lines from point to point; *closed*: an area."""
    tag = "polygon" if closed else "polyline"
    return f'<{tag} class="{kind}" points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in points)}"/>'


def shape(style: int, x: float, y: float, size: float = 3.2) -> str:
    """The point of a *style*: circle, square, triangle, diamond, cross or hollow circle."""
    kind, s = f"point v{style % STYLES}", size
    drawings = (
        f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="{s}"/>',
        rect(kind, x - s, y - s, 2 * s, 2 * s),
        path(kind, f"M{x:.1f} {y - s:.1f}l{s} {2 * s}h{-2 * s}z"),
        path(kind, f"M{x:.1f} {y - 1.3 * s:.1f}l{s} {1.3 * s}l{-s} {1.3 * s}l{-s} {-1.3 * s}z"),
        path(kind, f"M{x - s:.1f} {y - s:.1f}l{2 * s} {2 * s}m{-2 * s} 0l{2 * s} {-2 * s}"),
        f'<circle class="{kind} hollow" cx="{x:.1f}" cy="{y:.1f}" r="{s}"/>',
    )
    return drawings[style % STYLES]


def swatch(drawing: str) -> str:
    """A mark of a legend, 16 units square."""
    return f'<svg class="key" viewBox="0 0 16 16" aria-hidden="true">{drawing}</svg>'


def mark(name: str) -> str:
    """A mark in front of a word: tick, cross, ring, dot, half, triangle, alarm, equal or question."""
    outline, filled = _MARKS[name]
    return swatch((path("full", filled) if filled else "") + path("outline", outline))


def y_axis(scale: Scale, left: float, right: float, name: str = "") -> str:
    """A line across for each tick, its text at the left, and the quantity with its unit above."""
    top = min(scale.start, scale.end)
    return (text(0, top - 10, name, "axis-name") if name else "") + "".join(
        path("rule", f"M{left} {scale(value):.1f}H{right}") + text(left - 5, scale(value) + 4, words, anchor="end")
        for value, words in scale.ticks
    )


def x_axis(scale: Scale, top: float, bottom: float, name: str = "") -> str:
    """An upright for each tick, its text below, and below that the quantity with its unit."""
    ticks = _sparse(scale)
    parts = [path("rule", f"M{scale(value):.1f} {top}V{bottom}") for value, _ in scale.ticks]
    parts += [text(scale(value), bottom + 15, words, anchor="middle") for value, words in ticks]
    return "".join(parts) + (
        text((scale.start + scale.end) / 2, bottom + 30, name, "axis-name", "middle") if name else ""
    )


def day_axis(scale: Scale, y: float) -> str:
    """The days of a scale, within its ends; *y* is the line that the text stands on."""
    anchors = ("start", "middle", "end") if len(scale.ticks) == 3 else ("start",)
    return "".join(
        text(scale(day), y, words, anchor=anchor) for (day, words), anchor in zip(scale.ticks, anchors, strict=True)
    )


def drawing(title: str, description: str, size: tuple[float, float], parts: Iterable[str]) -> str:
    """An SVG element within a page: *title* and *description* are for screen readers."""
    return (
        f'<svg viewBox="0 0 {size[0]:g} {size[1]:g}" role="img"><title>{escape(title)}</title>'
        f"<desc>{escape(description)}</desc>{''.join(parts)}</svg>"
    )


def document(title: str, size: tuple[float, float], parts: Iterable[str]) -> str:
    """An SVG file that needs nothing else: *title* is its first line, and for screen readers; it has its style sheet."""
    return "\n".join(
        [
            (
                f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size[0]:g} {size[1]:g}" width="{size[0]:g}"'
                f' height="{size[1]:g}" role="img" aria-label="{escape(title)}">'
            ),
            f"<title>{escape(title)}</title><style>{STYLE_SHEET}</style>",
            *parts,
            "</svg>",
            "",
        ]
    )


def spread_down(places: Sequence[float], apart: float) -> list[float]:
    """Ascending *places*, moved down where one is nearer than *apart* to the one before."""
    free, moved = -math.inf, []
    for place in places:
        moved.append(max(place, free))
        free = moved[-1] + apart
    return moved


def _sparse(scale: Scale) -> list[tuple[float, str]]:
    """The ticks whose texts have room beside each other: all, or every second."""
    room = min((abs(scale(b) - scale(a)) for (a, _), (b, _) in pairwise(scale.ticks)), default=math.inf)
    longest = max(len(words) for _, words in scale.ticks)
    return list(scale.ticks[:: 2 if room < 6.5 * longest + 6 else 1])

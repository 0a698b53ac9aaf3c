"""A bar per server as an SVG file; logarithmic, since the longest would hide the rest.

Narrow, with each name above its bar, so that it can be read on a phone.
"""

from __future__ import annotations

from collections.abc import Sequence

from bench.peers.server_results import Results
from reporting import svg

WIDTH, ROW, TOP, BAR = 360, 34, 96, 12
#: At the right end of the longest bar, for its figure.
FIGURE = 60
#: family -> what it is; each has a style, a colour with a shape.
FAMILIES = {
    "ours": "this scorer",
    "onnx": "the same ONNX file",
    "scikit-learn": "scikit-learn",
    "untuned": "scikit-learn, untuned",
    "floor": "a bare server",
}


def draw(results: Results) -> str:
    """CPU µs per request at eight connections, the cheapest first."""
    bars = [
        (e.title.replace("*", "").replace("`", ""), results.cpu(e.name) or 0.0, e.family) for e in results.measured()
    ]
    return chart(bars, "CPU time of the server per request, at 8 connections", "µs per request, logarithmic")


def chart(bars: Sequence[tuple[str, float, str]], title: str, axis: str) -> str:
    """Bars of (name, value, family) under a *title*; *axis* is the quantity with its unit."""
    x = svg.logarithmic([value for _, value, _ in bars], 8, WIDTH - FIGURE)
    styles = {family: number for number, family in enumerate(FAMILIES)}
    bottom = TOP + ROW * len(bars)
    parts = [svg.text(1, 14, title, "word"), svg.x_axis(x, TOP - 6, bottom, axis)]
    shown = [family for family in FAMILIES if family in {family for *_, family in bars}]
    for place, family in enumerate(shown):
        left, y = 8 + place % 2 * 170, 34 + place // 2 * 18
        parts += [svg.shape(styles[family], left, y, 4), svg.text(left + 9, y + 4, FAMILIES[family])]
    for number, (name, value, family) in enumerate(bars):
        y = TOP + ROW * number
        parts += [
            svg.shape(styles[family], 8, y + 4),
            svg.text(16, y + 8, name, "name"),
            svg.rect(f"bar v{styles[family]}", 8, y + BAR, max(2.0, x(value) - 8), BAR, 2),
            svg.text(max(10.0, x(value)) + 5, y + BAR + 10, f"{value:,.0f}", "name"),
        ]
    return svg.document(title, (WIDTH, bottom + 36), parts)

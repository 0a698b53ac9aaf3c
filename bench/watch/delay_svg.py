"""Detection delays as an SVG file: a panel for each pool, a row for each change, a mark for each detector.

Narrow, so that it can be read on a phone. Days are on a logarithmic axis that ends at "never".
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from bench.watch.daily_streams import AFTER
from bench.watch.detector_results import WOKEN, Result, median
from reporting import svg

WIDTH, LEFT, RIGHT, ROW, TOP, SPACING = 400, 160, 28, 18, 58, 60
NEVER = AFTER * 1.6
DAYS = svg.Scale(
    1, NEVER, LEFT, WIDTH - RIGHT, ((1, "1"), (3, "3"), (10, "10"), (30, "30"), (NEVER, "never")), logarithmic=True
)


def draw(results: Sequence[Result]) -> str:
    """Median days until a change is detected, at equal false alarm rates."""
    every = dict.fromkeys(name for r in results for of in r.delays.values() for name in of)
    styles = {name: number for number, name in enumerate(name for name in every if name != WOKEN)}
    title = "Median days until a change is detected, at equal false alarms"
    parts, top = [svg.text(0, 16, title, "word")], TOP + 20 * math.ceil(len(styles) / 2)
    for name, style in styles.items():
        x, y = 10 + 200 * (style % 2), 42 + 20 * (style // 2)
        parts += [svg.shape(style, x, y - 4, 4), svg.text(x + 14, y, name.replace("*", ""))]
    for result in results:
        parts += _panel(result, top, styles)
        top += ROW * len(result.delays) + SPACING
    return svg.document(title, (WIDTH, top - SPACING + 40), parts)


def _panel(result: Result, top: int, styles: dict[str, int]) -> list[str]:
    bottom = top + ROW * len(result.delays)
    parts = [
        svg.text(0, top - 6, f"{result.pool}, {result.features} features", "name"),
        svg.x_axis(DAYS, top, bottom, "days, logarithmic"),
    ]
    for row, (change, of) in enumerate(result.delays.items()):
        y = top + ROW * row + 9
        parts.append(svg.text(LEFT - 14, y + 4, change, anchor="end"))
        # The first, which is this project's own, is drawn last, so that no other hides it.
        parts += [
            svg.shape(style, DAYS(median(of[name])), y, 4) for name, style in reversed(styles.items()) if name in of
        ]
    return parts

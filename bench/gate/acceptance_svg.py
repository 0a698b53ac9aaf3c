"""Acceptance curves as an SVG file: a panel for each number of rows, a line for each way to accept."""

from __future__ import annotations

from collections.abc import Sequence

from bench.gate.acceptance import GAPS, SIZES, Accepted
from reporting import svg

PANEL, HEIGHT, LEFT, TOP, SPACING = 200, 150, 46, 76, 60
#: way -> what it is called, its style and how its line is drawn.
LINES = {
    "promote": ("the gate", "line v0"),
    "at_least": ("candidate ≥ champion", "line v1 dashed"),
    "tolerance": ("within the margin", "line v2 dotted"),
}


def draw(found: Sequence[Accepted], margin: float) -> str:
    """Shares accepted by true gap, for one stream."""
    title = f"Share of candidates accepted, by their true gap in ROC AUC ({found[0].stream})"
    parts = [svg.text(0, 16, title, "word")]
    for number, (name, kind) in enumerate(LINES.values()):
        x = LEFT + number * 190
        parts += [svg.path(kind, f"M{x} 36h28"), svg.text(x + 34, 40, name)]
    for number, rows in enumerate(SIZES):
        parts += _panel(LEFT + number * (PANEL + SPACING), rows, [f for f in found if f.rows == rows], margin)
    return svg.document(title, (LEFT + len(SIZES) * (PANEL + SPACING), TOP + HEIGHT + 36), parts)


def _panel(left: int, rows: int, found: Sequence[Accepted], margin: float) -> list[str]:
    right, bottom = left + PANEL, TOP + HEIGHT
    gaps = ((GAPS[0], f"{GAPS[0]:g}"), (-margin, "margin"), (0.0, "0"), (GAPS[-1], f"+{GAPS[-1]:g}"))
    x = svg.Scale(GAPS[0], GAPS[-1], left, right, gaps)
    y = svg.Scale(0, 1, bottom, TOP, ((0, "0%"), (0.5, "50%"), (1, "100%")))
    parts = [
        svg.text(right, TOP - 8, f"{rows:,} rows", "name", "end"),
        svg.text(left, TOP - 8, "accepted", "axis-name"),
        svg.y_axis(y, left, right),
        svg.x_axis(x, TOP, bottom, "true gap in ROC AUC"),
    ]
    ordered = sorted(found, key=lambda each: each.gap)
    return parts + [
        svg.polyline(kind, [(x(each.gap), y(getattr(each, way))) for each in ordered])
        for way, (_, kind) in LINES.items()
    ]

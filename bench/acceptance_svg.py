"""Acceptance curves as self-contained SVG: a panel for each number of rows, a line for each way."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from bench.acceptance import GAPS, SIZES, Accepted

PANEL, HEIGHT, LEFT, TOP, APART = 200, 150, 46, 66, 60
#: Way -> its label, colour (Okabe and Ito 2008) and dashes, so that colour is not needed.
LINES = {
    "promote": ("the gate", "#0072b2", ""),
    "at_least": ("candidate ≥ champion", "#d55e00", "6 3"),
    "tolerance": ("within the margin", "#009e73", "2 3"),
}
STYLE = (
    "text{font:12px system-ui,sans-serif;fill:#1f2933}.quiet{fill:#6b7280}.grid{stroke:#d0d5db}"
    ".line{fill:none;stroke-width:2.5}"
    "@media(prefers-color-scheme:dark){text{fill:#e6e9ec}.quiet{fill:#9aa4ae}.grid{stroke:#3a434c}}"
)


def draw(found: Sequence[Accepted], margin: float) -> str:
    """Shares accepted by true gap, for one stream."""
    title = f"Share of candidates accepted, by their true gap in ROC AUC ({found[0].stream})"
    width, height = LEFT + len(SIZES) * (PANEL + APART), TOP + HEIGHT + 46
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img"'
            f' aria-label="{escape(title)}">'
        ),
        f"<title>{escape(title)}</title><style>{STYLE}</style>",
        f'<text x="0" y="16">{escape(title)}</text>',
    ]
    for number, (words, colour, dashes) in enumerate(LINES.values()):
        x = LEFT + number * 190
        parts.append(
            f'<path class="line" stroke="{colour}" stroke-dasharray="{dashes}" d="M{x} 36h28"/>'
            f'<text x="{x + 34}" y="40">{escape(words)}</text>'
        )
    for number, rows in enumerate(SIZES):
        parts += _panel(LEFT + number * (PANEL + APART), rows, [f for f in found if f.rows == rows], margin)
    return "\n".join([*parts, "</svg>", ""])


def _panel(left: int, rows: int, found: Sequence[Accepted], margin: float) -> list[str]:
    def x(gap: float) -> float:
        return left + PANEL * (gap - GAPS[0]) / (GAPS[-1] - GAPS[0])

    def y(share: float) -> float:
        return TOP + HEIGHT * (1 - share)

    parts = [f'<text class="quiet" x="{left}" y="{TOP - 8}">{rows:,} rows</text>']
    parts += [
        f'<line class="grid" x1="{left}" x2="{left + PANEL}" y1="{y(share)}" y2="{y(share)}"/>'
        f'<text class="quiet" x="{left - 6}" y="{y(share) + 4}" text-anchor="end">{share:.0%}</text>'
        for share in (0, 0.5, 1)
    ]
    for gap, words in ((GAPS[0], f"{GAPS[0]:g}"), (-margin, "margin"), (0.0, "0"), (GAPS[-1], f"+{GAPS[-1]:g}")):
        parts.append(
            f'<line class="grid" x1="{x(gap):.1f}" x2="{x(gap):.1f}" y1="{TOP}" y2="{TOP + HEIGHT}"/>'
            f'<text class="quiet" x="{x(gap):.1f}" y="{TOP + HEIGHT + 16}" text-anchor="middle">{words}</text>'
        )
    for name, (_, colour, dashes) in LINES.items():
        points = [(x(f.gap), y(getattr(f, name))) for f in sorted(found, key=lambda f: f.gap)]
        path = "L".join(f"{a:.1f} {b:.1f}" for a, b in points)
        parts.append(f'<path class="line" stroke="{colour}" stroke-dasharray="{dashes}" d="M{path}"/>')
    return parts

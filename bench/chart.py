"""A bar per server as self-contained SVG; logarithmic, since the longest would hide the rest."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from bench.results import Results

ROW, LEFT, WIDTH, TOP = 26, 330, 460, 44
COLOURS = {"ours": "#0b7285", "floor": "#868e96", "onnx": "#e8590c"}
OTHER = "#a61e4d"
STYLE = (
    "text{font:13px system-ui,sans-serif;fill:#1f2933}.quiet{fill:#6b7280}.line{stroke:#d0d5db}"
    "@media(prefers-color-scheme:dark){text{fill:#e6e9ec}.quiet{fill:#9aa4ae}.line{stroke:#3a434c}}"
)


def draw(results: Results) -> str:
    """CPU µs per request at eight connections, the cheapest first."""
    bars = [
        (e.title.replace("*", "").replace("`", ""), results.cpu(e.name) or 0.0, e.family)
        for e in results.measured()
    ]
    return svg(bars, "CPU µs per request of the server's processes, 8 connections (log scale)")


def svg(bars: Sequence[tuple[str, float, str]], title: str) -> str:
    """Bars of (name, value, family)."""
    values = [value for _, value, _ in bars]
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    height = TOP + ROW * len(bars) + 30

    def x(value: float) -> float:
        return LEFT + WIDTH * (math.log10(value) - low) / max(1, high - low)

    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {LEFT + WIDTH + 90} {height}"'
            f' role="img" aria-label="{escape(title)}">'
        ),
        f"<title>{escape(title)}</title><style>{STYLE}</style>",
        f'<text x="0" y="20">{escape(title)}</text>',
    ]
    for power in range(low, high + 1):
        at = x(10**power)
        parts.append(
            f'<line class="line" x1="{at:.1f}" x2="{at:.1f}" y1="{TOP - 8}" y2="{height - 24}"/>'
            f'<text class="quiet" x="{at:.1f}" y="{height - 8}" text-anchor="middle">'
            f"{10**power:,}</text>"
        )
    for number, (name, value, family) in enumerate(bars):
        y = TOP + ROW * number
        parts.append(
            f'<text x="{LEFT - 10}" y="{y + 14}" text-anchor="end">{escape(name)}</text>'
            f'<rect x="{LEFT}" y="{y}" width="{x(value) - LEFT:.1f}" height="18" rx="3"'
            f' fill="{COLOURS.get(family, OTHER)}"/>'
            f'<text x="{x(value) + 6:.1f}" y="{y + 14}">{value:,.0f}</text>'
        )
    return "\n".join([*parts, "</svg>", ""])

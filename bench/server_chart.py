"""A bar per server as self-contained SVG; logarithmic, since the longest would hide the rest.

Narrow, with each name above its bar: so it can be read on a phone, where it is made to fit.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from bench.server_results import Results

WIDTH, ROW, TOP, BAR = 480, 44, 100, 16
#: At the right end of the longest bar, for its figure.
FIGURE = 76
#: Families by their colour (Okabe and Ito's, safe for colour-blind people), light and dark.
FAMILIES = {
    "ours": ("this scorer", "#0072b2", "#56b4e9"),
    "floor": ("a bare server", "#6b7280", "#9aa4ae"),
    "onnx": ("the same ONNX file", "#d55e00", "#e69f00"),
    "scikit-learn": ("scikit-learn", "#9b4f7e", "#d69bbf"),
}
STYLE = (
    "text{font:14px system-ui,sans-serif;fill:#1f2933}.head{font-weight:600}.quiet{fill:#566272;font-size:12px}"
    ".line{stroke:#d0d5db}"
    + "".join(f".{name}{{fill:{light}}}" for name, (_, light, _) in FAMILIES.items())
    + "@media(prefers-color-scheme:dark){text{fill:#e6e9ec}.quiet{fill:#9aa4ae}.line{stroke:#3a434c}"
    + "".join(f".{name}{{fill:{dark}}}" for name, (_, _, dark) in FAMILIES.items())
    + "}"
)


def draw(results: Results) -> str:
    """CPU µs per request at eight connections, the cheapest first."""
    bars = [
        (e.title.replace("*", "").replace("`", ""), results.cpu(e.name) or 0.0, e.family) for e in results.measured()
    ]
    return svg(bars, "CPU µs per request", "of the server's processes, at 8 connections; logarithmic")


def svg(bars: Sequence[tuple[str, float, str]], title: str, more: str) -> str:
    """Bars of (name, value, family) under a *title*, of which *more* says more."""
    values = [value for _, value, _ in bars]
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    height = TOP + ROW * len(bars) + 30

    def x(value: float) -> float:
        return 1 + (WIDTH - FIGURE) * (math.log10(value) - low) / max(1, high - low)

    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}"'
            f' height="{height}" role="img" aria-label="{escape(f"{title} {more}")}">'
        ),
        f"<title>{escape(title)}</title><style>{STYLE}</style>",
        f'<text class="head" x="1" y="18">{escape(title)}</text>',
        f'<text x="1" y="38">{escape(more)}</text>',
        *_legend([name for name in FAMILIES if name in {family for *_, family in bars}]),
    ]
    for power in range(low, high + 1):
        at, anchor = x(10**power), "start" if power == low else "middle"
        parts.append(
            f'<line class="line" x1="{at:.1f}" x2="{at:.1f}" y1="{TOP - 10}" y2="{height - 24}"/>'
            f'<text class="quiet" x="{at:.1f}" y="{height - 8}" text-anchor="{anchor}">'
            f"{10**power:,}</text>"
        )
    for number, (name, value, family) in enumerate(bars):
        y = TOP + ROW * number
        parts.append(
            f'<text x="1" y="{y + 10}">{escape(name)}</text>'
            f'<rect class="{family}" x="1" y="{y + BAR}" width="{max(2.0, x(value) - 1):.1f}"'
            f' height="{BAR}" rx="3"/>'
            f'<text x="{x(value) + 6:.1f}" y="{y + BAR + 13}">{value:,.0f}</text>'
        )
    return "\n".join([*parts, "</svg>", ""])


def _legend(families: Sequence[str]) -> list[str]:
    at, parts = 1, []
    for family in families:
        words = FAMILIES[family][0]
        parts.append(
            f'<circle class="{family}" cx="{at + 6}" cy="62" r="6"/>'
            f'<text class="quiet" x="{at + 17}" y="66">{words}</text>'
        )
        at += 17 + 7 * len(words) + 14
    return parts

"""Delays as self-contained SVG: a panel a pool, a row a change, a mark for each that watches.

Narrow, so it can be read on a phone. Days are on a logarithmic axis that ends at "never".
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from bench.watch.daily_streams import AFTER
from bench.watch.detector_results import WOKEN, Result, median

WIDTH, LEFT, RIGHT, ROW, TOP, APART = 480, 190, 28, 18, 58, 44
NEVER = AFTER * 1.6
#: Colours are Okabe and Ito's (2008); each mark has a different shape, too: "●" is drawn in a circle of 6 pixels.
MARKS = (("●", "#0072b2"), ("◆", "#d55e00"), ("■", "#009e73"), ("▲", "#cc79a7"), ("✕", "#999999"))
STYLE = (
    "text{font:12px system-ui,sans-serif;fill:#1f2933}.quiet{fill:#6b7280}.grid{stroke:#d0d5db}"
    ".mark{text-anchor:middle;font-size:13px}"
    "@media(prefers-color-scheme:dark){text{fill:#e6e9ec}.quiet{fill:#9aa4ae}.grid{stroke:#3a434c}}"
)


def draw(results: Sequence[Result]) -> str:
    """Median days until a change is noticed, at equal rates of false alarms."""
    names = [name for name in _all(results) if name != WOKEN]
    marks = dict(zip(names, MARKS, strict=False))
    title = "Median days until a change is noticed, all at one rate of false alarms"
    parts, top = [], TOP + 20 * math.ceil(len(names) / 2)
    for result in results:
        panel, height = _panel(result, top, marks)
        parts += panel
        top += height + APART
    legend = [
        f'<text class="mark" x="{10 + 240 * (n % 2)}" y="{42 + 20 * (n // 2)}" style="fill:{colour}">{sign}</text>'
        f'<text x="{24 + 240 * (n % 2)}" y="{42 + 20 * (n // 2)}">{escape(name.replace("*", ""))}</text>'
        for n, (name, (sign, colour)) in enumerate(marks.items())
    ]
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {top - APART + 24}" role="img"'
        f' aria-label="{escape(title)}"><title>{escape(title)}</title><style>{STYLE}</style>'
        f'<text x="0" y="16">{escape(title)}</text>'
    )
    return "\n".join([head, *legend, *parts, "</svg>", ""])


def _panel(result: Result, top: int, marks: dict[str, tuple[str, str]]) -> tuple[list[str], int]:
    height = ROW * len(result.delays)
    parts = [f'<text x="0" y="{top - 6}">{escape(result.pool)}, {result.features} features</text>']
    for days in (1, 3, 10, 30, math.inf):
        word = "never" if math.isinf(days) else f"{days:g}"
        parts.append(
            f'<line class="grid" x1="{_x(days):.1f}" x2="{_x(days):.1f}" y1="{top}" y2="{top + height}"/>'
            f'<text class="quiet" text-anchor="middle" x="{_x(days):.1f}" y="{top + height + 14}">{word}</text>'
        )
    for row, (change, of) in enumerate(result.delays.items()):
        y = top + ROW * row + 13
        parts.append(f'<text class="quiet" x="{LEFT - 14}" y="{y}" text-anchor="end">{escape(change)}</text>')
        # The watch's is drawn last, so that no other hides it.
        for name, (sign, colour) in reversed(marks.items()):
            if name in of:
                at = _x(median(of[name]))
                parts.append(f'<text class="mark" x="{at:.1f}" y="{y}" style="fill:{colour}">{sign}</text>')
    return parts, height


def _x(days: float) -> float:
    share = math.log(min(days, NEVER)) / math.log(NEVER)
    return LEFT + (WIDTH - LEFT - RIGHT) * share


def _all(results: Sequence[Result]) -> list[str]:
    """Every name, in the order in which they first stand."""
    return list(dict.fromkeys(name for r in results for of in r.delays.values() for name in of))

"""Charts that GitHub draws in Markdown: Mermaid text, from labels and numbers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from decimal import Decimal


def xychart(
    title: str,
    axis: str,
    labels: Sequence[str],
    bars: Iterable[float] = (),
    lines: Sequence[Iterable[float]] = (),
    *,
    across: str = "",
    from_zero: bool = False,
) -> str:
    """A fenced chart of *bars* and *lines* over *labels*.

    *axis* is the quantity drawn with its unit, *across* that of the labels. With *from_zero* the axis begins at zero,
    so that the lengths of bars can be compared. Titles and labels lose the characters that could end their quotes.
    """
    bars = list(bars)
    drawn = [list(line) for line in lines]
    if len({*labels}) < len(labels):  # two bars of one name are drawn in one place
        labels = [f"{place}. {label}" for place, label in enumerate(labels, 1)]
    steps = ", ".join(map(_quoted, labels))
    span = ""
    if from_zero:
        span = f" 0 --> {number(max(value for values in (bars, *drawn) for value in values) * 1.1 or 1.0)}"
    return "\n".join(
        [
            "```mermaid",
            "xychart-beta",
            f"    title {_quoted(title)}",
            f"    x-axis {_quoted(across) + ' ' if across else ''}[{steps}]",
            f"    y-axis {_quoted(axis)}{span}",
            *([f"    bar [{_listed(bars)}]"] if bars else []),
            *(f"    line [{_listed(line)}]" for line in drawn),
            "```",
        ]
    )


def number(value: float, digits: int = 4) -> str:
    """*value* to so many significant digits, without an exponent, which Mermaid cannot read."""
    return format(Decimal(f"{float(value):.{digits}g}"), "f")


def _listed(values: Iterable[float]) -> str:
    return ", ".join(map(number, values))


def _quoted(words: str) -> str:
    return '"' + re.sub(r"[^\w .,%=-]", "", words, flags=re.ASCII) + '"'

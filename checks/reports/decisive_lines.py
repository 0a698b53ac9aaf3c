"""What decides, in the report's first lines: the gains over the champion, and both models beside the simple tree."""

from __future__ import annotations

from collections.abc import Sequence

from checks.comparison.compare import Compared
from checks.decision.gain_text import gain
from contracts.comparison_limits import LARGER_IS_BETTER


def decisive(table: Sequence[Compared]) -> str:
    """A sentence on each metric, and one on the baseline, as Markdown without special characters."""
    if not table:
        return ""
    return "\n".join(f"- {line}" for line in [*(_metric(row) for row in table), _tree(table[0])] if line)


def _metric(row: Compared) -> str:
    """The gain over the champion; "" where there is none."""
    if row.champion is None or row.difference is None:
        return ""
    interval = "too few days for an interval"
    if row.low is not None and row.high is not None:
        interval = f"{row.confidence:.0%} CI {gain(row.metric, row.low)} to {gain(row.metric, row.high)}"
    return f"**{row.metric}** {row.candidate:.4f}, champion {row.champion:.4f}: gain {gain(row.metric, row.difference)} ({interval})"


def _tree(row: Compared) -> str:
    line = f"**A tree of depth three** has {row.metric} {row.baseline:.4f}"
    if row.champion is None:
        return f"{line}, the candidate {row.candidate:.4f}; nothing is live to compare with"
    if not _is_better(row.metric, row.champion, row.baseline):
        return f"{line}: **the champion itself is worse than it**"
    return f"{line}; the champion is better"


def _is_better(metric: str, one: float, other: float) -> bool:
    return one > other if metric in LARGER_IS_BETTER else one < other

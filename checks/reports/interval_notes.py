"""Notes on the confidence intervals of gains: what widens them, and which earlier periods count."""

from __future__ import annotations

from collections.abc import Sequence

from checks.comparison.compare import Compared
from checks.decision.gain_text import count, gain


def widened_note(table: Sequence[Compared]) -> str:
    """By how much the intervals are wider for the effect of the period, and what earlier periods change; "" if neither."""
    wider = [f"{row.metric} {row.widened:.2f}" for row in table if row.difference is not None and row.widened > 1]
    notes = []
    if wider:
        notes.append(
            "Intervals are wider than days alone would make them, because gains move from period to period:"
            f" {', '.join(wider)} times."
        )
    if alone := [row for row in table if row.periods and row.tonight]:
        gains = ", ".join(f"{row.metric} {gain(row.metric, row.tonight.value)}" for row in alone if row.tonight)
        notes.append(
            "Gains include those of earlier candidates of the same procedure over this champion, on"
            f" {count(alone[0].periods, 'earlier period')}; on these rows alone: {gains}."
        )
    return " ".join(notes)

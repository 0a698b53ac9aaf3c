"""Whether rows come that the watch can judge on no day: too few, of the future, or of models that never were live. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from monitoring.charts.signals import COUNTS, SERVICE, Signal, Unknown
from monitoring.incidents.self_check import MonitoringFault
from monitoring.journal.window import Window


def sightless(
    window: Window, signals: Iterable[Signal], unknown: Iterable[Unknown], history: str, least: int, days: float
) -> list[MonitoringFault]:
    """What to say where rows have come for more than *days* days, and the model could be judged on none of them.

    *history* has every version that was ever live; a day needs *least* rows. That no row comes at all is `silent`'s.
    """
    if any(signal.kind not in (*COUNTS, *SERVICE) for signal in signals):
        return []
    if window.counts.empty:
        since, words = _of_no_row(window, history)
    else:
        since, words = min(window.counts.index), _of_rows(window, unknown, least)
    return [MonitoringFault("days", tuple(words))] if words and _days(since, window.until) > days else []


def _of_rows(window: Window, unknown: Iterable[Unknown], least: int) -> list[str]:
    """Why days that have rows could not be judged."""
    sizes = window.counts["rows"]
    words = [*dict.fromkeys(u.why for u in unknown if u.kind not in (*COUNTS, *SERVICE))]
    if sizes.max() < least:
        words.append(
            f"a usual day has {sizes.median():,.0f} rows, and the fullest {sizes.max():,.0f}: with a min_rows that days reach"
            " they are judged, by wider limits"
        )
    return words


def _of_no_row(window: Window, history: str) -> tuple[str, list[str]]:
    """Since when answers come, none of which is a row of a whole day, and why."""
    traffic, other_versions = window.traffic, window.other_versions
    first = min(traffic.index, default=window.until)
    if window.ahead:
        what = f"all {window.ahead:,} rows are about days after {window.until}"
        cure = "are the clocks of scorer and watch right, and the times that the website sends?"
        # No row is answered in the future: the clocks differ, which no waiting mends.
        wrong = window.answered[:10] > window.until
        return "" if wrong else window.began[:10], [f"{what}: {cure}"]
    if traffic.empty or any(version in history for version in other_versions):
        return first, []  # nothing has come yet, or an earlier version has answered until now
    total = f"{traffic.sum():,} answers"
    if other_versions:
        shown = ", ".join(other_versions[:5])
        words = f"all {total} are of versions that were never live: {shown}. Is it the journal of this model?"
        return first, [words]
    return first, [f"none of {total} fits the contract of what is live"]


def _days(since: str, until: str) -> float:
    """The days between; without a day since when, for ever."""
    if not since:
        return float("inf")
    return (date.fromisoformat(until) - date.fromisoformat(since)).days

"""The fault that rows arrive, but no day can be evaluated: too few rows, future times, unknown versions. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from monitoring.charts.signals import COUNTS, SERVICE, SKEW, Signal, Unknown
from monitoring.incidents.self_check import MonitoringFault
from monitoring.journal.window import Window


def days_fault(
    window: Window, signals: Iterable[Signal], unknown: Iterable[Unknown], history: str, least: int, days: float
) -> list[MonitoringFault]:
    """The fault that rows arrive for more than *days* days, none of which could be evaluated.

    *history* has every version that was ever live; a day needs *least* rows. Without any row see `no_recent_rows`.
    """
    if any(signal.kind not in (*COUNTS, *SERVICE, SKEW) for signal in signals):
        return []
    if window.counts.empty:
        since, details = _of_no_row(window, history)
    else:
        since, details = min(window.counts.index), _of_rows(window, unknown, least)
    return [MonitoringFault("days", tuple(details))] if details and _days(since, window.until) > days else []


def _of_rows(window: Window, unknown: Iterable[Unknown], least: int) -> list[str]:
    """Why days with rows could not be evaluated."""
    sizes = window.counts["rows"]
    details = [*dict.fromkeys(u.why for u in unknown if u.kind not in (*COUNTS, *SERVICE))]
    if sizes.max() < least:
        details.append(
            f"the median day has {sizes.median():,.0f} rows, the largest {sizes.max():,.0f}: with a lower min_rows days are"
            " evaluated, with wider limits"
        )
    return details


def _of_no_row(window: Window, history: str) -> tuple[str, list[str]]:
    """Since when responses arrive, none of which is a row of a whole day, and why."""
    traffic, other_versions = window.traffic, window.other_versions
    first = min(traffic.index, default=window.until)
    if window.ahead:
        what = f"all {window.ahead:,} rows are of days after {window.until}"
        remedy = "check the clocks of scorer and monitoring, and the times that the website sends"
        # Responses in the future mean that the clocks differ, so there is no waiting.
        wrong = window.answered[:10] > window.until
        return "" if wrong else window.began[:10], [f"{what}: {remedy}"]
    if traffic.empty or any(version in history for version in other_versions):
        return first, []  # no row yet, or an earlier version answered until now
    total = f"{traffic.sum():,} responses"
    if other_versions:
        shown = ", ".join(other_versions[:5])
        details = (
            f"all {total} are of versions that were never live: {shown}; check that it is the journal of this model"
        )
        return first, [details]
    return first, [f"none of {total} fits the contract of the live model"]


def _days(since: str, until: str) -> float:
    """The days between; infinite without a first day."""
    if not since:
        return float("inf")
    return (date.fromisoformat(until) - date.fromisoformat(since)).days

"""The weekly digest: series outside their control limits that raise no incident, most influential feature first.

Pure. A digest covers a whole week, Monday to Sunday, so it changes once a week.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta

from monitoring.charts.signals import Signal, by_series
from reporting.markdown import text

MAX_LINES = 50


def digest(signals: list[Signal], influences: Mapping[str, float], model: str, version: str) -> tuple[str, str] | None:
    """Title and body for the last whole week of *signals*; None without one, no title if no limit was breached."""
    days = {signal.day for signal in signals if signal.severity == "digest"}
    monday = max((day for day in map(_monday, days) if _is_over(day, days)), default=None)
    if monday is None:
        return None
    week = [signal for signal in signals if signal.severity == "digest" and _monday(signal.day) == monday]
    breached = {name: days for name, days in by_series(week).items() if any(day.breached for day in days)}
    if not breached:
        return "", f"In the week of {monday} all series were within their control limits."
    order = sorted(breached, key=lambda name: (-influences.get(breached[name][0].feature, 0.0), name))
    firsts = [breached[name][0] for name in order]
    features = list(dict.fromkeys(text(f.feature or f.kind.replace("_", " ")) for f in firsts))
    lines = [
        (
            f"**{text(model)}**, version `{text(version)}`: these series were outside their control limits in the week"
            f" of {monday}. They raise no incident: no effect on scores or performance was detected. The features"
            " that influence the score most come first."
        ),
        "",
        "| feature | signal | share of the score's variance | days outside limits | last value | reference mean |",
        "|---|---|---:|---:|---:|---:|",
    ]
    for name in order[:MAX_LINES]:
        last = breached[name][-1]
        signal = f"{last.kind} {last.metric}".replace("_", " ")
        influence = influences.get(last.feature) if last.feature else 0.0
        lines.append(
            f"| {text(last.feature)} | {text(signal)} | {'unknown' if influence is None else f'{influence:.0%}'}"
            f" | {sum(day.breached for day in breached[name])} of {len(breached[name])}"
            f" | {last.formatted(last.value)} | {last.formatted(last.expected)} |"
        )
    if len(order) > MAX_LINES:
        lines.append(f"\n… and {len(order) - MAX_LINES} more, in the run's artifact.")
    title = f"{text(model)}: {', '.join(features[:3])} outside control limits in the week of {monday}"
    return title, "\n".join(lines) + "\n"


def _monday(day: str) -> date:
    at = date.fromisoformat(day)
    return at - timedelta(days=at.weekday())


def _is_over(monday: date, days: set[str]) -> bool:
    """Whether its Sunday, or a later day, was evaluated."""
    sunday = monday + timedelta(days=6)
    return max(days) >= sunday.isoformat()

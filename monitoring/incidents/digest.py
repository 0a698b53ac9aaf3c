"""Signals -> the week's digest: what moved and woke nobody, the most influential feature first.

Pure. A digest is about whole weeks, Monday to Sunday, so it changes once a week and no more.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta

from monitoring.charts.signals import Signal, by_series
from reporting.markdown import text


def digest(signals: list[Signal], influences: Mapping[str, float], model: str, version: str) -> tuple[str, str] | None:
    """Title and body for the last whole week of *signals*; None without one, no title if it was quiet."""
    days = {signal.day for signal in signals if signal.tier == "digest"}
    monday = max((day for day in map(_monday, days) if _whole(day, days)), default=None)
    if monday is None:
        return None
    week = [signal for signal in signals if signal.tier == "digest" and _monday(signal.day) == monday]
    moved = {name: those for name, those in by_series(week).items() if any(signal.breached for signal in those)}
    if not moved:
        return "", f"In the week of {monday} nothing was beyond its limits."
    order = sorted(moved, key=lambda name: (-influences.get(moved[name][0].feature, 0.0), name))
    firsts = [moved[name][0] for name in order]
    features = list(dict.fromkeys(text(f.feature or f.kind.replace("_", " ")) for f in firsts))
    lines = [
        (
            f"**{text(model)}**, version `{text(version)}`: in the week of {monday} these were beyond their"
            " limits. Nothing that the score or its performance says is wrong; the first lines matter the most."
        ),
        "",
        "| feature | what | of the score's variance | days beyond | last value | usual |",
        "|---|---|---:|---:|---:|---:|",
    ]
    for name in order[:50]:
        last = moved[name][-1]
        what = f"{last.kind} {last.metric}".replace("_", " ")
        power = influences.get(last.feature) if last.feature else 0.0
        lines.append(
            f"| {text(last.feature)} | {text(what)} | {'unknown' if power is None else f'{power:.0%}'}"
            f" | {sum(signal.breached for signal in moved[name])} of {len(moved[name])}"
            f" | {last.told(last.value)} | {last.told(last.expected)} |"
        )
    more = len(order) - 50
    if more > 0:
        lines.append(f"\n… and {more} more, in the file of the run.")
    title = f"{text(model)}: {', '.join(features[:3])} moved in the week of {monday}"
    return title, "\n".join(lines) + "\n"


def _monday(day: str) -> date:
    at = date.fromisoformat(day)
    return at - timedelta(days=at.weekday())


def _whole(monday: date, days: set[str]) -> bool:
    """Whether the week is over: a later day was judged, or its Sunday."""
    sunday = monday + timedelta(days=6)
    return max(days) >= sunday.isoformat()

"""Signals + limits -> raised, quiet or undecided.

Pure. Three tiers: a page opens an alert on one day beyond its limits, an issue when it lasts, and the
digest tells once a week what else moved. An alert closes after enough quiet days in a row. In between
nothing changes: an open alert stays open, a closed one closed. What could not be watched is no alarm, and
it keeps an open alert open.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from contracts.monitoring_limits import Monitoring
from monitoring.charts.signals import COUNTS, SERVICE, Signal, Unknown, by_series

FARTHEST = 99.0  # times its limit: beyond it nobody counts


@dataclass(frozen=True)
class Assessment:
    """What the signals amount to, and the series that are beyond their limits, pages first."""

    state: Literal["raised", "quiet", "undecided"]
    breaching: tuple[str, ...]
    why: str
    tier: str = ""


def assess(signals: list[Signal], unknown: Sequence[Unknown], rules: Monitoring) -> Assessment:
    """Whether an alert is due, over, or neither, by the last days of each opening series."""
    opening = {name: days for name, days in by_series(signals).items() if days[0].tier != "digest"}
    needed = {"page": 1, "issue": rules.lasting}
    lasting = sorted(
        (
            name
            for name, days in opening.items()
            if sum(day.breached for day in days[-rules.of :]) >= needed[days[0].tier]
        ),
        key=lambda name: opening[name][0].tier == "issue",
    )
    if lasting:
        tier = opening[lasting[0]][0].tier
        often = "one day or more" if tier == "page" else f"{rules.lasting} or more"
        why = f"beyond limits on {often} of the last {rules.of} days"
        return Assessment("raised", tuple(lasting), why, tier)
    watched = {*rules.page, *rules.issue}
    early = {each.kind for each in unknown if each.yet}
    if not opening or watched - {*COUNTS, *SERVICE} <= early:  # counts alone are no verdict
        return Assessment("undecided", (), "no day could be judged yet")
    blind = [each.kind for each in unknown if each.kind.split()[0] in watched and not each.yet]
    if blind:
        return Assessment("undecided", (), f"could not be watched: {', '.join(blind)}")
    # A series that is only known later (by outcomes, or in thin slices) is quiet as far as it is known.
    restless = [name for name, days in opening.items() if any(day.breached for day in days[-rules.quiet :])]
    short = max(len(days) for days in opening.values()) < rules.quiet
    if restless:
        return Assessment("undecided", (), f"beyond limits within the last {rules.quiet} days: {', '.join(restless)}")
    if short:
        return Assessment("undecided", (), f"fewer than {rules.quiet} days could be judged")
    return Assessment("quiet", (), f"within limits for the last {rules.quiet} days")


def drifted_features(signals: list[Signal], since: str) -> list[str]:
    """The features beyond their limits on most days *since* then, the farthest first."""
    found: dict[str, float] = {}
    for days in by_series([s for s in signals if s.kind == "univariate_drift" and s.day >= since]).values():
        if 2 * sum(day.breached for day in days) > len(days):
            far = sum(map(excess, days)) / len(days)
            found[days[0].feature] = max(far, found.get(days[0].feature, 0.0))
    return sorted(found, key=lambda name: -found[name])


def excess(day: Signal) -> float:
    """How far from usual a day or its level lies, as a multiple of the way to the limit there."""
    return max(
        _far(day.value, day.expected, day.lower, day.upper),
        _far(day.level, day.expected, day.level_lower, day.level_upper),
    )


def _far(value: float | None, usual: float, lower: float | None, upper: float | None) -> float:
    limit = limit_of(value, usual, lower, upper)
    if value is None or limit is None or limit == usual:
        return 0.0
    return min(max((value - usual) / (limit - usual), 0.0), FARTHEST)


def limit_of(value: float | None, usual: float, lower: float | None, upper: float | None) -> float | None:
    """The limit on the side where the *value* lies."""
    below = value is not None and value < usual
    near, other = (lower, upper) if below else (upper, lower)
    return near if near is not None else other


def breach_start(days: list[Signal]) -> str:
    """The first day of the spell that the last breach belongs to; one quiet day does not end it."""
    start = ""
    calm = 0
    for day in reversed(days):
        calm = 0 if day.breached else calm + 1
        if calm > 1 and start:
            break
        if day.breached:
            start = day.day
    return start

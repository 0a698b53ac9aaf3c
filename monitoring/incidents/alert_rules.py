"""Assesses signals: raised, quiet or undecided. Pure.

Three severities: a page alerts after one day outside its control limits, an issue when the breach lasts, and the
digest lists the rest once a week. An alert is resolved after enough consecutive days within limits; until then
nothing changes. What could not be monitored raises no alarm, and keeps an open alert open.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from contracts.monitoring_limits import Monitoring
from monitoring.charts.signals import COUNTS, SERVICE, SKEW, Signal, Unknown, by_series

#: Largest excess that is reported.
MAX_EXCESS = 99.0


@dataclass(frozen=True)
class Assessment:
    """The state, the *breaching* series (pages first) and the severity."""

    state: Literal["raised", "quiet", "undecided"]
    breaching: tuple[str, ...]
    why: str
    severity: str = ""


def assess(signals: list[Signal], unknown: Sequence[Unknown], rules: Monitoring) -> Assessment:
    """The state by the last days of each series that can raise an alert."""
    opening = {name: days for name, days in by_series(signals).items() if days[0].severity != "digest"}
    needed = {"page": 1, "issue": rules.lasting}
    lasting = sorted(
        (
            name
            for name, days in opening.items()
            if sum(day.breached for day in days[-rules.of :]) >= needed[days[0].severity]
        ),
        key=lambda name: opening[name][0].severity == "issue",
    )
    if lasting:
        severity = opening[lasting[0]][0].severity
        why = f"outside control limits on at least {needed[severity]} of the last {rules.of} days"
        return Assessment("raised", tuple(lasting), why, severity)
    watched = {*rules.page, *rules.issue}
    early = {each.kind for each in unknown if each.yet}
    if not opening or watched - {*COUNTS, *SERVICE, SKEW} <= early:  # counts alone do not assess the model
        return Assessment("undecided", (), "no day could be evaluated yet")
    missed = [each.kind for each in unknown if each.kind.split()[0] in watched and not each.yet]
    if missed:
        return Assessment("undecided", (), f"could not be monitored: {', '.join(missed)}")
    # A series that lags behind (label delay, few rows) counts as far as it is known.
    recent = [name for name, days in opening.items() if any(day.breached for day in days[-rules.quiet :])]
    short = max(len(days) for days in opening.values()) < rules.quiet
    if recent:
        why = f"outside control limits within the last {rules.quiet} days: {', '.join(recent)}"
        return Assessment("undecided", (), why)
    if short:
        return Assessment("undecided", (), f"fewer than {rules.quiet} days could be evaluated")
    return Assessment("quiet", (), f"within limits for the last {rules.quiet} days")


def drifted_features(signals: list[Signal], since: str) -> list[str]:
    """The features outside their limits on most days *since* then, the largest mean excess first."""
    drifted: dict[str, float] = {}
    for days in by_series([s for s in signals if s.kind == "univariate_drift" and s.day >= since]).values():
        if 2 * sum(day.breached for day in days) > len(days):
            mean = sum(map(excess, days)) / len(days)
            drifted[days[0].feature] = max(mean, drifted.get(days[0].feature, 0.0))
    return sorted(drifted, key=lambda name: -drifted[name])


def excess(day: Signal) -> float:
    """Distance of a day's value or level from the reference mean, as a multiple of that to the control limit."""
    return max(
        _excess(day.value, day.expected, day.lower, day.upper),
        _excess(day.level, day.expected, day.level_lower, day.level_upper),
    )


def _excess(value: float | None, mean: float, lower: float | None, upper: float | None) -> float:
    limit = limit_of(value, mean, lower, upper)
    if value is None or limit is None or limit == mean:
        return 0.0
    return min(max((value - mean) / (limit - mean), 0.0), MAX_EXCESS)


def limit_of(value: float | None, mean: float, lower: float | None, upper: float | None) -> float | None:
    """The limit on the side where the *value* lies."""
    below = value is not None and value < mean
    near, other = (lower, upper) if below else (upper, lower)
    return near if near is not None else other


def breach_start(days: list[Signal]) -> str:
    """The first day of the last breach; a single day within limits does not end a breach."""
    start = ""
    within = 0
    for day in reversed(days):
        within = 0 if day.breached else within + 1
        if within > 1 and start:
            break
        if day.breached:
            start = day.day
    return start

"""Training-serving skew: what the newest training found when it compared its rows with the journal.

Training calls the recipe's `load`, so the comparison is in its manifest (`model.serving_skew`); monitoring makes signals of
it. The limit is fixed and no part of the budget of false alarms, since clean rows do not differ.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from contracts.monitoring_limits import Monitoring
from monitoring.charts.signals import SKEW, Signal, Unknown

#: A comparison of an older day says nothing about today.
MAX_AGE_DAYS = 7
#: Fewer rows of a day have no share.
MIN_ROWS = 50


@dataclass(frozen=True)
class Skew:
    """The signals of the days, what could not be monitored, and a line for each feature that differs."""

    signals: tuple[Signal, ...] = ()
    unknown: tuple[Unknown, ...] = ()
    lines: tuple[str, ...] = ()


def serving_skew(found: Mapping[str, Any] | None, rules: Monitoring, until: str) -> Skew:
    """The share of rows that differ in the worst feature, of each compared day up to *until*."""
    severities = ("page", "issue", "digest")
    severity = next((name for name in severities if SKEW in getattr(rules, name)), "")
    if not severity:
        return Skew()
    if found is None:
        return _unknown("the newest model was trained without a journal (model train --journal)")
    if reason := found.get("failed") or found.get("unjoined"):
        return _unknown(str(reason), yet="failed" not in found)
    days = [each for each in found["days"] if each["rows"] >= MIN_ROWS and _age(each["day"], until) <= MAX_AGE_DAYS]
    if not days:
        return _unknown(f"no day up to {until} has {MIN_ROWS} rows that were sent and loaded")
    signals = [
        Signal(
            SKEW,
            "differing rows",
            "",
            each["day"],
            each["worst"],
            0.0,
            None,
            rules.max_skew,
            each["rows"],
            severity=severity,
        )
        for each in days
    ]
    high = signals[-1].breached
    hours = found.get("hours")
    lines = (
        [f"training-serving skew: the times of sent rows are {hours:+g} hours from those of load()"] if hours else []
    )
    lines += [
        _line(name, each) for name, each in found["features"].items() if each["rows"] > rules.max_skew * each["of"]
    ]
    return Skew(tuple(signals), (), tuple(lines) if high else ())


def _unknown(why: str, *, yet: bool = True) -> Skew:
    return Skew(unknown=(Unknown(SKEW, why, yet=yet),))


def _age(day: str, until: str) -> int:
    return (date.fromisoformat(until) - date.fromisoformat(day)).days


def _line(name: str, found: Mapping[str, Any]) -> str:
    examples = ", ".join(f"sent {each['sent']}, loaded {each['loaded']}" for each in found["examples"][:2])
    share = found["rows"] / found["of"]
    return f"training-serving skew: {name} differs in {share:.1%} of {found['of']:,} rows ({examples})"

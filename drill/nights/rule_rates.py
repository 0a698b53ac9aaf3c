"""The error rates of the gate's rules: counts over clean nights, with confidence intervals. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Verdict = Mapping[str, Any]
#: Quantile of the standard normal distribution for a two-sided interval of 95 %.
Z = 1.959964
#: Rules of the scorer's speed and size: they depend on the machine, not on the day.
SERVING = "serving."
#: What a finding does to a candidate, the most severe first.
EFFECTS = ("reject", "hold", "warn")


@dataclass(frozen=True)
class Rate:
    """How many of *nights* clean nights a rule rejects, holds, or only warns about."""

    rule: str
    nights: int
    reject: int = 0
    hold: int = 0
    warn: int = 0


def effect(finding: Mapping[str, Any]) -> str:
    """What the *finding* does to its candidate: one of `EFFECTS`, or "" where it passes."""
    outcome, severity = finding["outcome"], finding["severity"]
    if outcome == "PASS":
        return ""
    if outcome == "NOT_RUN" or (outcome == "FAIL" and severity == "block"):
        return "reject"
    return "warn" if severity == "warn" else "hold"


def rates(verdicts: Sequence[Verdict]) -> list[Rate]:
    """The rate of each rule with a finding, the most severe first; `serving.*` is left out.

    Findings on slices count as one rule for each kind, as `slice.*`.
    """
    rules: dict[str, list[str]] = {}
    for verdict in verdicts:
        worst: dict[str, str] = {}
        for finding in verdict["findings"]:
            name, found = _family(finding["rule"]), effect(finding)
            if not name.startswith(SERVING):
                worst[name] = min(worst.get(name, ""), found, key=_severity)
        for name, found in worst.items():
            rules.setdefault(name, []).append(found)
    counted = [Rate(name, len(found), *(found.count(each) for each in EFFECTS)) for name, found in rules.items()]
    return sorted(counted, key=lambda rate: (-rate.reject, -rate.hold, -rate.warn, rate.rule))


def decisions(verdicts: Iterable[Verdict]) -> dict[str, int]:
    """Decision -> number of nights."""
    found = dict.fromkeys(("PROMOTE", "HOLD", "REJECT"), 0)
    for verdict in verdicts:
        found[verdict["decision"]] += 1
    return found


def wilson(count: int, total: int) -> tuple[float, float]:
    """The 95 % confidence interval of a share (Wilson 1927)."""
    if not total:
        return 0.0, 1.0
    share, square = count / total, Z * Z / total
    middle = (share + square / 2) / (1 + square)
    half = Z * math.sqrt(share * (1 - share) / total + square / (4 * total)) / (1 + square)
    return max(0.0, middle - half), min(1.0, middle + half)


def shown(count: int, total: int) -> str:
    """The count with its share and interval, such as "1 (2 %, 0 to 10 %)"."""
    if not count:
        return f"0 (up to {wilson(0, total)[1]:.0%})".replace("%", " %")
    low, high = wilson(count, total)
    return f"{count} ({count / total:.0%}, {low:.0%} to {high:.0%})".replace("%", " %")


def _family(rule: str) -> str:
    return "slice.*" if rule.startswith("slice.") else rule


def _severity(found: str) -> int:
    return EFFECTS.index(found) if found else len(EFFECTS)

"""Every rule that needs neither Deepchecks nor a comparison, by name.

A rule that crashes is NOT_RUN, and that is no pass; one that is gone from a verdict is missed by
name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from checks.evidence import Evidence
from checks.rules import data_quality as rows
from checks.rules import labels, leakage
from checks.rules import model_behaviour as behaviour
from checks.verdict import Finding
from contracts.thresholds import Gate
from serve.release.bundle import Bundle

Examined = Callable[[Evidence, Bundle, Gate], Finding]
RULES: Mapping[str, Examined] = {
    "leak.solo": lambda e, _, gate: leakage.solo(e, gate.leakage),
    "leak.split": lambda e, _, gate: leakage.split(e, gate.leakage),
    "labels.maturing": lambda e, _, gate: labels.maturing(e, gate.labels),
    "labels.balance": lambda e, _, gate: labels.balance(e, gate.labels),
    "data.rewritten": lambda e, _, gate: rows.rewritten(e, gate.rows),
    "data.lost": lambda e, _, gate: rows.lost(e, gate.rows),
    "data.missing_jump": lambda e, _, gate: rows.missing_jump(e, gate.rows),
    "data.sentinels": lambda e, _, gate: rows.sentinels(e, gate.rows),
    "data.frozen": lambda e, _, gate: rows.frozen(e, gate.rows),
    "data.repeated": lambda e, _, gate: rows.repeated(e, gate.rows),
    "data.rate": lambda e, _, gate: rows.rate(e, gate.rows),
    "data.stale": lambda e, _, gate: rows.fresh(e, gate.rows),
    "data.clock": lambda e, _, gate: rows.clock(e, gate.rows),
    "model.constant": lambda e, _, gate: behaviour.spread(e, gate.behaviour),
    "model.direction": lambda e, b, gate: behaviour.direction(e, b, gate.behaviour),
    "model.stability": lambda _, b, gate: behaviour.stability(b, gate.behaviour),
    "bundle.metadata": lambda e, b, gate: behaviour.metadata(e, b, gate.behaviour),
    "bundle.clock": lambda _, b, gate: behaviour.clock(b, gate.behaviour),
}


def examination(
    evidence: Evidence, candidate: Bundle, gate: Gate, rules: Mapping[str, Examined] = RULES
) -> list[Finding]:
    """A finding per rule, whatever became of it."""
    found = []
    for name, rule in rules.items():
        try:
            found.append(rule(evidence, candidate, gate))
        except Exception as error:  # data of any shape: a rule must not take the others with it
            found.append(_crashed(name, error))
    return found


def _crashed(name: str, error: Exception) -> Finding:
    return Finding(
        name, "NOT_RUN", f"{type(error).__name__}: {error}", "it must run", "A check that crashed proves nothing."
    )

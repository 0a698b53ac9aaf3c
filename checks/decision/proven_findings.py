"""The findings of the comparison where only a proof lands a candidate (`decide = "proven"`), and combinations of metrics.

A metric passes if the confidence interval of its gain lies above minus the margin (non-inferiority; Wellek 2010), fails if
it lies below, and is inconclusive otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from checks.comparison.bootstrap import Gap
from checks.decision.gain_text import gain, gain_over, missing, more_rows, settled
from checks.verdict import Finding
from contracts.comparison_limits import Margins


def finding(rule: str, gap: Gap, margin: float, against: str, superior: bool = False) -> Finding:
    """The finding on a gain: not worse than the *margin* (non-inferiority), or *superior*: better."""
    limit = 0.0 if superior else -margin
    outcome = settled(gap, limit)
    required = f"better than {against}" if superior else f"not worse than {against} by more than the margin"
    why = {
        "PASS": f"The candidate is {required}.",
        "FAIL": f"The candidate must be {required}.",
        "INCONCLUSIVE": missing(gap, limit),
    }[outcome]
    more = more_rows(gap, limit) if outcome == "INCONCLUSIVE" else None
    return Finding(
        rule,
        outcome,
        gain_over(gap, against),
        "above 0" if superior else f"at least {gain(gap.metric, -margin)}",
        why,
        more_rows=more,
    )


def combined(findings: list[Finding], margins: Margins, prefix: str) -> list[Finding]:
    """The findings, and one for each combination; a metric in a combination does not block alone."""
    by_metric = {each.rule.removeprefix(prefix): each for each in findings}
    result = [replace(each, severity="warn") if margins.is_free(metric) else each for metric, each in by_metric.items()]
    for each in margins.combinations():
        parts = [by_metric[name] for name in each.metrics if name in by_metric]
        if len(parts) == len(each.metrics):
            result.append(_combination(each.name, each.least, each.outcome(f.outcome for f in parts), parts, prefix))
    return result


def _combination(name: str, least: int, outcome: str, parts: Iterable[Finding], prefix: str) -> Finding:
    parts = list(parts)
    nearest = min((f for f in parts if f.more_rows is not None), key=lambda f: f.more_rows or 0, default=None)
    why = "`require` in thresholds.toml combines these metrics."
    if outcome == "INCONCLUSIVE" and nearest:
        why += f" Closest: {nearest.rule.removeprefix(prefix)}. {nearest.why}"
    results = {"PASS": "passes", "FAIL": "fails", "INCONCLUSIVE": "is inconclusive"}
    observed = "; ".join(
        f"{f.rule.removeprefix(prefix)} {results.get(f.outcome, 'could not be checked')}" for f in parts
    )
    return Finding(
        f"{prefix}{name}",
        outcome,  # type: ignore[arg-type]
        observed,
        f"at least {least} of {len(parts)} pass",
        why,
        more_rows=nearest.more_rows if outcome == "INCONCLUSIVE" and nearest else None,
    )

"""The findings of the comparison where a candidate lands by expectation (`decide = "expected"`)."""

from __future__ import annotations

from dataclasses import replace

from checks.comparison.bootstrap import Gap
from checks.decision.expected_gain import ExpectedGain, sentence, waiting
from checks.decision.gain_text import gain, gain_over, missing, more_rows, settled
from checks.verdict import Finding

#: From this chance on a guardrail is rather broken than not.
EVEN_CHANCE = 0.5


def primary(
    rule: str, gap: Gap, margin: float, found: ExpectedGain | None, max_risk: float, money: str = ""
) -> Finding:
    """The finding on the primary metric's gain over the champion: surely worse, expected to earn, or neither."""
    limit = f"expected gain above 0, chance of being worse by more than the margin below {max_risk:.0%}"
    if found is None or settled(gap, -margin) == "FAIL":
        return _guarded(rule, gap, margin, "the champion")
    outcome = found.outcome(max_risk)
    why = waiting(found, max_risk)
    if outcome == "PASS":
        why = "Landing it is expected to earn more than keeping the champion."
    return Finding(rule, outcome, sentence(found, money), limit, why)


def anchored(rule: str, gap: Gap, margin: float, found: ExpectedGain | None, max_risk: float) -> Finding:
    """The finding on the primary metric's gain over the anchor: many small losses in a row must not add up."""
    limit = f"chance of being worse by more than {gain(gap.metric, margin)[1:]} below {max_risk:.0%}"
    if found is None or settled(gap, -margin) == "FAIL":
        return _guarded(rule, gap, margin, "the anchor")
    observed = f"{gain_over(gap, 'the anchor')}; the chance is {found.risk:.0%}"
    if found.risk < max_risk:
        return Finding(rule, "PASS", observed, limit, "Small losses have not added up.")
    why = f"Many small losses may have added up. {missing(gap, -margin)}"
    return Finding(rule, "INCONCLUSIVE", observed, limit, why, more_rows=more_rows(gap, -margin))


def guardrail(rule: str, gap: Gap, margin: float, against: str, found: ExpectedGain | None) -> Finding:
    """The finding on a metric that does not decide: it holds a candidate that is rather worse than the margin than not."""
    held = _guarded(rule, gap, margin, against)
    if held.outcome != "INCONCLUSIVE" or found is None or found.risk >= EVEN_CHANCE:
        return held
    observed = f"{held.observed}; chance of being worse by more than the margin {found.risk:.0%}"
    return replace(
        held, outcome="PASS", observed=observed, why=f"Rather within the margin of {against}.", more_rows=None
    )


def _guarded(rule: str, gap: Gap, margin: float, against: str) -> Finding:
    outcome = settled(gap, -margin)
    why = {
        "PASS": f"Not worse than {against} by more than the margin.",
        "FAIL": _worse(against),
        "INCONCLUSIVE": missing(gap, -margin),
    }[outcome]
    limit = f"at least {gain(gap.metric, -margin)}"
    more = more_rows(gap, -margin) if outcome == "INCONCLUSIVE" else None
    return Finding(rule, outcome, gain_over(gap, against), limit, why, more_rows=more)


def _worse(against: str) -> str:
    return f"It is surely worse than {against} by more than the margin."

"""Candidate and champion beside the baseline, a decision tree of depth three.

With a champion the choice is between two models; without one it is between this model and none.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from checks.comparison.bootstrap import Gap
from checks.decision.gain_text import gain, gain_over, missing, more_rows, settled
from checks.verdict import Finding, Outcome

RULE, TREE = "compare.baseline", "a tree of depth three"
First = Literal["land", "hold"]
#: What to serve where the tree is surely better than everything else.
SERVE_THE_TREE = (
    "Serve the tree instead: let estimator() of the recipe return sklearn's DecisionTree with max_depth=3 and"
    " min_samples_leaf=20, and train again."
)


def against_baseline(
    gap: Gap, margin: float, champion: Outcome | None, theirs: Gap | None, first: First | None
) -> Finding:
    """The finding on the primary metric's gain over the baseline.

    *champion* is the outcome of the comparison with the champion, *theirs* the champion's own gain over the baseline, both
    None without one. *first* is None where only a proof lands a candidate.
    """
    outcome = settled(gap, -margin)
    severity: Literal["block", "warn"] = "block"
    why = "A model that a tree of depth three beats is not worth its maintenance."
    if outcome == "INCONCLUSIVE":
        why = missing(gap, -margin)
    if outcome == "FAIL":
        why = f"{why} {SERVE_THE_TREE}"
    if first and champion is not None and outcome != "PASS" and champion == "PASS":
        severity = "warn"
        why = f"The choice is between candidate and champion, and the candidate is the better one. {why}"
    if first == "land" and champion is None and outcome == "INCONCLUSIVE":
        severity = "warn"
        why = "Nothing is live: the choice is between this model and none, and it is not surely worse than the tree."
    if theirs is not None and settled(theirs, 0.0) == "FAIL":
        why = f"{champion_is_worse(theirs)} {why}"
    values = f"{gap.metric} {gap.ours:.4f} against {gap.theirs:.4f}; {gain_over(gap, TREE)}"
    more = more_rows(gap, -margin) if outcome == "INCONCLUSIVE" else None
    limit = f"at least {gain(gap.metric, -margin)}"
    return replace(Finding(RULE, outcome, values, limit, why, severity), more_rows=more)


def champion_is_worse(theirs: Gap) -> str:
    """That the champion is surely worse than the baseline."""
    return f"The champion itself is worse than the tree: {theirs.metric} {theirs.ours:.4f} against {theirs.theirs:.4f}."

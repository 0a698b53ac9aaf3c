"""A change of the gate's rules, judged by its past: which candidates would have landed otherwise, and what that earned. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from backtest.policy_replay import PolicyPath, Step
from backtest.reports.report_parts import Part, between
from backtest.results.policy_results import PolicyResult
from backtest.results.realised_loss import Realised
from contracts.comparison_limits import LARGER_IS_BETTER

#: The names of the two policies.
PRESENT, PROPOSED = "main", "proposed"
#: The most nights that are listed one by one.
LISTED = 20


def change_part(found: Sequence[PolicyResult], realised: Realised) -> Part:
    """The nights on which the two sets of rules decide otherwise, and the difference that they realised."""
    by_name = {each.name: each for each in found}
    present, proposed = by_name[PRESENT], by_name[PROPOSED]
    differ = [
        (old, new)
        for old, new in zip(present.path.steps, proposed.path.steps, strict=True)
        if old.decision != new.decision
    ]
    rows = tuple(
        (realised.labels[new.night], old.decision, new.decision, _reason(old if old.stopping else new))
        for old, new in differ[:LISTED]
    )
    heads = ("night", "under the present rules", "under the proposed rules", "reason")
    return Part("change", "What would have landed otherwise", (summary(present, proposed, realised),), heads, rows)


def summary(present: PolicyResult, proposed: PolicyResult, realised: Realised) -> str:
    """One sentence: how many nights differ, and what the proposed rules would have earned or cost."""
    count = len(present.path.steps)
    if _decisions(present.path) == _decisions(proposed.path):
        return f"Under the proposed rules all {count} nights from {realised.labels[0]} on would have been decided as before."
    differ = sum(old.decision != new.decision for old, new in zip(present.path.steps, proposed.path.steps, strict=True))
    if present.path.live == proposed.path.live:
        return f"{differ} of {count} nights would have been decided otherwise; the same models would have been live."
    gap, (low, high) = proposed.better, proposed.better.interval
    sure = low > 0 or high < 0
    verb = "earned" if gap.value > 0 else "cost"
    certain = "" if sure else "; the interval contains 0, so these nights do not show which rules are better"
    unit = f"{realised.metric} ({'higher' if realised.metric in LARGER_IS_BETTER else 'lower'} is better)"
    return (
        f"{differ} of {count} nights would have been decided otherwise: the proposed rules would have {verb}"
        f" {abs(gap.value):.4f} of {unit} a row, {between(gap)}{certain}."
    )


def _decisions(path: PolicyPath) -> list[str]:
    return [step.decision for step in path.steps]


def _reason(step: Step) -> str:
    return ", ".join(step.stopping[:3]) or step.summary

"""Outcomes that are not those which the champion's evidence has for the same rows, in every class: drawn at random again.

Outcomes that arrive late change one class into the others, and a new definition does so as well. Random noise changes rows
of each class: of a share s of all rows with an outcome drawn again, a class with the share p of the rows loses s (1 - p) of
its rows. The smallest s of the classes is the noise; `data.rewritten` counts all changes. It needs no model, so that noise
which costs less than a week of staleness is found, too.
"""

from __future__ import annotations

import pandas as pd

from checks.evidence import Evidence
from checks.verdict import Finding, ruled
from contracts.gate_limits import Rows

RULE = "labels.rewritten"
#: Fewest rows of a class in both bundles, and fewest of them with another outcome.
MIN_ROWS, MIN_CHANGED = 30, 3


def rewritten_outcomes(evidence: Evidence, limits: Rows) -> list[Finding]:
    """The finding `labels.rewritten`; none for a regression, where `data.rewritten` counts all changes."""
    name, both = evidence.contract.target.name, evidence.past.both
    if evidence.contract.task == "regression":
        return []
    noise, observed = None, "too few rows in both bundles to compare"
    if f"{name}_before" in both:
        noise = _noise(both[name], both[f"{name}_before"])
    if noise is not None:
        observed = f"of {len(both):,} rows in both bundles, about {noise:.1%} have a {name} that was drawn again"
    return [
        ruled(
            RULE,
            noise is None or noise <= limits.max_rewritten,
            observed,
            f"at most {limits.max_rewritten:.0%}",
            "Past outcomes changed in every class, as with random noise: a join or the recipe changed. If they were corrected"
            " on purpose, waive the rule once: the next champion has them.",
            limits.severity,
        )
    ]


def _noise(now: pd.Series, before: pd.Series) -> float | None:
    """The share of the rows whose outcome was drawn again, at least; None with too few rows of any class."""
    shares = before.value_counts(normalize=True)
    changed = [
        (int((now[before == value] != value).sum()), int((before == value).sum()), float(share))
        for value, share in shares.items()
    ]
    found = [(lost / rows / (1 - share), lost) for lost, rows, share in changed if rows >= MIN_ROWS and share < 1]
    if len(found) < 2:
        return None
    return min(share if lost >= MIN_CHANGED else 0.0 for share, lost in found)

"""Running numbers and identifiers among the features."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from checks.evidence import Evidence
from checks.verdict import Finding, ruled
from contracts.gate_limits import Leakage

#: Rank correlation with time at which a feature grows with it, and fewest values: a monthly figure has a few.
GROWS, MIN_KINDS = 0.99, 30
#: Share of distinct values at which a category, or a whole number, is nearly unique.
UNIQUE_WORDS, UNIQUE_NUMBERS = 0.5, 0.99
#: Fewest rows for either.
MIN_ROWS = 200


def running_ids(evidence: Evidence, limits: Leakage) -> Finding:
    """No feature numbers the rows, or identifies them.

    A running number grows (or falls) with time, from row to row or from day to day. An identifier is nearly unique: a
    category, or a whole number. The rule holds the candidate where the champion lacks the feature, and reports it otherwise.
    """
    contract, before = evidence.contract, evidence.past.before
    rows = pd.concat([evidence.train, evidence.holdout], ignore_index=True)
    found = {}
    for feature in contract.features:
        kind = _identifier(rows[feature.name]) if feature.kind == "category" else ""
        if feature.kind == "number":
            kind = _running(rows[feature.name].astype(float), rows[contract.time])
        if kind:
            found[feature.name] = kind
    new = [name for name in found if before is not None and name not in before]
    return ruled(
        "leak.running_id",
        not found,
        "; ".join(f"{name} {found[name]}" for name in [*new, *(each for each in found if each not in new)])
        or "no feature numbers or identifies the rows",
        "no feature that numbers or identifies rows",
        "A later row has a value that training never had; an id may also say in which order rows were labelled.",
        "hold" if new and limits.severity == "block" else "warn",
    )


def _identifier(column: Any) -> str:
    known = column.dropna()
    if len(known) < MIN_ROWS or known.nunique() < UNIQUE_WORDS * len(known):
        return ""
    return f"is nearly unique: {known.nunique():,} values in {len(known):,} rows"


def _running(column: pd.Series[Any], at: pd.Series[Any]) -> str:
    known = column.dropna()
    if len(known) < MIN_ROWS or known.nunique() < 2:
        return ""
    kinds = known.nunique()
    together = abs(_correlation(known, at[known.index]))
    if together >= GROWS and kinds >= MIN_KINDS:
        return f"grows or falls with time (rank correlation {together:.3f}): a running number"
    unique = kinds / len(known)
    if unique >= UNIQUE_NUMBERS and bool((known % 1 == 0).all()):
        return f"is a whole number and nearly unique: {kinds:,} values in {len(known):,} rows"
    return ""


def _correlation(one: pd.Series[Any], other: pd.Series[Any]) -> float:
    """Spearman's rank correlation; 0 where one of them is constant."""
    ranks = [each.rank().to_numpy() for each in (one, other)]
    if any(np.ptp(each) == 0 for each in ranks):
        return 0.0
    return float(np.corrcoef(*ranks)[0, 1])

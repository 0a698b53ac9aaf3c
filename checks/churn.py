"""Prediction churn: how many decisions a release changes, good or bad.

Two models of the same quality may still disagree on many rows, and whoever acts on the answers
sees each change (Milani Fard et al. 2016, "Launch and iterate: reducing prediction churn").
"""

from __future__ import annotations

import numpy as np

from checks.evidence import Array, Evidence
from model.contract import Contract

#: A score at or above it decides for the positive class.
CUT = 0.5
#: A number decides otherwise if it moves by more than this share of the champion's quartile range.
MOVED = 0.1


def churn(evidence: Evidence) -> float | None:
    """The share of fresh rows that candidate and champion decide differently; None without one."""
    if evidence.champion is None or not evidence.fresh.any():
        return None
    ours, theirs = evidence.holdout_scores[evidence.fresh], evidence.champion[evidence.fresh]
    return float(_differs(evidence.contract, ours, theirs).mean())


def _differs(contract: Contract, ours: Array, theirs: Array) -> Array:
    if contract.task == "regression":
        low, high = np.percentile(theirs, [25, 75])
        return np.asarray(np.abs(ours - theirs) > MOVED * (high - low))
    if contract.task == "binary":
        return np.asarray((ours >= CUT) != (theirs >= CUT))
    return np.asarray(ours.argmax(axis=1) != theirs.argmax(axis=1))

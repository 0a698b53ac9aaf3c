"""Are the labels the outcomes? Some come late, and some stop coming."""

from __future__ import annotations

from typing import Any

import numpy as np

from checks.evidence import Array, Evidence, days_of, target
from checks.verdict import Finding, ruled
from contracts.gate_limits import Labels

#: The end of the holdout that is compared with its beginning; and fewer days than this tell nothing.
END, FEWEST_DAYS = 0.25, 8


def maturing(evidence: Evidence, limits: Labels) -> Finding:
    """Outcomes do not dry up at the end: late ones would be learnt as "it did not happen".

    By day, what happened (any class but the first) over what was predicted, so that a calm week is
    not taken for a late feed. The last quarter of the days must fall by more than the limit *and*
    by more than two standard errors. It blocks where they keep less than half of what the calmest
    days learnt from kept: seasons turn within days, too, and that is only said.
    """
    said, fails, severity = "regression: a missing outcome is no row", False, limits.severity
    if evidence.contract.task != "regression":
        scores = evidence.holdout_scores
        predicted = scores if scores.ndim == 1 else 1 - scores[:, 0]
        ratio = _by_day(evidence.days, evidence.truth > 0, predicted)
        last = max(2, int(len(ratio) * END))
        early, late = ratio[:-last], ratio[-last:]
        said = f"{len(ratio)} days are too few to tell"
        if len(ratio) >= FEWEST_DAYS and early.mean() > 0:
            kept = late.mean() / early.mean()
            error = early.std(ddof=1) * np.sqrt(1 / len(late) + 1 / len(early))
            fails = bool(1 - kept > limits.max_fall and early.mean() - late.mean() > 2 * error)
            calmest = _calmest(evidence, len(early), last)
            severity = "warn" if fails and kept >= calmest / 2 else limits.severity
            said = (
                f"over the last {last} days {late.mean():.2f} outcomes for each one predicted,"
                f" {early.mean():.2f} before: {kept:.0%} kept; the calmest days learnt from kept {calmest:.0%}"
            )
    return ruled(
        "labels.maturing",
        not fails,
        said,
        f"a fall of at most {limits.max_fall:.0%}",
        "Outcomes that come late are taken for outcomes that never came.",
        severity,
    )


def _by_day(days: Any, happened: Any, expected: Any) -> Array:
    """What happened over what was expected, by day."""
    _, day = np.unique(days, return_inverse=True)
    found: Array = np.bincount(day, happened) / np.maximum(np.bincount(day, expected), 1e-9)
    return found


def _calmest(evidence: Evidence, before: int, last: int) -> float:
    """Of the rows learnt from: the least that *last* days kept of the share of outcomes of those before."""
    contract, rows = evidence.contract, evidence.train
    share = _by_day(days_of(rows, contract), target(rows, contract) > 0, np.ones(len(rows)))
    means = [
        (share[at : at + last].mean(), share[at - before : at].mean()) for at in range(before, len(share) - last + 1)
    ]
    return min((late / early for late, early in means if early), default=1.0)


def balance(evidence: Evidence, limits: Labels) -> Finding:
    """Every class is there often enough to be learnt."""
    contract = evidence.contract
    said, least = "regression: no classes", 1.0
    if contract.task != "regression":
        codes = target(evidence.train, contract).astype(int)
        shares = np.bincount(codes, minlength=len(contract.target.classes)) / len(codes)
        rare = int(shares.argmin())
        least = float(shares[rare])
        said = f"{least:.2%} of the rows learnt from are {contract.target.classes[rare]}"
    return Finding(
        "labels.balance",
        "PASS" if least >= limits.min_class else "FAIL",
        said,
        f"at least {limits.min_class:.2%} of each class",
        "A class that hardly comes cannot be learnt; often its outcomes were lost.",
        limits.severity,
    )

"""Are the labels the outcomes? Some come late, and some stop coming."""

from __future__ import annotations

import numpy as np

from checks.evidence import Evidence, target
from checks.limits import Labels
from checks.verdict import Finding

#: The end of the holdout that is compared with its beginning; and fewer days than this tell nothing.
END, FEWEST_DAYS = 0.25, 8


def maturing(evidence: Evidence, limits: Labels) -> Finding:
    """Outcomes do not dry up at the end: late ones would be learnt as "it did not happen".

    By day, what happened (any class but the first) over what was predicted, so that a calm week is
    not taken for a late feed. The last quarter of the days must fall by more than the limit *and*
    by more than two standard errors.
    """
    said, fails = "regression: a missing outcome is no row", False
    if evidence.contract.task != "regression":
        scores = evidence.holdout_scores
        happened = evidence.truth > 0
        predicted = scores if scores.ndim == 1 else 1 - scores[:, 0]
        _, day = np.unique(evidence.days, return_inverse=True)
        ratio = np.bincount(day, happened) / np.maximum(np.bincount(day, predicted), 1e-9)
        last = max(2, int(len(ratio) * END))
        early, late = ratio[:-last], ratio[-last:]
        said = f"{len(ratio)} days are too few to tell"
        if len(ratio) >= FEWEST_DAYS and early.mean() > 0:
            fall = 1 - late.mean() / early.mean()
            error = early.std(ddof=1) * np.sqrt(1 / len(late) + 1 / len(early))
            fails = bool(fall > limits.max_fall and early.mean() - late.mean() > 2 * error)
            said = (
                f"over the last {last} days {late.mean():.2f} outcomes for each one predicted,"
                f" {early.mean():.2f} before"
            )
    return Finding(
        "labels.maturing",
        "FAIL" if fails else "PASS",
        said,
        f"a fall of at most {limits.max_fall:.0%}",
        "Outcomes that come late are taken for outcomes that never came.",
        limits.severity,
    )


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

"""Labels: label delay at the end of the holdout, and rare classes."""

from __future__ import annotations

from typing import Any

import numpy as np

from checks.evidence import Array, Evidence, days_of, target
from checks.verdict import Finding, at_most_hold, ruled
from contracts.gate_limits import Labels

#: The last share of the holdout's days, which is compared with the rest; fewest days for that.
END, MIN_DAYS = 0.25, 8


def maturing(evidence: Evidence, limits: Labels) -> Finding:
    """Outcomes do not fall off at the end of the holdout, where labels may still be missing.

    Compared is the ratio of outcomes (any class but the first) to predicted outcomes by day, since a quiet week
    lowers both. The rule fails if the last quarter of the days falls by more than the limit *and* by more than two
    standard errors. It blocks where those days keep less than half of what the quietest days in training kept, and
    warns otherwise: seasons change within days, too.
    """
    observed, fails, severity = "regression: rows without an outcome are excluded", False, limits.severity
    if evidence.contract.task != "regression":
        scores = evidence.holdout_scores
        predicted = scores if scores.ndim == 1 else 1 - scores[:, 0]
        ratio = _by_day(evidence.days, evidence.truth > 0, predicted)
        last = max(2, int(len(ratio) * END))
        early, late = ratio[:-last], ratio[-last:]
        observed = f"{len(ratio)} days are too few to compare"
        if len(ratio) >= MIN_DAYS and early.mean() > 0:
            kept = late.mean() / early.mean()
            error = early.std(ddof=1) * np.sqrt(1 / len(late) + 1 / len(early))
            fails = bool(1 - kept > limits.max_fall and early.mean() - late.mean() > 2 * error)
            quietest = _quietest(evidence, len(early), last)
            severity = "warn" if fails and kept >= quietest / 2 else limits.severity
            observed = (
                f"{late.mean():.2f} outcomes per predicted outcome over the last {last} days, {early.mean():.2f} before:"
                f" {kept:.0%} kept; the quietest days in training kept {quietest:.0%}"
            )
    return ruled(
        "labels.maturing",
        not fails,
        observed,
        f"a fall of at most {limits.max_fall:.0%}",
        "With label delay, outcomes that are still missing are trained on as negatives.",
        severity,
    )


def _by_day(days: Any, happened: Any, expected: Any) -> Array:
    """Outcomes over expected outcomes, by day."""
    _, day = np.unique(days, return_inverse=True)
    ratio: Array = np.bincount(day, happened) / np.maximum(np.bincount(day, expected), 1e-9)
    return ratio


def _quietest(evidence: Evidence, before: int, last: int) -> float:
    """In training: the least share of outcomes that *last* days kept, relative to the days *before* them."""
    contract, rows = evidence.contract, evidence.train
    share = _by_day(days_of(rows, contract), target(rows, contract) > 0, np.ones(len(rows)))
    means = [
        (share[at : at + last].mean(), share[at - before : at].mean()) for at in range(before, len(share) - last + 1)
    ]
    return min((late / early for late, early in means if early), default=1.0)


def balance(evidence: Evidence, limits: Labels) -> Finding:
    """Every class is frequent enough in the training rows, or was as rare for the champion.

    Frauds may be one row in a thousand. So the rule blocks where a class has become rare: it has less than half of its share
    of the champion's rows. Without a champion it holds.
    """
    contract, before = evidence.contract, evidence.past.before
    observed, least, severity = "regression: no classes", 1.0, limits.severity
    if contract.task != "regression":
        codes = target(evidence.train, contract).astype(int)
        shares = np.bincount(codes, minlength=len(contract.target.classes)) / len(codes)
        rare = int(shares.argmin())
        least = float(shares[rare])
        observed = f"{least:.2%} of the training rows have the class {contract.target.classes[rare]}"
        if before is None or contract.target.name not in before:
            severity = at_most_hold(severity)
        else:
            was = float((target(before, contract) == rare).mean())
            observed += f", {was:.2%} of the champion's"
            severity = "warn" if least >= was / 2 else severity
    return ruled(
        "labels.balance",
        least >= limits.min_class,
        observed,
        f"at least {limits.min_class:.2%} of each class",
        "A class that is this rare cannot be predicted; often its labels were lost.",
        severity,
    )

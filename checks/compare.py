"""Candidate against champion and a simple baseline, on the same fresh rows.

Two point estimates say little: rows of one day go together, and the difference of two good models
is small. So whole days are drawn with replacement (a paired cluster bootstrap; Efron and
Tibshirani 1993, ch. 8; Field and Welsh 2007), and the candidate passes a metric when its
difference is, with the stated confidence, no worse than the margin (non-inferiority).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.preprocessing import OrdinalEncoder
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from checks.evidence import Array, Evidence, target
from checks.rules import LARGER_IS_BETTER, Compare
from checks.verdict import Finding, Outcome

#: A probability of exactly 0 or 1 would cost infinitely much.
CLIP = 1e-7
#: The difference of these is told as a share of the champion's error.
RELATIVE = frozenset({"mae", "rmse"})
#: How often each row counts, (n,); None for once.
Weights = Any
#: A metric of given rows, for given weights.
Weighted = Callable[[Weights], float]


@dataclass(frozen=True)
class Compared:
    """One metric: candidate, champion, baseline, and the interval of the difference.

    The difference is candidate minus champion, turned so that more is better; for regression it is
    a share of the champion's error. None where there is no champion.
    """

    metric: str
    candidate: float
    baseline: float
    champion: float | None = None
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    margin: float | None = None


def compare(evidence: Evidence, rules: Compare) -> tuple[list[Compared], list[Finding]]:
    """Every metric of the task, and the findings on those with a margin."""
    contract, fresh = evidence.contract, evidence.fresh
    truth, candidate = evidence.truth[fresh], evidence.holdout_scores[fresh]
    simple = baseline(evidence)[fresh]
    margins = rules.margins(contract.task)
    table, findings = [], []
    for metric in dict.fromkeys([margins.primary, *margins.margins]):
        function = METRICS[metric]
        ours, theirs = function(truth, candidate), function(truth, simple)
        if evidence.champion is None:
            table.append(Compared(metric, ours(None), theirs(None)))
            findings.append(_without_champion(metric, evidence))
            continue
        rival = function(truth, evidence.champion[fresh])
        drawn = _draw_days(evidence.days[fresh], rules.draws, rules.seed)
        gaps = [_gap(metric, ours(weights), rival(weights)) for weights in drawn]
        tail = (1 - rules.confidence) / 2 * 100
        low, high = (float(each) for each in np.nanpercentile(gaps, [tail, 100 - tail]))
        gap = _gap(metric, ours(None), rival(None))
        margin = margins.margins[metric]
        row = Compared(metric, ours(None), theirs(None), rival(None), gap, low, high, margin)
        table.append(row)
        days = len(np.unique(evidence.days[fresh]))
        findings.append(_finding(row, (gap, low, high), days, rules.confidence))
    findings.append(_against_baseline(table[0]))
    return table, findings


def gain(metric: str, value: float) -> str:
    """A difference of the *metric*, as people read it: more is better."""
    return f"{value:+.2%}" if metric in RELATIVE else f"{value:+.4f}"


def by_slice(evidence: Evidence, metric: str) -> list[tuple[str, int, float, float | None]]:
    """The *metric* by the contract's slices: name, rows, candidate, champion. For the reader."""
    found = []
    function, fresh = METRICS[metric], evidence.fresh
    for name in evidence.contract.slices:
        values = evidence.holdout[name].astype(object).to_numpy()
        for value in sorted({str(v) for v in values[fresh]}):
            rows = fresh & (values.astype(str) == value)
            truth = evidence.truth[rows]
            if len(truth) < 50 or len(np.unique(truth)) < 2:
                continue
            rival = (
                None
                if evidence.champion is None
                else function(truth, evidence.champion[rows])(None)
            )
            found.append(
                (
                    f"{name} = {value}",
                    len(truth),
                    function(truth, evidence.holdout_scores[rows])(None),
                    rival,
                )
            )
    return found


def baseline(evidence: Evidence) -> Array:
    """The holdout's scores by a tree of depth three, fitted to the candidate's training rows."""
    contract = evidence.contract
    numbers = [f.name for f in contract.features if f.kind != "category"]
    words = [f.name for f in contract.features if f.kind == "category"]
    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)

    def matrix(rows: Any, fit: bool) -> Array:
        parts = [rows[numbers].astype(float).fillna(-1.0).to_numpy()]
        if words:
            text = rows[words].astype(object).fillna("")
            parts.append(encoder.fit_transform(text) if fit else encoder.transform(text))
        return np.hstack(parts)

    tree = (DecisionTreeRegressor if contract.task == "regression" else DecisionTreeClassifier)(
        max_depth=3, min_samples_leaf=20, random_state=0
    )
    tree.fit(matrix(evidence.train, fit=True), target(evidence.train, contract))
    inputs = matrix(evidence.holdout, fit=False)
    if contract.task == "regression":
        return np.asarray(tree.predict(inputs), dtype=float)
    chances = np.asarray(tree.predict_proba(inputs), dtype=float)
    return chances[:, 1] if contract.task == "binary" else chances


def log_loss(truth: Array, scores: Array) -> Weighted:
    """Mean negative log-likelihood; scores (n,) for binary, (n, classes) for multiclass."""
    if scores.ndim == 1:
        chance = np.where(truth == 1, scores, 1 - scores)
    else:
        chance = scores[np.arange(len(truth)), truth.astype(int)]
    return _mean(-np.log(np.clip(chance, CLIP, 1)))


def roc_auc(truth: Array, scores: Array) -> Weighted:
    """The chance that a positive row scores above a negative one, ties counting half.

    By weighted ranks (Mann and Whitney 1947). NaN if a class is absent.
    """
    _, level = np.unique(scores, return_inverse=True)
    is_positive = truth == 1

    def measured(weights: Weights) -> float:
        weight = np.ones(len(truth)) if weights is None else weights
        negative = np.bincount(level, weight * ~is_positive)
        positive = np.bincount(level, weight * is_positive)
        below = np.cumsum(negative) - negative
        pairs = positive.sum() * negative.sum()
        return float((positive * (below + negative / 2)).sum() / pairs) if pairs else float("nan")

    return measured


def brier(truth: Array, scores: Array) -> Weighted:
    """Mean squared distance of probability and outcome (Brier 1950)."""
    return _mean((scores - truth) ** 2)


def accuracy(truth: Array, scores: Array) -> Weighted:
    """The share of rows whose likeliest class is the true one."""
    return _mean((scores.argmax(axis=1) == truth).astype(float))


def mae(truth: Array, scores: Array) -> Weighted:
    """Mean absolute error."""
    return _mean(np.abs(scores - truth))


def rmse(truth: Array, scores: Array) -> Weighted:
    """Root of the mean squared error."""
    squared = _mean((scores - truth) ** 2)
    return lambda weights: float(np.sqrt(squared(weights)))


METRICS: dict[str, Callable[[Array, Array], Weighted]] = {
    "log_loss": log_loss,
    "roc_auc": roc_auc,
    "brier": brier,
    "accuracy": accuracy,
    "mae": mae,
    "rmse": rmse,
}


def _mean(loss: Array) -> Weighted:
    return lambda weights: float(loss.mean() if weights is None else loss @ weights / weights.sum())


def _gap(metric: str, ours: float, rival: float) -> float:
    gap = ours - rival if metric in LARGER_IS_BETTER else rival - ours
    return gap / rival if metric in RELATIVE else gap


def _draw_days(days: Any, draws: int, seed: int) -> Iterator[Weights]:
    """Weights of the rows, one array per draw: how often the row's day was drawn."""
    _, day = np.unique(days, return_inverse=True)
    count = int(np.max(day)) + 1
    random = np.random.default_rng(seed)
    for _ in range(draws):
        times = np.bincount(random.integers(0, count, count), minlength=count)
        yield times[day].astype(float)


def _finding(
    row: Compared, measured: tuple[float, float, float], days: int, confidence: float
) -> Finding:
    gap, low, high = measured
    margin = row.margin or 0.0
    outcome: Outcome = "PASS" if low >= -margin else "FAIL" if high < -margin else "INCONCLUSIVE"
    why = {
        "PASS": "It is no worse than the champion by more than the margin.",
        "FAIL": "It is worse than the champion by more than the margin.",
        "INCONCLUSIVE": f"The {days} days there are do not tell. More labelled days narrow the interval.",
    }[outcome]
    return Finding(
        f"compare.{row.metric}",
        outcome,
        f"{gain(row.metric, gap)} against the champion"
        f" ({confidence:.0%}: {gain(row.metric, low)} to {gain(row.metric, high)})",
        gain(row.metric, -margin),
        why,
    )


def _without_champion(metric: str, evidence: Evidence) -> Finding:
    rule = f"compare.{metric}"
    if evidence.unreadable:
        return Finding(
            rule,
            "NOT_RUN",
            evidence.unreadable,
            "the champion's scores",
            "Without them nothing is compared.",
        )
    return Finding(
        rule,
        "PASS",
        "no champion yet",
        "none",
        "There is nothing to compare with: the other rules decide alone.",
    )


def _against_baseline(row: Compared) -> Finding:
    better = (
        row.candidate > row.baseline
        if row.metric in LARGER_IS_BETTER
        else row.candidate < row.baseline
    )
    return Finding(
        "compare.baseline",
        "PASS" if better else "FAIL",
        f"{row.metric} {row.candidate:.4f}",
        f"better than {row.baseline:.4f}, a tree of depth three",
        "A model that a tree of depth three beats is not worth its upkeep.",
    )

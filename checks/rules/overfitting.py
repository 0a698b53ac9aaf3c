"""Overfitting: performance on the training rows, in which a period differs from the next, against the holdout's.

What overfitting harms is the performance on later rows, which the comparison measures. So a candidate that is shown to be
good there is not rejected for its performance on the training rows: forests and boosted trees often fit those closely.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
from scipy import special

from bundles.bundle import Bundle
from checks.comparison.bootstrap import Blocks
from checks.comparison.compare import Compared
from checks.comparison.weighted_metrics import METRICS
from checks.evidence import Array, Evidence, days_of, score, target
from checks.verdict import Finding, ruled
from contracts.gate_limits import Model
from contracts.row_contract import Contract
from contracts.thresholds import Compare

#: Fewest periods of the training rows, and the one-sided confidence that the loss is beyond what a period differs by.
PERIODS, CONFIDENCE = 3, 0.99
#: Most rows of the champion that are scored.
ROWS = 5_000
Scored = Callable[[Bundle, pd.DataFrame], Array]


def degradation(
    evidence: Evidence,
    champion: Bundle | None,
    limits: Model,
    compare: Compare,
    compared: Compared | None = None,
    scored: Scored = score,
) -> Finding:
    """Relative loss of performance from training to holdout.

    Performance is the ROC AUC (multiclass: the mean of one class against the others), or the mean absolute error as a
    share of the outcomes' mean absolute deviation, in training or the holdout, whichever is larger. The loss must
    be beyond the limit, and beyond the champion's on the same holdout (without one: beyond the limit) by more than
    periods as long as the holdout differ by in training, and days in the holdout.

    What the comparison of the primary metric, *compared*, shows of the holdout decides the severity: see `weighed`.
    """
    contract, truth = evidence.contract, target(evidence.train, evidence.contract)
    trained = performance(truth, evidence.train_scores, contract)
    loss = _loss(trained, performance(evidence.truth, evidence.holdout_scores, contract, truth), contract)
    error = _error(evidence, trained, compare)
    theirs = _of_champion(champion, evidence, scored)
    fails = loss - error > limits.max_degradation
    if theirs is not None:
        fails = loss > limits.max_degradation and loss - error > theirs
    observed = f"the performance falls by {loss:.0%} from training to holdout, of which {error:.0%} may be chance"
    if theirs is not None:
        observed += f"; the champion's by {theirs:.0%} on the same rows"
    finding = ruled(
        "model.degradation",
        not fails,
        observed,
        f"at most {limits.max_degradation:.0%}, or the champion's; more by chance",
        "A model that is much better on its training rows overfits.",
        limits.severity,
    )
    return weighed(finding, None if evidence.unreadable else compared)


def weighed(finding: Finding, compared: Compared | None) -> Finding:
    """A *finding* that fails, with the severity that the comparison of the primary metric leaves to it.

    It is only reported where the candidate is surely better than the simple tree, and the rule on the champion passes or
    there is no champion. Where that rule is inconclusive, it holds the candidate instead of rejecting it.
    """
    if finding.outcome != "FAIL" or compared is None or (compared.over_baseline or 0.0) <= 0:
        return finding
    if compared.outcome in (None, "PASS"):
        beside = "" if compared.outcome is None else ", and it is not worse than the champion"
        why = f"On the holdout it is surely better than a tree of depth three{beside}, so this is only reported."
        return replace(finding, severity="warn", why=f"{finding.why} {why}")
    if compared.outcome == "INCONCLUSIVE" and finding.severity == "block":
        why = "On the holdout it is surely better than a tree of depth three, and not surely as good as the champion."
        return replace(finding, severity="hold", why=f"{finding.why} {why}")
    return finding


def performance(truth: Array, scores: Array, contract: Contract, trained: Array | None = None) -> float:
    """The ROC AUC, or the relative error (smaller is better); NaN where all outcomes are the same.

    *trained* are the outcomes of all training rows, where *truth* is from another period: a quiet one has less spread.
    """
    if contract.task == "regression":
        spread = max(
            float(np.abs(each - each.mean()).mean()) for each in (truth, truth if trained is None else trained)
        )
        return float(np.abs(truth - scores).mean()) / spread if spread else math.nan
    columns = np.column_stack([1 - scores, scores])[:, 1:] if scores.ndim == 1 else scores
    first = 1 if scores.ndim == 1 else 0
    areas = [METRICS["roc_auc"]((truth == first + n).astype(float), columns[:, n])() for n in range(columns.shape[1])]
    known = [area for area in areas if not math.isnan(area)]
    return float(np.mean(known)) if known else math.nan


def _loss(trained: float, held: float, contract: Contract) -> float:
    """The relative loss; 0 where a part has only one outcome, infinite for an error that was 0."""
    if math.isnan(trained) or math.isnan(held):
        return 0.0
    if contract.task == "regression":
        if not trained:
            return math.inf if held else 0.0
        return held / trained - 1
    return (trained - held) / trained if trained else 0.0


def _error(evidence: Evidence, trained: float, compare: Compare) -> float:
    """By how much the loss exceeds its mean by chance, with the given confidence, from periods of training and days."""
    contract, rows = evidence.contract, evidence.train
    day = pd.factorize(days_of(rows, contract), sort=True)[0]
    days = int(day.max()) + 1
    count = max(PERIODS, days // max(1, len(set(evidence.days))))
    truth = target(rows, contract)
    losses = []
    for part in np.array_split(np.arange(days), count):
        inside = np.isin(day, part)
        if inside.any():
            losses.append(
                _loss(trained, performance(truth[inside], evidence.train_scores[inside], contract, truth), contract)
            )
    losses = [each for each in losses if math.isfinite(each)]
    if len(losses) < PERIODS:
        return 0.0
    between = float(np.std(losses, ddof=1)) * math.sqrt(1 + 1 / len(losses))
    within = 0.0
    name = {"binary": "roc_auc", "regression": "mae"}.get(contract.task)
    if name and trained:
        measure = METRICS[name](evidence.truth, evidence.holdout_scores)
        blocks = Blocks(evidence.day_codes, evidence.key_codes, compare.draws, compare.seed)
        whole = measure()
        drawn = measure.drawn(blocks.day, blocks.times) / whole if whole else np.zeros(1)
        within = float(np.nanstd(drawn))
    return math.hypot(special.stdtrit(len(losses) - 1, CONFIDENCE) * between, special.ndtri(CONFIDENCE) * within)


def _of_champion(champion: Bundle | None, evidence: Evidence, scored: Scored) -> float | None:
    """The champion's loss from its own training rows to the same holdout; None without its evidence."""
    before, scores = evidence.past.before, evidence.champion
    if champion is None or before is None or scores is None:
        return None
    contract, end = champion.contract, pd.Timestamp(champion.manifest["data"]["train"]["end"])
    rows = before[before[contract.time] <= end]
    if rows.empty:
        return None
    rows = rows.sample(min(len(rows), ROWS), random_state=0)
    truth = target(rows, contract)
    trained = performance(truth, scored(champion, rows), contract)
    return _loss(trained, performance(evidence.truth, scores, contract, truth), contract)

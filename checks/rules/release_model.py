"""The release model beside the evaluation model: what is served behaves as what was judged.

The evaluation model is trained up to the holdout and judged on it. The release model is the same estimator trained on
all rows, so no row is left that could judge it. It is compared with the evaluation model on the holdout, whose outcomes
it was trained with: its scores may move towards them, not away from them, and fit them no worse.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from bundles.bundle import Bundle
from bundles.manifest import MODEL
from checks.comparison.weighted_metrics import absolute, logarithmic, squared
from checks.evidence import Array, Evidence, later_rows, score, served_score, target
from checks.insights.prediction_churn import MIN_ROWS
from checks.verdict import Finding, ruled
from contracts.bundle_content import EVALUATION, read_regular
from contracts.gate_limits import ReleaseModel
from contracts.tolerance import changed_share, spread_of
from model.onnx_export.onnx_content import predictors

#: The rules on a bundle with two models.
RELEASE = DECISIONS, CALIBRATION, FIT, ESTIMATOR = (
    "release.decisions",
    "release.calibration",
    "release.fit",
    "release.estimator",
)
HOLDOUT = "the holdout"
AFTER = "on the rows after the holdout, with the expected outcomes of training"
#: The release model was trained on outcomes of rows that are old enough, alone (`model.label_delay`).
MATURED = "matured"
MIN_PROBABILITY_VARIANCE = 1e-12


@dataclass(frozen=True)
class Shift:
    """How the scores of the rows called *name* change from the evaluation model to the release model.

    *away* is the part of the mean's change that leads away from the outcomes, in their standard deviations. *worse* is the
    rise of the loss, as a share of that of predicting the mean.
    """

    name: str
    away: float
    worse: float


def release_rules(evidence: Evidence, candidate: Bundle, limits: ReleaseModel) -> list[Finding]:
    """The findings on the release model's scores; none where the model that was judged is served.

    Where outcomes come late, the holdout may begin before the training window: only its rows from there on count. If they are
    few, the rows after it do, with the expected outcomes that the release model was trained with.
    """
    release, time = evidence.release_scores, evidence.contract.time
    if release is None:
        return []
    inside = (evidence.holdout[time] >= pd.Timestamp(candidate.manifest["release"]["start"])).to_numpy()
    if candidate.manifest.get("label_delay", {}).get("release", {}).get("method") == MATURED:
        inside[:] = True  # trained on the newest rows that are old enough, which the holdout is the end of
    findings = [_decisions(evidence, release, limits)]
    if inside.sum() < MIN_ROWS:
        later, expected = (None, None) if evidence.later is None else later_rows(candidate)
        if later is None or expected is None or len(later) < MIN_ROWS:
            return [*findings, *(_not_trained(rule, int(inside.sum())) for rule in (CALIBRATION, FIT))]
        scores = served_score(candidate, later), score(candidate, later)
        found = _parts_agree(shifts(replace(evidence, holdout=later), *scores, expected), limits)
        return [*findings, *(replace(f, observed=f"{AFTER}: {f.observed.replace(HOLDOUT, 'all rows')}") for f in found)]
    rows, scores = evidence.holdout[inside].reset_index(drop=True), evidence.holdout_scores[inside]
    return [*findings, *_parts_agree(shifts(replace(evidence, holdout=rows), release[inside], scores), limits)]


def same_estimator(candidate: Bundle, limits: ReleaseModel) -> list[Finding]:
    """Both models predict with the same operators, as fits of one estimator do; nothing in a bundle with one model."""
    if candidate.evaluation is candidate:
        return []
    release, evaluation = (predictors(read_regular(candidate.folder / name)) for name in (MODEL, EVALUATION))
    finding = ruled(
        ESTIMATOR,
        release == evaluation,
        f"the release model predicts with {_listed(release)}, the evaluation model with {_listed(evaluation)}",
        "the same operators",
        "Another estimator was not judged.",
        limits.severity,
    )
    return [finding]


def shifts(evidence: Evidence, release: Array, evaluation: Array, expected: Array | None = None) -> list[Shift]:
    """The changes on the holdout, on its newest day, and on each slice with enough rows.

    Its outcomes are known, or *expected*: the probability of each class, (n, classes).

    The mean of a part may move towards its outcomes, by up to twice their distance. An estimator may have a bias by design
    (class weights, a median), which the training rows show: the distance may also be that without it.

    A minimiser of the loss of all rows has at most the loss on the holdout of a minimiser of that of the training rows:
    else exchanging them would lower one of the two sums. The rise is the smaller one of two losses, since either may be
    the one that the estimator minimises. With class weights it is neither, and on a part of the rows a rigid model's may
    rise, so a little is allowed.
    """

    def encoded(outcomes: Array) -> Array:
        return outcomes if release.ndim == 1 else np.eye(release.shape[1])[outcomes.astype(int)]

    if expected is None:
        truth = encoded(evidence.truth)
        spread = np.maximum(spread_of(truth), MIN_PROBABILITY_VARIANCE)
    else:
        truth = expected[:, 1] if release.ndim == 1 else expected
        spread = np.maximum(
            np.sqrt(truth.mean(axis=0) * (1 - truth.mean(axis=0))), MIN_PROBABILITY_VARIANCE
        )  # of outcomes of 0 and 1
    bias = (encoded(target(evidence.train, evidence.contract)) - evidence.train_scores).mean(axis=0)
    rise = _rise(evidence, release, evaluation, expected)
    found = []
    for name, rows in _parts(evidence):
        moved = (release - evaluation)[rows].mean(axis=0)
        distance = (truth - evaluation)[rows].mean(axis=0)
        ends = np.stack([np.zeros_like(distance), 2 * distance, 2 * (distance - bias)])
        away = np.maximum(0, np.maximum(moved - ends.max(axis=0), ends.min(axis=0) - moved))
        worse = min(float(each[rows].mean()) for each in rise)
        found.append(Shift(name, float(np.max(away / spread)), worse))
    return found


def _rise(evidence: Evidence, release: Array, evaluation: Array, expected: Array | None) -> list[Array]:
    """The rise of each row's squared loss, and log loss or absolute error, as shares of those of predicting the mean."""
    kinds = (squared, absolute if evidence.contract.task == "regression" else logarithmic)
    rows = len(release)
    if expected is None:
        truth = [(evidence.truth, np.ones(rows))]
        classes = release.shape[1] if release.ndim == 2 else 0
        mean = np.bincount(evidence.truth.astype(int), minlength=classes) / rows if classes else evidence.truth.mean()
    else:  # each row once for each class
        truth = [(np.full(rows, float(number)), weight) for number, weight in enumerate(expected.T)]
        mean = expected.mean(axis=0) if release.ndim == 2 else expected[:, 1].mean()
    simple = np.broadcast_to(mean, release.shape)

    def lost(loss: Callable[[Array, Array], Array], scores: Array) -> Array:
        return np.asarray(sum(weight * loss(outcome, scores) for outcome, weight in truth))

    return [
        (lost(loss, release) - lost(loss, evaluation)) / max(float(lost(loss, simple).mean()), MIN_PROBABILITY_VARIANCE)
        for loss in kinds
    ]


def _decisions(evidence: Evidence, release: Array, limits: ReleaseModel) -> Finding:
    share = changed_share(evidence.contract, release, evidence.holdout_scores)
    return ruled(
        DECISIONS,
        share <= limits.max_changed,
        f"{share:.1%} of the holdout's decisions differ between the release model and the evaluation model",
        f"at most {limits.max_changed:.0%}",
        "The model that is served must behave as the one that was judged.",
        limits.severity,
    )


def _not_trained(rule: str, rows: int) -> Finding:
    return Finding(
        rule,
        "INCONCLUSIVE",
        f"the release model was trained on {rows} rows of the holdout, which is as old as outcomes are late",
        f"at least {MIN_ROWS} rows",
        "Nothing else shows whether the release model was trained on the right rows; a longer window() includes the holdout.",
        "warn",
    )


def _parts_agree(found: list[Shift], limits: ReleaseModel) -> list[Finding]:
    away = max(found, key=lambda each: each.away)
    limit = {each.name: limits.max_worse_part for each in found} | {HOLDOUT: limits.max_worse}
    worse = max(found, key=lambda each: each.worse - limit[each.name])
    return [
        ruled(
            CALIBRATION,
            away.away <= limits.max_away,
            f"the mean score of {away.name} moves {away.away:.1%} of the outcomes' standard deviation away from them"
            if away.away
            else "no mean score moves away from the outcomes",
            f"at most {limits.max_away:.0%}",
            "A model that was trained on these rows is nearer to their outcomes than one that was not.",
            limits.severity,
        ),
        ruled(
            FIT,
            worse.worse <= limit[worse.name],
            f"the loss of {worse.name} is {abs(worse.worse):.1%} {'higher' if worse.worse > 0 else 'lower'} than the"
            " evaluation model's, as a share of the loss of predicting the mean",
            f"at most {limits.max_worse:.0%} higher on the holdout, {limits.max_worse_part:.0%} on a part of it",
            "A model that is worse on rows that it was trained on was trained on something else.",
            limits.severity,
        ),
    ]


def _parts(evidence: Evidence) -> Iterator[tuple[str, Any]]:
    """The holdout, its newest day, and the slices of the contract that have enough rows: name and mask."""
    yield HOLDOUT, np.ones(len(evidence.holdout), dtype=bool)
    newest = evidence.days == evidence.days.max()
    if newest.sum() >= MIN_ROWS:
        yield f"the newest day ({evidence.days.max()})", newest
    for name in evidence.contract.slices:
        values = evidence.holdout[name].astype(object).where(evidence.holdout[name].notna(), "missing").astype(str)
        for value, rows in values.value_counts().items():
            if rows >= MIN_ROWS:
                shown = f"a value of {name}" if name in evidence.contract.private else f"{name} = {value}"
                yield shown, (values == value).to_numpy()


def _listed(operators: set[str]) -> str:
    return " and ".join(sorted(operators)) or "none"

"""Model behaviour: constant scores, monotone directions, stability with another seed, calibration."""

from __future__ import annotations

import numpy as np

from bundles.bundle import Bundle
from checks.comparison.baseline import constant_scores
from checks.comparison.bootstrap import Blocks, measures, paired
from checks.evidence import Array, Evidence, served_score
from checks.verdict import Finding, ruled
from contracts.gate_limits import Behaviour
from contracts.thresholds import Compare, Gate
from contracts.tolerance import spread_of

#: Rows, and values of the feature, that a stated direction is tested on.
ROWS, STEPS = 300, 8
#: The confidence with which scores of little spread must be better than a constant.
CONFIDENCE = 0.998


def spread(evidence: Evidence, limits: Behaviour, compare: Compare) -> Finding:
    """The scores vary: their standard deviation, relative to that of the outcomes.

    Scores of a rare class, or of an outcome with a few very large values, vary little beside the outcomes: they pass where
    they are surely better than the best constant of these rows.
    """
    scores, truth = evidence.holdout_scores, evidence.truth
    if scores.ndim == 2:
        truth = np.eye(scores.shape[1])[truth.astype(int)]
    ours, outcomes = (float(np.max(spread_of(each))) for each in (scores, truth))
    observed, holds = "every row has the same score", False
    if ours and outcomes:
        observed = f"the standard deviation of the scores is {ours / outcomes:.1%} of that of the outcomes"
        holds = ours / outcomes >= limits.min_spread
        if not holds and _beats_constant(evidence, compare):
            observed, holds = f"{observed}, and they are surely better than any constant", True
    elif ours:
        observed, holds = "the scores vary, and all outcomes are the same", True
    return ruled(
        "model.constant",
        holds,
        observed,
        f"at least {limits.min_spread:.0%}",
        "A model with nearly constant scores does not discriminate.",
        limits.severity,
    )


def _beats_constant(evidence: Evidence, compare: Compare) -> bool:
    """Whether the primary metric is surely better than that of the constant that is best on these very rows."""
    task, truth, scores = evidence.contract.task, evidence.truth, evidence.holdout_scores
    metric = compare.margins(task).primary
    constant = constant_scores(truth, scores, np.median if metric == "mae" else np.mean)
    blocks = Blocks(evidence.day_codes, evidence.key_codes, compare.draws, compare.seed)
    ours, theirs = measures(metric, truth, scores, constant)
    gap = paired(metric, (ours, theirs), blocks, CONFIDENCE, compare.min_days)
    return gap.low is not None and gap.low > 0


def direction(evidence: Evidence, candidate: Bundle, limits: Behaviour) -> Finding:
    """Where the contract states a direction, a larger value of the feature never moves the score the other way."""
    broken = {}
    for feature in evidence.contract.features:
        if feature.direction and evidence.holdout_scores.ndim == 1:
            rows = evidence.holdout.head(ROWS)
            steps = np.unique(np.nanquantile(evidence.holdout[feature.name].astype(float), np.linspace(0, 1, STEPS)))
            scores = np.stack([served_score(candidate, rows.assign(**{feature.name: step})) for step in steps])
            moves = np.diff(scores, axis=0) * (1 if feature.direction == "up" else -1)
            broken[feature.name] = float((moves < -1e-6).any(axis=0).mean()) if len(steps) > 1 else 0.0
    worst = max(broken, key=lambda name: broken[name], default="")
    return ruled(
        "model.direction",
        not broken or broken[worst] <= limits.max_against,
        f"{worst} violates its direction for {broken[worst]:.1%} of rows"
        if broken
        else "the contract states no direction",
        f"at most {limits.max_against:.0%} of rows",
        "The contract promises that the score is monotone in this feature.",
        limits.severity,
    )


def stability(candidate: Bundle, limits: Behaviour) -> Finding:
    """Training on the same rows with another seed gives the same decisions."""
    second = candidate.manifest.get("stability")
    share = float(second["decisions"]) if second else 0.0
    return ruled(
        "model.stability",
        share <= limits.max_unstable,
        f"another seed changes {share:.1%} of decisions" if second else "no second fit: the estimator is deterministic",
        f"at most {limits.max_unstable:.0%}",
        "Decisions that depend on the seed change at each retraining without a reason.",
        limits.severity,
    )


def calibration(evidence: Evidence, gate: Gate) -> list[Finding]:
    """Expected calibration error in ten bins (Naeini et al. 2015), beyond two standard errors; not for regression.

    Beside a champion whose own error on these rows is beyond the limit, too, the candidate's must be larger than that
    one's, beyond two standard errors of the difference: rejecting it would keep a model that is calibrated no better. The
    standard errors are those of drawing whole days, since calibration differs from day to day.
    """
    if evidence.contract.task == "regression":
        return []
    limit, blocks = (
        gate.model.max_calibration_error,
        Blocks(evidence.day_codes, evidence.key_codes, gate.compare.draws, gate.compare.seed),
    )

    def measured(scores: Array) -> tuple[float, Array]:
        (measure,) = measures("ece", evidence.truth, scores)
        return float(measure()), measure.drawn(blocks.day, blocks.times)

    error, drawn = measured(evidence.holdout_scores)
    deviation = float(np.std(drawn))
    observed = f"expected calibration error {error:.3f} (two standard errors over days: {2 * deviation:.3f})"
    holds = error - 2 * deviation <= limit
    if evidence.champion is not None:
        theirs, also = measured(evidence.champion)
        observed += f"; the champion's on the same rows {theirs:.3f}"
        holds = holds or (theirs > limit and error - theirs <= 2 * float(np.std(drawn - also)))
    finding = ruled(
        "model.calibration",
        holds,
        observed,
        f"at most {limit:g}, or the champion's",
        "Users who act on a probability need it to match the observed frequency.",
        gate.model.severity,
    )
    return [finding]

"""Does the bundle behave as its manifest says? Spread, directions, stability, metadata, clock."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd

from checks.evidence import Evidence, score
from checks.verdict import Finding, ruled
from contracts.gate_limits import Behaviour
from contracts.tolerance import spread_of
from serve.release.bundle import Bundle

#: Rows, and steps of the feature, that a stated direction is tried on.
ROWS, STEPS = 300, 8


def spread(evidence: Evidence, limits: Behaviour) -> Finding:
    """The scores tell rows apart: their standard deviation against the outcome's."""
    scores, truth = evidence.holdout_scores, evidence.truth
    if scores.ndim == 2:
        truth = np.eye(scores.shape[1])[truth.astype(int)]
    ours, outcomes = (float(np.max(spread_of(each))) for each in (scores, truth))
    said, holds = "every row has the same score", False
    if ours and outcomes:
        said, holds = (
            f"the scores spread {ours / outcomes:.1%} as far as the outcomes",
            ours / outcomes >= limits.min_spread,
        )
    elif ours:
        said, holds = "the scores differ, and every outcome is the same", True
    return ruled(
        "model.constant",
        holds,
        said,
        f"at least {limits.min_spread:.0%}",
        "A model that answers every row alike has nothing to say.",
        limits.severity,
    )


def direction(evidence: Evidence, candidate: Bundle, limits: Behaviour) -> Finding:
    """Where the contract states a direction, more of the feature never means the opposite."""
    broken = {}
    for feature in evidence.contract.features:
        if feature.direction and evidence.holdout_scores.ndim == 1:
            rows = evidence.holdout.head(ROWS)
            steps = np.unique(np.nanquantile(evidence.holdout[feature.name].astype(float), np.linspace(0, 1, STEPS)))
            scores = np.stack([score(candidate, rows.assign(**{feature.name: step})) for step in steps])
            moves = np.diff(scores, axis=0) * (1 if feature.direction == "up" else -1)
            broken[feature.name] = float((moves < -1e-6).any(axis=0).mean()) if len(steps) > 1 else 0.0
    worst = max(broken, key=lambda name: broken[name], default="")
    return ruled(
        "model.direction",
        not broken or broken[worst] <= limits.max_against,
        f"{worst} goes against its direction for {broken[worst]:.1%} of rows" if broken else "none is stated",
        f"at most {limits.max_against:.0%} of rows",
        "The contract promises whoever reads a score which way it moves.",
        limits.severity,
    )


def stability(candidate: Bundle, limits: Behaviour) -> Finding:
    """The same rows learnt again with another seed give the same decisions."""
    told = candidate.manifest.get("stability")
    share = float(told["decisions"]) if told else 0.0
    return ruled(
        "model.stability",
        share <= limits.max_unstable,
        f"another seed changes {share:.1%} of decisions"
        if told
        else "no second fit: nothing in the estimator is random",
        f"at most {limits.max_unstable:.0%}",
        "What hangs on a seed changes every night, for no reason.",
        limits.severity,
    )


def metadata(evidence: Evidence, candidate: Bundle, limits: Behaviour) -> Finding:
    """What the manifest says of the model and its evidence is so."""
    wrong = list(_wrong(evidence, candidate))
    return ruled(
        "bundle.metadata",
        not wrong,
        "; ".join(wrong) or "the manifest describes what is there",
        "no contradiction",
        "Evidence of another model, or of other rows, proves nothing about this one.",
        limits.severity,
    )


def clock(candidate: Bundle, limits: Behaviour, now: datetime | None = None) -> Finding:
    """Nothing in the bundle is from the future."""
    manifest, latest = candidate.manifest, (now or datetime.now(UTC)) + timedelta(days=1)
    times = {
        "it was made": manifest.get("build", {}).get("made_at"),
        "its newest row": manifest["data"]["holdout"]["end"],
    }
    late = [f"{what} on {when}" for what, when in times.items() if when and pd.Timestamp(when) > latest]
    return ruled(
        "bundle.clock",
        not late,
        "; ".join(late) or "nothing is from the future",
        f"not after {latest:%Y-%m-%d}",
        "Versions sort by time: one from the future would pass for the newest for ever.",
        limits.severity,
    )


def _wrong(evidence: Evidence, candidate: Bundle) -> Iterable[str]:
    manifest, contract = candidate.manifest, candidate.contract
    if manifest["task"] != contract.task:
        yield f"the task is {manifest['task']} here and {contract.task} in the contract"
    if list(manifest.get("classes", contract.target.classes)) != list(contract.target.classes):
        yield "the classes are not the contract's"
    for part, rows in (("train", evidence.train), ("holdout", evidence.holdout)):
        told = manifest["data"][part]
        at = rows[contract.time].dt.floor("s")
        outside = int(((at < pd.Timestamp(told["start"])) | (at > pd.Timestamp(told["end"]))).sum())
        if outside:
            yield f"{outside:,} rows of evidence ({part}) lie outside {told['start']} to {told['end']}"
        if len(rows) > told["rows"]:
            yield f"{len(rows):,} rows of evidence ({part}), more than the {told['rows']:,} there were"

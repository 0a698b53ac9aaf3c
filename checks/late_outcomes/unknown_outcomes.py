"""How much the verdict depends on outcomes of the holdout that are not known yet.

The verdict rests on known outcomes alone. Beside it, the gain is computed with each unknown outcome as bad for the
candidate as it can be, and as good: bounds without an assumption on the outcomes (Manski 1989, "Anatomy of the selection
problem"). Nothing is imputed by a model, so no candidate gains by agreeing with one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from checks.comparison.compare import Compared
from checks.decision.gain_text import gain
from checks.evidence import Array, Evidence, Unlabelled
from checks.verdict import Outcome

#: Scores of a class are kept from 0 by this.
CLIP = 1e-7
#: A value of a regression that is not known is taken to be within these quantiles of the known ones.
QUANTILE_RANGE = (0.01, 0.99)
_WORDS = {"PASS": "passes", "FAIL": "fails", "INCONCLUSIVE": "is inconclusive", "NOT_RUN": "cannot be checked"}


@dataclass(frozen=True)
class Dependence:
    """The gain in *metric* and the *outcome* of its rule on the *known* rows, and with *unknown* outcomes filled in.

    *low* and *high* are the gain with outcomes that speak against the candidate, and for it; *worst* and *best* are the
    outcomes of the rule then.
    """

    metric: str
    known: int
    unknown: int
    value: float
    outcome: Outcome
    low: float
    worst: Outcome
    high: float
    best: Outcome

    def __str__(self) -> str:
        rows = self.known + self.unknown
        bounds = f"from {gain(self.metric, self.low)} to {gain(self.metric, self.high)}"
        if self.worst == self.outcome == self.best:
            effect = f"compare.{self.metric} {_WORDS[self.outcome]} whatever they turn out to be"
        else:
            effect = (
                f"compare.{self.metric} {_WORDS[self.outcome]} on the known ones, {_WORDS[self.worst]} if each speaks against"
                f" the candidate, and {_WORDS[self.best]} if each speaks for it"
            )
        return (
            f"{self.unknown:,} of {rows:,} outcomes ({self.unknown / rows:.1%}) are not known yet. The gain in"
            f" {self.metric} is {gain(self.metric, self.value)} on the known ones, and {bounds} with the others; {effect}"
        )

    def to_json(self) -> dict[str, Any]:
        """The fields, for verdict.json."""
        return asdict(self)


def dependence(evidence: Evidence, compared: Callable[[Evidence], Compared]) -> Dependence | None:
    """How much the comparison of the primary metric, as *compared* makes it, depends on unknown outcomes.

    None where all outcomes are known, or there is no champion to compare with.
    """
    unknown, champion = evidence.unknown, evidence.champion
    if unknown is None or unknown.champion is None or champion is None or not unknown.fresh.any():
        return None
    known = compared(evidence)
    against, favourable = _extremes(evidence, unknown, unknown.champion)
    worst, best = (
        compared(_filled(evidence, unknown, champion, unknown.champion, each)) for each in (against, favourable)
    )
    if not (known.outcome and worst.outcome and best.outcome):
        return None
    return Dependence(
        known.metric,
        int(evidence.fresh.sum()),
        int(unknown.fresh.sum()),
        known.difference or 0.0,
        known.outcome,
        worst.difference or 0.0,
        worst.outcome,
        best.difference or 0.0,
        best.outcome,
    )


def _extremes(evidence: Evidence, unknown: Unlabelled, champion: Array) -> tuple[Array, Array]:
    """The outcome of each unknown row that speaks most against the candidate, and the one that speaks most for it."""
    if evidence.contract.task == "regression":
        values = np.quantile(evidence.truth, QUANTILE_RANGE)
        ours, theirs = (np.abs(each[:, None] - values) for each in (unknown.scores, champion))
        gains = theirs - ours
    else:
        values = np.arange(len(evidence.contract.target.classes), dtype=float)
        ours, theirs = (np.log(np.clip(_by_class(each), CLIP, None)) for each in (unknown.scores, champion))
        gains = ours - theirs
    return values[gains.argmin(axis=1)], values[gains.argmax(axis=1)]


def _by_class(scores: Array) -> Array:
    return np.stack([1 - scores, scores], axis=1) if scores.ndim == 1 else scores


def _filled(evidence: Evidence, unknown: Unlabelled, champion: Array, theirs: Array, outcomes: Array) -> Evidence:
    """The evidence with the unknown rows and these *outcomes*, for the comparison with the champion alone."""
    rows = unknown.rows.assign(**{evidence.contract.target.name: outcomes})
    return replace(
        evidence,
        holdout=pd.concat([evidence.holdout, rows], ignore_index=True),
        holdout_scores=np.concatenate([evidence.holdout_scores, unknown.scores]),
        fresh=np.concatenate([evidence.fresh, unknown.fresh]),
        champion=np.concatenate([champion, theirs]),
        anchor=None,
        release_scores=None,
        unknown=None,
    )

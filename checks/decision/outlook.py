"""What is known of a stream's staleness, and by how much champion and anchor are older than the candidate."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pandas as pd

from checks.comparison.bootstrap import Gap
from checks.comparison.weighted_metrics import RELATIVE
from checks.decision.age_ledger import DAILY, AgedGain, staleness
from checks.decision.expected_gain import Ages, ExpectedGain, expected_gain
from checks.decision.gain_text import count
from checks.decision.staleness import Staleness, pooled
from contracts.bundle_content import trained_until
from contracts.comparison_limits import LARGER_IS_BETTER


@dataclass(frozen=True)
class Outlook:
    """*stored* is the curve of a backtest, *gains* are those of earlier verdicts of the same contract.

    *realised* are the gains of releases over those before them, in the days after they became champion.
    """

    champion: Ages = field(default_factory=Ages)
    anchor: Ages = field(default_factory=Ages)
    stored: Staleness | None = None
    gains: tuple[AgedGain, ...] = ()
    realised: tuple[AgedGain, ...] = ()

    def expected(self, gap: Gap, margin: float, ages: Ages, *, of_many: bool = False) -> ExpectedGain | None:
        """The expected gain over a model of these *ages*; None where the comparison has no interval.

        What models in general lose by ageing counts until the stream's own verdicts show it, but not *of_many*: a bound on the
        creep of many retrains must not assume that.
        """
        known = [staleness(self.gains, gap.metric, margin, 0.0 if of_many else DAILY * _loss(gap))]
        released = staleness(self.realised, gap.metric, margin)
        if released.points:
            known.append(
                replace(released, source=f"the days after {count(len(self.realised), 'release')}", spread=None)
            )
        if self.stored and self.stored.metric == gap.metric:
            known.append(self.stored.relative_to(gap.theirs) if gap.metric in RELATIVE else self.stored)
        return expected_gain(gap, margin, pooled(known), ages, of_many=of_many)


def ages(candidate: Mapping[str, Any], other: Mapping[str, Any] | None) -> Ages:
    """How much older the models of another manifest are than the candidate's, by the ends of their training rows."""
    if other is None:
        return Ages()
    compared, served = (
        (pd.Timestamp(end(candidate)) - pd.Timestamp(end(other))).total_seconds() / 86_400
        for end in (_judged, trained_until)
    )
    return Ages(compared, served)


def _loss(gap: Gap) -> float:
    """The champion's loss in the unit of the gain."""
    if gap.metric in RELATIVE:
        return 1.0
    loss = 1 - gap.theirs if gap.metric in LARGER_IS_BETTER else gap.theirs
    return loss if math.isfinite(loss) and loss > 0 else 0.0


def _judged(manifest: Mapping[str, Any]) -> str:
    return str(manifest["data"]["train"]["end"])

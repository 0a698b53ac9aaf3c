"""A released model's own evaluation: the outcomes and scores of the holdout that its bundle holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from checks.comparison.weighted_metrics import METRICS
from checks.evidence import Array, days_of, rows_of, score, target
from serve.release.bundle import Bundle
from serve.release.manifest import BundleError


@dataclass(frozen=True)
class Evaluation:
    """Outcome, score and day of each row, (n,) or (n, classes) for the scores; *end* is the time of the last row."""

    truth: Array
    scores: Array
    day: Any
    end: pd.Timestamp

    def value(self, metric: str) -> float:
        """The *metric* when the model was evaluated."""
        return METRICS[metric](self.truth, self.scores)()

    @property
    def length(self) -> int:
        """The days from the first to the last."""
        days = pd.to_datetime(self.day)
        return int((days.max() - days.min()).days) + 1


def own_evaluation(bundle: Bundle) -> Evaluation | str:
    """The evaluation in the bundle's evidence, or the reason why there is none: evidence of old bundles may be deleted."""
    try:
        rows = rows_of(bundle, "holdout")
    except BundleError as error:
        return str(error)
    contract = bundle.contract
    return Evaluation(
        target(rows, contract), score(bundle, rows), days_of(rows, contract), pd.Timestamp(rows[contract.time].max())
    )

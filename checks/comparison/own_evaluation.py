"""A released model's own evaluation: the outcomes and scores of the holdout that its bundle holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from bundles.bundle import Bundle
from bundles.manifest import BundleError
from checks.comparison.weighted_metrics import METRICS
from checks.earlier_rows import categories_in, has_known
from checks.evidence import Array, days_of, rows_of, score, target


@dataclass(frozen=True)
class Evaluation:
    """Outcome, score and day of each row, (n,) or (n, classes) for the scores; *end* is the time of the last row.

    *known* has the values of each categorical feature in the bundle's evidence, training rows included.
    """

    truth: Array
    scores: Array
    day: Any
    end: pd.Timestamp
    known: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def knows(self, rows: pd.DataFrame) -> Any:
        """Which rows have only values that the model was trained or evaluated with: (n,)."""
        return has_known(rows, self.known)

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
        rows, train = rows_of(bundle, "holdout"), rows_of(bundle, "train")
    except BundleError as error:
        return str(error)
    contract = bundle.contract
    return Evaluation(
        target(rows, contract),
        score(bundle, rows),
        days_of(rows, contract),
        pd.Timestamp(rows[contract.time].max()),
        categories_in(pd.concat([train, rows]), contract),
    )

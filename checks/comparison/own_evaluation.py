"""A released model's own evaluation: the outcomes and scores of the holdout that its bundle holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from checks.comparison.weighted_metrics import METRICS
from checks.evidence import Array, days_of, rows_of, score, target
from serve.release.bundle import Bundle
from serve.release.manifest import BundleError


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
        seen = np.ones(len(rows), dtype=bool)
        for name, values in self.known.items():
            seen &= (rows[name].isin(values) | rows[name].isna()).to_numpy()
        return seen

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
    names = [each.name for each in contract.features if each.kind == "category"]
    return Evaluation(
        target(rows, contract),
        score(bundle, rows),
        days_of(rows, contract),
        pd.Timestamp(rows[contract.time].max()),
        {name: frozenset(rows[name].dropna()) | frozenset(train[name].dropna()) for name in names},
    )

"""Daily metrics of the training rows, by which the variances of a short reference are squeezed.

Only what needs no fitted calculator: means of features and scores, missing shares, realised performance and bias. The
losses of a model on rows that it was fitted to are too small, but they vary between days for the same reasons.
"""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from contracts.monitoring_limits import Monitoring
from contracts.row_contract import Contract
from monitoring.charts.signals import Measure
from monitoring.journal.window import days_of, full_days
from monitoring.metrics.drift import means, shares
from monitoring.metrics.label_delay import bias
from monitoring.metrics.performance import realised
from monitoring.metrics.spread import deviation
from monitoring.periods import MIN_ROWS


def training_days(
    train: pd.DataFrame, reference: pd.DataFrame, contract: Contract, rules: Monitoring, *, outcomes_only: bool = False
) -> list[Measure]:
    """The measures by day of the training rows, standardised by the *reference* as those of the window are."""
    if train.empty or not {*reference.columns} <= {*train.columns}:
        return []
    rows, _ = full_days(train, contract.time, MIN_ROWS)
    known = rows.dropna(subset=[contract.target.name])
    if known.empty:
        return []
    return [
        *_of_features(rows, reference, contract, outcomes_only=outcomes_only),
        *realised(known, contract),
        *bias(known, contract, deviation(reference[contract.target.name]), min(rules.min_rows, MIN_ROWS)),
    ]


def _of_features(
    rows: pd.DataFrame, reference: pd.DataFrame, contract: Contract, *, outcomes_only: bool
) -> Iterable[Measure]:
    day = days_of(rows, contract.time)
    for name in rows:
        if name == "score" or str(name).startswith("score_"):
            feature = "" if name == "score" else str(name)
            yield from means(reference[name], rows[name], day, "score_drift", feature)
    if outcomes_only:
        return
    for each in contract.features:
        if each.kind == "number" and reference[each.name].notna().any():
            yield from means(reference[each.name], rows[each.name], day, "univariate_drift", each.name)
    yield from shares(rows[list(contract.feature_names)].isna(), day, "missing_values")

"""Performance by day: estimated before outcomes are known, realised afterwards.

Estimated by NannyML: CBPE for classification (from scores calibrated on the reference), DLE for regression (a second model
predicts the error). Both assume no concept drift, which only realised performance detects.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

import nannyml as nml
import numpy as np
import pandas as pd

from contracts.row_contract import Contract
from monitoring.charts.signals import Measure, Unknown
from monitoring.journal.window import days_of
from monitoring.metrics.daily_metrics import daily_metrics
from monitoring.metrics.drift import (
    NotMonitoredError,
    TooFewRowsError,
    attempt,
    fitted,
    known_in,
    prepared,
    result_of,
    series,
)

#: Rows of a class that CBPE needs, and rows with an outcome that DLE needs.
MIN_ROWS = 2
#: The metrics that are both estimated and realised, and the side on which they deteriorate.
METRICS = {
    "binary": {"roc_auc": "lower", "accuracy": "lower"},
    "multiclass": {"roc_auc": "lower", "accuracy": "lower"},
    "regression": {"mae": "upper", "rmse": "upper"},
}


def performance(
    reference: pd.DataFrame, rows: pd.DataFrame, known: pd.DataFrame, contract: Contract
) -> tuple[list[Measure], list[Unknown]]:
    """Estimated performance of *rows* and realised performance of *known*, by day, and what could not be measured.

    The frames are as in `Window`, of full days only; *known* has rows with mature outcomes.
    """
    metrics = METRICS[contract.task]
    before, now = _with_predictions(reference, contract), _with_predictions(rows, contract)
    shared = {"metrics": list(metrics), "y_true": contract.target.name, **_predictions(contract)}
    fit = partial(fitted, before, contract.time)

    def estimated() -> Iterable[Measure]:
        if contract.task == "regression":
            _check_outcomes(reference, contract)
            features = known_in(before, [f.name for f in contract.features if f.name in now])
            # One thread: more are slower on a few thousand rows.
            own = {"n_jobs": 1, "verbosity": -1}
            estimator = fit(nml.DLE, feature_column_names=features, hyperparameters=own, **shared)
        else:
            _check_classes(reference, contract)
            _check_probabilities(reference, contract)
            estimator = fit(nml.CBPE, **shared)
        found = result_of(estimator.estimate, now)
        for metric in metrics:
            yield from series(found, (metric,), "estimated_performance", metric, "")

    measures, unknown = attempt([("estimated_performance", estimated)])
    return measures + realised(known, contract), unknown


def _check_classes(reference: pd.DataFrame, contract: Contract) -> None:
    """Raise `TooFewRowsError` if a class of the *reference* has too few rows for calibration."""
    counts = reference[contract.target.name].astype(float).value_counts()
    labels = contract.target.classes or ("0", "1")
    few = {label: int(counts.get(float(i), 0)) for i, label in enumerate(labels)}
    few = {label: count for label, count in few.items() if count < MIN_ROWS}
    if few:
        names = ", ".join(f"class {label} ({count})" for label, count in few.items())
        raise TooFewRowsError(f"too few rows of {names}; {MIN_ROWS} are needed in the reference")


def _check_probabilities(reference: pd.DataFrame, contract: Contract) -> None:
    """Raise `NotMonitoredError` if the scores of the *reference* are not probabilities."""
    if contract.task == "multiclass":
        total = reference[_scores(contract)].sum(axis=1)
        off = int((~np.isclose(total, 1)).sum())
        if off:
            raise NotMonitoredError(
                f"the scores of {off:,} rows of the reference do not add up to 1 over the classes; probabilities do"
            )


def _check_outcomes(reference: pd.DataFrame, contract: Contract) -> None:
    """Raise `TooFewRowsError` if the *reference* has too few outcomes for DLE."""
    count = int(reference[contract.target.name].count())
    if count < MIN_ROWS:
        raise TooFewRowsError(f"too few rows with an outcome ({count}); {MIN_ROWS} are needed in the reference")


def realised(known: pd.DataFrame, contract: Contract) -> list[Measure]:
    """Realised performance by day."""
    positives = {}
    if contract.task == "binary" and len(known):
        positives = known[contract.target.name].groupby(days_of(known, contract.time)).sum().to_dict()
    return [
        Measure("realised_performance", metric, "", day.day, value, day.labelled, int(positives.get(day.day, 0)))
        for day in daily_metrics(known, contract, "", 1, METRICS[contract.task])
        for metric, value in day.metrics.items()
    ]


def _predictions(contract: Contract) -> dict[str, Any]:
    if contract.task == "regression":
        return {"y_pred": "score"}
    if contract.task == "binary":
        return {"problem_type": "classification_binary", "y_pred": "predicted", "y_pred_proba": "score"}
    columns = {float(i): name for i, name in enumerate(_scores(contract))}
    return {"problem_type": "classification_multiclass", "y_pred": "predicted", "y_pred_proba": columns}


def _scores(contract: Contract) -> list[str]:
    """The columns of a multiclass model's scores."""
    return [f"score_{i}" for i in range(len(contract.target.classes))]


def _with_predictions(rows: pd.DataFrame, contract: Contract) -> pd.DataFrame:
    """The rows for NannyML, with the predicted class."""
    found = prepared(rows, contract)
    found[contract.target.name] = found[contract.target.name].astype(float)
    if contract.task == "binary":
        found["predicted"] = (found["score"] >= 0.5).astype(float)
    elif contract.task == "multiclass":
        found["predicted"] = found[_scores(contract)].to_numpy().argmax(axis=1).astype(float)
    return found

"""An estimator's scores: shape and metrics."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from sklearn import metrics

from contracts.row_contract import Contract
from contracts.tolerance import spread_of
from model.data import DataError
from model.onnx_export.convertibility import steps_of

Scores = np.ndarray[Any, np.dtype[np.float64]]
#: Tolerance for rounded probabilities outside 0 to 1.
TOLERANCE = 1e-6


def scores_of(estimator: Any, inputs: Any, contract: Contract) -> Scores:
    """The estimator's scores of *inputs*: (n,), or (n, classes) for multiclass."""
    name = "predict" if contract.task == "regression" else "predict_proba"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a library's steps: only the scores matter
        found = np.asarray(getattr(estimator, name)(inputs), dtype=np.float64)
    classes = len(contract.target.classes)
    expected = (len(inputs), classes) if classes else (len(inputs),)
    if found.shape == (len(inputs), 1):
        found = found.reshape(-1)
    if found.shape != expected:
        raise DataError(f"{name} returned an array of shape {found.shape} for {len(inputs)} rows; expected {expected}")
    return found[:, 1] if contract.task == "binary" else found


def check_scores(estimator: Any, scores: Scores, contract: Contract) -> None:
    """Raise `DataError` for scores of the holdout that are not finite, or not probabilities."""
    if not np.isfinite(scores).all():
        steps = steps_of(estimator)
        raise DataError(f"the scores of the holdout are not all finite numbers; the steps are {steps}")
    low, high = scores.min(), scores.max()
    if contract.task != "regression" and not -TOLERANCE <= low <= high <= 1 + TOLERANCE:
        raise DataError(f"predict_proba returned {low:g} to {high:g}; expected probabilities, from 0 to 1")


def measure(contract: Contract, truth: np.ndarray[Any, Any], scores: Scores) -> dict[str, float]:
    """The task's usual metrics, rounded to six digits: truth (n,), scores as from `scores_of`."""
    if contract.task == "regression":
        found = {
            "mae": metrics.mean_absolute_error(truth, scores),
            "rmse": metrics.root_mean_squared_error(truth, scores),
            "r2": metrics.r2_score(truth, scores) if spread_of(truth) else 0.0,
        }
    elif contract.task == "binary":
        found = {
            "roc_auc": metrics.roc_auc_score(truth, scores),
            "log_loss": metrics.log_loss(truth, scores, labels=[0, 1]),
            "brier": metrics.brier_score_loss(truth, scores),
        }
    else:
        labels = list(range(len(contract.target.classes)))
        found = {
            "roc_auc": metrics.roc_auc_score(truth, scores, multi_class="ovr", labels=labels),
            "log_loss": metrics.log_loss(truth, scores, labels=labels),
            "accuracy": metrics.accuracy_score(truth, scores.argmax(axis=1)),
        }
    return {name: round(float(value), 6) for name, value in found.items()}

"""Daily metrics computed without NannyML, for the dashboard, slices and realised performance."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from contracts.row_contract import Contract
from monitoring.journal.window import days_of

Numbers = np.ndarray[Any, Any]

#: Probabilities are clipped here, so that a float32 score of 0 or 1 has a finite log loss.
MIN_PROBABILITY = 1e-7
#: The metrics by task, the most sensitive first. Smaller is better for those in `LOSSES`.
METRICS = {
    "binary": ("log_loss", "roc_auc", "accuracy"),
    "multiclass": ("log_loss", "accuracy"),
    "regression": ("mae", "rmse"),
}
LOSSES = frozenset({"log_loss", "mae", "rmse"})


@dataclass(frozen=True)
class Day:
    """One version on one day: rows, labelled rows, metrics of the labelled ones."""

    version: str
    day: str
    rows: int
    labelled: int
    metrics: Mapping[str, float]


def row_measure(measure: str, scores: Numbers, truth: Numbers) -> Numbers:
    """A *measure* of each row, (n,): scores are (n,) or (n, classes), truth (n,) the encoded outcomes."""
    values: Numbers = _OF_ROWS[measure](scores, truth)
    return values


def metric(name: str, truth: Numbers, scores: Numbers) -> float:
    """A metric of all rows, as for `row_measure`."""
    if name == "roc_auc":
        return roc_auc(truth, scores)
    if name == "rmse":
        return float(np.sqrt(row_measure("mse", scores, truth).mean()))
    return float(row_measure(name, scores, truth).mean())


def roc_auc(truth: Numbers, scores: Numbers) -> float:
    """The probability that a positive row scores above a negative one; NaN without both.

    By ranks (Mann and Whitney, 1947); ties count half. For several classes, scores (n, classes): the mean over classes
    of one against the rest.
    """
    if scores.ndim == 2:
        each = [roc_auc((truth == i).astype(float), of) for i, of in enumerate(scores.T)]
        return float(np.mean(each))
    positive = int((truth == 1).sum())
    negative = len(truth) - positive
    if not positive or not negative:
        return float("nan")
    ranks = pd.Series(scores).rank().to_numpy()[truth == 1].sum()
    return float((ranks - positive * (positive + 1) / 2) / (positive * negative))


def _log_loss(scores: Numbers, truth: Numbers) -> Numbers:
    probabilities = np.column_stack([1 - scores, scores]) if scores.ndim == 1 else scores
    of_class = probabilities[np.arange(len(truth)), truth.astype(int)]
    loss: Numbers = -np.log(np.clip(of_class, MIN_PROBABILITY, 1))
    return loss


def _accuracy(scores: Numbers, truth: Numbers) -> Numbers:
    predicted = scores >= 0.5 if scores.ndim == 1 else scores.argmax(axis=1)
    correct: Numbers = (predicted == truth).astype(float)
    return correct


_OF_ROWS: Mapping[str, Callable[[Numbers, Numbers], Numbers]] = {
    "log_loss": _log_loss,
    "brier": lambda scores, truth: (scores - truth) ** 2,
    "accuracy": _accuracy,
    "mae": lambda scores, truth: np.abs(scores - truth),
    "mse": lambda scores, truth: (scores - truth) ** 2,
    "outcome": lambda scores, truth: truth.astype(float) + 0 * scores,
}


def daily_metrics(
    rows: pd.DataFrame, contract: Contract, version: str, least: int, metrics: Iterable[str] | None = None
) -> list[Day]:
    """The days of *rows* (see `Window`), in order; *metrics* from *least* outcomes on.

    A metric that is not defined on a day (ROC AUC of one class) is left out.
    """
    scores = [name for name in rows if name == "score" or name.startswith("score_")]
    days = []
    for day, part in rows.groupby(days_of(rows, contract.time)):
        known = part.dropna(subset=[contract.target.name])
        values: dict[str, float] = {}
        if len(known) >= least:
            truth = known[contract.target.name].to_numpy(dtype=float)
            predictions = known[scores].to_numpy(dtype=float)
            predictions = predictions if len(scores) > 1 else predictions[:, 0]
            values = {name: metric(name, truth, predictions) for name in metrics or METRICS[contract.task]}
        finite = {name: value for name, value in values.items() if np.isfinite(value)}
        days.append(Day(version, str(day), len(part), len(known), finite))
    return days

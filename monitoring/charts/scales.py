"""The scale on which a bounded metric is charted, and its sampling error there.

Shares, accuracy and ROC AUC are charted as ``arcsin(sqrt(value))``, whose variance hardly depends on the value (Bartlett,
1947; for a proportion of n rows it is 1 / (4 n)). The scale ends where the metric's range ends, so a limit that is
computed on it and transformed back lies within the range.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from monitoring.charts.signals import Measure, Signal

Numbers = np.ndarray[Any, Any]

#: Kinds whose value is a proportion of a day's rows.
SHARES = ("missing_values", "unseen_categories", "label_coverage", "errors")
END = np.pi / 2
#: The ROC AUC of scores that say nothing about the outcome.
CHANCE = 0.5
#: Kinds and metrics that are never below 0.
POSITIVE = ("row_rate", "latency", "reconstruction_error", "mae", "rmse")


def stabilised(values: Any) -> Any:
    """Values in [0, 1], or outside of it by rounding, on the arcsine scale."""
    return np.arcsin(np.sqrt(np.clip(values, 0.0, 1.0)))


def restored(values: Any) -> Any:
    """Values of the arcsine scale as shares; values beyond its ends are 0 and 1."""
    return np.sin(np.clip(values, 0.0, END)) ** 2


def range_of(measure: Measure | Signal) -> tuple[float, float]:
    """The ends of the metric's range, which no limit reaches; for a ROC AUC the lower one is chance."""
    if is_bounded(measure) or measure.metric == "jensen_shannon":
        return (CHANCE if measure.metric == "roc_auc" else 0.0), 1.0
    if measure.kind == "prediction_bias" and not measure.metric.startswith("deviations"):
        return -1.0, 1.0
    return (0.0 if measure.metric in POSITIVE or measure.kind in POSITIVE else -math.inf), math.inf


def is_bounded(measure: Measure | Signal) -> bool:
    """Whether the metric is charted on the arcsine scale."""
    return measure.kind in SHARES or measure.metric in ("roc_auc", "accuracy")


def sampling_error(measure: Measure, mean: float, rows: float, positives: float) -> float:
    """The standard error of a day's value by sampling theory, on the scale of its chart; 0 if there is no theory.

    The day has *rows* rows, *positives* of them of the positive class; *mean* is the usual value, untransformed.
    """
    if rows <= 0:
        return 0.0
    if measure.metric == "roc_auc":
        error = auc_error(mean, positives, rows - positives)
        return min(error / (2 * float(np.sqrt(max(mean * (1 - mean), 1e-4)))), END)
    if is_bounded(measure):
        return 1 / (2 * float(np.sqrt(rows)))
    if measure.metric == "mean":  # in standard deviations of rows
        return 1 / float(np.sqrt(rows))
    return 0.0


def auc_error(auc: float, positives: float, negatives: float) -> float:
    """The standard error of a ROC AUC, given the class counts (Hanley and McNeil, 1982, Radiology 143); 0 without both."""
    if positives < 1 or negatives < 1:
        return 0.0
    one, other = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    variance = auc * (1 - auc) + (positives - 1) * (one - auc**2) + (negatives - 1) * (other - auc**2)
    return float(np.sqrt(max(variance, 0.0) / (positives * negatives)))

"""Calibration: predicted against observed frequencies, in bins of equally many rows."""

from __future__ import annotations

import numpy as np

from checks.evidence import Array


def reliability(truth: Array, scores: Array, bins: int = 10) -> list[tuple[float, float, int]]:
    """Mean predicted probability, observed share and rows of each bin, the lowest first.

    For multiclass, of the class with the highest probability.
    """
    predicted, correct = scores, truth
    if scores.ndim == 2:
        predicted, correct = scores.max(axis=1), (scores.argmax(axis=1) == truth).astype(float)
    parts = np.array_split(np.argsort(predicted, kind="stable"), bins)
    return [(float(predicted[p].mean()), float(correct[p].mean()), len(p)) for p in parts if len(p)]

"""Is a probability one? Predicted against observed, in bins of equally many rows."""

from __future__ import annotations

import numpy as np

from checks.evidence import Array


def reliability(truth: Array, scores: Array, bins: int = 10) -> list[tuple[float, float, int]]:
    """Mean predicted, share observed and rows of each bin, the least likely first.

    For multiclass, of the likeliest class.
    """
    chance, right = scores, truth
    if scores.ndim == 2:
        chance, right = scores.max(axis=1), (scores.argmax(axis=1) == truth).astype(float)
    parts = np.array_split(np.argsort(chance, kind="stable"), bins)
    return [(float(chance[p].mean()), float(right[p].mean()), len(p)) for p in parts if len(p)]


def calibration_error(truth: Array, scores: Array, bins: int = 10) -> float:
    """Expected calibration error over *bins* of equal size (Naeini et al. 2015)."""
    found = reliability(truth, scores, bins)
    apart = sum(rows * abs(predicted - observed) for predicted, observed, rows in found)
    return float(apart / len(truth))

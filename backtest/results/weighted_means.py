"""Weighted means over consecutive nights, with intervals. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats

from checks.evidence import Array


@dataclass(frozen=True)
class Mean:
    """A weighted mean with its standard *error* (NaN below four values), their *count*, and its degrees of *freedom*."""

    value: float
    error: float
    count: int
    freedom: int = 0

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % confidence interval, by Student's t; NaN without a standard error."""
        half = float(stats.t.ppf(0.975, self.freedom)) * self.error if self.freedom else math.nan
        return self.value - half, self.value + half


def mean(values: Array, weights: Array) -> Mean:
    """The weighted mean of *values* (n,) in the order of time; NaN values are left out.

    Successive nights share training rows and models, so that their values are correlated. The standard error is that of
    the equal-weighted cosine estimator (Lazarus, Lewis, Stock and Watson 2018): the mean square of the first n / 3 cosine
    transforms, whose number is that of the degrees of freedom.
    """
    known = np.isfinite(values) & (weights > 0)
    found, share = values[known], weights[known].astype(float)
    count = len(found)
    if not count:
        return Mean(math.nan, math.nan, 0)
    share = share / share.sum()
    center = float(share @ found)
    if count < 4:
        return Mean(center, math.nan, count)
    freedom = max(2, count // 3)
    steps = np.pi * np.outer(np.arange(1, freedom + 1), np.arange(count) + 0.5) / count
    transforms = math.sqrt(2) * np.cos(steps) @ (share * (found - center))
    return Mean(center, float(np.sqrt(np.mean(transforms**2))), count, freedom)

"""An empirical-Bayes prior for the variance between days (Smyth, 2004, Statist. Appl. Genet. Mol. Biol. 3).

The variance ``s²`` of a series on its n reference days has ``d = n - 1`` degrees of freedom. The same metric on the days
of the training rows has the variance ``t²``. The model is that of limma, with ``t²`` as a covariate::

    s² | σ²  ~  σ² χ²(d) / d           1 / σ²  ~  χ²(d0) / (d0 s0²),     s0² = c t²

so the posterior estimate, the *squeezed* variance, is ``(d0 s0² + d s²) / (d0 + d)``. The ratio c and the prior's degrees of
freedom d0 are estimated from all series together, from mean and variance of ``log(s² / t²)``: where the training rows
predict the variances well d0 is large, and where they do not it is small. Series without training days, such as
distances, share ``t² = 1`` within their metric.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Numbers = np.ndarray[Any, Any]

#: Fewer series do not estimate c and d0, which are then 1 and `FEW_DAYS`.
FEW_SERIES, FEW_DAYS = 4, 10.0
#: Training rows that are older than the reference never weigh more than that many days.
MAX_DAYS = 60.0


@dataclass(frozen=True)
class Prior:
    """What is known about each series (series,) besides its reference days.

    *variance* and *days* are s0² and d0; 0 days for none. *least* is the smallest possible variance, from sampling
    theory. *mean* and *mean_days* are the mean of earlier days, and how many days it weighs. *skew* and *lag* are
    skewness and lag-1 autocorrelation of *shape_days* earlier days. *slack* is above 0 for a cumulative chart.
    """

    variance: Numbers
    days: Numbers
    least: Numbers
    mean: Numbers
    mean_days: Numbers
    skew: Numbers
    lag: Numbers
    shape_days: Numbers

    @classmethod
    def none(cls, count: int) -> Prior:
        """Of *count* series that have nothing but their reference."""
        return cls(*(np.zeros(count) for _ in range(8)))


def squeezed(variance: Numbers, days: Any, prior: Prior) -> Numbers:
    """The posterior variance of series with *variance* on *days* degrees of freedom."""
    total = np.maximum(days + prior.days, 1e-9)
    return np.asarray(np.maximum((days * variance + prior.days * prior.variance) / total, prior.least))


def fitted(variance: Numbers, days: Numbers, covariate: Numbers) -> tuple[float, float]:
    """The ratio c and the degrees of freedom d0, from *variance* on *days* degrees of freedom and *covariate* t²."""
    usable = (variance > 0) & (covariate > 0) & (days > 0)
    if usable.sum() < FEW_SERIES:
        return 1.0, FEW_DAYS
    d = days[usable]
    apart = np.log(variance[usable] / covariate[usable]) - digamma(d / 2) + np.log(d / 2)
    excess = float(np.var(apart, ddof=1) - np.mean(trigamma(d / 2)))
    d0 = MAX_DAYS if excess <= 0 else min(2 * inverse_trigamma(excess), MAX_DAYS)
    ratio = float(np.exp(np.mean(apart) + digamma(np.array([d0 / 2]))[0] - np.log(d0 / 2)))
    return ratio, d0


def moments(days: Numbers) -> tuple[Numbers, Numbers, Numbers, Numbers, Numbers]:
    """Count, mean, variance, skewness and lag-1 autocorrelation of *days* (days, series), NaN for missing."""
    known = ~np.isnan(days)
    count = known.sum(axis=0)
    mean = np.where(known, days, 0).sum(axis=0) / np.maximum(count, 1)
    apart = np.where(known, days - mean, 0.0)
    square = (apart**2).sum(axis=0)
    spread = np.maximum(np.sqrt(square / np.maximum(count, 1)), 1e-100)
    skew = (apart**3).sum(axis=0) / np.maximum(count, 1) / spread**3
    lag = (apart[1:] * apart[:-1]).sum(axis=0) / np.maximum(square, 1e-200)
    return count, mean, square / np.maximum(count - 1, 1), skew, lag


def pooled(values: Sequence[Numbers], weights: Sequence[Numbers]) -> Numbers:
    """The weighted mean of *values*; 0 where all weights are 0."""
    total = np.sum(weights, axis=0)
    return np.asarray(np.sum([v * w for v, w in zip(values, weights, strict=True)], axis=0) / np.maximum(total, 1e-9))


def digamma(x: Numbers) -> Numbers:
    """The derivative of log gamma: by recurrence to x > 6, then its asymptotic series."""
    shift = np.zeros_like(x)
    for _ in range(6):
        shift -= 1 / x
        x = x + 1
    y = 1 / x**2
    return np.asarray(shift + np.log(x) - 0.5 / x - y * (1 / 12 - y * (1 / 120 - y / 252)))


def trigamma(x: Numbers) -> Numbers:
    """The derivative of `digamma`."""
    shift = np.zeros_like(x)
    for _ in range(6):
        shift += 1 / x**2
        x = x + 1
    y = 1 / x**2
    return np.asarray(shift + 1 / x + y / 2 + y / x * (1 / 6 - y * (1 / 30 - y / 42)))


def inverse_trigamma(value: float) -> float:
    """x > 0 with ``trigamma(x) = value``, by bisection in log(x)."""
    low, high = -10.0, 15.0
    for _ in range(60):
        middle = (low + high) / 2
        above = trigamma(np.array([np.exp(middle)]))[0] > value
        low, high = (middle, high) if above else (low, middle)
    return float(np.exp(low))

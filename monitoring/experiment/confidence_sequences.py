"""Anytime-valid statistics: intervals and tests that are valid at all times at once.

A confidence sequence is a sequence of intervals that *all* cover the true value with probability 1 - alpha, so
evaluating daily, and stopping at any time, does not increase the error probability.

- For means: the asymptotic sequence of Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas, "Time-uniform
  central limit theory and asymptotic confidence sequences" (Annals of Statistics, 2024), theorem
  2.2; its boundary is the normal mixture of Robbins, as in Howard, Ramdas, McAuliffe and Sekhon,
  "Time-uniform, nonparametric, nonasymptotic confidence sequences" (Annals of Statistics, 2021).
- For the sample ratio: the sequential multinomial test of Lindon and Malek, "Anytime-valid inference
  for multinomial count data" (NeurIPS, 2022).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Numbers = np.ndarray[Any, Any]

#: Concentration of the alternative about the expected shares: it is sensitive to small deviations.
CONCENTRATION = 10_000.0
#: Upper limit of the search for the units needed.
MAX_UNITS = 1e12


@dataclass(frozen=True)
class DailySums:
    """Values of independent units by day: count, sum and sum of squares, each (days,)."""

    count: Numbers
    total: Numbers
    squares: Numbers

    def part(self, which: slice) -> DailySums:
        """Some of the days."""
        return DailySums(self.count[which], self.total[which], self.squares[which])


@dataclass(frozen=True)
class ConfidenceSequence:
    """A confidence sequence at the end of each day: (days,) of units so far, mean, low and high.

    With too few units low and high are infinite.
    """

    units: Numbers
    mean: Numbers
    low: Numbers
    high: Numbers
    sd: float
    alpha: float
    rho: float

    def units_until(self, target: float) -> float:
        """The units at which the half-width is *target*, by the present standard deviation."""
        return units_needed(target, self.sd, self.alpha, self.rho)


def half_width(units: Any, sd: Any, alpha: float, rho: float) -> Any:
    """Half the width of the interval after *units* units with standard deviation *sd*.

    sd * sqrt(2 (t r² + 1) / (t² r²) * log(sqrt(t r² + 1) / alpha)), t units and r = *rho*: the
    Gaussian mixture of Waudby-Smith et al. (2024), theorem 2.2.
    """
    spread = units * rho**2 + 1
    return sd * np.sqrt(2 * spread / (units * rho) ** 2 * np.log(np.sqrt(spread) / alpha))


def tuned(units: float, alpha: float) -> float:
    """The rho with which the sequence is tightest about *units* units (appendix of the same paper).

    sqrt((-2 log alpha + log(-2 log alpha + 1)) / t); any other rho is valid, and a little wider there.
    """
    surprise = -2 * math.log(alpha)
    return math.sqrt((surprise + math.log(surprise + 1)) / max(units, 1.0))


def confidence_sequence(days: DailySums, alpha: float, rho: float, least: int = 2) -> ConfidenceSequence:
    """The confidence sequence of the units' mean, two-sided, from *least* units on."""
    units = np.cumsum(days.count)
    known = np.maximum(units, 1)
    mean = np.cumsum(days.total) / known
    variance = np.maximum(np.cumsum(days.squares) / known - mean**2, 0.0)
    sd = np.sqrt(variance * known / np.maximum(known - 1, 1))
    wide = np.where(units >= max(least, 2), half_width(known, sd, alpha, rho), np.inf)
    newest = float(sd[-1]) if len(sd) else math.nan
    return ConfidenceSequence(units, mean, mean - wide, mean + wide, newest, alpha, rho)


def units_needed(target: float, sd: float, alpha: float, rho: float) -> float:
    """The units at which the half-width is *target*; infinite beyond `MAX_UNITS`."""
    if not (target > 0 and math.isfinite(sd)):
        return math.inf
    low, high = 1.0, 2.0
    while half_width(high, sd, alpha, rho) > target:
        low, high = high, 2 * high
        if high > MAX_UNITS:
            return math.inf
    while high - low > 1:
        middle = (low + high) / 2
        low, high = (middle, high) if half_width(middle, sd, alpha, rho) > target else (low, middle)
    return math.ceil(high)


def ratio_p_value(counts: Numbers, shares: Sequence[float]) -> float:
    """Anytime-valid p-value of the hypothesis that units are assigned to variants by *shares*.

    *counts* is (days, variants), new units of each day. It is the smallest value so far of 1 / Bayes factor of
    Dirichlet-multinomial against multinomial, which ever falls below alpha with a probability of at most alpha
    (Ville's inequality; Lindon and Malek, 2022).
    """
    prior = CONCENTRATION * np.asarray(shares, dtype=float)
    smallest = 0.0
    for total in np.cumsum(counts, axis=0):
        factor = math.lgamma(prior.sum()) - math.lgamma(prior.sum() + total.sum())
        for start, count, share in zip(prior, total, shares, strict=True):
            factor += math.lgamma(start + count) - math.lgamma(start) - count * math.log(share)
        smallest = min(smallest, -factor)
    return math.exp(smallest)

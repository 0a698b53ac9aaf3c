"""Statistics that may be looked at every day: intervals and tests that hold at all times at once.

A confidence sequence is an interval per moment, so made that *all* of them cover the truth with
chance 1 - alpha: whoever looks daily, and stops when he likes what he sees, is wrong no more often.

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

#: How sure the sample ratio's alternative is that shares are about right: it looks for small faults.
CONCENTRATION = 10_000.0
#: A search for the units needed goes no further.
MOST = 1e12


@dataclass(frozen=True)
class Days:
    """Values of independent units, summed by the day they came: count, sum and sum of squares.

    Each is (days,); a day without a unit has zeros.
    """

    count: Numbers
    total: Numbers
    squares: Numbers

    def part(self, which: slice) -> Days:
        """Some of the days."""
        return Days(self.count[which], self.total[which], self.squares[which])


@dataclass(frozen=True)
class Band:
    """A confidence sequence at the end of each day: (days,) of units so far, mean, low and high.

    Where there are too few units to say anything, low and high are infinite.
    """

    units: Numbers
    mean: Numbers
    low: Numbers
    high: Numbers
    sd: float
    alpha: float
    rho: float

    def units_until(self, target: float) -> float:
        """How many units it takes until the half-width is *target*, as far as one can tell now."""
        return units_needed(target, self.sd, self.alpha, self.rho)


def half_width(units: Any, sd: Any, alpha: float, rho: float) -> Any:
    """Half the interval's width after *units* units with standard deviation *sd*.

    sd * sqrt(2 (t r² + 1) / (t² r²) * log(sqrt(t r² + 1) / alpha)), t units and r = *rho*: the
    Gaussian mixture of Waudby-Smith et al. (2024), theorem 2.2.
    """
    spread = units * rho**2 + 1
    return sd * np.sqrt(2 * spread / (units * rho) ** 2 * np.log(np.sqrt(spread) / alpha))


def tuned(units: float, alpha: float) -> float:
    """The rho with which the sequence is tightest about *units* units (appendix of the same paper).

    sqrt((-2 log alpha + log(-2 log alpha + 1)) / t); any other is as valid, and a little wider then.
    """
    surprise = -2 * math.log(alpha)
    return math.sqrt((surprise + math.log(surprise + 1)) / max(units, 1.0))


def band(days: Days, alpha: float, rho: float, least: int = 2) -> Band:
    """The confidence sequence of the units' mean, two-sided, from *least* units on."""
    units = np.cumsum(days.count)
    known = np.maximum(units, 1)
    mean = np.cumsum(days.total) / known
    variance = np.maximum(np.cumsum(days.squares) / known - mean**2, 0.0)
    sd = np.sqrt(variance * known / np.maximum(known - 1, 1))
    wide = np.where(units >= max(least, 2), half_width(known, sd, alpha, rho), np.inf)
    newest = float(sd[-1]) if len(sd) else math.nan
    return Band(units, mean, mean - wide, mean + wide, newest, alpha, rho)


def units_needed(target: float, sd: float, alpha: float, rho: float) -> float:
    """How many units make the half-width *target*; infinite if none do."""
    if not (target > 0 and math.isfinite(sd)):
        return math.inf
    low, high = 1.0, 2.0
    while half_width(high, sd, alpha, rho) > target:
        low, high = high, 2 * high
        if high > MOST:
            return math.inf
    while high - low > 1:
        middle = (low + high) / 2
        low, high = (middle, high) if half_width(middle, sd, alpha, rho) > target else (low, middle)
    return math.ceil(high)


def ratio_p_value(counts: Numbers, shares: Sequence[float]) -> float:
    """How surprising the units per arm are if each falls to an arm by *shares*, looked at daily.

    *counts* is (days, arms), new units of each day. The smallest value so far of 1 / Bayes factor
    of Dirichlet-multinomial against multinomial, which falls below alpha with a chance of alpha at
    most, however long one looks (Ville's inequality; Lindon and Malek, 2022).
    """
    prior = CONCENTRATION * np.asarray(shares, dtype=float)
    smallest = 0.0
    for seen in np.cumsum(counts, axis=0):
        factor = math.lgamma(prior.sum()) - math.lgamma(prior.sum() + seen.sum())
        for start, count, share in zip(prior, seen, shares, strict=True):
            factor += math.lgamma(start + count) - math.lgamma(start) - count * math.log(share)
        smallest = min(smallest, -factor)
    return math.exp(smallest)

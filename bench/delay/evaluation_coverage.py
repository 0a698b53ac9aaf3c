"""Which rows of a holdout with missing outcomes give an interval that covers the true gain: a simulation.

Two models, neither of which is the truth, are compared on 14 days. Outcomes of the first class take three times as long as
those of the second. The imputing model is a third one that neither trained; the delays are known to it exactly, which is
more than a delay model can know.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

DAYS, ROWS = 14, 200
#: Mean delay in days of each class.
DELAYS = np.array([30.0, 10.0])
#: Days between the end of the holdout and the night, where the holdout ends where outcomes are known.
DAYS_BEHIND = 90
Z_95 = 1.96
#: What the candidate adds to its logit: it was trained on the outcomes known so far.
SHIFT = 0.7
#: How much of the imputing model is the candidate's feature, and not the champion's.
SIMILARITY = {"a model that is like neither": 0.5, "a model like the candidate": 1.0, "a model like the champion": 0.0}
METHODS = ("known so far", *(f"imputed by {each}" for each in SIMILARITY), "rows whose outcomes are known")
CANDIDATES = {"as good as the champion": 0.0, "trained on the outcomes known so far": SHIFT}
Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Covered:
    """Share of the intervals that cover the true gain of a *candidate*, and the mean *bias* of the estimate."""

    candidate: str
    way: str
    share: float
    bias: float
    repeats: int


def coverage(repeats: int, seed: int) -> list[Covered]:
    """The coverage of each way, for each candidate."""
    random, found = np.random.default_rng(seed), []
    for candidate, shift in CANDIDATES.items():
        truth = _truth(shift)
        for way in METHODS:
            pairs = [_estimate(random, shift, way) for _ in range(repeats)]
            inside = np.mean([abs(estimate - truth) <= half for estimate, half in pairs])
            bias = np.mean([estimate - truth for estimate, _ in pairs])
            found.append(Covered(candidate, way, float(inside), float(bias), repeats))
    return found


@cache
def _truth(shift: float) -> float:
    """The true gain of the candidate, in log loss."""
    gain, chance, *_ = _rows(np.random.default_rng(1), 1_000_000, shift)
    return float((gain * np.stack([1 - chance, chance], axis=1)).sum(axis=1).mean())


def _rows(random: np.random.Generator, n: int, shift: float) -> tuple[Array, Array, Array, Array]:
    """The gain by class (n, 2), the probability of the second class, and the two features: the models see one each."""
    first, second = random.normal(size=n), random.normal(size=n)
    candidate, champion = _sigmoid(first - 0.4 + shift), _sigmoid(second - 0.4)
    gain = np.stack([np.log(1 - candidate) - np.log(1 - champion), np.log(candidate) - np.log(champion)], axis=1)
    return gain, _sigmoid(first + second - 0.5), first, second


def _estimate(random: np.random.Generator, shift: float, way: str) -> tuple[float, float]:
    """The gain as a holdout shows it, and half the width of its interval."""
    n = DAYS * ROWS
    gain, chance, first, second = _rows(random, n, shift)
    y = (random.random(n) < chance).astype(int)
    age = (DAYS_BEHIND if way == METHODS[-1] else 0) + random.random(n) * DAYS
    known = random.exponential(DELAYS[y]) <= age
    seen = gain[np.arange(n), y]
    if way.startswith("imputed"):
        share = SIMILARITY[way.removeprefix("imputed by ")]
        third = _sigmoid(share * first + (1 - share) * second - 0.4)
        weight = np.stack([1 - third, third], axis=1) * np.exp(-age[:, None] / DELAYS)
        seen = np.where(known, seen, (gain * weight).sum(axis=1) / weight.sum(axis=1))
    else:
        seen = seen[known]
    return float(seen.mean()), float(Z_95 * seen.std(ddof=1) / len(seen) ** 0.5)


def _sigmoid(value: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-value)))

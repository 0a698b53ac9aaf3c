"""What is measured, as functions of how often each row counts, and of how often each block was drawn.

Two kinds are enough: functions of weighted means (`Means`), and the area under the ROC curve
(`Ranks`). Both are exact functions of a few sums per block, so that thousands of bootstrap draws
are one product of matrices. Each knows its influence function as well: how much each row pulls.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from checks.evidence import Array
from contracts.tolerance import spread_of

#: A probability of exactly 0 or 1 would cost infinitely much.
CLIP = 1e-7
#: The difference of these is told as a share of the champion's error.
RELATIVE = frozenset({"mae", "rmse"})
#: Bins of the calibration error, each of equally many rows.
BINS = 10
#: How often each row counts, (n,); None for once.
Weights = Any


class Measure(Protocol):
    """A metric of given rows."""

    def __call__(self, weights: Weights = None) -> float:
        """Its value, each row counted *weights* (n,) times."""
        ...

    def drawn(self, block: Any, times: Array) -> Array:
        """Its value in each draw: (draws,).

        *block* (n,) is a row's block, *times* (draws, blocks) how often each block was drawn.
        """
        ...

    def influence(self) -> Array:
        """How much each row pulls (Hampel 1974): (n,).

        They sum to 0, and their squares to the metric's variance if rows are independent.
        """
        ...


@dataclass(frozen=True)
class Means:
    """A function *value* of the weighted means of *parts* (n, k), along the last axis."""

    parts: Array
    value: Callable[[Array], Array]

    def __call__(self, weights: Weights = None) -> float:
        """See `Measure`."""
        return float(self.value(np.average(self.parts, axis=0, weights=weights)))

    def drawn(self, block: Any, times: Array) -> Array:
        """See `Measure`."""
        count = times.shape[1]
        sums = np.column_stack([np.bincount(block, part, count) for part in self.parts.T])
        with np.errstate(invalid="ignore"):  # a draw of blocks without a row
            means = (times @ sums) / (times @ np.bincount(block, minlength=count))[:, None]
        return self.value(means)

    def influence(self) -> Array:
        """See `Measure`. The gradient is taken by differences: the functions are simple."""
        mean = self.parts.mean(axis=0)
        steps = np.diag(1e-6 * np.maximum(np.abs(mean), 1e-3))
        slope = (self.value(mean + steps) - self.value(mean - steps)) / (2 * steps.diagonal())
        return np.asarray((self.parts - mean) @ slope / len(self.parts))


class Ranks:
    """The chance that a positive row scores above a negative one, ties counting half (ROC AUC).

    By weighted ranks (Mann and Whitney 1947). Over blocks it is a quadratic form: pairs are counted
    once for each two blocks. NaN if a class is absent.
    """

    def __init__(self, truth: Array, scores: Array) -> None:
        levels, self._level = np.unique(scores, return_inverse=True)
        self._count, self._positive = len(levels), truth == 1

    def __call__(self, weights: Weights = None) -> float:
        """See `Measure`."""
        weight = np.ones(len(self._level)) if weights is None else weights
        negative = np.bincount(self._level, weight * ~self._positive, self._count)
        positive = np.bincount(self._level, weight * self._positive, self._count)
        pairs = positive.sum() * negative.sum()
        return float(positive @ _below(negative) / pairs) if pairs else float("nan")

    def drawn(self, block: Any, times: Array) -> Array:
        """See `Measure`."""
        count = times.shape[1]
        level, up = self._level[self._positive], block[self._positive]
        down, other = block[~self._positive], self._level[~self._positive]
        won = np.zeros((count, count))
        for each in np.unique(down):
            below = _below(np.bincount(other[down == each], minlength=self._count))
            won[:, each] = np.bincount(up, below[level], count)
        pairs = (times @ np.bincount(up, minlength=count)) * (times @ np.bincount(down, minlength=count))
        with np.errstate(invalid="ignore"):
            return np.asarray(((times @ won) * times).sum(axis=1) / pairs)

    def influence(self) -> Array:
        """See `Measure`: the placements of DeLong, DeLong and Clarke-Pearson (1988)."""
        positive = np.bincount(self._level[self._positive], minlength=self._count)
        negative = np.bincount(self._level[~self._positive], minlength=self._count)
        up, down = positive.sum(), negative.sum()
        if not up * down:
            return np.full(len(self._level), np.nan)
        beats, beaten = _below(negative) / down, 1 - _below(positive) / up
        area = float(positive @ beats / up)
        return np.asarray(
            np.where(self._positive, (beats[self._level] - area) / up, (beaten[self._level] - area) / down)
        )


def losses(metric: str, truth: Array, scores: Array) -> Array:
    """What each row costs, (n,); for ROC AUC, which has no such thing, its Brier score."""
    return MEANS.get(metric, squared)(truth, scores)


def logarithmic(truth: Array, scores: Array) -> Array:
    """Negative log-likelihood; scores (n,) for binary, (n, classes) for multiclass."""
    if scores.ndim == 1:
        chance = np.where(truth == 1, scores, 1 - scores)
    else:
        chance = scores[np.arange(len(truth)), truth.astype(int)]
    return np.asarray(-np.log(np.clip(chance, CLIP, 1)))


def squared(truth: Array, scores: Array) -> Array:
    """Squared distance of prediction and outcome; of a probability, the Brier score (Brier 1950)."""
    if scores.ndim == 1:
        return np.asarray((scores - truth) ** 2)
    outcomes = np.arange(scores.shape[1]) == truth[:, None]
    return np.asarray(((scores - outcomes) ** 2).sum(axis=1))


def absolute(truth: Array, scores: Array) -> Array:
    """Absolute distance of prediction and outcome."""
    return np.asarray(np.abs(scores - truth))


def wrong(truth: Array, scores: Array) -> Array:
    """1 where the likeliest class is not the true one."""
    return np.asarray(scores.argmax(axis=1) != truth).astype(float)


def likeliest(truth: Array, scores: Array) -> tuple[Array, Array]:
    """The chance of the positive class and whether it came; for multiclass, of the likeliest."""
    if scores.ndim == 1:
        return scores, truth
    return scores.max(axis=1), (scores.argmax(axis=1) == truth).astype(float)


def calibration_error(truth: Array, scores: Array) -> Means:
    """Expected calibration error over bins of equally many rows (Naeini et al. 2015)."""
    chance, came = likeliest(truth, scores)
    order = np.argsort(chance, kind="stable")
    bins = np.empty(len(chance), dtype=int)
    bins[order] = np.arange(len(chance)) * BINS // len(chance)
    apart = np.zeros((len(chance), BINS))
    apart[np.arange(len(chance)), bins] = chance - came
    return Means(apart, lambda means: np.abs(means).sum(axis=-1))


def bias(truth: Array, scores: Array) -> Means:
    """How far the mean predicted probability is from the share observed."""
    chance, came = likeliest(truth, scores)
    return Means((chance - came)[:, None], lambda means: np.abs(means[..., 0]))


def offset(truth: Array, scores: Array) -> Means:
    """The same of a number, in standard deviations of the outcome."""
    scale = float(spread_of(truth)) or 1.0
    return Means(((scores - truth) / scale)[:, None], lambda means: np.abs(means[..., 0]))


def _below(counts: Any) -> Array:
    """How many lie below each level, its own counting half."""
    return np.asarray(np.cumsum(counts) - counts / 2)


def _mean_of(cost: Callable[[Array, Array], Array]) -> Callable[[Array, Array], Means]:
    return lambda truth, scores: Means(cost(truth, scores)[:, None], lambda means: means[..., 0])


MEANS: dict[str, Callable[[Array, Array], Array]] = {
    "log_loss": logarithmic,
    "brier": squared,
    "accuracy": wrong,
    "mae": absolute,
    "rmse": squared,
}

METRICS: dict[str, Callable[[Array, Array], Measure]] = {
    "log_loss": _mean_of(logarithmic),
    "roc_auc": Ranks,
    "brier": _mean_of(squared),
    "accuracy": lambda truth, scores: Means(1 - wrong(truth, scores)[:, None], lambda means: means[..., 0]),
    "mae": _mean_of(absolute),
    "rmse": lambda truth, scores: Means(
        squared(truth, scores)[:, None], lambda means: np.sqrt(np.maximum(means[..., 0], 0))
    ),
    "ece": calibration_error,
    "mean": bias,
    "offset": offset,
}

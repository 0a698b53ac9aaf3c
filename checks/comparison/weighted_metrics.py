"""Metrics of weighted rows: functions of weighted means (`Means`), and the area under the ROC curve (`Ranks`).

Both are exact functions of a few sums per block, so that thousands of bootstrap draws are one matrix product. Each has
its influence function. `METRICS` at the end has all metrics by name.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from checks.evidence import Array
from contracts.tolerance import spread_of

#: Bound of probabilities: the log loss of exactly 0 or 1 may be infinite.
CLIP = 1e-7
#: Metrics whose gain is a share of the champion's error.
RELATIVE = frozenset({"mae", "rmse"})
#: Bins of the calibration error, each of equally many rows.
BINS = 10
#: Steps after which scores are adjusted to the shares of the classes, and the least mean and sum that is divided by.
ADJUSTMENTS, MIN_MEAN = 30, 1e-12
#: The share of rows whose scores are the most certain.
CERTAIN_SHARE = 0.1
#: The weight of each row, (n,); None for 1.
Weights = Any


class Measure(Protocol):
    """A metric of given rows."""

    def __call__(self, weights: Weights = None) -> float:
        """Its value with rows weighted by *weights* (n,)."""
        ...

    def drawn(self, block: Any, times: Array) -> Array:
        """Its value in each draw: (draws,).

        *block* (n,) is the block of each row, *times* (draws, blocks) how often each block was drawn.
        """
        ...

    def influence(self) -> Array:
        """The influence of each row (Hampel 1974): (n,).

        They sum to 0, and their squares to the variance of the metric if rows are independent.
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
        """See `Measure`. The gradient is numerical: the functions are smooth."""
        mean = self.parts.mean(axis=0)
        steps = np.diag(1e-6 * np.maximum(np.abs(mean), 1e-3))
        slope = (self.value(mean + steps) - self.value(mean - steps)) / (2 * steps.diagonal())
        return np.asarray((self.parts - mean) @ slope / len(self.parts))


class Ranks:
    """ROC AUC: the probability that a positive row scores above a negative one, ties counting half.

    By weighted ranks (Mann and Whitney 1947). Over blocks it is a quadratic form: pairs of rows are counted once for
    each pair of blocks. NaN if a class is absent.
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
        wins = np.zeros((count, count))
        for each in np.unique(down):
            below = _below(np.bincount(other[down == each], minlength=self._count))
            wins[:, each] = np.bincount(up, below[level], count)
        pairs = (times @ np.bincount(up, minlength=count)) * (times @ np.bincount(down, minlength=count))
        with np.errstate(invalid="ignore"):
            return np.asarray(((times @ wins) * times).sum(axis=1) / pairs)

    def influence(self) -> Array:
        """See `Measure`: the placements of DeLong, DeLong and Clarke-Pearson (1988)."""
        positive = np.bincount(self._level[self._positive], minlength=self._count)
        negative = np.bincount(self._level[~self._positive], minlength=self._count)
        up, down = positive.sum(), negative.sum()
        if not up * down:
            return np.full(len(self._level), np.nan)
        above, below = _below(negative) / down, 1 - _below(positive) / up
        area = float(positive @ above / up)
        return np.asarray(
            np.where(self._positive, (above[self._level] - area) / up, (below[self._level] - area) / down)
        )


def losses(metric: str, truth: Array, scores: Array) -> Array:
    """The loss of each row, (n,); for ROC AUC, which is not a mean of losses, the Brier score."""
    return MEANS.get(metric, squared)(truth, scores)


def logarithmic(truth: Array, scores: Array) -> Array:
    """Negative log-likelihood; scores (n,) for binary, (n, classes) for multiclass."""
    if scores.ndim == 1:
        probability = np.where(truth == 1, scores, 1 - scores)
    else:
        probability = scores[np.arange(len(truth)), truth.astype(int)]
    return np.asarray(-np.log(np.clip(probability, CLIP, 1)))


def squared(truth: Array, scores: Array) -> Array:
    """Squared error; of a probability, the Brier score (Brier 1950)."""
    if scores.ndim == 1:
        return np.asarray((scores - truth) ** 2)
    outcomes = np.arange(scores.shape[1]) == truth[:, None]
    return np.asarray(((scores - outcomes) ** 2).sum(axis=1))


def absolute(truth: Array, scores: Array) -> Array:
    """Absolute error."""
    return np.asarray(np.abs(scores - truth))


def misclassified(truth: Array, scores: Array) -> Array:
    """1 where the class with the highest probability is not the true one."""
    return np.asarray(scores.argmax(axis=1) != truth).astype(float)


def top_class(truth: Array, scores: Array) -> tuple[Array, Array]:
    """The probability of a class, and whether it is the true one: the positive class, for multiclass the most probable."""
    if scores.ndim == 1:
        return scores, truth
    return scores.max(axis=1), (scores.argmax(axis=1) == truth).astype(float)


def calibration_error(truth: Array, scores: Array) -> Means:
    """Expected calibration error over bins of equally many rows (Naeini et al. 2015)."""
    predicted, observed = top_class(truth, scores)
    order = np.argsort(predicted, kind="stable")
    bins = np.empty(len(predicted), dtype=int)
    bins[order] = np.arange(len(predicted)) * BINS // len(predicted)
    differences = np.zeros((len(predicted), BINS))
    differences[np.arange(len(predicted)), bins] = predicted - observed
    return Means(differences, lambda means: np.abs(means).sum(axis=-1))


def bias(truth: Array, scores: Array) -> Means:
    """Calibration in the large: the distance of the mean predicted probability from the observed share."""
    predicted, observed = top_class(truth, scores)
    return Means((predicted - observed)[:, None], lambda means: np.abs(means[..., 0]))


def offset(truth: Array, scores: Array) -> Means:
    """The distance of the mean prediction from the mean outcome, in standard deviations of the outcome."""
    scale = float(spread_of(truth)) or 1.0
    return Means(((scores - truth) / scale)[:, None], lambda means: np.abs(means[..., 0]))


def certain_errors(truth: Array, scores: Array) -> Means:
    """The share of wrong outcomes among the tenth of the rows with the most certain scores, less the share they expect.

    Which rows are most certain differs between periods, and with them how many errors are to be expected. The scores
    expect so after they were adjusted to how frequent each class is: a month with more positive outcomes is `odds_ratio`'s.
    """
    both = np.column_stack([1 - scores, scores]) if scores.ndim == 1 else scores
    certainty, label = both.max(axis=1), both.argmax(axis=1)
    expected = np.take_along_axis(adjusted(both, truth), label[:, None], axis=1)[:, 0]
    return _share(label != truth, certainty >= np.quantile(certainty, 1 - CERTAIN_SHARE), 1 - expected)


def adjusted(scores: Array, truth: Array) -> Array:
    """*scores* (n, classes), with weights of the classes so that their means are the shares of the classes in *truth*.

    Bayes' rule for another prior, iterated (Saerens, Latinne and Decaestecker 2002).
    """
    shares = np.bincount(truth.astype(int), minlength=scores.shape[1]) / len(truth)
    found = scores
    for _ in range(ADJUSTMENTS):
        found = found * (shares / np.maximum(found.mean(axis=0), MIN_MEAN))
        found = found / np.maximum(found.sum(axis=1, keepdims=True), MIN_MEAN)
    return found


def certain_errors_of_numbers(truth: Array, scores: Array) -> Means:
    """The share of outcomes on the wrong side of their median, among the rows with the 5 % lowest and 5 % highest scores.

    The outcome of a row with a high score should be above the median of all outcomes: one below it is inverted, belongs to
    another row, or was never measured. Scale and level of the outcomes do not matter.
    """
    low, high = (np.quantile(scores, each) for each in (CERTAIN_SHARE / 2, 1 - CERTAIN_SHARE / 2))
    middle = np.median(truth)
    below, above = scores <= low, scores >= high
    return _share((below & (truth > middle)) | (above & (truth < middle)), below | above, np.zeros(len(truth)))


def _share(wrong: Any, chosen: Any, expected: Array) -> Means:
    """The share of *wrong* among the *chosen* rows beyond that *expected*; masks and probabilities: (n,)."""
    parts = np.column_stack([wrong & chosen, chosen, expected * chosen]).astype(float)
    return Means(parts, lambda means: (means[..., 0] - means[..., 2]) / means[..., 1])


def least_error(share: Means) -> float:
    """The least standard error of a `_share`, where two more rows are wrong and two more are not (Agresti and Coull 1998).

    An evaluation without an error has no variance between its days, and still is not known to stay without one.
    """
    wrong, rows = share.parts[:, 0].sum() + 2, share.parts[:, 1].sum() + 4
    return math.sqrt(wrong / rows * (1 - wrong / rows) / rows)


def odds_ratio(truth: Array, scores: Array) -> Means:
    """The logarithm of the odds of a positive outcome over those of the mean score; 0 if both are the same."""

    def value(means: Array) -> Array:
        with np.errstate(divide="ignore", invalid="ignore"):
            odds = np.log(means) - np.log1p(-means)
        return np.asarray(odds[..., 0] - odds[..., 1])

    return Means(np.column_stack([truth, scores]), value)


def spread(truth: Array) -> Means:
    """The mean absolute deviation of outcomes (n,) from their median: the absolute error of the best constant."""
    return Means(np.abs(truth - np.median(truth))[:, None], lambda means: means[..., 0])


def by_spread(error: Means, truth: Array) -> Means:
    """An *error* relative to the `spread` of the outcomes."""
    parts = np.column_stack([error.parts, spread(truth).parts])
    return Means(parts, lambda means: error.value(means[..., :-1]) / means[..., -1])


def _below(counts: Any) -> Array:
    """How many are below each level, those at the level counting half."""
    return np.asarray(np.cumsum(counts) - counts / 2)


def _mean_of(loss: Callable[[Array, Array], Array]) -> Callable[[Array, Array], Means]:
    return lambda truth, scores: Means(loss(truth, scores)[:, None], lambda means: means[..., 0])


MEANS: dict[str, Callable[[Array, Array], Array]] = {
    "log_loss": logarithmic,
    "brier": squared,
    "accuracy": misclassified,
    "mae": absolute,
    "rmse": squared,
}

#: All metrics by name; a new one is an entry here (see docs/how-to/add-a-gate-metric.md).
METRICS: dict[str, Callable[[Array, Array], Measure]] = {
    "log_loss": _mean_of(logarithmic),
    "roc_auc": Ranks,
    "brier": _mean_of(squared),
    "accuracy": lambda truth, scores: Means(1 - misclassified(truth, scores)[:, None], lambda means: means[..., 0]),
    "mae": _mean_of(absolute),
    "rmse": lambda truth, scores: Means(
        squared(truth, scores)[:, None], lambda means: np.sqrt(np.maximum(means[..., 0], 0))
    ),
    "ece": calibration_error,
    "mean": bias,
    "offset": offset,
}

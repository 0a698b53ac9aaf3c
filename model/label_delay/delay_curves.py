"""The delay of outcomes: the probability that one is still unknown at an age, by class and by stratum.

For each class a shallow regression tree on the logarithm of the delay divides the rows into strata; each stratum has a
Kaplan-Meier curve, in which a row without an outcome is censored at its age, with the probability of the class as its
weight (Chapelle 2014, "Modeling delayed feedback in display advertising", with curves instead of exponential delays). The
curve of a thin stratum is drawn towards the curve of its class.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.model_selection import KFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import TargetEncoder
from sklearn.tree import DecisionTreeRegressor

#: Share of the outcomes that are known where a cohort counts as whole.
WHOLE_SHARE = 0.9
#: A cohort counts as whole only where rows were observed for this many times its age.
OBSERVED = 1.5
#: Most strata of a class, and fewest rows of one.
MAX_STRATA, MIN_ROWS_OF_STRATUM = 16, 100
#: The curve of a class counts as much as this many rows of a stratum.
SHRINKAGE = 20.0
#: Quantiles of the delay in the summary.
SHARES = (0.5, 0.9)
#: Points of a drawn curve, up to the day on which this share of the outcomes of the slowest class is known.
POINTS, DRAWN = 13, 0.95
#: The probability of a delay that is longer than any that was observed.
MIN_PROBABILITY = 1e-6
Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Curve:
    """A Kaplan-Meier curve: the share *unknown* after each of *days*, ascending, of rows of total weight *rows*."""

    days: Array
    unknown: Array
    rows: float

    @classmethod
    def of(cls, days: Array, known: Array, weight: Array) -> Curve:
        """The curve of rows that were known, or last seen unknown, after *days*: (n,) each."""
        order = np.argsort(days, kind="stable")
        days, known, weight = days[order], known[order], weight[order]
        ages, first = np.unique(days, return_index=True)
        at_risk = weight[::-1].cumsum()[::-1][first] if len(days) else weight
        events = np.add.reduceat(weight * known, first) if len(days) else weight
        left = np.clip(1 - events / np.maximum(at_risk, 1e-12), 0, 1)
        return cls(ages, np.cumprod(left), float(weight.sum()))

    def at(self, age: Array) -> Array:
        """The share that is unknown at each *age*: (n,)."""
        return np.concatenate([[1.0], self.unknown])[np.searchsorted(self.days, age, side="right")]

    def days_until(self, share: float) -> float | None:
        """Days after which *share* of the outcomes are known; None if it is never reached."""
        reached = np.flatnonzero(1 - self.unknown >= share - 1e-9)
        return float(self.days[reached[0]]) if len(reached) else None


def whole_after(days: Array, known: Array, observed: float, share: float = WHOLE_SHARE) -> float | None:
    """The age in days from which *share* of the outcomes that ever come are known: (n,) each.

    None where the oldest row was not *observed* for enough days to know: then the curve still rises at its end.
    """
    curve = Curve.of(days, known, np.ones(len(days)))
    age = curve.days_until(share * (1 - curve.unknown[-1])) if len(days) and known.any() else None
    return age if age is not None and age * OBSERVED <= observed else None


@dataclass(frozen=True)
class Strata:
    """The curve of a class, and those of its strata, the leaves of *tree*; without a tree there is one stratum."""

    curve: Curve
    tree: Pipeline | None = None
    by_leaf: Mapping[int, Curve] = field(default_factory=dict)

    def unknown(self, inputs: pd.DataFrame, age: Array) -> Array:
        """The probability that the outcome of each row is unknown at its *age*: (n,)."""
        found = self.curve.at(age)
        if self.tree is None:
            return found
        leaves = leaves_of(self.tree, inputs)
        for leaf, curve in self.by_leaf.items():
            inside = leaves == leaf
            share = curve.rows / (curve.rows + SHRINKAGE)
            found[inside] = share * curve.at(age[inside]) + (1 - share) * found[inside]
        return found


@dataclass(frozen=True)
class DelayModel:
    """The strata of each class, in the order of the classes."""

    classes: tuple[Strata, ...]

    def unknown(self, inputs: pd.DataFrame, age: Array) -> Array:
        """The probability that an outcome is unknown at its row's *age* (n,), given each class: (n, classes)."""
        return np.stack([each.unknown(inputs, age) for each in self.classes], axis=1) + MIN_PROBABILITY

    def refitted(self, inputs: pd.DataFrame, days: Array, known: Array, weights: Array) -> DelayModel:
        """The same strata, with the curves of other rows: (n,), weights (n, classes)."""
        return DelayModel(
            tuple(
                _strata(each.tree, inputs, days, known, weights[:, number]) for number, each in enumerate(self.classes)
            )
        )

    def summary(self, names: tuple[str, ...]) -> list[dict[str, Any]]:
        """For each class: rows, days until the `SHARES` of outcomes are known (None: not observed), the curve, the strata."""
        ends = [each.curve.days_until(DRAWN * (1 - each.curve.unknown[-1])) or 0.0 for each in self.classes]
        drawn = np.linspace(0, max(ends), POINTS).round(2)
        return [
            {
                "class": name,
                "rows": round(each.curve.rows),
                "known_after": {f"{share:g}": each.curve.days_until(share) for share in SHARES},
                "curve": {"days": drawn.tolist(), "known": (1 - each.curve.at(drawn)).round(4).tolist()},
                "strata": max(len(each.by_leaf), 1),
                "by": split_features(each.tree) if each.tree is not None else [],
            }
            for name, each in zip(names, self.classes, strict=True)
        ]


def delay_model(inputs: pd.DataFrame, codes: Array, days: Array, known: Array, weights: Array) -> DelayModel:
    """The delay model of rows that are old enough: class *codes* of the *known* ones, (n,), and *weights* (n, classes)."""
    found = []
    for number in range(weights.shape[1]):
        mine = known & (codes == number)
        tree = _tree(inputs[mine], days[mine]) if mine.sum() >= 2 * MIN_ROWS_OF_STRATUM and np.ptp(days[mine]) else None
        found.append(_strata(tree, inputs, days, known, weights[:, number]))
    return DelayModel(tuple(found))


def _strata(tree: Pipeline | None, inputs: pd.DataFrame, days: Array, known: Array, weight: Array) -> Strata:
    whole = Curve.of(days, known, weight)
    if tree is None:
        return Strata(whole)
    leaves = leaves_of(tree, inputs)
    parts = {int(leaf): leaves == leaf for leaf in np.unique(leaves)}
    curves = {leaf: Curve.of(days[each], known[each], weight[each]) for leaf, each in parts.items()}
    return Strata(whole, tree, curves)


def _tree(inputs: pd.DataFrame, days: Array) -> Pipeline:
    words = [name for name in inputs if inputs[name].dtype.kind not in "fiub"]
    encoder = make_column_transformer(
        (TargetEncoder(target_type="continuous", cv=KFold(5, shuffle=True, random_state=0)), words),
        remainder="passthrough",
        sparse_threshold=0,
        verbose_feature_names_out=False,
    )
    tree = DecisionTreeRegressor(max_leaf_nodes=MAX_STRATA, min_samples_leaf=MIN_ROWS_OF_STRATUM, random_state=0)
    return make_pipeline(encoder, tree).fit(inputs, np.log1p(days))


def leaves_of(tree: Pipeline, inputs: pd.DataFrame) -> Array:
    """The leaf of each row: (n,)."""
    return np.asarray(tree[-1].apply(tree[0].transform(inputs)))


def split_features(tree: Pipeline) -> list[str]:
    """The features that the tree splits on, the most important first."""
    names = tree[0].get_feature_names_out()
    importance = tree[-1].feature_importances_
    return [str(names[place]) for place in np.argsort(-importance, kind="stable") if importance[place] > 0]

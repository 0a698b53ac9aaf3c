"""Predictive power of one feature alone, or of a model's scores, with standard errors by days.

Classification: |2 AUC - 1| (Gini) of each class against the others, with the standard error of DeLong et al. (1988), in
which the rows of a day are one unit, and at least that of Hanley and McNeil (1982). Regression: R². One row of each class
is added in the middle of the ranks, since the standard error of a perfect ranking of a few rows would otherwise be 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import hypot, sqrt
from typing import Any

import numpy as np
import pandas as pd
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from checks.evidence import Array, days_of, target
from contracts.row_contract import Contract, Feature
from contracts.tolerance import spread_of

#: Weight of the overall mean in a category's mean target, in rows.
SHRINK = 20
#: Fewest rows of a class, and of the other classes, for its power to be judged.
MIN_CASES = 20
#: Standard errors of the one-sided bounds: 0.5 % beyond them.
ERRORS = 2.58


@dataclass(frozen=True)
class Power:
    """Predictive power from 0 (guessing) to 1, its standard error, and the number of rows of the rarer side."""

    value: float
    error: float
    cases: int

    @property
    def low(self) -> float:
        """The lower bound of the one-sided interval."""
        return self.value - ERRORS * self.error

    def above(self, other: Power) -> float:
        """The lower bound of how much this power exceeds the *other*."""
        return self.value - other.value - ERRORS * hypot(self.error, other.error)


def power_alone(contract: Contract, feature: Feature, train: pd.DataFrame, test: pd.DataFrame) -> dict[str, Power]:
    """class -> the power of *feature* alone on the *test* rows, by a small model fitted to the *train* rows.

    The class is "" for regression. Classes with fewer than `MIN_CASES` rows in *test* are left out.
    """
    labels, days = target(train, contract), days_of(test, contract)
    truth = target(test, contract)
    if contract.task == "regression":
        predicted = _alone(feature, train, test, labels, regression=True)
        return {"": _explained(truth, predicted, days)}
    found: dict[str, Power] = {}
    for k in _classes(contract):
        scores = _alone(feature, train, test, (labels == k).astype(float), regression=False)
        found |= _separated(str(contract.target.classes[k]), truth == k, scores, days)
    return found


def power_of_scores(contract: Contract, truth: Array, scores: Array, days: Any) -> dict[str, Power]:
    """class -> the power of a model's *scores*, (n,) or (n, classes); classes as in `power_alone`."""
    if contract.task == "regression":
        return {"": _explained(truth, scores, days)}
    found: dict[str, Power] = {}
    for k in _classes(contract):
        found |= _separated(
            str(contract.target.classes[k]), truth == k, scores if scores.ndim == 1 else scores[:, k], days
        )
    return found


def rare_classes(contract: Contract, rows: pd.DataFrame) -> Mapping[str, int]:
    """class -> its number of *rows*, for the classes that are too rare for their power to be judged."""
    if contract.task == "regression":
        return {}
    codes = target(rows, contract)
    counts = {str(contract.target.classes[k]): int((codes == k).sum()) for k in _classes(contract)}
    return {label: count for label, count in counts.items() if min(count, len(rows) - count) < MIN_CASES}


def _classes(contract: Contract) -> range:
    """The classes that are each separated from the others: of two, one is enough."""
    return range(1, 2) if contract.task == "binary" else range(len(contract.target.classes))


def _separated(label: str, positive: Any, scores: Array, days: Any) -> dict[str, Power]:
    cases = int(min(positive.sum(), (~positive).sum()))
    return {label: _gini(positive, scores, days, cases)} if cases >= MIN_CASES else {}


def _gini(positive: Any, scores: Array, days: Any, cases: int) -> Power:
    """|2 AUC - 1| by ranks, ties counting half (Mann and Whitney 1947)."""
    many, others = int(positive.sum()), int((~positive).sum())
    ranks = pd.Series(scores).rank().to_numpy()
    # For each row, the share of the other side that it is ranked above (positive) or below (others).
    own = np.where(positive, ranks - pd.Series(scores).groupby(positive).rank().to_numpy(), 0.0) / others
    own[~positive] = 1 - (ranks[~positive] - pd.Series(scores)[~positive].rank().to_numpy()) / many
    area = float(own[positive].mean())
    influence = np.where(positive, (own - area) / many, (own - area) / others)
    by_day = np.bincount(pd.factorize(days)[0], influence)
    clustered = sqrt(float((by_day**2).sum()) * _few(len(by_day)))
    with_two_more = (area * many * others + (many + others + 1) / 2) / ((many + 1) * (others + 1))
    error = max(clustered, _hanley(with_two_more, many + 1, others + 1))
    return Power(abs(2 * area - 1), 2 * error, cases)


def _hanley(area: float, many: int, others: int) -> float:
    """The standard error of a ROC AUC for independent rows."""
    area = max(area, 1 - area)
    one, two = area / (2 - area), 2 * area**2 / (1 + area)
    spread = area * (1 - area) + (many - 1) * (one - area**2) + (others - 1) * (two - area**2)
    return sqrt(max(spread, 0.0) / (many * others))


def _explained(truth: Array, predicted: Array, days: Any) -> Power:
    """R², and 0 where all outcomes are the same."""
    if not spread_of(truth):
        return Power(0.0, 0.0, len(truth))
    scatter, error = (truth - truth.mean()) ** 2, (truth - predicted) ** 2
    unexplained = float(error.sum() / scatter.sum())
    by_day = np.bincount(pd.factorize(days)[0], (error - unexplained * scatter) / scatter.sum())
    return Power(1 - unexplained, sqrt(float((by_day**2).sum()) * _few(len(by_day))), len(truth))


def _few(days: int) -> float:
    """The correction of a variance over few days."""
    return days / max(days - 1, 1)


def _alone(feature: Feature, train: pd.DataFrame, test: pd.DataFrame, labels: Array, *, regression: bool) -> Array:
    """The scores of the *test* rows by *feature* alone: a small tree, or the mean of each category."""
    seen, new = train[feature.name], test[feature.name]
    if feature.kind == "category":
        categories = seen.astype(object).where(seen.notna(), "")
        groups = pd.Series(labels).groupby(categories.to_numpy())
        overall = float(labels.mean())
        means = (groups.sum() + SHRINK * overall) / (groups.count() + SHRINK)
        later = new.astype(object).where(new.notna(), "")
        return np.asarray(later.map(means).astype(float).fillna(overall))
    if len(np.unique(labels)) < 2:
        return np.full(len(new), float(labels.mean()))
    low = float(seen.astype(float).min()) - 1 if seen.notna().any() else 0.0
    tree = (DecisionTreeRegressor if regression else DecisionTreeClassifier)(
        max_depth=5, min_samples_leaf=20, random_state=0
    )
    tree.fit(seen.astype(float).fillna(low).to_numpy().reshape(-1, 1), labels)
    later = new.astype(float).fillna(low).to_numpy().reshape(-1, 1)
    return np.asarray(tree.predict(later) if regression else tree.predict_proba(later)[:, 1])

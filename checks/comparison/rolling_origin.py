"""Rolling-origin evaluation of simple models: trained once on the first days, evaluated on the periods after (Tashman 2000).

It shows how a model that stays the same performs from period to period on this stream.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from checks.comparison.baseline import inputs
from checks.evidence import Array, days_of, target
from contracts.row_contract import Contract

#: Most periods, most rows altogether, and fewest to train on.
MAX_PERIODS, MAX_ROWS, MIN_TRAINING_ROWS = 8, 50_000, 100
#: Least probability of a class: one that the first days lack may come later.
_LEAST = 1e-3


@dataclass(frozen=True)
class Period:
    """The rows of one period: their outcome and day, (n,), and the scores of each simple model."""

    truth: Array
    day: Any
    scores: tuple[Array, ...]


def rolling_origin(rows: pd.DataFrame, contract: Contract, length: int) -> list[Period]:
    """The newest periods of *length* days, [] if there are fewer than two beside a third of the days to train on.

    Also [] if the first days have too few rows, or one class only.

    The first simple model is trained on all days before the periods, the second on the later half of them.
    """
    rows = rows.sort_values(contract.time, kind="stable", ignore_index=True)
    if len(rows) > MAX_ROWS:
        kept = np.sort(np.random.default_rng(0).choice(len(rows), MAX_ROWS, replace=False))
        rows = rows.iloc[kept].reset_index(drop=True)
    names = days_of(rows, contract)
    number = (pd.to_datetime(names) - pd.Timestamp(names[0])).days.to_numpy()
    days = int(number[-1]) + 1
    count = min(MAX_PERIODS, (days - max(days // 3, length)) // length)
    if count < 2:
        return []
    first = days - count * length
    trained = [rows[(number >= since) & (number < first)] for since in (0, first // 2)]
    if any(len(each) < MIN_TRAINING_ROWS or each[contract.target.name].nunique() < 2 for each in trained):
        return []
    models = [_scores(contract, each, rows[number >= first]) for each in trained]
    later = number[number >= first]
    truth, day = target(rows[number >= first], contract), names[number >= first]
    found = []
    for each in range(count):
        inside = (later - first) // length == each
        found.append(Period(truth[inside], day[inside], tuple(scores[inside] for scores in models)))
    return found


def _scores(contract: Contract, train: pd.DataFrame, rows: pd.DataFrame) -> Array:
    """The scores of *rows* by trees that were fitted to *train*: (n,), or (n, classes) for multiclass."""
    ours, theirs = inputs(contract, train, rows)
    regression = contract.task == "regression"
    trees = (HistGradientBoostingRegressor if regression else HistGradientBoostingClassifier)(
        max_iter=30, max_leaf_nodes=15, min_samples_leaf=20, early_stopping=False, random_state=0
    ).fit(ours, target(train, contract))
    if regression:
        return np.asarray(trees.predict(theirs), dtype=float)
    classes = 2 if contract.task == "binary" else len(contract.target.classes)
    found = np.full((len(rows), classes), _LEAST)
    found[:, trees.classes_.astype(int)] = np.maximum(trees.predict_proba(theirs), _LEAST)
    found /= found.sum(axis=1, keepdims=True)
    return np.asarray(found[:, 1] if contract.task == "binary" else found)

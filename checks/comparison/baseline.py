"""Simple predictions to compare with: a decision tree of depth three (the baseline), and a constant."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.preprocessing import OrdinalEncoder
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from checks.evidence import Array, Evidence, target
from contracts.row_contract import Contract

DEPTH = 3


def baseline(evidence: Evidence) -> Array:
    """The scores of the holdout by a tree that is trained on the candidate's training rows."""
    contract = evidence.contract
    train, holdout = inputs(contract, evidence.train, evidence.holdout)
    tree = (DecisionTreeRegressor if contract.task == "regression" else DecisionTreeClassifier)(
        max_depth=DEPTH, min_samples_leaf=20, random_state=0
    )
    tree.fit(train, target(evidence.train, contract))
    if contract.task == "regression":
        return np.asarray(tree.predict(holdout), dtype=float)
    probabilities = np.asarray(tree.predict_proba(holdout), dtype=float)
    return probabilities[:, 1] if contract.task == "binary" else probabilities


def constant_scores(truth: Array, like: Array, of: Callable[[Array], Any] = np.mean) -> Array:
    """Scores that do not depend on the row, in the shape of *like*: the shares of the classes, or *of* the outcomes."""
    if like.ndim == 1:
        return np.full(like.shape, of(truth))
    shares = np.bincount(truth.astype(int), minlength=like.shape[1]) / len(truth)
    return np.tile(shares, (len(truth), 1))


def inputs(contract: Contract, *tables: Any) -> list[Array]:
    """The features of each table as numbers, (n, features), the contract's numbers first.

    Categories are numbered by the first table; a missing or unknown value is -1.
    """
    numbers = [f.name for f in contract.features if f.kind != "category"]
    categories = [f.name for f in contract.features if f.kind == "category"]
    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    matrices = []
    for number, rows in enumerate(tables):
        parts = [rows[numbers].astype(float).fillna(-1.0).to_numpy()]
        if categories:
            text = rows[categories].astype(object).fillna("")
            parts.append(encoder.transform(text) if number else encoder.fit_transform(text))
        matrices.append(np.hstack(parts))
    return matrices

"""The columns of an estimator that does not choose its own.

A model receives one input for each feature. An estimator without a `ColumnTransformer` takes one matrix: it is put behind
one that passes numbers and booleans, and one-hot encodes categories, of which it takes rare and unseen ones together.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any

from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder

from contracts.row_contract import Contract

_STEP = "given_columns"
#: Categories with fewer training rows share a column.
RARE = 20


def with_columns(make: Callable[[], Any], contract: Contract) -> Callable[[], Any]:
    """*make*, whose estimator is given the features of *contract* as one matrix if no part of it chooses columns."""

    @functools.wraps(make)
    def completed() -> Any:
        estimator = make()
        if not _takes_a_matrix(estimator):
            return estimator
        return Pipeline([(_STEP, _columns(estimator, contract)), ("estimator", estimator)])

    return completed


def described(estimator: Any, contract: Contract) -> Iterable[str]:
    """A sentence if *estimator* was given its columns."""
    if isinstance(estimator, Pipeline) and estimator.steps[0][0] == _STEP:
        coded = [
            name for step, _, names in estimator.steps[0][1].transformers if step == "categories" for name in names
        ]
        encoded = f", {', '.join(coded)} one-hot encoded" if coded else ""
        yield (
            f"estimator() has no ColumnTransformer: it was given the {len(contract.features)} features as one matrix{encoded}"
        )


def _takes_a_matrix(estimator: Any) -> bool:
    if not hasattr(estimator, "__sklearn_tags__"):  # no estimator: training says what was expected
        return False
    try:
        parts = [estimator, *estimator.get_params(deep=True).values()]
    except TypeError:  # a class where an estimator belongs: the fit says so
        return False
    return not any(isinstance(part, ColumnTransformer) for part in parts)


def _columns(estimator: Any, contract: Contract) -> ColumnTransformer:
    """Categories as they are where the estimator's first step encodes them."""
    categories = [each.name for each in contract.features if each.kind == "category"]
    first = estimator.steps[0][1] if isinstance(estimator, Pipeline) else estimator
    if not categories or type(first).__name__.endswith("Encoder"):
        return ColumnTransformer([("features", "passthrough", list(contract.feature_names))])
    encoder = OneHotEncoder(handle_unknown="ignore", min_frequency=RARE, sparse_output=False)
    return ColumnTransformer([("categories", encoder, categories)], remainder="passthrough")

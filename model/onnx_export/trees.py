"""The parts of an estimator, and where the trees of its graph send missing values."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

#: Estimators that are not scikit-learn's `BaseEstimator`.
_OTHERS = {"_CalibratedClassifier", "CatBoostClassifier", "CatBoostRegressor"}


def route_missing(model: Any, estimator: Any) -> None:
    """Send missing values in the graph's trees to the same side as in *estimator*, in place.

    A decision tree of scikit-learn (forests, extra trees, bagging) has a side for each split; skl2onnx 1.20 writes
    "right" for all. Histogram gradient boosting is converted correctly and not changed. A tree is recognised by its
    splits.
    """
    sides = {}
    for part in parts(estimator):
        tree = getattr(part, "tree_", None)
        if tree is not None:
            inner = tree.children_left >= 0
            splits = (tree.feature, tree.children_left, rounded_down(tree.threshold))
            sides[_signature(*(each[inner] for each in splits))] = tree.missing_go_to_left
    for node in model.graph.node if sides else ():
        if not node.op_type.startswith("TreeEnsemble"):
            continue
        held = {each.name: each for each in node.attribute}
        numbers = {
            name: np.array(held[name].ints) for name in ("nodes_treeids", "nodes_featureids", "nodes_truenodeids")
        }
        inner = np.array([mode != b"LEAF" for mode in held["nodes_modes"].strings])
        values = np.array(held["nodes_values"].floats)
        routed = np.array(held["nodes_missing_value_tracks_true"].ints)
        for tree_id in np.unique(numbers["nodes_treeids"]):
            of_tree = numbers["nodes_treeids"] == tree_id
            at = of_tree & inner
            columns, left = numbers["nodes_featureids"][at], numbers["nodes_truenodeids"][at]
            known = sides.get(_signature(columns, left, values[at]))
            if known is not None and len(known) == of_tree.sum():
                routed[of_tree] = np.where(inner[of_tree], known, 0)
        held["nodes_missing_value_tracks_true"].ints[:] = routed.tolist()


def rounded_down(values: Any) -> Any:
    """The largest float32 not above each of *values*."""
    near = values.astype(np.float32)
    return np.where(near > values, np.nextafter(near, np.float32(-np.inf)), near)


def _signature(features: Any, left: Any, thresholds: Any) -> tuple[bytes, bytes, bytes]:
    return (
        np.asarray(features, dtype=np.int64).tobytes(),
        np.asarray(left, dtype=np.int64).tobytes(),
        np.asarray(thresholds, dtype=np.float32).tobytes(),
    )


def parts(estimator: Any) -> Iterable[Any]:
    """*estimator* and all estimators fitted inside it, at any depth."""
    open_, done = [estimator], set()
    while open_:
        each = open_.pop()
        if id(each) in done:
            continue
        done.add(id(each))
        if isinstance(each, (list, tuple)):
            open_ += each
        elif isinstance(each, np.ndarray) and each.dtype == object:
            open_ += each.ravel().tolist()
        elif isinstance(each, dict):
            open_ += each.values()
        elif isinstance(each, BaseEstimator) or type(each).__name__ in _OTHERS:
            yield each
            open_ += vars(each).values()

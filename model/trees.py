"""The trees inside an estimator and inside its graph: thresholds, and where missing values go."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pandas as pd
from onnx import TensorProto, helper
from sklearn.base import BaseEstimator

from model.contract import Contract

#: Rows by which it is found which column of a tree's input each feature becomes.
SAMPLED = 256
Points = Mapping[str, np.ndarray[Any, np.dtype[np.float32]]]


def route_missing(model: Any, estimator: Any) -> None:
    """Send missing values in the graph's trees to the side that *estimator* sends them, in place.

    A decision tree of scikit-learn (forests, extra trees, bagging) keeps a side for each split;
    skl2onnx 1.20 writes "right" for all. Histogram gradient boosting is converted correctly, and no
    tree of it is among those that are looked up here. A tree is recognised by its splits.
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
        numbers = {name: np.array(held[name].ints) for name in ("nodes_treeids", "nodes_featureids", "nodes_truenodeids")}  # fmt: skip
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


def split_points(graph: bytes, inputs: pd.DataFrame, contract: Contract) -> Points:
    """feature -> the float32 values at which a tree of *graph* splits this feature, sorted.

    *inputs* are rows as `model_inputs` gives them. Where a feature is scaled first, the points are
    scaled back, with two float32 neighbours more on each side for the rounding. A feature that
    becomes something else on its way (a power, a bin) has none.
    """
    model = onnx.load_from_string(graph)
    splits: dict[str, dict[int, set[float]]] = {}
    for node in model.graph.node:
        held = {each.name: each for each in node.attribute}
        if node.op_type.startswith("TreeEnsemble") and "nodes_values" in held:
            columns = splits.setdefault(node.input[0], {})
            for mode, column, value in zip(
                held["nodes_modes"].strings, held["nodes_featureids"].ints,
                held["nodes_values"].floats, strict=True,
            ):  # fmt: skip
                if mode != b"LEAF":
                    columns.setdefault(column, set()).add(value)
    few = inputs.iloc[np.unique(np.linspace(0, len(inputs) - 1, SAMPLED).astype(int))]
    feeds = {
        f.name: few[f.name].to_numpy(object if f.kind == "category" else np.float32).reshape(-1, 1)
        for f in contract.features
    }
    found: dict[str, list[Any]] = {}
    for source, columns in splits.items():
        run = _prefix(model, source)
        before = run(feeds)
        for feature in contract.features:
            x = feeds[feature.name].reshape(-1)
            if feature.kind != "number" or np.isnan(x.astype(float)).all():
                continue
            moved = np.nanmin(x) + np.nanmax(x) - x if np.nanmin(x) < np.nanmax(x) else x + 1
            after = run(feeds | {feature.name: moved.astype(np.float32).reshape(-1, 1)})
            changed = (before != after) & ~(np.isnan(before) & np.isnan(after))
            for column in np.flatnonzero(changed.any(axis=0)).tolist():
                values = np.array(sorted(columns.get(column, ())), dtype=np.float64)
                back = _back(x.astype(np.float64), before[:, column].astype(np.float64), values)
                found.setdefault(feature.name, []).append(back)
    return {name: np.unique(np.concatenate(parts)) for name, parts in found.items()}


def _back(x: Any, column: Any, values: Any) -> np.ndarray[Any, np.dtype[np.float32]]:
    """The x at which *column*, a linear function of x, has *values*; none if it is not linear."""
    seen = ~np.isnan(x)
    x, column = x[seen], column[seen]
    low, high = x.argmin(), x.argmax()
    none = np.empty(0, dtype=np.float32)
    if np.array_equal(x, column):
        return np.asarray(values, dtype=np.float32)
    slope = (column[high] - column[low]) / (x[high] - x[low]) if x[high] > x[low] else 0.0
    start = column[low] - slope * x[low]
    if not slope or np.abs(slope * x + start - column).max() > 1e-5 * np.ptp(column):
        return none
    middle = ((values - start) / slope).astype(np.float32)
    beside = [middle]
    for way in (-np.inf, np.inf):
        step = middle
        for _ in range(2):
            step = np.nextafter(step, np.float32(way))
            beside.append(step)
    return np.concatenate(beside)


def _prefix(model: Any, tensor: str) -> Callable[[Mapping[str, Any]], Any]:
    """What the graph makes of rows up to *tensor*."""
    short = onnx.ModelProto()
    short.CopyFrom(model)
    del short.graph.output[:]
    short.graph.node.append(helper.make_node("Identity", [tensor], ["before_the_trees"]))
    short.graph.output.append(
        helper.make_tensor_value_info("before_the_trees", TensorProto.FLOAT, None)
    )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(
        short.SerializeToString(), options, ["CPUExecutionProvider"]
    )
    return lambda feeds: np.asarray(session.run(["before_the_trees"], dict(feeds))[0])


def rounded_down(values: Any) -> Any:
    """The largest float32 that is not above each of *values*."""
    near = values.astype(np.float32)
    return np.where(near > values, np.nextafter(near, np.float32(-np.inf)), near)


def _signature(features: Any, left: Any, thresholds: Any) -> tuple[bytes, bytes, bytes]:
    return (
        np.asarray(features, dtype=np.int64).tobytes(),
        np.asarray(left, dtype=np.int64).tobytes(),
        np.asarray(thresholds, dtype=np.float32).tobytes(),
    )


def parts(estimator: Any) -> Iterable[Any]:
    """*estimator* and every estimator fitted inside it, at whatever depth."""
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
        elif isinstance(each, BaseEstimator) or type(each).__name__ == "_CalibratedClassifier":
            yield each
            open_ += vars(each).values()

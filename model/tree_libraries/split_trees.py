"""An ensemble of trees with a link function, as nodes of an ONNX graph.

All inputs of a model are float32. A split sends x to the left if x <= t; t is rounded down to float32, which sends every
float32 to the same side as t itself. The libraries' own exports round to the nearest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from onnx import TensorProto
from sklearn.base import is_classifier

from model.onnx_export.trees import rounded_down

Link = Literal["identity", "logistic", "softmax", "exp"]


class ConversionError(ValueError):
    """A setting of an estimator has no equivalent in ONNX. The message says what to use instead."""


@dataclass(frozen=True)
class Split:
    """Rows with x[column] <= *most* go to the node *left*, missing values where *missing_left* says."""

    column: int
    most: float
    missing_left: bool
    left: Any
    right: Any


@dataclass(frozen=True)
class Leaf:
    """What a tree adds to each of the sums: (index of the sum, amount)."""

    adds: Sequence[tuple[int, float]]


#: A root, as its library writes it, and the function that reads a node.
Tree = tuple[Any, Callable[[Any], Split | Leaf]]


@dataclass(frozen=True)
class Ensemble:
    """*trees* that add to *start*, one sum for each class or one in all; *link* gives scores of these sums."""

    trees: Iterable[Tree]
    start: Sequence[float]
    link: Link


def add_nodes(ensemble: Ensemble, scope: Any, operator: Any, container: Any) -> None:
    """Write *ensemble* for skl2onnx's *operator*: a regressor's variable, or label and probabilities of a classifier."""
    raw = scope.get_unique_variable_name("raw")
    container.add_node(
        "TreeEnsembleRegressor",
        [_matrix(operator, scope, container)],
        [raw],
        op_domain="ai.onnx.ml",
        op_version=3,
        name=scope.get_unique_operator_name("Trees"),
        **_attributes(ensemble),
    )
    if not is_classifier(operator.raw_operator):
        _add_linked(ensemble.link, raw, operator.outputs[0].full_name, container)
        return
    label, scores = (each.full_name for each in operator.outputs)
    if ensemble.link == "softmax" or len(ensemble.start) > 1:
        _add_linked(ensemble.link, raw, scores, container)
    else:
        one, yes, no = (scope.get_unique_variable_name(name) for name in ("one", "yes", "no"))
        container.add_initializer(one, TensorProto.FLOAT, [1], [1.0])
        _add_linked(ensemble.link, raw, yes, container)
        container.add_node("Sub", [one, yes], [no])
        container.add_node("Concat", [no, yes], [scores], axis=1, op_version=13)
    place, classes = (scope.get_unique_variable_name(name) for name in ("place", "classes"))
    values = [int(each) for each in operator.raw_operator.classes_]
    container.add_initializer(classes, TensorProto.INT64, [len(values)], values)
    container.add_node("ArgMax", [scores], [place], axis=1, keepdims=0, op_version=13)
    container.add_node("Gather", [classes, place], [label], axis=0, op_version=13)


def _matrix(operator: Any, scope: Any, container: Any) -> str:
    """The one input, as float32: booleans and encoded categories may be integers."""
    cast = scope.get_unique_variable_name("floats")
    container.add_node("Cast", [operator.inputs[0].full_name], [cast], to=TensorProto.FLOAT, op_version=13)
    return str(cast)


def _add_linked(link: Link, raw: str, into: str, container: Any) -> None:
    if link == "softmax":
        container.add_node("Softmax", [raw], [into], axis=1, op_version=13)
    else:
        operators = {"logistic": "Sigmoid", "exp": "Exp", "identity": "Identity"}
        container.add_node(operators[link], [raw], [into], op_version=13)


def _attributes(ensemble: Ensemble) -> dict[str, Any]:
    """The attributes of a TreeEnsembleRegressor. Nodes are numbered in the order in which they are found."""
    trees, numbers, columns, modes, lefts, rights, missing = ([] for _ in range(7))  # type: ignore[var-annotated]
    values: list[float] = []
    adds: list[tuple[int, int, int, float]] = []
    for at, (root, read) in enumerate(ensemble.trees):
        found = [root]
        for number, node in enumerate(found):  # grows while it is read
            each = read(node)
            trees.append(at)
            numbers.append(number)
            if isinstance(each, Leaf):
                adds += [(at, number, target, amount) for target, amount in each.adds]
                each = Split(0, 0.0, missing_left=False, left=None, right=None)
                left = right = 0
                modes.append("LEAF")
            else:
                left, right = len(found), len(found) + 1
                found += [each.left, each.right]
                modes.append("BRANCH_LEQ")
            columns.append(each.column)
            values.append(each.most)
            lefts.append(left)
            rights.append(right)
            missing.append(int(each.missing_left))
    return {
        "nodes_treeids": trees,
        "nodes_nodeids": numbers,
        "nodes_featureids": columns,
        "nodes_modes": modes,
        "nodes_values": rounded_down(np.array(values, dtype=np.float64)).tolist(),
        "nodes_truenodeids": lefts,
        "nodes_falsenodeids": rights,
        "nodes_missing_value_tracks_true": missing,
        "target_treeids": [each[0] for each in adds],
        "target_nodeids": [each[1] for each in adds],
        "target_ids": [each[2] for each in adds],
        "target_weights": [float(np.float32(each[3])) for each in adds],
        "base_values": [float(np.float32(each)) for each in ensemble.start],
        "n_targets": len(ensemble.start),
        "post_transform": "NONE",
    }

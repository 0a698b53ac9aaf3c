"""The graph that a recipe's own `to_onnx` makes, for an estimator that skl2onnx cannot convert."""

from __future__ import annotations

from typing import Any

import onnx

from contracts.row_contract import Contract
from model.tree_libraries.split_trees import ConversionError

#: What `to_onnx(estimator)` returns.
EXPECTED = (
    "an onnx.ModelProto with one input of shape (n, 1) for each feature, named as in the contract and in its order, strings for categories"
    " and float32 for others; its last output has the scores: (n, classes) probabilities, or (n, 1) for a regression"
)


def checked(found: Any, contract: Contract) -> onnx.ModelProto:
    """*found*, which `to_onnx` returned. Raises `ConversionError` unless its inputs are the features."""
    if isinstance(found, bytes):
        found = onnx.load_from_string(found)
    if not isinstance(found, onnx.ModelProto):
        raise ConversionError(f"to_onnx() returned {type(found).__name__}; expected {EXPECTED}")
    inputs = [each.name for each in found.graph.input]
    if inputs != list(contract.feature_names):
        raise ConversionError(f"to_onnx() returned a model with the inputs {', '.join(inputs)}; expected {EXPECTED}")
    return found

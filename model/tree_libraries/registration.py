"""Converters for the estimators of those libraries that a recipe has imported."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

from skl2onnx import update_registered_converter
from skl2onnx.common.data_types import FloatTensorType, Int64TensorType
from skl2onnx.common.shape_calculator import (
    calculate_linear_classifier_output_shapes,
    calculate_linear_regressor_output_shapes,
)

from model.tree_libraries import catboost_trees, lightgbm_trees, xgboost_trees
from model.tree_libraries.split_trees import Ensemble, add_nodes

#: library -> the function that reads an estimator, and the beginnings of the classes' names
LIBRARIES: dict[str, tuple[Callable[[Any], Ensemble], tuple[str, ...]]] = {
    "lightgbm": (lightgbm_trees.ensemble, ("LGBM",)),
    "xgboost": (xgboost_trees.ensemble, ("XGB", "XGBRF")),
    "catboost": (catboost_trees.ensemble, ("CatBoost",)),
}
_OPTIONS = {"zipmap": [True, False, "columns"], "nocl": [True, False], "output_class_labels": [False, True]}
_CLASSIFIER = (("label", Int64TensorType), ("probabilities", FloatTensorType))
_REGRESSOR = (("variable", FloatTensorType),)


def register() -> None:
    """Give skl2onnx the converters; a library that is not imported has no estimator to convert."""
    for library, (read, names) in LIBRARIES.items():
        module = sys.modules.get(library)
        for name in names if module else ():
            for kind, shapes, outputs, options in (
                ("Classifier", calculate_linear_classifier_output_shapes, _CLASSIFIER, _OPTIONS),
                ("Regressor", calculate_linear_regressor_output_shapes, _REGRESSOR, None),
            ):
                alias = f"Tidegate{name}{kind}"
                update_registered_converter(
                    getattr(module, name + kind),
                    alias,
                    shapes,
                    _converter(read),
                    parser=_parser(alias, outputs),
                    options=options,
                )


def _converter(read: Callable[[Any], Ensemble]) -> Callable[[Any, Any, Any], None]:
    def convert(scope: Any, operator: Any, container: Any) -> None:
        add_nodes(read(operator.raw_operator), scope, operator, container)

    return convert


def _parser(alias: str, outputs: Sequence[tuple[str, Any]]) -> Callable[..., Any]:
    """skl2onnx's own knows only subclasses of scikit-learn's, which CatBoost's are not."""

    def parse(scope: Any, model: Any, inputs: Any, custom_parsers: Any = None) -> Any:  # noqa: ARG001 -- skl2onnx's signature
        operator = scope.declare_local_operator(alias, model)
        operator.inputs = inputs
        for name, kind in outputs:
            operator.outputs.append(scope.declare_local_variable(name, kind()))
        return operator.outputs

    return parse

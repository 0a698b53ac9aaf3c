"""Steps that skl2onnx has no converter for, or an incomplete one, and that a few operators of ONNX compute.

`FunctionTransformer` and `TransformedTargetRegressor` with functions of NumPy, and histogram gradient boosting with a
logarithmic link.
"""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
from onnx import TensorProto
from skl2onnx import update_registered_converter
from skl2onnx._parse import parse_sklearn
from skl2onnx.common._registration import register_converter
from skl2onnx.common.data_types import FloatTensorType
from skl2onnx.operator_converters.function_transformer import convert_sklearn_function_transformer
from skl2onnx.operator_converters.random_forest import convert_sklearn_random_forest_regressor_converter
from sklearn.compose import TransformedTargetRegressor
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from model.tree_libraries.split_trees import ConversionError

#: A function of NumPy -> operators, each with its second argument if it takes one.
FUNCTIONS: dict[Any, tuple[tuple[str, float | None], ...]] = {
    np.log1p: (("Add", 1.0), ("Log", None)),
    np.expm1: (("Exp", None), ("Sub", 1.0)),
    np.log: (("Log", None),),
    np.exp: (("Exp", None),),
    np.sqrt: (("Sqrt", None),),
    np.square: (("Pow", 2.0),),
    np.abs: (("Abs", None),),
    None: (("Identity", None),),
}
NAMES = ", ".join(f"np.{each.__name__}" for each in FUNCTIONS if each)
LOGARITHMIC = ("poisson", "gamma")


def register_functions() -> None:
    """Give skl2onnx the converters."""
    update_registered_converter(FunctionTransformer, "SklearnFunctionTransformer", _merged_shape, _function)
    update_registered_converter(
        TransformedTargetRegressor,
        "TidegateTransformedTargetRegressor",
        _one_column,
        _inverse_of_target,
        parser=_regressor_first,
    )
    register_converter("SklearnHistGradientBoostingRegressor", _boosting, overwrite=True)


def _add(operations: Any, source: str, into: str, scope: Any, container: Any) -> None:
    for at, (name, value) in enumerate(operations):
        last = at == len(operations) - 1
        result = into if last else scope.get_unique_variable_name("function")
        inputs = [source]
        if value is not None:
            inputs.append(scope.get_unique_variable_name("constant"))
            container.add_initializer(inputs[1], TensorProto.FLOAT, [1], [float(value)])
        container.add_node(name, inputs, [result], op_version=13)
        source = result


def _operations(function: Callable[..., Any] | None, arguments: Any, where: str) -> Any:
    if function not in FUNCTIONS or arguments:
        name = getattr(function, "__name__", function)
        raise ConversionError(
            f"{where} cannot be exported to ONNX with {name}, but with {NAMES}: write another calculation in load(), as a"
            " separate feature"
        )
    return FUNCTIONS[function]


def _merged_shape(operator: Any) -> None:
    widths = [each.type.shape[1] for each in operator.inputs]
    width = None if None in widths else sum(widths)
    operator.outputs[0].type = type(operator.inputs[0].type)([operator.inputs[0].get_first_dimension(), width])


def _function(scope: Any, operator: Any, container: Any) -> None:
    step = operator.raw_operator
    operations = _operations(step.func, step.kw_args, "FunctionTransformer")
    if step.func is None:
        convert_sklearn_function_transformer(scope, operator, container)
        return
    merged = operator.inputs[0].full_name
    if len(operator.inputs) > 1:
        merged = scope.get_unique_variable_name("merged")
        container.add_node("Concat", [each.full_name for each in operator.inputs], [merged], axis=1, op_version=13)
    _add(operations, merged, operator.outputs[0].full_name, scope, container)


def _regressor_first(scope: Any, model: Any, inputs: Any, custom_parsers: Any = None) -> Any:
    operator = scope.declare_local_operator("TidegateTransformedTargetRegressor", model)
    operator.inputs = list(parse_sklearn(scope, model.regressor_, inputs, custom_parsers=custom_parsers))
    operator.outputs.append(scope.declare_local_variable("variable", FloatTensorType()))
    return operator.outputs


def _one_column(operator: Any) -> None:
    operator.outputs[0].type = FloatTensorType([operator.inputs[0].get_first_dimension(), 1])


def _inverse_of_target(scope: Any, operator: Any, container: Any) -> None:
    step = operator.raw_operator.transformer_
    if isinstance(step, FunctionTransformer):
        operations = _operations(step.inverse_func, step.inv_kw_args, "TransformedTargetRegressor")
    elif isinstance(step, StandardScaler):
        scale = step.scale_[0] if step.with_std else 1.0
        operations = (("Mul", scale), ("Add", step.mean_[0] if step.with_mean else 0.0))
    else:
        raise ConversionError(
            f"TransformedTargetRegressor cannot be exported to ONNX with transformer={type(step).__name__}; use"
            " StandardScaler, or func=np.log1p and inverse_func=np.expm1"
        )
    _add(operations, operator.inputs[-1].full_name, operator.outputs[0].full_name, scope, container)


def _boosting(scope: Any, operator: Any, container: Any) -> None:
    """As skl2onnx converts it, which leaves out the exponential of a logarithmic link."""
    if operator.raw_operator.loss not in LOGARITHMIC:
        convert_sklearn_random_forest_regressor_converter(scope, operator, container)
        return
    inner = scope.get_unique_variable_name("logarithm")
    convert_sklearn_random_forest_regressor_converter(scope, _Into(operator, inner), container)
    container.add_node("Exp", [inner], [operator.outputs[0].full_name], op_version=13)


class _Into:
    """skl2onnx's *operator*, whose output is called *name*."""

    def __init__(self, operator: Any, name: str) -> None:
        self._operator = operator
        self.outputs = [SimpleNamespace(full_name=name, type=operator.outputs[0].type)]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._operator, name)

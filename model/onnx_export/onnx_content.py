"""What an ONNX file of a bundle may contain: checked at export, and by the gate before it creates a session.

ONNX Runtime may read other files for a model (external data), and allocates tensors of any size that the model
declares. The export needs neither. A proposal may name any file, so the gate refuses what the export would not write.
The scorer does not check again: it loads the bytes whose digest `live.toml` names.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

#: The largest size of a file and of a tensor, in bytes.
MAX_BYTES = 512 * 2**20
#: The deepest nesting of graphs (branches of If, bodies of Loop and Scan).
MAX_DEPTH = 8
#: The largest number of problems in a message.
MAX_PROBLEMS = 10
DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml"})
#: How the names of operators begin that predict.
_PREDICT = ("TreeEnsemble", "Linear", "SVM", "Gemm", "MatMul")
#: The protobuf messages of an exported model. All others are refused.
MESSAGES = frozenset(
    "onnx." + name
    for name in (
        "ModelProto",
        "OperatorSetIdProto",
        "StringStringEntryProto",
        "GraphProto",
        "NodeProto",
        "AttributeProto",
        "TensorProto",
        "ValueInfoProto",
        "TypeProto",
        "TypeProto.Tensor",
        "TypeProto.Sequence",
        "TypeProto.Map",
        "TensorShapeProto",
        "TensorShapeProto.Dimension",
    )
)
_REFUSED = {
    "onnx.FunctionProto": "functions",
    "onnx.TrainingInfoProto": "training information",
    "onnx.SparseTensorProto": "sparse tensors",
}
#: Operators that create a tensor whose size is a constant: the index of that input.
SIZED = {
    "AffineGrid": (1,),
    "BlackmanWindow": (0,),
    "CenterCropPad": (1,),
    "Col2Im": (1, 2),
    "ConstantOfShape": (0,),
    "ConvTranspose": (),
    "DFT": (1,),
    "Expand": (1,),
    "HammingWindow": (0,),
    "HannWindow": (0,),
    "MaxUnpool": (2,),
    "MelWeightMatrix": (0, 1),
    "OneHot": (1,),
    "Pad": (1,),
    "RandomNormal": (),
    "RandomUniform": (),
    "Range": (0, 1),
    "Resize": (2, 3),
    "Tile": (1, 2),
    "Upsample": (1,),
}
#: Attributes with such a size, in any version of the operators.
_SIZES = frozenset({"output_padding", "output_shape", "paddings", "pads", "scales", "shape"})
#: Operators whose constant is added to the size of an axis; the others' is multiplied.
_ADDED = frozenset({"ConvTranspose", "Pad"})
#: Operators that pass a constant on.
_ALIASES = frozenset({"Cast", "Identity"})
#: The largest number of values in a constant that is a shape.
_RANK = 16
#: How many characters of a name a message shows.
_NAME = 60
#: With these bytes at offset 4, ONNX Runtime reads a file as its ORT format.
_OTHER_FORMAT = b"ORTM"


@dataclass
class _Seen:
    """State of a visit of a model's messages."""

    problems: dict[str, None] = field(default_factory=dict)
    #: The numbers of small constants, by name. A nested graph may use a name again.
    numbers: dict[str, list[list[float]]] = field(default_factory=lambda: defaultdict(list))
    #: The nodes of `SIZED` and `_ALIASES`, in order.
    sized: list[Any] = field(default_factory=list)


def problems(content: bytes) -> list[str]:
    """Why *content* is not an ONNX model that the export could have written; empty if it is. Does not raise."""
    if len(content) > MAX_BYTES:
        return [f"it has {len(content):,} bytes; expected at most {MAX_BYTES:,}"]
    model, seen = onnx.ModelProto(), _Seen()
    try:
        model.ParseFromString(content)
    except Exception as error:  # DecodeError, whose module depends on the implementation of protobuf
        return [f"it is not an ONNX model: {error}"]
    try:
        if not model.HasField("graph"):
            seen.problems["it has no graph"] = None
        if content[4:8] == _OTHER_FORMAT:
            seen.problems["it begins like ONNX Runtime's ORT format, which is not allowed"] = None
        _visit(model, seen, 0)
        for node in seen.sized:
            _size_of_output(node, seen)
        if not seen.problems:
            _infer(model, seen)
        model.DiscardUnknownFields()
        if model.SerializeToString(deterministic=True) != content:
            seen.problems[
                "its bytes are not the canonical ones (unknown fields, bytes at the end, or fields"
                " in another order); write it by `SerializeToString(deterministic=True)`"
            ] = None
    except UnicodeDecodeError:
        return [_NOT_TEXT]  # some implementations of protobuf give bytes instead
    found = list(seen.problems)
    more = len(found) - MAX_PROBLEMS
    return found[:MAX_PROBLEMS] + ([f"and {more:,} more"] if more > 0 else [])


def _visit(message: Any, seen: _Seen, depth: int) -> None:
    """Add the problems of *message* and of those in it; *depth* is the number of enclosing graphs."""
    name = message.DESCRIPTOR.full_name
    if name not in MESSAGES:
        what = _REFUSED.get(name, name.removeprefix("onnx.") + " messages")
        seen.problems[f"it has {what}, which the export does not write"] = None
        return
    if isinstance(message, onnx.GraphProto):
        depth += 1
        if depth > MAX_DEPTH + 1:
            seen.problems[f"graphs are nested more than {MAX_DEPTH} deep"] = None
            return
    _content(message, seen)
    for described, value in message.ListFields():
        for each in _each(value):
            if described.message_type is not None:
                _visit(each, seen, depth)
            elif described.type == described.TYPE_STRING and not isinstance(each, str):
                seen.problems[_NOT_TEXT] = None


def _content(message: Any, seen: _Seen) -> None:
    if isinstance(message, onnx.OperatorSetIdProto):
        what = f"it imports operators of the domain {message.domain[:_NAME]!r}"
        _domain(message.domain, what, seen)
    elif isinstance(message, onnx.NodeProto):
        _node(message, seen)
    elif isinstance(message, TensorProto):
        _tensor(message, seen)


def _each(value: Any) -> Sequence[Any]:
    """The values of a field, single or repeated; numbers are skipped, as there may be millions."""
    if isinstance(value, (str, bytes)) or hasattr(value, "ListFields"):
        return [value]
    return () if isinstance(value, (int, float)) or isinstance(value[0], (int, float)) else value


def _domain(domain: str, what: str, seen: _Seen) -> None:
    if domain not in DOMAINS:
        seen.problems[f"{what}; expected ONNX's own, '' and 'ai.onnx.ml'"] = None


def _node(node: Any, seen: _Seen) -> None:
    _domain(node.domain, f"it has the operator {node.domain[:_NAME]}.{node.op_type[:_NAME]}", seen)
    if node.overload:
        seen.problems[f"it has the operator {node.op_type[:_NAME]} overloaded by a function"] = None
    if node.op_type in SIZED or node.op_type in _ALIASES:
        seen.sized.append(node)
    elif node.op_type == "Constant":
        for attribute in node.attribute:
            for name in node.output:
                seen.numbers[name].append(_numbers(attribute))


def _tensor(tensor: Any, seen: _Seen) -> None:
    if tensor.external_data or tensor.data_location == TensorProto.EXTERNAL:
        seen.problems[
            f"the tensor {tensor.name[:_NAME]!r} has its data in another file; a bundle's model must contain all data"
        ] = None
        return
    try:
        size = helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize
    except (KeyError, TypeError, ValueError):
        seen.problems[f"the tensor {tensor.name[:_NAME]!r} has an unknown type"] = None
        return
    if any(each < 0 for each in tensor.dims) or math.prod(map(float, tensor.dims)) * size > MAX_BYTES:
        shape = [*tensor.dims[:_RANK]]
        seen.problems[f"the tensor {tensor.name[:_NAME]!r} has the shape {shape}; {_AT_MOST}"] = None
        return
    seen.numbers[tensor.name].append(_numbers_of(tensor))


def _size_of_output(node: Any, seen: _Seen) -> None:
    if node.op_type in _ALIASES:
        for name in node.output[:1]:
            seen.numbers[name] += seen.numbers.get(node.input[0], []) if node.input else []
        return
    names = [node.input[place] for place in SIZED[node.op_type] if place < len(node.input)]
    given = [numbers for name in names for numbers in seen.numbers.get(name, ())]
    given += [_numbers(each) for each in node.attribute if each.name in _SIZES]
    whole = max if node.op_type in _ADDED else math.prod
    for numbers in given:
        _most(f"{node.op_type} creates a tensor", [whole([abs(each) for each in numbers if each] or [0])], seen)


def _infer(model: Any, seen: _Seen) -> None:
    """Check the shapes of all tensors for one row, as far as the `onnx` library infers them."""
    one = onnx.ModelProto()
    one.CopyFrom(model)
    for value in one.graph.input:
        for each in value.type.tensor_type.shape.dim:
            if not each.HasField("dim_value"):
                each.dim_value = 1
    try:
        inferred = onnx.shape_inference.infer_shapes(one, data_prop=True)
    except Exception as error:  # a C++ library, with several exception types
        seen.problems[f"its shapes cannot be inferred: {error}"] = None
        return
    for value in _values(inferred.graph):
        shape = [max(each.dim_value, 1) for each in value.type.tensor_type.shape.dim]
        _most(f"for one row, the tensor {value.name[:_NAME]!r} is", shape, seen)


def predictors(content: bytes) -> set[str]:
    """The operators of a graph that predict, as an estimator's last step is exported; all operators if none is known.

    Those of the preprocessing follow the categories and missing values of the training rows.
    """
    every = {node.op_type for node in onnx.load_from_string(content).graph.node}
    return {each for each in every if each.startswith(_PREDICT)} or every


def _values(graph: Any) -> Iterator[Any]:
    yield from (*graph.value_info, *graph.output)
    for node in graph.node:
        for attribute in node.attribute:
            for inner in [attribute.g] if attribute.HasField("g") else attribute.graphs:
                yield from _values(inner)


def _most(what: str, shape: Sequence[float], seen: _Seen) -> None:
    count = math.prod(map(float, shape))  # as floats: integers could become huge
    if 4 * count > MAX_BYTES:
        seen.problems[f"{what} of {count:,.0f} numbers; {_AT_MOST}"] = None


def _numbers(attribute: Any) -> list[float]:
    """The numbers of an attribute, if they are few; else none."""
    if attribute.HasField("t"):
        return _numbers_of(attribute.t)
    if max(len(attribute.ints), len(attribute.floats)) > _RANK:
        return []
    return _finite([attribute.i, attribute.f, *attribute.ints, *attribute.floats])


def _numbers_of(tensor: Any) -> list[float]:
    if tensor.external_data or tensor.data_type == TensorProto.STRING:
        return []
    if any(each < 0 for each in tensor.dims) or math.prod(map(float, tensor.dims)) > _RANK:
        return []
    try:
        return _finite(np.asarray(numpy_helper.to_array(tensor), dtype=np.float64).ravel())
    except (ValueError, TypeError, KeyError, OverflowError):
        return []  # its data do not match its shape, which ONNX Runtime refuses


def _finite(values: Any) -> list[float]:
    return [float(each) for each in values if math.isfinite(each)]


_NOT_TEXT = "it has a name that is not UTF-8 text"
_AT_MOST = f"expected at most {MAX_BYTES:,} bytes"

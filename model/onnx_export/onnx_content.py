"""What an ONNX file of a bundle may contain: checked at export, and by the gate before a session is made.

ONNX Runtime can read other files for a model (external data), and allocates tensors of whatever size the
model asks for, while it makes the session or at the first row. Nothing that the export writes needs
either. A proposal may name any file, so the gate refuses what the export would not have written.

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

#: Bytes of the largest file and of the largest tensor.
LARGEST = 512 * 2**20
#: Graphs within graphs (the branches of If, the bodies of Loop and Scan).
DEEPEST = 8
#: Problems that are listed at most.
MOST_PROBLEMS = 10
DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml"})
#: The messages that an exported model consists of. All others are refused.
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
#: Operators that make a tensor of the size that a constant says: which of their inputs do.
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
#: Attributes of these that do, in this or in older versions of the operators.
_SIZES = frozenset({"output_padding", "output_shape", "paddings", "pads", "scales", "shape"})
#: Of these, the numbers are added to the size of an axis; of the others, they are multiplied.
_ADDED = frozenset({"ConvTranspose", "Pad"})
#: Operators that hand a constant on.
_ALIASES = frozenset({"Cast", "Identity"})
#: Numbers in the largest constant that is a shape.
_RANK = 16
#: Characters of a name that a message shows.
_NAME = 60
#: With these four bytes from the fifth on, ONNX Runtime takes a file for its other format.
_OTHER_FORMAT = b"ORTM"


@dataclass
class _Seen:
    """What is known of a model while its messages are visited."""

    problems: dict[str, None] = field(default_factory=dict)
    #: The numbers of small constants, by name. A nested graph may use a name again.
    numbers: dict[str, list[list[float]]] = field(default_factory=lambda: defaultdict(list))
    #: The nodes of `SIZED` and `_ALIASES`, in order.
    sized: list[Any] = field(default_factory=list)


def problems(content: bytes) -> list[str]:
    """Why *content* is not an ONNX model that the export could have written; empty if it could.

    Never raises, whatever the bytes are.
    """
    if len(content) > LARGEST:
        return [f"it has {len(content):,} bytes; expected at most {LARGEST:,}"]
    model, seen = onnx.ModelProto(), _Seen()
    try:
        model.ParseFromString(content)
    except Exception as error:  # DecodeError, which each implementation of protobuf has elsewhere
        return [f"it is not an ONNX model: {error}"]
    try:
        if not model.HasField("graph"):
            seen.problems["it has no graph"] = None
        if content[4:8] == _OTHER_FORMAT:
            seen.problems["it begins like ONNX Runtime's own format, which is not checked"] = None
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
    more = len(found) - MOST_PROBLEMS
    return found[:MOST_PROBLEMS] + ([f"and {more:,} more"] if more > 0 else [])


def _visit(message: Any, seen: _Seen, depth: int) -> None:
    """Note what is wrong with *message* and with those in it; *depth* graphs are around it."""
    name = message.DESCRIPTOR.full_name
    if name not in MESSAGES:
        what = _REFUSED.get(name, name.removeprefix("onnx.") + " messages")
        seen.problems[f"it has {what}, which the export does not write"] = None
        return
    if isinstance(message, onnx.GraphProto):
        depth += 1
        if depth > DEEPEST + 1:
            seen.problems[f"graphs are nested more than {DEEPEST} deep"] = None
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
    """The values of a field, which may be one; none of numbers, of which there may be millions."""
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
            f"the tensor {tensor.name[:_NAME]!r} keeps its data in another file; a bundle's model holds all of its data"
        ] = None
        return
    try:
        size = helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize
    except (KeyError, TypeError, ValueError):
        seen.problems[f"the tensor {tensor.name[:_NAME]!r} is of no known type"] = None
        return
    if any(each < 0 for each in tensor.dims) or math.prod(map(float, tensor.dims)) * size > LARGEST:
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
        _most(f"{node.op_type} makes a tensor", [whole([abs(each) for each in numbers if each] or [0])], seen)


def _infer(model: Any, seen: _Seen) -> None:
    """Look at the shapes of all tensors for one row, as far as the `onnx` library infers them."""
    one = onnx.ModelProto()
    one.CopyFrom(model)
    for value in one.graph.input:
        for each in value.type.tensor_type.shape.dim:
            if not each.HasField("dim_value"):
                each.dim_value = 1
    try:
        inferred = onnx.shape_inference.infer_shapes(one, data_prop=True)
    except Exception as error:  # a C++ library: it raises whatever it has
        seen.problems[f"its shapes cannot be inferred: {error}"] = None
        return
    for value in _values(inferred.graph):
        shape = [max(each.dim_value, 1) for each in value.type.tensor_type.shape.dim]
        _most(f"for one row, the tensor {value.name[:_NAME]!r} is", shape, seen)


def _values(graph: Any) -> Iterator[Any]:
    yield from (*graph.value_info, *graph.output)
    for node in graph.node:
        for attribute in node.attribute:
            for inner in [attribute.g] if attribute.HasField("g") else attribute.graphs:
                yield from _values(inner)


def _most(what: str, shape: Sequence[float], seen: _Seen) -> None:
    count = math.prod(map(float, shape))  # of floats: integers would grow without end
    if 4 * count > LARGEST:
        seen.problems[f"{what} of {count:,.0f} numbers; {_AT_MOST}"] = None


def _numbers(attribute: Any) -> list[float]:
    """The few numbers of an attribute, or none."""
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
        return []  # its data do not fit its shape: ONNX Runtime refuses that without reading


def _finite(values: Any) -> list[float]:
    return [float(each) for each in values if math.isfinite(each)]


_NOT_TEXT = "it has a name that is not UTF-8 text"
_AT_MOST = f"expected at most {LARGEST:,} bytes"

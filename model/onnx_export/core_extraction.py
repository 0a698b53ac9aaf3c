"""Extract the core of an exported graph: the part that is left when categories are encoded outside of it.

From the scores backwards, a tensor that depends on one category only, by look-up, is replaced by a table; numbers are
cut at their input. Adjacent inputs become one matrix. A graph that uses a string in another way has no core.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from bundles.onnx_core import INPUT, OUTPUT
from bundles.onnx_session import session
from contracts.row_contract import Contract

#: The attributes with the strings of a look-up, by operator.
LOOKUPS = {"OneHotEncoder": "cats_strings", "LabelEncoder": "keys_strings"}
#: Operators that may follow a look-up: they treat each row separately, so that a table can replace them.
ROWWISE = {"Split", "ReduceSum", "Concat", "Reshape", "Cast", "Identity", "Scaler", "Add", "Mul"}
#: The largest number of values in the tables; a model with more is served by its full graph.
MAX_TABLE_VALUES = 200_000
#: A string that is not a category.
NEVER = "\x1a never seen"


class CutError(Exception):
    """A graph has no core. The message says why."""


@dataclass
class _Graph:
    """A graph that is read backwards."""

    model: Any
    contract: Contract
    makers: dict[str, Any] = field(default_factory=dict)
    fixed: set[str] = field(default_factory=set)
    kinds: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        graph = self.model.graph
        self.makers = {name: node for node in graph.node for name in node.output if name}
        self.fixed = {each.name for each in graph.initializer}
        self.kinds = {f.name: f.kind for f in self.contract.features}

    def hangs_on(self, tensor: str) -> set[str]:
        """The inputs that *tensor* depends on."""
        found, open_, done = set(), [tensor], set()
        while open_:
            each = open_.pop()
            if each in done or not each or each in self.fixed:
                continue
            done.add(each)
            if each in self.kinds:
                found.add(each)
            else:
                open_ += self._maker(each).input
        return found

    def piece(self, tensor: str) -> bool:
        """Whether *tensor* is cut: a number's input, or computed from one category only."""
        if tensor in self.kinds:
            if self.kinds[tensor] == "category":
                raise CutError(f"{tensor} is used as a string")
            return True
        inputs = self.hangs_on(tensor)
        return len(inputs) == 1 and self.kinds[next(iter(inputs))] == "category"

    def row(self, tensor: str) -> list[str] | None:
        """The parts that *tensor* concatenates; None if it is not a concatenation."""
        if tensor in self.fixed or not tensor:
            return None
        if self.piece(tensor):
            return [tensor]
        node = self._maker(tensor)
        if node.op_type == "Concat":
            parts = [self.row(each) for each in node.input]
            return None if None in parts else [piece for part in parts for piece in part or []]
        # skl2onnx reshapes to (-1, width) and casts to float32; the scores are compared afterwards.
        return self.row(node.input[0]) if node.op_type in ("Reshape", "Cast", "Identity") else None

    def nodes_of(self, tensor: str) -> list[Any]:
        """The nodes that compute *tensor*, in the graph's order."""
        wanted, open_ = set(), [tensor]
        while open_:
            node = self.makers.get(open_.pop())
            if node is not None and id(node) not in wanted:
                wanted.add(id(node))
                open_ += node.input
        return [node for node in self.model.graph.node if id(node) in wanted]

    def _maker(self, tensor: str) -> Any:
        if tensor not in self.makers:
            raise CutError(f"nothing makes {tensor}")
        return self.makers[tensor]


def cut(graph: bytes, contract: Contract) -> tuple[bytes, dict[str, Any]]:
    """The core of *graph*, and its entry `parts` in the manifest. Raises `CutError`."""
    whole = _Graph(onnx.load_from_string(graph), contract)
    output = whole.model.graph.output[-1].name
    rows: dict[str, list[str]] = {}
    kept = _kept(whole, output, rows)
    pieces = [piece for row in rows.values() for piece in row]
    tables = {piece: _table(whole, piece) for piece in dict.fromkeys(pieces)}
    widths = {name: sum(tables[piece][1] for piece in row) for name, row in rows.items()}
    parts = _joined([tables[piece][0] for piece in pieces])
    return _core(whole.model, kept, widths, output), {"parts": parts}


def _kept(whole: _Graph, output: str, rows: dict[str, list[str]]) -> list[Any]:
    """The nodes of the core; adds the cut parts to *rows*."""
    kept, open_, done = set(), [output], set()
    while open_:
        tensor = open_.pop(0)
        if tensor in done or tensor in whole.fixed or not tensor:
            continue
        done.add(tensor)
        row = whole.row(tensor)
        if row is not None:
            rows[tensor] = row
        else:
            node = whole.makers[tensor]
            kept.add(id(node))
            open_ += node.input
    if not kept or not rows:
        raise CutError("there is nothing left when the categories are cut off")
    return [node for node in whole.model.graph.node if id(node) in kept]


def _table(whole: _Graph, piece: str) -> tuple[dict[str, Any], int]:
    """The manifest's entry for *piece*, and its number of columns."""
    if piece in whole.kinds:
        return {"numbers": [piece]}, 1
    (name,) = whole.hangs_on(piece)
    nodes = whole.nodes_of(piece)
    known: set[str] = set()
    for node in nodes:
        if name in node.input:
            if node.op_type not in LOOKUPS:
                raise CutError(f"{node.op_type} is no look-up of {name}")
            known.update(_strings(node, LOOKUPS[node.op_type]))
        elif node.op_type not in ROWWISE:
            raise CutError(f"{node.op_type} after the look-up of {name} is not understood")
    values = [NEVER, *sorted(known | {""})]
    vectors = _run(whole, name, nodes, piece, values)
    if vectors.size > MAX_TABLE_VALUES * 50 or (vectors != vectors[0]).sum() > MAX_TABLE_VALUES:
        raise CutError(f"the table of {name} is too large")
    unseen = vectors[0]
    seen = {}
    for value, vector in zip(values[1:], vectors[1:], strict=True):
        places = np.flatnonzero(vector.view(np.uint32) != unseen.view(np.uint32)).tolist()
        if places:
            seen[value] = [[place, _plain(vector[place])] for place in places]
    return {"category": name, "unseen": [_plain(number) for number in unseen], "seen": seen}, len(unseen)


def _strings(node: Any, attribute: str) -> Iterable[str]:
    for each in node.attribute:
        if each.name == attribute:
            return [text.decode() for text in each.strings]
    raise CutError(f"{node.op_type} looks up no strings")


def _run(
    whole: _Graph, name: str, nodes: Sequence[Any], piece: str, values: Sequence[str]
) -> np.ndarray[Any, np.dtype[np.float32]]:
    """The graph's output for each of *values*."""
    source = next(each for each in whole.model.graph.input if each.name == name)
    shape = onnx.shape_inference.infer_shapes(whole.model).graph.value_info
    made = [each for each in shape if each.name == piece]
    kind = made[0].type.tensor_type.elem_type if made else TensorProto.FLOAT
    out = helper.make_tensor_value_info(piece, kind, None)
    short = session(_model(whole.model, nodes, [source], [out]))
    given = np.array(values, dtype=object).reshape(-1, 1)
    found = np.asarray(short.run([piece], {name: given})[0])
    found = found.reshape(len(values), -1)
    exact = found.astype(np.float32)
    if found.dtype != np.float32 and not np.array_equal(exact.astype(found.dtype), found):
        raise CutError(f"what {name} becomes does not fit float32")
    return exact


def _joined(parts: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Join adjacent numbers to one part."""
    found: list[dict[str, Any]] = []
    for part in parts:
        if "numbers" in part and found and "numbers" in found[-1]:
            found[-1] = {"numbers": found[-1]["numbers"] + part["numbers"]}
        else:
            found.append(part)
    return found


def _core(model: Any, kept: Sequence[Any], widths: Mapping[str, int], output: str) -> bytes:
    taken, total = list(widths), sum(widths.values())
    nodes, more = [], []
    if len(taken) > 1:
        more = [numpy_helper.from_array(np.array([*widths.values()], dtype=np.int64), "widths")]
        nodes = [helper.make_node("Split", [INPUT, "widths"], taken, axis=1)]
    for node in kept:
        new = onnx.NodeProto()
        new.CopyFrom(node)
        if len(taken) == 1:
            new.input[:] = [INPUT if name == taken[0] else name for name in node.input]
        new.output[:] = [OUTPUT if name == output else name for name in node.output]
        nodes.append(new)
    source = helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, [None, total])
    out = helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, None)
    return _model(model, nodes, [source], [out], more)


def _model(
    model: Any, nodes: Sequence[Any], inputs: Sequence[Any], outputs: Sequence[Any], more: Sequence[Any] = ()
) -> bytes:
    used = {name for node in nodes for name in node.input}
    held = [each for each in model.graph.initializer if each.name in used]
    graph = helper.make_graph(nodes, model.graph.name, inputs, outputs, [*held, *more])
    new = helper.make_model(
        graph, opset_imports=model.opset_import, ir_version=model.ir_version, producer_name="tidegate"
    )
    return bytes(new.SerializeToString(deterministic=True))


def _plain(number: Any) -> float | None:
    return None if np.isnan(number) else float(number)

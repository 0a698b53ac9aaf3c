"""Export faults: the ONNX file differs from the estimator, or cannot be served."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper
from sklearn.preprocessing import OneHotEncoder

from drill.fault import DoesNotApplyError, Fault
from drill.faults.data_faults import category
from drill.resigned_bundle import resigned
from drill.thinned_recipe import Subject, plain
from model.onnx_export.export import to_graph
from model.train import Fitted

PARITY = ("export.parity",)
#: The width of a square table of float32: 36 MB.
SIDE = 3_000


def spoilt(change: Callable[[Any], bool]) -> Callable[[Fitted], bytes]:
    """A converter whose graph is damaged by *change*, which returns whether it changed anything."""

    def convert(fitted: Fitted) -> bytes:
        model = onnx.load_from_string(to_graph(fitted))
        if not change(model.graph):
            raise DoesNotApplyError("the graph has no such part")
        return bytes(model.SerializeToString(deterministic=True))

    return convert


def _swapped(graph: Any) -> bool:
    """The columns of the probabilities in the wrong order."""
    output = graph.output[-1].name
    shape = graph.output[-1].type.tensor_type.shape.dim
    if len(graph.output) < 2 or len(shape) < 2:
        return False
    for node in graph.node:
        node.output[:] = ["unswapped" if name == output else name for name in node.output]
        node.input[:] = ["unswapped" if name == output else name for name in node.input]
    last = shape[1].dim_value or 2
    graph.initializer.append(numpy_helper.from_array(np.arange(last)[::-1].copy(), "order"))
    graph.node.append(helper.make_node("Gather", ["unswapped", "order"], [output], axis=1))
    return True


def _rounded(graph: Any) -> bool:
    """Every threshold is one float32 higher: rows on it take the other branch."""
    return _trees(graph, "nodes_values", lambda values: np.nextafter(np.float32(values), np.float32(np.inf)))


def _routed(graph: Any) -> bool:
    """Missing values go to the other side of every split."""
    return _trees(graph, "nodes_missing_value_tracks_true", lambda sides: 1 - np.array(sides, dtype=int))


def _bloated(graph: Any) -> bool:
    """A table of 36 MB that each answer reads, without an effect."""
    output = graph.output[-1].name
    for node in graph.node:
        node.output[:] = ["lean" if name == output else name for name in node.output]
        node.input[:] = ["lean" if name == output else name for name in node.input]
    graph.initializer.extend(
        numpy_helper.from_array(values, name)
        for name, values in (("table", np.zeros((SIDE, SIDE), np.float32)), ("row", np.zeros((1, SIDE), np.float32)))
    )
    # Depends on the number of rows, else the runtime would fold it into a constant and drop the table.
    for kind, inputs, made, more in (
        ("Shape", ["lean"], "shape", {}),
        ("Cast", ["shape"], "rows", {"to": onnx.TensorProto.FLOAT}),
        ("ReduceMax", ["rows"], "most", {"keepdims": 0}),
        ("Mul", ["row", "most"], "asked", {}),
        ("MatMul", ["asked", "table"], "read", {}),
        ("ReduceMax", ["read"], "nothing", {"keepdims": 0}),
        ("Add", ["lean", "nothing"], output, {}),
    ):
        graph.node.append(helper.make_node(kind, inputs, [made], **more))
    return True


def _trees(graph: Any, attribute: str, change: Callable[[Any], Any]) -> bool:
    found = False
    for node in graph.node:
        for each in node.attribute:
            if each.name == attribute:
                field = each.floats if attribute == "nodes_values" else each.ints
                changed = change(list(field))
                field[:] = [
                    kind(value) for value in changed for kind in (float if attribute == "nodes_values" else int,)
                ]
                found = True
    return found


def _strict(subject: Subject) -> SimpleNamespace:
    """An encoder that raises for an unknown category."""
    category(subject)
    contract = subject.contract
    words = [f.name for f in contract.features if f.kind == "category"]

    def estimator() -> Any:
        made = plain(contract)
        encoder = OneHotEncoder(handle_unknown="error", sparse_output=False)
        made[0].transformers = [("categories", encoder, words)]
        return made

    return subject.changed(lambda frame, _: frame, estimator=estimator)


def _opset(folder: Path) -> Path:
    model = onnx.load_from_string((folder / "model.onnx").read_bytes())
    for each in model.opset_import:
        each.version = 99
    (folder / "model.onnx").write_bytes(model.SerializeToString(deterministic=True))
    return resigned(folder)


def _order(folder: Path) -> Path:
    """The manifest's classes, or the features' names, are another model's."""

    def change(manifest: dict[str, Any]) -> None:
        if manifest["classes"]:
            manifest["classes"] = manifest["classes"][::-1]
        else:
            manifest["task"] = "binary"

    return resigned(folder, change)


def _foreign(folder: Path) -> Path:
    """The contract names an input that the graph has not."""

    def change(manifest: dict[str, Any]) -> None:
        manifest["contract"]["features"][0]["name"] = "another_name"

    return resigned(folder, change)


FAULTS = (
    Fault("class order swapped", "the probabilities' columns are exchanged", PARITY, (), convert=spoilt(_swapped)),
    Fault("thresholds rounded", "every threshold is one float32 too high", PARITY, (), convert=spoilt(_rounded)),
    Fault(
        "missing values routed wrongly",
        "they take the other branch of every split",
        PARITY,
        (),
        convert=spoilt(_routed),
    ),
    Fault(
        "an unknown category crashes",
        "the encoder raises for an unknown category",
        ("export.graph", "export.parity", "train.recipe"),
        (),
        _strict,
    ),
    Fault(
        "oversized and slow",
        "a table of 36 MB that each answer reads without need",
        ("serving.size", "serving.latency"),
        ("serving.memory",),
        convert=spoilt(_bloated),
    ),
    Fault(
        "opset of the future",
        "the graph uses an operator set that no runtime supports",
        ("gate.cannot_judge",),
        (),
        bundle=_opset,
    ),
    Fault(
        "metadata of another model",
        "the manifest lists the classes in another order",
        ("bundle.metadata", "gate.cannot_judge"),
        (),
        bundle=_order,
    ),
    Fault(
        "inputs of another model",
        "the manifest's contract has a feature that the graph has not",
        ("gate.cannot_judge",),
        (),
        bundle=_foreign,
    ),
)

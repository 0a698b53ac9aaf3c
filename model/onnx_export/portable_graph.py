"""Make a converted graph independent of the machine's locales and of the features' names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import onnx

#: ONNX Runtime lowers text with a locale of the machine, by default en_US.UTF-8, which slim images lack. This one is
#: part of glibc and of every Debian and Ubuntu.
LOCALE = "C.UTF-8"


def make_portable(model: onnx.ModelProto, names: Sequence[str]) -> None:
    """Name the inputs *names*, in that order, and set a locale that every machine has; in place.

    skl2onnx names an input label1 if an output is named label. Here the other tensor is renamed instead.
    """
    graph = model.graph
    inputs = [value.name for value in graph.input]
    taken = {*names, *_names(graph)}
    new: dict[str, str] = {}
    for name in sorted({*_names(graph)} - {*inputs}):
        if name in names:
            new[name] = next(free for n in range(len(taken) + 1) if (free := f"{name}__{n}") not in taken)
            taken.add(new[name])
    new |= {old: name for old, name in zip(inputs, names, strict=True) if old != name}
    if new:
        _rename(graph, new)
    for node in _nodes(graph):
        if node.op_type == "StringNormalizer":
            kept = [attribute for attribute in node.attribute if attribute.name != "locale"]
            del node.attribute[:]
            node.attribute.extend([*kept, onnx.helper.make_attribute("locale", LOCALE)])


def _names(graph: onnx.GraphProto) -> Iterable[str]:
    for value in (*graph.input, *graph.output, *graph.initializer, *graph.value_info):
        yield value.name
    for node in _nodes(graph):
        yield from node.input
        yield from node.output


def _nodes(graph: onnx.GraphProto) -> Iterable[onnx.NodeProto]:
    for node in graph.node:
        yield node
        for inner in _inner(node):
            yield from _nodes(inner)


def _inner(node: onnx.NodeProto) -> Iterable[onnx.GraphProto]:
    for attribute in node.attribute:
        if attribute.type == onnx.AttributeProto.GRAPH:
            yield attribute.g


def _rename(graph: onnx.GraphProto, new: dict[str, str]) -> None:
    values: Any
    for values in (graph.input, graph.output, graph.initializer, graph.value_info):
        for value in values:
            value.name = new.get(value.name, value.name)
    for node in graph.node:
        for names in (node.input, node.output):
            names[:] = [new.get(name, name) for name in names]
        for inner in _inner(node):
            _rename(inner, new)

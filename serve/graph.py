"""Looks into an ONNX file before a session is made of it, without the onnx package.

A file may tell the runtime to read other files (external data), or to make tensors of absurd size.
Neither is anything that our export writes, and both are done while the session is made: too late to
refuse. So the protobuf is walked here first: only its wire format and a few field numbers are needed.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

#: Bytes of the largest model, and numbers in the largest tensor.
LARGEST, MOST = 512 * 2**20, 2**27
#: Graphs inside graphs (the branches of If, the bodies of Loop and Scan).
DEEPEST = 8
#: Operators that make a tensor of the size that another tensor says.
MAKERS = {"ConstantOfShape", "Expand", "Tile", "Reshape", "Range", "Resize", "Pad", "EyeLike"}
_INT64, _EXTERNAL = 7, 1
_VARINT, _EIGHT, _BYTES, _FOUR = 0, 1, 2, 5
#: The numbers and the short strings of an attribute (fields 7, 8, 9). A forest has tens of thousands,
#: which nobody looks at: to step over them at once takes a twentieth of the time.
_STRING = b"|".join(re.escape(bytes([n])) + b".{%d}" % n for n in range(32))
_PLAIN = re.compile(
    rb"(?:\x3d.{4}|\x40[\x80-\xff]{0,9}[\x00-\x7f]|\x4a(?:" + _STRING + rb"))+", re.DOTALL
)


class GraphError(ValueError):
    """A file is no ONNX model that is safe to load. The message says why."""


@dataclass
class _Found:
    """What is known of a file while it is walked."""

    sizes: dict[bytes, int] = field(default_factory=dict)
    made: list[tuple[str, list[bytes]]] = field(default_factory=list)


def look(content: bytes) -> None:
    """Raise `GraphError` if *content* reaches outside itself, or for absurd sizes."""
    if len(content) > LARGEST:
        raise GraphError(f"it has {len(content):,} bytes; at most {LARGEST:,} are loaded")
    found = _Found()
    try:
        for number, value in _fields(memoryview(content)):
            if number == 7:  # graph
                _graph(value, found, 0)
            elif number in (20, 25):  # training_info, functions
                raise GraphError("it has training information or functions; neither is exported")
    except (IndexError, TypeError, AttributeError) as error:
        raise GraphError("it is no ONNX model: its protobuf is broken") from error
    for kind, inputs in found.made:
        for name in inputs:
            if found.sizes.get(name, 0) > MOST:
                raise GraphError(f"{kind} makes a tensor of {found.sizes[name]:,} numbers")


def _bytes(value: Any) -> bytes:
    # A number where bytes belong: `bytes` of it would be as many zeros.
    if not isinstance(value, memoryview):
        raise TypeError("a number where bytes belong")
    return bytes(value)


def _graph(content: memoryview, found: _Found, depth: int) -> None:
    if depth > DEEPEST:
        raise GraphError("it has graphs inside graphs inside graphs")
    for number, value in _fields(content):
        if number == 1:
            _node(value, found, depth)
        elif number == 5:
            _tensor(value, found)
        elif number == 15:  # sparse_initializer
            raise GraphError("it has sparse tensors; none are exported")


def _node(content: memoryview, found: _Found, depth: int) -> None:
    kind, inputs, outputs, sizes = "", [], [], []
    for number, value in _fields(content):
        if number == 1:
            inputs.append(_bytes(value))
        elif number == 2:
            outputs.append(_bytes(value))
        elif number == 4:
            kind = _bytes(value).decode("utf-8", "replace")
        elif number == 5:
            sizes += _attribute(value, found, depth)
    if kind == "Constant" and outputs and sizes:
        found.sizes[outputs[0]] = max(sizes)
    if kind in MAKERS:
        found.made.append((kind, inputs))


def _attribute(content: memoryview, found: _Found, depth: int) -> list[int]:
    """What the tensors of an attribute say of sizes; its graphs are walked."""
    sizes = []
    for number, value in _fields(content, _PLAIN):
        if number in (5, 10):  # t, tensors
            sizes.append(_tensor(value, found))
        elif number in (6, 11):  # g, graphs
            _graph(value, found, depth + 1)
        elif number in (22, 23):  # sparse_tensor(s)
            raise GraphError("it has sparse tensors; none are exported")
    return sizes


def _tensor(content: memoryview, found: _Found) -> int:
    """The size of a tensor of the shape that this one says; refuses what it must not be."""
    dims: list[int] = []
    numbers: list[int] = []
    kind, name, raw = 0, b"", b""
    for number, value in _fields(content):
        if number == 1:
            dims += _integers(value)
        elif number == 2:
            kind = value
        elif number == 7 and isinstance(value, (int, memoryview)):
            numbers += _integers(value)
        elif number == 8:
            name = _bytes(value)
        elif number == 9:
            raw = _bytes(value)
        elif number == 13 or (number == 14 and value == _EXTERNAL):
            raise GraphError("it keeps data in other files; a bundle's model keeps all in itself")
    if math.prod(max(0, dim) for dim in dims) > MOST:
        raise GraphError(f"it has a tensor of the shape {dims[:6]}")
    if kind == _INT64 and len(raw) % 8 == 0 and len(raw) <= 64:
        numbers += memoryview(raw).cast("q").tolist()
    size = math.prod(abs(each) for each in numbers[:8] if each) if len(numbers) <= 8 else 0
    found.sizes[name] = size if kind == _INT64 else 0
    return size


def _integers(value: Any) -> list[int]:
    if isinstance(value, int):
        return [_signed(value)]
    found, place = [], 0
    while place < len(value):
        number, place = _varint(value, place)
        found.append(_signed(number))
    return found


def _fields(
    content: memoryview, passed: re.Pattern[bytes] | None = None
) -> Iterator[tuple[int, Any]]:
    """The fields of a protobuf message: number, and value (an int, or bytes not yet read).

    Whole fields that match *passed* are passed over.
    """
    if not isinstance(content, memoryview):
        raise TypeError("a message was expected")
    place, end = 0, len(content)
    while place < end:
        if passed and (run := passed.match(content, place)):
            place = run.end()
            continue
        tag, place = _varint(content, place)
        number, wire = tag >> 3, tag & 7
        if wire == _VARINT:
            value, place = _varint(content, place)
            yield number, value
            continue
        if wire == _BYTES:
            length, place = _varint(content, place)
        elif wire in (_EIGHT, _FOUR):
            length = 8 if wire == _EIGHT else 4
        else:
            raise IndexError(wire)
        if place + length > end:
            raise IndexError(length)
        if wire == _BYTES:
            yield number, content[place : place + length]
        place += length


def _varint(content: memoryview, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = content[place]
        value |= (byte & 0x7F) << shift
        place, shift = place + 1, shift + 7
        if byte < 0x80:
            return value & (2**64 - 1), place
        if shift > 63:
            raise IndexError(shift)


def _signed(value: int) -> int:
    return value - 2**64 if value >= 2**63 else value

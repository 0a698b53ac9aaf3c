"""A tensor's values as bytes: the binary tensor data extension of the Open Inference Protocol.

Numbers are little-endian, a BOOL is one byte, and each element of BYTES follows its length in four
bytes. Specification: Triton Inference Server, docs/protocol/extension_binary_data.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from serve.routes.short_floats import SHORT, shortest

#: NumPy's types of the protocol's, but for BYTES.
_TYPES = {
    "BOOL": "u1",
    **SHORT,
    "FP64": "<f8",
    "INT8": "i1",
    "INT16": "<i2",
    "INT32": "<i4",
    "INT64": "<i8",
    "UINT8": "u1",
    "UINT16": "<u2",
    "UINT32": "<u4",
    "UINT64": "<u8",
}
DATATYPES = (*_TYPES, "BYTES")
_LENGTH = 4


class TensorDataError(ValueError):
    """The bytes are not values of their tensor; says what was *expected* and what was *got*."""

    def __init__(self, expected: str, got: str) -> None:
        super().__init__(f"expected {expected}, got {got}")
        self.expected, self.got = expected, got


def read_values(datatype: str, content: memoryview, count: int) -> list[Any]:
    """The *count* values of *datatype* in *content*; a NaN is None. Raises `TensorDataError`."""
    if datatype == "BYTES":
        return _read_texts(content, count)
    kind = np.dtype(_TYPES[datatype])
    size = count * kind.itemsize
    if len(content) != size:
        raise TensorDataError(f"{size:,} bytes: {count:,} {datatype}", f"{len(content):,} bytes")
    found = np.frombuffer(content, kind)
    if datatype == "BOOL":
        if (found > 1).any():
            raise TensorDataError("bytes of 0 or 1", "another byte")
        found = found.astype(bool)
    if datatype in SHORT:
        found = shortest(found)
    values: list[Any] = found.tolist()
    if kind.kind == "f" and np.isnan(found).any():
        values = [None if value != value else value for value in values]  # noqa: PLR0124 -- NaN
    return values


def write_values(datatype: str, values: Sequence[Any]) -> bytes:
    """*values* of *datatype* as bytes."""
    if datatype == "BYTES":
        texts = [text.encode("utf-8", "backslashreplace") for text in values]
        return b"".join([len(text).to_bytes(_LENGTH, "little") + text for text in texts])
    return np.array(values, _TYPES[datatype]).tobytes()


def _read_texts(content: memoryview, count: int) -> list[str]:
    found, place = [], 0
    for number in range(count):
        start = place + _LENGTH
        place = start + int.from_bytes(content[place:start], "little")
        if max(start, place) > len(content):
            expected = f"{count:,} elements, each after its length in {_LENGTH} bytes"
            raise TensorDataError(expected, f"{len(content):,} bytes, which end in element {number}")
        try:
            found.append(str(content[start:place], "utf-8"))
        except UnicodeDecodeError as error:
            raise TensorDataError("UTF-8 text", f"other bytes in element {number}") from error
    if place < len(content):
        more = f"{len(content) - place:,} bytes after them"
        raise TensorDataError(f"{count:,} elements of BYTES", more)
    return found

"""A tensor's values as bytes: the binary tensor data extension of the Open Inference Protocol.

Numbers are little-endian, a BOOL is one byte, and each element of BYTES follows its length in four
bytes. Specification: Triton Inference Server, docs/protocol/extension_binary_data.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

#: NumPy's types of the protocol's, but for BYTES.
_TYPES = {
    "BOOL": "u1",
    "FP16": "<f2",
    "FP32": "<f4",
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
#: Those that hold fewer digits than Python's numbers.
SHORT = ("FP16", "FP32")
#: Decimals that are tried to find the number that a float32 was made from.
MOST_DECIMALS = 10
_LENGTH = 4


class TensorDataError(ValueError):
    """Data that are not the values of their tensor: what was *expected*, and what was *got*."""

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
        found = _shortest(found)
    values: list[Any] = found.tolist()
    if kind.kind == "f" and np.isnan(found).any():
        values = [None if value != value else value for value in values]  # noqa: PLR0124 -- NaN
    return values


def shorten(datatype: str, values: Sequence[Any]) -> list[Any]:
    """*values* from JSON, and where a float is exactly one of *datatype*, the number behind it."""
    floats = np.array([value for value in values if type(value) is float])
    with np.errstate(over="ignore"):
        found = floats.astype(_TYPES[datatype])
    rest = iter(np.where(found == floats, _shortest(found), floats).tolist())
    return [next(rest) if type(value) is float else value for value in values]


def write_values(datatype: str, values: Sequence[Any]) -> bytes:
    """*values* of *datatype* as bytes."""
    if datatype == "BYTES":
        texts = [text.encode("utf-8", "backslashreplace") for text in values]
        return b"".join([len(text).to_bytes(_LENGTH, "little") + text for text in texts])
    return np.array(values, _TYPES[datatype]).tobytes()


def _shortest(found: Any) -> Any:
    """Each of *found* as the float64 with the fewest decimals that rounds to it.

    The float32 of 0.1 is 0.1 again, and not 0.10000000149011612: which would be above a maximum of
    0.1, and another value in the journal than the same number from JSON.
    """
    values = found.astype(float)
    left = np.flatnonzero(np.isfinite(values) & (values != np.trunc(values)))
    for decimals in range(1, MOST_DECIMALS + 1):
        rounded = values[left].round(decimals)
        same = rounded.astype(found.dtype) == found[left]
        values[left[same]] = rounded[same]
        left = left[~same]
    return values


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

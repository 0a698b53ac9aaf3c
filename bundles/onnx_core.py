"""A bundle's core: the same model with its categories encoded outside the ONNX graph.

Strings in tensors cost several times as much as the model. Where the graph only maps categories to numbers (one-hot,
ordinal), tables do the same, and a smaller graph, the core, computes the rest from one float32 matrix. It is used only
if its scores are bitwise equal to those of the full graph.

Shared by export and scorer: the encoder of the matrix, and the rows on which the two graphs are compared. The standard
library and NumPy alone.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from contracts.row_contract import MAX_FLOAT32, Contract, Feature

FILE = "core.onnx"
INPUT, OUTPUT = "x", "scores"
#: Generated rows on which the core is compared with the full graph.
TRIAL_ROWS = 512
Matrix = np.ndarray[Any, np.dtype[np.float32]]
Row = Mapping[str, Any]


class CoreError(ValueError):
    """A manifest's description of a core is not valid. The message says why."""


@dataclass(frozen=True)
class Encoder:
    """Fills the core's matrix; `parts` are its columns from left to right.

    A part is a sequence of numbers, or the vector of a category's value.
    """

    parts: tuple[Numbers | Category, ...]
    width: int

    def row(self, row: Row) -> bytes:
        """One row of the matrix."""
        return b"".join([part.bytes(row) for part in self.parts])

    def matrix(self, rows: Sequence[Row]) -> Matrix:
        """Rows that fit the contract as a matrix, (n, width)."""
        names = [name for part in self.parts for name in part.names]
        return self.matrix_of({name: [row.get(name) for row in rows] for name in names})

    def matrix_of(self, columns: Mapping[str, Sequence[Any]]) -> Matrix:
        """As `matrix`, of one sequence of values per feature, all of one length; an array is taken whole."""
        many = len(next(iter(columns.values()), ()))
        found = np.empty((many, self.width), dtype=np.float32)
        start = 0
        for part in self.parts:
            part.fill(found[:, start : start + part.width], columns)
            start += part.width
        return found

    @classmethod
    def read(cls, description: Any, contract: Contract) -> Encoder:
        """The encoder with this *description* in the manifest. Raises `CoreError`."""
        try:
            parts = tuple(_part(each, contract) for each in description["parts"])
        except (KeyError, TypeError, ValueError, IndexError, AttributeError, struct.error) as error:
            raise CoreError(f"the manifest's core is not valid: {error!r}") from error
        return cls(parts, sum(part.width for part in parts))


class Numbers:
    """A sequence of numbers and booleans: float32, NaN for missing values."""

    def __init__(self, names: Sequence[str]) -> None:
        self.width, self.names = len(names), tuple(names)
        self._pack = struct.Struct(f"={len(names)}f").pack

    def bytes(self, row: Row) -> bytes:
        """The numbers of *row*."""
        values = [*map(row.get, self.names)]
        try:
            return self._pack(*values)
        except struct.error:  # of None
            return self._pack(*[_NAN if value is None else value for value in values])

    def fill(self, into: Matrix, columns: Mapping[str, Sequence[Any]]) -> None:
        """Write the numbers of *columns*, one sequence each, *into* an array of (n, width)."""
        for place, name in enumerate(self.names):
            into[:, place] = float64(columns[name])


class Category:
    """The vector of each value of a category; "" is the key of a missing value."""

    def __init__(self, name: str, unseen: Sequence[float], seen: Mapping[str, bytes]) -> None:
        self.width, self.names, self._name = len(unseen), (name,), name
        self._become = _Vectors(seen, _bytes(unseen)).__getitem__

    def bytes(self, row: Row) -> bytes:
        """The vector of the value in *row*."""
        return self._become(row.get(self._name))

    def fill(self, into: Matrix, columns: Mapping[str, Sequence[Any]]) -> None:
        """Write the vectors of the category's values *into* an array of (n, width)."""
        content = b"".join(map(self._become, columns[self._name]))
        into[:] = np.frombuffer(content, dtype=np.float32).reshape(into.shape)


class _Vectors(dict[Any, bytes]):
    """The bytes of each value in *seen*; *unseen* for any other text. A value that is not text is missing: ""."""

    def __init__(self, seen: Mapping[str, bytes], unseen: bytes) -> None:
        super().__init__(seen)
        self._unseen = unseen
        self._missing = self[None] = self.get("", unseen)

    def __missing__(self, value: object) -> bytes:
        return self._unseen if isinstance(value, str) else self._missing


_NAN = float("nan")


def numbers(values: Sequence[Any]) -> Matrix:
    """Numbers and booleans as float32, (n,): rounded from float64, with NaN for None."""
    return float64(values).astype(np.float32)


def float64(values: Sequence[Any]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Numbers and booleans as float64, (n,), with NaN for None."""
    packed = None if isinstance(values, np.ndarray) else pack(values)
    if packed is not None:
        return packed
    return np.asarray(values, dtype=np.float64)  # takes None as NaN


def pack(values: Sequence[Any]) -> np.ndarray[Any, np.dtype[np.float64]] | None:
    """As `float64`, several times as fast; None if a value is not a number or a boolean."""
    try:
        return np.frombuffer(struct.pack(f"{len(values)}d", *values))
    except struct.error:
        return None


def trial(contract: Contract, categories: Mapping[str, Collection[str]], rows: Sequence[Row]) -> list[Row]:
    """*rows*, and `TRIAL_ROWS` generated ones that fit the contract; the same in every run.

    They have every known category, an unseen one, missing values, and numbers up to the bounds.
    """
    # Not NumPy's generator, which would cost each worker of the scorer three megabytes.
    generator = random.Random(0)  # noqa: S311 -- not for secrets
    makers = {each.name: _maker(each, categories, rows, generator) for each in contract.features}
    made = [{name: make(n) for name, make in makers.items()} for n in range(TRIAL_ROWS)]
    return [*rows, *made]


def _maker(
    feature: Feature, categories: Mapping[str, Collection[str]], rows: Sequence[Row], generator: random.Random
) -> Callable[[int], Any]:
    values: list[Any] = [row.get(feature.name) for row in rows]
    if feature.kind == "category":
        known = sorted({*categories.get(feature.name, ()), *feature.choices})
        values = [*known, *([] if feature.choices else ["never seen", "ünseen"])]
    elif feature.kind == "boolean":
        values = [True, False]
    else:
        low = -MAX_FLOAT32 if feature.minimum is None else feature.minimum
        high = MAX_FLOAT32 if feature.maximum is None else feature.maximum
        seen = [float(value) for value in values if value is not None] or [0.0]
        spread = max(seen) - min(seen) or 1.0
        moved = [generator.gauss(value, spread / 3) for value in generator.choices(seen, k=200)]
        values = [*seen, *(min(max(value, low), high) for value in [*moved, low, high, 0.0])]
    if feature.nullable:
        values.append(None)
    order = generator.sample(range(len(values)), len(values))
    # Every value at least once, in another order for each feature.
    turns = generator.choices(range(len(values)), k=TRIAL_ROWS)
    return lambda n: values[order[n] if n < len(order) else turns[n]]


def _part(description: Any, contract: Contract) -> Numbers | Category:
    if "numbers" in description:
        names = description["numbers"]
        if any(contract.feature(name).kind == "category" for name in names):
            raise ValueError("a category among numbers")
        return Numbers(names)
    name, unseen = description["category"], description["unseen"]
    if contract.feature(name).kind != "category":
        raise ValueError(f"{name} is not a category")
    seen = {}
    for value, changes in description["seen"].items():
        vector = list(unseen)
        for place, number in changes:
            vector[place] = number
        seen[value] = _bytes(vector)
    return Category(name, unseen, seen)


def _bytes(vector: Sequence[float | None]) -> bytes:
    numbers = [_NAN if number is None else number for number in vector]
    return struct.pack(f"={len(numbers)}f", *numbers)

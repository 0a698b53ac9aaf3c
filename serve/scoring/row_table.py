"""Rows that fit a contract, as columns: a list is checked, scored and journalled column by column."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

Row = dict[str, Any]
#: Values of one field, one for each row; None where it is missing or null.
Column = Sequence[Any]


class Table(Sequence[Row]):
    """Two rows or more as a sequence of dictionaries, and as columns, which cost much less.

    *fields* has the column of every field, and *numbers* as arrays those of numbers and booleans in
    which no value is missing; *lacking* names the fields in which one is. *records* has for each row
    a struct of its features, for the journal.
    """

    def __init__(
        self,
        fields: Mapping[str, Column],
        numbers: Mapping[str, Any],
        lacking: frozenset[str],
        records: Sequence[msgspec.Struct],
    ) -> None:
        self._fields, self._numbers = fields, numbers
        self.lacking, self.records = lacking, records

    def column(self, name: str) -> Column:
        """The values of a field; empty if no row has it."""
        return self._fields.get(name, ())

    def columns(self, names: Sequence[str]) -> dict[str, Column]:
        """The values of features, as arrays where *numbers* has them."""
        return {name: self._numbers.get(name, self._fields[name]) for name in names}

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, place: Any) -> Any:
        return [*self][place]

    def __iter__(self) -> Iterator[Row]:
        names = tuple(self._fields)
        return (dict(zip(names, row, strict=True)) for row in zip(*self._fields.values(), strict=True))

"""The fast way from a request's bytes to rows that fit the contract.

A msgspec struct made from the contract reads and checks in one go. It takes only what it can take
exactly as the authoritative way does (`strict_json.read_json`, `Contract.problems`): whatever is
wrong, or merely unusual, is None here, and goes that way, so there is one set of errors.
"""

from __future__ import annotations

import math
import re
from collections import deque
from collections.abc import Iterable, Sequence
from itertools import repeat
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
from msgspec import UNSET, Meta, UnsetType

from bundles.onnx_core import pack
from contracts.row_contract import MAX_FLOAT32, MAX_TEXT_LENGTH, Contract, Feature, read_time
from serve.scoring.row_table import Column, Row, Table
from serve.scoring.validation import MAX_ID_LENGTH, takes_ids

#: Escapes that the checks here do not handle: of a quote, a backslash, a NUL or a surrogate.
_UNUSUAL = re.compile(rb'\\(?:["\\]|u(?:0000|[dD][89a-fA-F]))')
#: float64, and with it the struct's bounds, represents every whole number up to here.
MAX_EXACT_INTEGER = 2**53
_TEXT = Annotated[str, Meta(min_length=1, max_length=MAX_TEXT_LENGTH)]
_ID = Annotated[str, Meta(min_length=1, max_length=MAX_ID_LENGTH)]


class Decoder:
    """Reads rows that fit *contract*."""

    def __init__(self, contract: Contract) -> None:
        self.contract = contract
        self._takes_ids, self._time = takes_ids(contract), contract.time
        fields = [_field(feature) for feature in contract.features]
        fields += [(name, _TEXT | None | UnsetType, UNSET) for name in (contract.key, contract.time)]
        if self._takes_ids:
            fields.append(("id", _ID | None | UnsetType, UNSET))
        self._names = names = [name for name, *_ in fields]
        # Numbered names, since a field may have the name of an attribute of the struct.
        inside = [f"f{number}" for number in range(len(fields))]
        kind = msgspec.defstruct(
            "Row",
            [(n, *rest) for n, (_, *rest) in zip(inside, fields, strict=True)],  # type: ignore[misc]
            rename=dict(zip(inside, names, strict=True)),
            forbid_unknown_fields=True,
            kw_only=True,
            gc=False,
        )
        self._one = msgspec.json.Decoder(kind)
        self._many = msgspec.json.Decoder(list[kind])  # type: ignore[valid-type]
        numbers = {f.name for f in contract.features if f.kind != "category"}
        self._texts = frozenset(names) - numbers
        self._always = frozenset(f.name for f in contract.features if not f.nullable)

    def rows(self, content: bytes, most: int) -> Table | list[Row] | Row | None:
        """The row, or at most *most* rows, in *content*; None if it needs the full validation.

        Two rows or more are a table.
        """
        if b"\\" in content and _UNUSUAL.search(content):
            return None
        many = content[:1] == b"["
        try:
            found: Any = self._many.decode(content) if many else self._one.decode(content)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
        if not many:
            return self._row(found, content)
        if len(found) > 1:
            return self._table(found, content) if len(found) <= most else None
        rows = [row for each in found if (row := self._row(each, content)) is not None]
        return rows if len(rows) == len(found) else None

    def _row(self, found: msgspec.Struct, content: bytes) -> Row | None:
        """The row *found* in *content*; None if it needs the full validation."""
        row: Row = msgspec.to_builtins(found)  # what is UNSET is left out
        kinds = [*map(type, row.values())]
        id_ = row.get("id") if self._takes_ids else None
        time = row.get(self._time)
        # Two quotes for each name, two for each text: if there are more, a name is there twice, of
        # which the struct keeps the last.
        usual = (
            content.count(b'"') == 2 * (len(kinds) + kinds.count(str))
            and (id_ is None or id_.isprintable())
            and (time is None or read_time(time) is not None)
        )
        return row if usual else None

    def _table(self, found: Sequence[msgspec.Struct], content: bytes) -> Table | None:
        """The rows *found* in *content* as a table; None if they need the full validation."""
        # Short-lived tuples cost the garbage collector nothing.
        values: list[Any] = []
        _run(map(values.extend, map(msgspec.structs.astuple, found)))
        fields: dict[str, Column] = {}
        numbers: dict[str, Any] = {}
        lacking: set[str] = set()
        names, strings = len(values), 0
        for place, name in enumerate(self._names):
            column = values[place :: len(self._names)]
            text, feature = name in self._texts, place < len(self.contract.features)
            packed = None if text else pack(column)
            absent = null = 0
            if packed is not None:
                numbers[name] = packed
            elif name not in self._always:
                absent = column.count(UNSET)
                null = column.count(None) if absent < len(column) else 0
            names -= absent
            strings += len(column) - absent - null if text else 0
            if absent or null:
                lacking.add(name)
            # The journal stores the structs: every feature, with null for a missing value, and nothing else.
            if not feature and absent == len(column):
                continue
            if absent:
                column = [None if value is UNSET else value for value in column]
            if absent or not feature:
                _set(found, f"f{place}", column if feature else repeat(UNSET))
            fields[name] = column
        if _quotes(content) != 2 * (names + strings):
            return None
        table = Table(fields, numbers, frozenset(lacking), found)
        ids = [*filter(None, table.column("id"))] if self._takes_ids else []
        times = filter(None, {*table.column(self._time)})
        usual = len(set(ids)) == len(ids) and all(map(str.isprintable, ids)) and None not in map(read_time, times)
        return table if usual else None


def _set(rows: Iterable[msgspec.Struct], field: str, values: Iterable[Any]) -> None:
    _run(map(setattr, rows, repeat(field), values))


def _run(steps: Iterable[Any]) -> None:
    deque(steps, maxlen=0)  # a loop without a step of Python


def _quotes(content: bytes) -> int:
    return int(np.count_nonzero(np.frombuffer(content, np.uint8) == ord('"')))


def decoder(contract: Contract) -> Decoder | None:
    """The decoder of *contract*; None if a struct cannot express it."""
    try:
        return Decoder(contract)
    except (TypeError, ValueError, OverflowError):
        return None


def _field(feature: Feature) -> tuple[Any, ...]:
    kind: Any = bool
    if feature.kind == "number":
        kind = _number(feature)
    elif feature.kind == "category":
        kind = Literal[feature.choices] if feature.choices else _TEXT
    if feature.nullable:
        return feature.name, kind | None | UnsetType, UNSET
    return feature.name, kind


def _number(feature: Feature) -> Any:
    low = -MAX_FLOAT32 if feature.minimum is None else feature.minimum
    high = MAX_FLOAT32 if feature.maximum is None else feature.maximum
    if not all(isinstance(bound, float) or abs(bound) <= MAX_EXACT_INTEGER for bound in (low, high)):
        raise ValueError("a bound that no float64 holds")
    broken: Any = Annotated[float, Meta(ge=max(float(low), -MAX_FLOAT32), le=min(float(high), MAX_FLOAT32))]
    least, most = max(math.ceil(low), -MAX_EXACT_INTEGER), min(math.floor(high), MAX_EXACT_INTEGER)
    # A whole number stays an integer, so that the journal has what was sent.
    return Annotated[int, Meta(ge=least, le=most)] | broken if least <= most else broken

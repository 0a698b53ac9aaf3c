"""The fast way from a request's bytes to rows that fit the contract.

A msgspec struct made from the contract reads and checks in one go. It takes only what it can take
exactly as the authoritative way does (`strict_json.read_json`, `Contract.problems`): whatever is
wrong, or merely unusual, is None here, and goes that way, so there is one set of errors.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import chain
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from model.contract import LARGEST, LONGEST, Contract, Feature, read_time
from serve.scoring import LONGEST_ID, takes_ids

Row = dict[str, Any]
#: Up to here a float64 holds every whole number, and so do the struct's bounds.
WHOLE = 2**53
_TEXT = Annotated[str, Meta(min_length=1, max_length=LONGEST)]
_ID = Annotated[str, Meta(min_length=1, max_length=LONGEST_ID)]


class Decoder:
    """Reads the rows of one contract; `contract` is the one that they fit."""

    def __init__(self, contract: Contract) -> None:
        self.contract = contract
        self._takes_ids, self._time = takes_ids(contract), contract.time
        fields = [_field(feature) for feature in contract.features]
        fields += [
            (name, _TEXT | None | UnsetType, UNSET) for name in (contract.key, contract.time)
        ]
        if self._takes_ids:
            fields.append(("id", _ID | None | UnsetType, UNSET))
        names = [name for name, *_ in fields]
        # Named by number, lest a field be called as something of the struct's own.
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

    def rows(self, content: bytes, most: int) -> list[Row] | Row | None:
        """The row, or at most *most* rows, in *content*; None if only the other way can tell."""
        if b"\\" in content:
            return None  # an escape may hide what the struct does not look for, such as a NUL
        many = content[:1] == b"["
        try:
            found = self._many.decode(content) if many else self._one.decode(content)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
        told: list[Row] | Row = msgspec.to_builtins(found)  # what is UNSET is left out
        rows: list[Row] = told if isinstance(told, list) else [told]
        kinds = [*map(type, chain.from_iterable(map(dict.values, rows)))]
        # Two quotes for each name, two for each text: if there are more, some name is there twice,
        # of which the struct keeps the last in silence.
        pairs = len(kinds) + kinds.count(str)
        if len(rows) > most or content.count(b'"') != 2 * pairs or not self._usual(rows):
            return None
        return told

    def _usual(self, rows: Sequence[Row]) -> bool:
        """Whether ids are printable and each its own, and times are times."""
        if self._takes_ids:
            ids = [id_ for row in rows if (id_ := row.get("id"))]
            if ids and (len(set(ids)) != len(ids) or not all(map(str.isprintable, ids))):
                return False
        name = self._time
        times = [time for row in rows if (time := row.get(name)) is not None]
        return not times or None not in map(read_time, times)


def decoder(contract: Contract) -> Decoder | None:
    """The decoder of *contract*; None if the struct cannot say what it says."""
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
    low = -LARGEST if feature.minimum is None else feature.minimum
    high = LARGEST if feature.maximum is None else feature.maximum
    if not all(isinstance(bound, float) or abs(bound) <= WHOLE for bound in (low, high)):
        raise ValueError("a bound that no float64 holds")
    broken: Any = Annotated[float, Meta(ge=max(float(low), -LARGEST), le=min(float(high), LARGEST))]
    least, most = max(math.ceil(low), -WHOLE), min(math.floor(high), WHOLE)
    # A whole number stays one, so that the journal says what was sent.
    return Annotated[int, Meta(ge=least, le=most)] | broken if least <= most else broken

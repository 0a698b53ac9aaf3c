"""Rows from columns, as data frames, tables and tensors have them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from contracts.row_contract import Contract, Feature


class Fields:
    """What rows may hold that a variant reads: *contracts* are those of all variants, the champion's first."""

    def __init__(self, contracts: Sequence[Contract]) -> None:
        self.contract = contracts[0]
        #: Where variants declare a feature differently, the champion's contract is used.
        self.features: Mapping[str, Feature] = {
            feature.name: feature for contract in reversed(contracts) for feature in contract.features
        }
        first = self.contract
        self._names = {*self.features, first.key, first.time, first.target.name, "id"}

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def rows(self, columns: Mapping[str, Sequence[Any]], count: int) -> list[Mapping[str, Any]]:
        """The *count* rows of *columns*.

        What no variant reads is in the first row alone: its name may be a misspelling, which is said
        once, and its values would be most of the memory that a request takes.
        """
        kept = {name: values for name, values in columns.items() if name in self._names}
        rows = [dict(zip(kept, row, strict=True)) for row in zip(*kept.values(), strict=True)]
        rows = rows or [{} for _ in range(count)]
        if count:
            rows[0] |= {name: values[0] for name, values in columns.items() if name not in kept}
        return [*rows]

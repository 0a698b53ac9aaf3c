"""What rows lack: missing values, and categories that training did not see, counted by feature."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from serve.table import Table

Counts = Mapping[str, int]
Known = Iterable[tuple[str, frozenset[str | None]]]


def gaps(
    rows: Table | Sequence[Mapping[str, Any]], names: Sequence[str], known: Known
) -> tuple[Counts, Counts]:
    """Of the features *names* in *rows*: how many values are missing, and how many are unseen.

    *known* has the values of each category that are not: those of training, and None.
    """
    missing: Counts = {}
    unseen: dict[str, int] = {}
    if type(rows) is Table:
        missing = {name: rows.column(name).count(None) for name in names if name in rows.lacking}
    elif lacking := [row for row in rows if None in row.values()]:
        missing = Counter(n for row in lacking for n, value in row.items() if value is None)
    for name, values in known:
        column = rows.column(name) if type(rows) is Table else [row.get(name) for row in rows]
        if not values.issuperset(column):
            unseen[name] = sum(value not in values for value in column)
    return missing, unseen

"""Missing values and unseen categories in rows, counted by feature."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from serve.scoring.row_table import Table

Counts = Mapping[str, int]


def gaps(
    rows: Table | Sequence[Mapping[str, Any]], names: Sequence[str], known: Iterable[tuple[str, frozenset[str | None]]]
) -> tuple[Counts, Counts]:
    """How many values of the features *names* are missing in *rows*, and how many are unseen categories.

    *known* has each category with its values in training, and None.
    """
    table = rows if type(rows) is Table else None
    if table:
        missing = {n: table.column(n).count(None) for n in names if n in table.lacking}
    else:
        lacking = [row for row in rows if None in row.values()]
        missing = Counter(n for row in lacking for n, value in row.items() if value is None)
    unseen = {}
    for name, values in known:
        column = table.column(name) if table else [row.get(name) for row in rows]
        if not values.issuperset(column):
            unseen[name] = sum(value not in values for value in column)
    return missing, unseen

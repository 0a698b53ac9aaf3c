"""Looks up texts in a column of known ones: exact, and quick for many.

A text becomes a number of eight bytes, and texts whose numbers are equal are compared. Unlike Arrow's `index_in` or a
join, the table of known texts is built once for many columns. Columns that are no Arrow array, or have long or
missing texts, are compared by pandas.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

Numbers = np.ndarray[Any, Any]
#: Texts of more bytes are not made numbers of.
LONGEST = 64
#: Odd, and its bits look random (Steele, Lea and Flood, 2014: SplitMix).
FACTOR, SHIFT = np.uint64(0x9E3779B97F4A7C15), np.uint64(29)


def only(column: pd.Series[Any]) -> pd.Series[Any]:
    """What is text in a *column*; the rest is missing."""
    if isinstance(column.dtype, pd.StringDtype):
        return column
    return column.map(lambda told: told if isinstance(told, str) else None)


class Among:
    """Looks up texts among *known* ones, each of which is there once."""

    def __init__(self, known: pd.Series[str]) -> None:
        self._known = known
        numbers = _numbers(known)
        index = None if numbers is None else pd.Index(numbers)
        self._index = index if index is not None and index.is_unique else None

    def __call__(self, column: pd.Series[str]) -> Numbers:
        """The place of each text of a *column* among those that are known, (n,); -1 if it is not."""
        numbers = None if self._index is None else _numbers(column)
        if self._index is not None and numbers is not None:
            place: Numbers = self._index.get_indexer(numbers)
            there = place >= 0
            if _equal(self._known.iloc[place[there]], column[there]):
                return place
        codes, _ = pd.factorize(pd.concat([self._known, column], ignore_index=True))
        place = codes[len(self._known) :]
        return np.where(place < len(self._known), place, -1)


def _equal(some: pd.Series[str], others: pd.Series[str]) -> bool:
    return bool((some.array == others.array).all())


def _numbers(column: pd.Series[str]) -> Numbers | None:
    """A number for each text, the same for the same, (n,); None where that would not be quick."""
    if not isinstance(column.dtype, pd.StringDtype) or column.dtype.storage != "pyarrow":
        return None
    array = column.array.__arrow_array__().combine_chunks()
    if array.null_count or not len(array):
        return None
    wide = np.int64 if str(array.type).startswith("large") else np.int32
    _, edges, texts = (buffer and np.frombuffer(buffer, dtype=np.uint8) for buffer in array.buffers())
    edges = edges.view(wide)[array.offset :][: len(array) + 1]
    sizes = np.diff(edges)
    longest = int(sizes.max())
    if not 0 < longest <= LONGEST:
        return None
    words = -(-longest // 8)
    padded = np.zeros((len(array), 8 * words), dtype=np.uint8)
    mine = texts[edges[0] : edges[-1]]
    if sizes.min() == longest:
        padded[:, :longest] = mine.reshape(len(array), longest)
    else:
        padded[np.arange(8 * words) < sizes[:, None]] = mine
    found = sizes.astype(np.uint64)
    for place, word in enumerate(padded.view("<u8").T):
        more = (found ^ word) * FACTOR
        found = np.where(sizes > 8 * place, more ^ (more >> SHIFT), found)
    return found

"""Earlier rows: the extents in the candidate's manifest, and the rows of the champion's evidence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from contracts.row_contract import Contract


def categories_in(rows: pd.DataFrame, contract: Contract) -> dict[str, frozenset[str]]:
    """feature -> its categories in *rows*; features that the rows lack are left out."""
    names = [each.name for each in contract.features if each.kind == "category" and each.name in rows]
    return {name: frozenset(rows[name].dropna().unique()) for name in names}


def has_known(rows: pd.DataFrame, known: Mapping[str, frozenset[str]]) -> Any:
    """Which *rows* have only *known* categories, or none: (n,)."""
    found = np.ones(len(rows), dtype=bool)
    for name, values in known.items():
        found &= (rows[name].isin(values) | rows[name].isna()).to_numpy()
    return found


@dataclass(frozen=True)
class Past:
    """*extents* (of "train" and "holdout": rows, start, end) and *window* are the manifest's.

    Where outcomes come late, "newest" are the rows up to the window's end, and "later" those after the holdout; the
    others end where outcomes are known.

    *before* are the rows of the champion's evidence, None without it; *both* those that the candidate's evidence has as
    well (same key and time; the champion's columns end in `_before`), of about *expected*.
    """

    extents: Mapping[str, Mapping[str, Any]]
    window: tuple[str, str]
    before: pd.DataFrame | None = None
    both: pd.DataFrame = field(default_factory=pd.DataFrame)
    expected: float = 0.0


def past(
    contract: Contract, data: Mapping[str, Any], parts: Mapping[str, pd.DataFrame], before: pd.DataFrame | None
) -> Past:
    """The past of *parts* ("train", "holdout"), which the manifest describes as *data*.

    Where the evidence is a sample of the rows, fewer are expected in both.
    """
    extents = {part: data[part] for part in (*parts, "newest", "later") if part in data}
    window = (str(data["window"][0]), str(data["window"][1]))
    names = [contract.key, contract.time]
    if before is None or not set(names) <= set(before):
        return Past(extents, window)
    theirs = before.drop_duplicates(names, keep=False)
    expected = 0.0
    for part, rows in parts.items():
        start, end = (pd.Timestamp(data[part][each]) for each in ("start", "end"))
        within = (theirs[contract.time] >= start) & (theirs[contract.time] <= end)
        expected += int(within.sum()) * min(1.0, len(rows) / data[part]["rows"])
    ours = pd.concat([rows.drop_duplicates(names, keep=False) for rows in parts.values()])
    both = ours.merge(theirs, on=names, suffixes=("", "_before"))
    return Past(extents, window, before, both, expected)

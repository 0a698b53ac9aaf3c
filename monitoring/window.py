"""Journal and outcomes -> one frame of rows per version, shaped like a bundle's evidence.

What a crash tore, what came twice, what belongs to nothing is counted and said, and never stops the
watch. An answer whose outcome is not known yet has no label: it is never taken for a negative.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from model.contract import Contract


class JournalError(Exception):
    """The journal cannot be read. The message says where it was looked for."""


@dataclass(frozen=True)
class Window:
    """The rows that one version answered, oldest first, and what was odd about the journal.

    Columns: the contract's key, time and features (private ones only if they were kept), the target
    encoded (NaN without an outcome), `score` or `score_0` … `score_{k-1}`.
    """

    rows: pd.DataFrame
    oddities: tuple[str, ...]


def read_window(
    folder: Path, contract: Contract, version: str, days: int, until: pd.Timestamp | None = None
) -> Window:
    """The last *days* days of rows (by the rows' own time) that *version* answered.

    They end with the newest row, or at *until*. Raises `JournalError` if there is no journal.
    """
    if not folder.is_dir():
        raise JournalError(f"there is no journal at {folder}; the scorer's --journal names it")
    odd: Counter[str] = Counter()
    outcomes = _outcomes(folder, contract, odd)
    answers = _answers(folder, odd)
    unmatched = len(outcomes.keys() - answers.keys())
    if unmatched:
        odd["outcomes of answers that are not in the journal"] = unmatched
    mine = {id_: line for id_, line in answers.items() if line["version"] == version}
    rows = _frame(mine, outcomes, contract)
    end = rows[contract.time].max() if until is None else until
    if len(rows):
        at = rows[contract.time]
        rows = rows[(at <= end) & (at > end - pd.Timedelta(days=days))].reset_index(drop=True)
    return Window(rows, tuple(f"{count:,} {what}" for what, count in odd.items()))


def _outcomes(folder: Path, contract: Contract, odd: Counter[str]) -> dict[str, float]:
    found: dict[str, float] = {}
    for line in _lines(folder, "outcomes", odd):
        if "id" not in line or contract.target.problem(line.get("outcome")):
            odd["outcomes that do not fit the contract"] += 1
        elif line["id"] in found:
            odd["outcomes told again (the first stands)"] += 1
        else:
            found[line["id"]] = contract.target.encode(line["outcome"])
    return found


def _answers(folder: Path, odd: Counter[str]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for line in _lines(folder, "answers", odd):
        if not line.keys() >= {"id", "version", "time", "row", "score"}:
            odd["answers that lack something"] += 1
        elif line["id"] in found:
            odd["answers whose id came before (the first stands)"] += 1
        else:
            found[line["id"]] = line
    return found


def full_days(rows: pd.DataFrame, time: str, least: int) -> tuple[pd.DataFrame, list[str]]:
    """The rows of days that can be judged, and the days that cannot.

    A day needs *least* rows; the first and the last, which may be cut, half of the median day's too.
    """
    if rows.empty:
        return rows, []
    day = rows[time].dt.strftime("%Y-%m-%d")
    sizes = day.value_counts().sort_index()
    whole = sizes >= least
    whole.iloc[[0, -1]] &= sizes.iloc[[0, -1]] >= sizes.median() / 2
    return rows[day.isin(sizes[whole].index)], sizes[~whole].index.tolist()


def _frame(
    answers: Mapping[str, Mapping[str, Any]], outcomes: Mapping[str, float], contract: Contract
) -> pd.DataFrame:
    lines = list(answers.values())
    columns: dict[str, Any] = {
        contract.key: [line.get("key") for line in lines],
        contract.time: pd.to_datetime([line["time"] for line in lines], utc=True, format="ISO8601"),
    }
    kept = [f for f in contract.features if any(f.name in line["row"] for line in lines)]
    for feature in kept:
        values = [line["row"].get(feature.name) for line in lines]
        columns[feature.name] = pd.array(values, dtype=_dtype(feature.kind))
    columns[contract.target.name] = [outcomes.get(id_, np.nan) for id_ in answers]
    scores = [line["score"] for line in lines]
    if contract.task == "multiclass":
        for i in range(len(contract.target.classes)):
            columns[f"score_{i}"] = np.array([score[i] for score in scores], dtype=float)
    else:
        columns["score"] = np.array(scores, dtype=float)
    return pd.DataFrame(columns).sort_values(contract.time, ignore_index=True, kind="stable")


def _dtype(kind: str) -> Any:
    return {"number": "float64", "category": "object", "boolean": "boolean"}[kind]


def _lines(folder: Path, kind: str, odd: Counter[str]) -> Iterator[dict[str, Any]]:
    for path in sorted(folder.glob(f"{kind}-*.jsonl")):
        yield from _parsed(path.read_bytes().splitlines(), kind, odd)


def _parsed(lines: Iterable[bytes], kind: str, odd: Counter[str]) -> Iterator[dict[str, Any]]:
    for line in lines:
        if not line:
            continue
        try:
            found = json.loads(line)
        except ValueError:
            found = None
        if isinstance(found, dict):
            yield found
        else:
            odd[f"lines of {kind} that are torn"] += 1

"""Lines of the journal -> typed rows, in Python: open segments, lines that fit no columns, times in rare formats.

These are few, whatever the traffic; `queries` reads the rest.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pandas as pd

from contracts.row_contract import Contract, read_time
from monitoring.journal.queries import hash_of, scores_of

Line = dict[str, Any]
#: The fields that each answer must have.
ANSWER: dict[str, Any] = {"id": str, "version": str, "time": str, "row": dict, "score": (int, float, list)}
#: What is reported of lines with an id that came before.
REPEATED_ANSWERS = "answers with the id of an earlier one (the first counts)"
REPEATED_OUTCOMES = "outcomes for an id that had one (the first counts)"
_DTYPES = {"number": "float64", "category": "object", "boolean": "boolean"}


def answers(lines: Iterable[Line | None], contract: Contract, version: str, odd: Counter[str]) -> pd.DataFrame:
    """The answers in *lines*, with the columns of `queries.typed`; *odd* counts the lines that are left out."""
    found = []
    for line in complete_lines(lines, "answers", odd):
        if any(not isinstance(line.get(name), kind) for name, kind in ANSWER.items()):
            odd["answers that lack something"] += 1
        else:
            found.append(line)
    mine = [version in ("", line["version"]) for line in found]
    fits = [own and _fits(line, contract) for line, own in zip(found, mine, strict=True)]
    rows = [line["row"] if fit else {} for line, fit in zip(found, fits, strict=True)]
    columns: dict[str, Any] = {
        "id": _texts(line["id"] for line in found),
        "hash": _texts(hash_of(line["id"]) for line in found),
        "at": _texts(line.get("at") for line in found),
        "version": _texts(line["version"] for line in found),
        "key": _texts(line.get("key") for line in found),
        "time": pd.Series(pd.to_datetime([read_time(line["time"]) for line in found], utc=True)).astype(
            "datetime64[us, UTC]"
        ),
        "mine": pd.array(mine, dtype="bool"),
        "fits": pd.array(fits, dtype="bool"),
    }
    for feature in contract.features:
        values = [row.get(feature.name) for row in rows]
        columns[feature.name] = pd.array(values, dtype=_DTYPES[feature.kind])
    for i, name in enumerate(scores_of(contract)):
        scores = [line.get("plain", line["score"]) if fit else None for line, fit in zip(found, fits, strict=True)]
        each = [score[i] if isinstance(score, list) else score for score in scores]
        columns[name] = pd.array(each, dtype="float64")
    return pd.DataFrame(columns)


def outcomes(lines: Iterable[Line | None], contract: Contract, odd: Counter[str]) -> pd.DataFrame:
    """The outcomes in *lines*: id, hash, value and arrival time ("at"); *odd* counts the lines that are left out."""
    found = []
    for line in complete_lines(lines, "outcomes", odd):
        if not isinstance(line.get("id"), str) or contract.target.problem(line.get("outcome")):
            odd["outcomes that do not fit the contract"] += 1
        else:
            at, value = line.get("at"), contract.target.encode(line["outcome"])
            found.append((line["id"], hash_of(line["id"]), value, at if isinstance(at, str) else None))
    frame = pd.DataFrame(found, columns=["id", "hash", "value", "at"])
    return frame.astype({"id": object, "hash": object, "value": float, "at": object})


def complete_lines(lines: Iterable[Line | None], kind: str, odd: Counter[str]) -> Iterator[Line]:
    """The lines that are complete; *odd* counts the others."""
    for line in lines:
        if line is not None:
            yield line
        else:
            odd[f"lines of {kind} that are torn"] += 1


def line_of(record: Mapping[str, Any]) -> Line:
    """A line from a *record* of columns; a null is a field that the line did not have."""
    fields = {name: value for name, value in record.items() if value is not None}
    row = {name[4:]: value for name, value in fields.items() if name.startswith("row.")}
    return {name: value for name, value in fields.items() if not name.startswith("row.")} | {"row": row}


def _texts(values: Iterable[Any]) -> pd.Series[Any]:
    return pd.Series([each if isinstance(each, str) else None for each in values], dtype=object)


def _fits(line: Mapping[str, Any], contract: Contract) -> bool:
    """Whether an answer fits the contract; only a line that was edited does not."""
    row, score = line["row"], line.get("plain", line["score"])
    many = contract.task == "multiclass"
    numbers = score if isinstance(score, list) else [score]
    return (
        isinstance(score, list) == many
        and len(numbers) == (len(contract.target.classes) if many else 1)
        and all(isinstance(n, (int, float)) and math.isfinite(n) for n in numbers)
        and read_time(line["time"]) is not None
        and not any(f.name in row and f.problem(row[f.name]) for f in contract.features)
    )

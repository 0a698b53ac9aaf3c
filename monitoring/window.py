"""Journal and outcomes -> one frame of rows per version, shaped like a bundle's evidence.

What a crash tore, what came twice, what belongs to nothing is counted and said, and never stops the
watch. An answer whose outcome is not known yet has no label: it is never taken for a negative.

Of a journal that was put away by the day, the newest days are read, back to where the window begins.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from model.contract import Contract, read_time
from monitoring.partitions import Folder, Part, Place, lines, parts

#: What each answer must have.
_ANSWER: dict[str, Any] = {
    "id": str,
    "version": str,
    "time": str,
    "row": dict,
    "score": (int, float, list),
}


class JournalError(Exception):
    """The journal cannot be read. The message says where it was looked for."""


class EvidenceError(Exception):
    """A bundle's evidence cannot be read. The message names the file and what is wrong."""


@dataclass(frozen=True)
class Window:
    """The rows that one version answered, oldest first, and what was odd about the journal.

    Columns: the contract's key, time and features (private ones only if they were kept), the target
    encoded (NaN without an outcome), `score` or `score_0` … `score_{k-1}`. *answered* is when the
    newest answer of this version was given, by the scorer's clock; "" if none was.
    """

    rows: pd.DataFrame
    oddities: tuple[str, ...]
    answered: str = ""


def read_window(
    journal: Path | Place,
    contract: Contract,
    version: str,
    days: int,
    until: pd.Timestamp | None = None,
    least: int = 1,
) -> Window:
    """The last *days* days of rows (by the rows' own time) that *version* answered.

    They end before *until*, with the newest day that has *least* rows: the website says what a row's
    time is, and one that says 2113 must not hide the present. Raises `JournalError` if there is no
    journal.
    """
    if isinstance(journal, Path) and not journal.is_dir():
        raise JournalError(f"there is no journal at {journal}; the scorer's --journal names it")
    place = Folder(journal) if isinstance(journal, Path) else journal
    odd: Counter[str] = Counter()
    try:
        found = parts(place, "answers")
        read = _back(place, found, contract, version, _Asked(days, until, least))
        answers = _answers([line for part in found for line in read.get(part, ())], odd)
        oldest = min((part.day for part in read if part.day), default="")
        whole = len(read) == len(found)
        told = [
            line
            for part in parts(place, "outcomes")
            if whole or not part.day or part.day >= oldest
            for line in lines(place, part, ("id", "outcome"))
        ]
    except OSError as error:
        raise JournalError(f"the journal cannot be read: {error}") from error
    outcomes = _outcomes(told, contract, odd)
    unmatched = len(outcomes.keys() - answers.keys())
    if unmatched and whole:  # else they may be of days that are not looked at
        odd["outcomes of answers that are not in the journal"] = unmatched
    mine = {id_: line for id_, line in answers.items() if line["version"] == version}
    fitting = {id_: line for id_, line in mine.items() if _fits(line, contract)}
    if len(fitting) < len(mine):
        odd["answers that do not fit the contract"] = len(mine) - len(fitting)
    rows = _frame(fitting, outcomes, contract)
    if until is not None:
        rows = rows[rows[contract.time] < until]
    end = _end(rows[contract.time], least)
    if end is not None:
        at = rows[contract.time]
        if (at > end).any():
            odd["rows of later days, too few to judge"] = int((at > end).sum())
        rows = rows[(at <= end) & (at > end - pd.Timedelta(days=days))]
    said = [f"{count:,} {what}" for what, count in odd.items()]
    hidden = [f.name for f in contract.features if f.name not in rows]
    if hidden:
        said.append(f"private, so not in the journal and not watched: {', '.join(hidden)}")
    answered = max((str(line.get("at") or "") for line in mine.values()), default="")
    return Window(rows.reset_index(drop=True), tuple(said), answered)


def read_reference(bundle: Path, contract: Contract) -> pd.DataFrame:
    """The rows that the model in the folder *bundle* was judged with, as in a `Window`.

    Raises `EvidenceError` if they cannot be read, or lack a column.
    """
    path = bundle / "evidence" / "holdout.parquet"
    try:
        rows = pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise EvidenceError(f"{bundle.name}: {path.name} cannot be read: {error}") from error
    lacking = {contract.time, contract.target.name, *contract.feature_names} - {*rows.columns}
    if lacking:
        raise EvidenceError(f"{bundle.name}: {path.name} lacks {', '.join(sorted(lacking))}")
    return rows


def _end(at: pd.Series[Any], least: int) -> pd.Timestamp | None:
    """The newest time of the newest day with *least* rows; the newest of all if no day has."""
    if at.empty:
        return None
    day = at.dt.floor("D")
    sizes = day.value_counts()
    full = sizes[sizes >= least].index
    return at[day == full.max()].max() if len(full) else at.max()


@dataclass(frozen=True)
class _Asked:
    """Which rows are wanted: *days* days of them, before *until*, of days with *least* rows."""

    days: int
    until: pd.Timestamp | None
    least: int


def _back(
    place: Place, found: Sequence[Part], contract: Contract, version: str, asked: _Asked
) -> dict[Part, list[dict[str, Any] | None]]:
    """The lines of answers that are needed, from the newest day back to where the window begins.

    A day's file has the rows that were answered then, which may be about another day: as far ahead
    as rows were seen to be, so much further back is read.
    """
    names = (*_ANSWER, "at", "key", *(f"row.{name}" for name in contract.feature_names))
    sizes: Counter[date] = Counter()
    read: dict[Part, list[dict[str, Any] | None]] = {}
    ahead = 0
    until = asked.until.date() if asked.until is not None else date.max
    for day in sorted({part.day for part in found}, key=lambda day: day or "9", reverse=True):
        full = [each for each, size in sizes.items() if size >= asked.least and each < until]
        if day and full:
            first = max(full).toordinal() - asked.days - 1  # one more, for clocks that differ
            if date.fromisoformat(day).toordinal() + ahead < first:
                break
        for part in found:
            if part.day != day:
                continue
            read[part] = list(lines(place, part, names))
            for at, answered in _times(read[part], version):
                sizes[at] += 1
                ahead = max(ahead, at.toordinal() - answered)
    return read


def _times(found: Collection[dict[str, Any] | None], version: str) -> Iterator[tuple[date, int]]:
    """The day of each row of *version*, and the day that it was answered on (0 if unknown)."""
    for line in found:
        if line and line.get("version") == version and isinstance(line.get("time"), str):
            at, answered = read_time(line["time"]), str(line.get("at"))[:10]
            if at:
                known = re.fullmatch(r"\d{4}-\d\d-\d\d", answered) and read_time(answered)
                yield at.date(), known.toordinal() if known else 0


def _outcomes(
    lines: Sequence[dict[str, Any] | None], contract: Contract, odd: Counter[str]
) -> dict[str, float]:
    found: dict[str, float] = {}
    for line in _untorn(lines, "outcomes", odd):
        if not isinstance(line.get("id"), str) or contract.target.problem(line.get("outcome")):
            odd["outcomes that do not fit the contract"] += 1
        elif line["id"] in found:
            odd["outcomes told again (the first stands)"] += 1
        else:
            found[line["id"]] = contract.target.encode(line["outcome"])
    return found


def _answers(
    lines: Sequence[dict[str, Any] | None], odd: Counter[str]
) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for line in _untorn(lines, "answers", odd):
        if any(not isinstance(line.get(name), kind) for name, kind in _ANSWER.items()):
            odd["answers that lack something"] += 1
        elif line["id"] in found:
            odd["answers whose id came before (the first stands)"] += 1
        else:
            found[line["id"]] = line
    return found


def _fits(line: Mapping[str, Any], contract: Contract) -> bool:
    """Whether an answer can be a row: the scorer writes none that cannot, a person may."""
    row, score = line["row"], line["score"]
    many = contract.task == "multiclass"
    numbers = score if isinstance(score, list) else [score]
    return (
        isinstance(score, list) == many
        and len(numbers) == (len(contract.target.classes) if many else 1)
        and all(isinstance(n, (int, float)) and math.isfinite(n) for n in numbers)
        and read_time(line["time"]) is not None
        and not any(f.name in row and f.problem(row[f.name]) for f in contract.features)
    )


def days_of(rows: pd.DataFrame, time: str) -> Any:
    """The day of each row by the column *time*, such as 2026-11-23."""
    return rows[time].dt.strftime("%Y-%m-%d")


def full_days(rows: pd.DataFrame, time: str, least: int) -> tuple[pd.DataFrame, list[str]]:
    """The rows of days that can be judged, and the days that cannot.

    A day needs *least* rows; the first and the last, which may be cut, half of the median day's too.
    """
    if rows.empty:
        return rows, []
    day = days_of(rows, time)
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
        contract.time: pd.to_datetime([read_time(line["time"]) for line in lines], utc=True),
    }
    # A feature that the website no longer sends is missing everywhere, which the watch must see.
    private = set(contract.private)
    kept = [
        f
        for f in contract.features
        if f.name not in private or any(f.name in line["row"] for line in lines)
    ]
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


def _untorn(
    lines: Sequence[dict[str, Any] | None], kind: str, odd: Counter[str]
) -> Iterator[dict[str, Any]]:
    for line in lines:
        if line is not None:
            yield line
        else:
            odd[f"lines of {kind} that are torn"] += 1

"""Training data: load a recipe's window, check it against the contract, split it by time."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from contracts.row_contract import Contract, ContractError, Problem, show
from model.declarations import Declared
from model.label_delay.known_outcomes import as_of, lost_outcomes, wrong_outcome_times
from model.loaded_columns import plain, read_times, reading, remedy, settled
from model.notices import NAIVE, without_zone

#: How many other columns a message names where one is missing.
MAX_SPARE = 8
NOWHERE = Declared()


class DataError(ValueError):
    """A recipe's rows cannot be trained on. The message lists all problems."""


@dataclass(frozen=True)
class Split:
    """Training rows, and the holdout of later rows."""

    train: pd.DataFrame
    holdout: pd.DataFrame


def check(
    rows: pd.DataFrame,
    contract: Contract,
    start: datetime,
    end: datetime,
    where: Declared = NOWHERE,
    known_by: datetime | None = None,
) -> pd.DataFrame:
    """The rows with the contract's columns, sorted by time; missing values are None or NaN.

    So are outcomes that become known later than *known_by*, by default *end*, where the contract says when one is known.

    Raises an error that lists all problems, each with the place *where* its field is declared: `DataError` for missing
    or duplicate columns and empty tables, else `ContractError`.
    """
    if not isinstance(rows, pd.DataFrame):
        raise DataError(f"{where.at('load()')}load returned {type(rows).__name__}; expected a pandas DataFrame")
    fields = [feature.name for feature in contract.columns]
    target = contract.target
    late = [target.known_at] if target.known_at else []
    wanted = [contract.key, contract.time, *fields, target.name, *late]
    columns = list(_wrong_columns(wanted, rows))
    if not len(rows):
        none = (
            f"{where.at('window()')}load() returned no rows from {start:%Y-%m-%d} to {end:%Y-%m-%d}:"
            " nothing to train on; look at the source, or at the recipe's window()"
        )
        lines = [where.at(name) + line for name, line in columns] if len(rows.columns) else []
        raise DataError("\n".join([none, *([_listed(lines)] if lines else [])]))
    wrong = {name for name, _ in columns}
    rows = settled(rows[[n for n in wanted if n not in wrong]].reset_index(drop=True), contract)
    problem: dict[str, Any] = {each.name: each.problem for each in contract.columns}
    problem[target.name] = target.problem
    if target.comes_late:
        problem[target.name] = lambda value: None if value is None else target.problem(value)

    def wrong_in(name: str) -> list[str]:
        with reading(name):
            if name == contract.time:
                return list(_wrong_times(rows[name], start, end))
            if name == contract.key:
                return list(_wrong_keys(rows[name], contract))
            if name == target.known_at:
                return list(wrong_outcome_times(rows, contract, known_by or end))
            lost = (
                lost_outcomes(rows, contract, known_by or end) if name == target.name and contract.time in rows else ()
            )
            return [*_wrong_values(rows[name], problem[name], contract), *lost]

    values = [(name, line) for name in rows for line in wrong_in(name)]
    if columns or values:
        what = f"{len(rows):,} rows do not fit the contract {contract.name!r}"
        lines = [where.at(name) + line for name, line in (*columns, *values)]
        raise DataError(what + ":\n" + _listed(lines)) if columns else ContractError(what, lines)
    rows = rows.assign(**{name: pd.to_datetime(rows[name], utc=True) for name in (contract.time, *late)})
    rows = rows.sort_values([contract.time, contract.key], kind="stable", ignore_index=True)
    return as_of(rows, contract, known_by or end) if target.comes_late else rows


def split_by_time(
    rows: pd.DataFrame, contract: Contract, holdout: timedelta | None, where: Declared = NOWHERE
) -> Split:
    """Split off the out-of-time holdout: the last *holdout* of the rows' time (by default the last fifth of the rows).

    All holdout rows are later than all training rows. Raises `DataError` if a part is empty or lacks a class.
    """
    at, cut = rows[contract.time], cut_at(rows, contract, holdout)
    early, late = rows[at < cut], rows[at >= cut]
    problems = []
    for name, part in (("to train on", early), ("for the holdout", late)):
        present = {str(label) for label in part[contract.target.name].unique()}
        lacking = [str(label) for label in contract.target.classes if str(label) not in present]
        if part.empty:
            problems.append(
                f"{where.at('window()')}no rows {name}: the data runs from {at.iloc[0]} to"
                f" {at.iloc[-1]}; write a longer window(), or a shorter HOLDOUT"
            )
        elif lacking:
            problems.append(
                f"{where.at(contract.target.name)}the {len(part):,} rows {name} have no {contract.target.name} of"
                f" {', '.join(lacking)}: expected every class; write a longer window(), or another HOLDOUT"
            )
    if problems:
        raise DataError(f"split at {cut}:\n" + _listed(problems))
    return Split(early.reset_index(drop=True), late.reset_index(drop=True))


def cut_at(rows: pd.DataFrame, contract: Contract, holdout: timedelta | None) -> Any:
    """The time at which the holdout begins: the last *holdout* of the rows' time, or else the last fifth of the rows."""
    at = rows[contract.time]
    if holdout is None:
        return at.iloc[int(len(rows) * 0.8)]
    # A longer holdout takes all rows, and may begin before the first possible date.
    return at.iloc[-1] - min(holdout, (at.iloc[-1] - at.iloc[0]).to_pytimedelta())


def model_inputs(rows: pd.DataFrame, contract: Contract) -> pd.DataFrame:
    """The features as estimator and exported graph receive them.

    Numbers and booleans are float32 with NaN for missing, categories strings with "" for missing.
    """
    columns: dict[str, Any] = {}
    for feature in contract.features:
        column = rows[feature.name]
        if feature.kind == "category":
            columns[feature.name] = column.astype(object).where(column.notna(), "")
        else:
            columns[feature.name] = column.astype("float64").astype("float32")
    return pd.DataFrame(columns)


def encoded_target(rows: pd.DataFrame, contract: Contract) -> np.ndarray[Any, Any]:
    """The target as numbers, shape (n,): class indices (int64) or values (float64)."""
    codes = np.array([contract.target.encode(value) for value in rows[contract.target.name].tolist()])
    return codes.astype(np.int64) if contract.target.classes else codes


def known_target(rows: pd.DataFrame, contract: Contract) -> np.ndarray[Any, Any]:
    """The target as `encoded_target` has it, or as float64 with NaN where *rows* lack an outcome: (n,)."""
    there = rows[contract.target.name].notna().to_numpy()
    if there.all() and len(rows):
        return encoded_target(rows, contract)
    found = np.full(len(rows), np.nan)
    found[there] = encoded_target(rows[there], contract)
    return found


def fingerprint(rows: pd.DataFrame) -> str:
    """A digest of the rows, which depends on their order."""
    hashed = pd.util.hash_pandas_object(rows, index=False).to_numpy()
    return "sha256:" + hashlib.sha256(hashed.tobytes()).hexdigest()


def _wrong_values(column: pd.Series[Any], problem: Any, contract: Contract) -> Iterable[str]:
    """A sentence for each type of wrong value and each correction, with the first such value."""
    found: dict[tuple[type, str], list[int]] = {}
    first: dict[tuple[type, str], Problem] = {}
    seen: dict[Any, tuple[Problem | None, str]] = {}

    def judged(value: Any) -> tuple[Problem | None, str]:
        wrong = problem(value)
        return wrong, remedy(contract, wrong.field, value) if wrong else ""

    for number, value in enumerate(plain(column)):
        try:
            known = (type(value), value)
            if known not in seen:
                seen[known] = judged(value)
            wrong, cure = seen[known]
        except TypeError:  # a list or the like cannot be hashed
            wrong, cure = judged(value)
        if wrong:
            found.setdefault((type(value), cure), []).append(number)
            first.setdefault((type(value), cure), wrong)
    for kind, numbers in found.items():
        yield (f"{first[kind]} ({len(numbers):,} rows of this kind, the first is row {numbers[0]}); {kind[1]}")


def _wrong_times(column: pd.Series[Any], start: datetime, end: datetime) -> Iterable[str]:
    name = column.name
    at, wrong = read_times(column)
    if at is None:
        yield wrong
        return
    unread = at.isna()
    if unread.any():
        known = [value for value in plain(column[unread]) if value is not None]
        got, cure = ": they are missing", "leave rows without a time out of load()"
        if known:
            got = f", such as {show(known[0])}"
            cure = f'write pd.to_datetime(rows["{name}"], format=…, utc=True), with your format'
        yield (
            f"{name}: the times of {int(unread.sum()):,} rows cannot be read{got};"
            f" expected times with a zone, such as 2026-11-23T03:17:00Z: {cure}"
        )
    outside = int(((at < start) | (at >= end)).sum())
    if outside:
        words = f"; {NAIVE.format(name=name)}" if without_zone(column) else ""
        yield (
            f"{name}: {outside:,} rows lie outside the window {start} to {end};"
            f" load(start, end) returns rows from start up to, not including, end{words}"
        )


def _wrong_keys(column: pd.Series[Any], contract: Contract) -> Iterable[str]:
    wrong = [v for v in plain(column) if not (isinstance(v, str) and v and _is_utf8(v))]
    lacking = [value for value in wrong if value is None or value == ""]
    others = [value for value in wrong if not (value is None or value == "")]
    if lacking:
        cure = remedy(contract, contract.key, None)
        yield f"{contract.key}: {len(lacking):,} rows have no key; expected a string; {cure}"
    if others:
        got = show(others[0])
        got += "" if got.endswith(")") or isinstance(others[0], str) else f" ({type(others[0]).__name__})"
        cure = remedy(contract, contract.key, others[0])
        yield f"{contract.key}: expected a string, got {got} ({len(others):,} rows of this kind); {cure}"


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:  # a lone surrogate, as in broken JSON
        return False
    return True


def _wrong_columns(wanted: list[str], rows: pd.DataFrame) -> Iterable[tuple[str, str]]:
    """A sentence for each missing or duplicate column, with what to write."""
    levels = rows.columns.nlevels
    if levels > 1:
        cure = 'write rows.columns = ["_".join(names) for names in rows.columns]'
        yield from ((name, f"{name} is missing; the columns have {levels} levels: {cure}") for name in wanted)
        return
    names = [name for name in rows.columns if isinstance(name, str)]
    for name in wanted:
        if name in rows.index.names and name not in names:
            yield name, f"{name} is missing; it is the index: write rows.reset_index()"
        elif name not in names:
            spare = [other for other in names if other not in wanted]
            close = difflib.get_close_matches(name, spare, n=1, cutoff=0.5)
            found = f"is it called {close[0]!r} now?" if close else f"load() must return it: {_some(spare)}"
            yield name, f"{name} is missing; {found}"
        elif names.count(name) > 1:
            yield (
                name,
                (
                    f"{name}: load() returned the column {names.count(name)} times; drop all but one:"
                    " rows.loc[:, ~rows.columns.duplicated()]"
                ),
            )


def _some(spare: list[str]) -> str:
    """The first few columns that the contract does not name."""
    if not spare:
        return "it returned no other column"
    more = f" and {len(spare) - MAX_SPARE} more" if len(spare) > MAX_SPARE else ""
    return f"the other columns are {', '.join(map(str, spare[:MAX_SPARE]))}{more}"


def _listed(problems: Iterable[str]) -> str:
    return "\n".join(f"  - {problem}" for problem in problems)

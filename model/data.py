"""Rows for learning: load a recipe's window, check it against the contract, split it by time."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from model.contract import Contract, ContractError, Problem, show
from model.loaded import plain, remedy, settled
from model.remarks import NAIVE, without_zone


class DataError(ValueError):
    """The rows that a recipe loaded cannot be learnt from. The message lists every problem."""


@dataclass(frozen=True)
class Split:
    """Rows to learn from, and the later rows to judge with."""

    train: pd.DataFrame
    holdout: pd.DataFrame


def check(rows: pd.DataFrame, contract: Contract, start: datetime, end: datetime) -> pd.DataFrame:
    """The rows with just the contract's columns, sorted by time; missing values are None or NaN.

    Raises `DataError` for what is wrong with the table, `ContractError` for what is wrong with its
    values, each with every problem.
    """
    if not isinstance(rows, pd.DataFrame):
        raise DataError(f"load returned {type(rows).__name__}; expected a pandas DataFrame")
    if rows.empty:
        raise DataError(
            f"there is not one row from {start:%Y-%m-%d} to {end:%Y-%m-%d}: nothing to learn from;"
            " look at the source, or at the recipe's window()"
        )
    fields = [feature.name for feature in contract.columns]
    wanted = [contract.key, contract.time, *fields, contract.target.name]
    absent = list(_absent(wanted, rows))
    if absent:
        raise DataError("columns are gone from the data:\n" + _listed(absent))
    twice = [name for name in wanted if list(rows.columns).count(name) > 1]
    if twice:
        raise DataError(
            f"load returned columns twice: {', '.join(twice)}; drop one of each in load():"
            " rows.loc[:, ~rows.columns.duplicated()]"
        )
    rows = settled(rows[wanted].reset_index(drop=True), contract)
    problems = [*_wrong_times(rows, contract, start, end), *_wrong_keys(rows, contract)]
    if not problems:
        rows = rows.assign(**{contract.time: pd.to_datetime(rows[contract.time], utc=True)})
        rows = rows.sort_values([contract.time, contract.key], kind="stable", ignore_index=True)
    for feature in contract.columns:
        problems += _wrong_values(rows[feature.name], feature.problem, contract)
    problems += _wrong_values(rows[contract.target.name], contract.target.problem, contract)
    if problems:
        raise ContractError(
            f"{len(rows):,} rows do not fit the contract {contract.name!r}", problems
        )
    return rows


def split_by_time(rows: pd.DataFrame, contract: Contract, holdout: timedelta | None) -> Split:
    """Keep back the last *holdout* of the rows' time (by default the last fifth of the rows).

    Every holdout row is later than every training row. Raises `DataError` if either part is empty
    or, for classification, lacks a class.
    """
    at = rows[contract.time]
    cut = at.iloc[int(len(rows) * 0.8)] if holdout is None else at.iloc[-1] - holdout
    early, late = rows[at < cut], rows[at >= cut]
    problems = []
    for name, part in (("to learn from", early), ("to judge with", late)):
        present = {str(label) for label in part[contract.target.name].unique()}
        lacking = [str(label) for label in contract.target.classes if str(label) not in present]
        if part.empty:
            problems.append(f"no rows {name}: the data runs from {at.iloc[0]} to {at.iloc[-1]}")
        elif lacking:
            problems.append(
                f"the {len(part):,} rows {name} have no {contract.target.name} of"
                f" {', '.join(lacking)}: expected every class"
            )
    if problems:
        raise DataError(f"split at {cut}:\n" + _listed(problems))
    return Split(early.reset_index(drop=True), late.reset_index(drop=True))


def model_inputs(rows: pd.DataFrame, contract: Contract) -> pd.DataFrame:
    """The features as the estimator sees them, and as the exported graph will.

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
    codes = np.array(
        [contract.target.encode(value) for value in rows[contract.target.name].tolist()]
    )
    return codes.astype(np.int64) if contract.target.classes else codes


def fingerprint(rows: pd.DataFrame) -> str:
    """A digest of the rows' content: the same rows in the same order give the same digest."""
    hashed = pd.util.hash_pandas_object(rows, index=False).to_numpy()
    return "sha256:" + hashlib.sha256(hashed.tobytes()).hexdigest()


def _wrong_values(column: pd.Series[Any], problem: Any, contract: Contract) -> Iterable[str]:
    found: dict[str, list[int]] = {}
    first: dict[str, tuple[Problem, Any]] = {}
    seen: dict[Any, Problem | None] = {}
    for number, value in enumerate(plain(column)):
        try:
            known = (type(value), value)
            if known not in seen:
                seen[known] = problem(value)
            wrong = seen[known]
        except TypeError:  # a list or the like cannot be remembered
            wrong = problem(value)
        if wrong:
            kind = wrong.got if value is None else type(value).__name__
            found.setdefault(kind, []).append(number)
            first.setdefault(kind, (wrong, value))
    for kind, numbers in found.items():
        wrong, value = first[kind]
        cure = remedy(contract, wrong.field, value)
        yield (
            f"{wrong} ({len(numbers):,} rows of this kind, the first is row {numbers[0]})"
            + (f"; {cure}" if cure else "")
        )


def _wrong_times(
    rows: pd.DataFrame, contract: Contract, start: datetime, end: datetime
) -> Iterable[str]:
    name, column = contract.time, rows[contract.time]
    if pd.api.types.is_numeric_dtype(column):
        yield (
            f"{name}: expected times, got {show(plain(column)[0])};"
            f' write pd.to_datetime(rows["{name}"], unit="s", utc=True), with your unit'
        )
        return
    try:
        at = pd.to_datetime(column, utc=True, errors="coerce")
    except (TypeError, ValueError) as error:
        yield f"{name}: expected times, got {column.dtype}: {error}"
        return
    unread = at.isna()
    if unread.any():
        known = [value for value in plain(column[unread]) if value is not None]
        got = f", such as {show(known[0])}" if known else ": they are missing"
        yield (
            f"{name}: {int(unread.sum()):,} rows have no time that can be read{got};"
            " expected times with a zone, such as 2026-11-23T03:17:00Z"
        )
    outside = int(((at < start) | (at >= end)).sum())
    if outside:
        words = f"; {NAIVE.format(name=name)}" if without_zone(column) else ""
        yield (
            f"{name}: {outside:,} rows lie outside the window {start} to {end};"
            f" load(start, end) returns rows from start up to, not including, end{words}"
        )


def _wrong_keys(rows: pd.DataFrame, contract: Contract) -> Iterable[str]:
    wrong = [v for v in plain(rows[contract.key]) if not (isinstance(v, str) and v)]
    lacking = [value for value in wrong if value is None or value == ""]
    others = [value for value in wrong if not (value is None or value == "")]
    if lacking:
        cure = remedy(contract, contract.key, None)
        yield f"{contract.key}: {len(lacking):,} rows have no key; expected a string; {cure}"
    if others:
        got = show(others[0])
        got += "" if got.endswith(")") else f" ({type(others[0]).__name__})"
        cure = remedy(contract, contract.key, others[0])
        yield f"{contract.key}: expected a string, got {got} ({len(others):,} rows of this kind); {cure}"


def _absent(wanted: list[str], rows: pd.DataFrame) -> Iterable[str]:
    names = [name for name in rows.columns if isinstance(name, str)]
    for name in wanted:
        if name in rows.index.names and name not in names:
            yield f"{name} is missing; it is the index: write rows.reset_index()"
        elif name not in names:
            spare = [other for other in names if other not in wanted]
            close = difflib.get_close_matches(name, spare, n=1, cutoff=0.5)
            yield f"{name} is missing" + (f"; is it called {close[0]!r} now?" if close else "")


def _listed(problems: Iterable[str]) -> str:
    return "\n".join(f"  - {problem}" for problem in problems)

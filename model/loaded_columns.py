"""The columns that a recipe loaded, as plain Python values for the contract's checks.

Types of database drivers, NumPy and pandas are converted if no information is lost; the contract refuses the rest.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from decimal import Decimal
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd

from contracts.row_contract import MAX_FLOAT32, MAX_TEXT_LENGTH, Contract, ContractError, Feature, Target, show
from model.recipe_errors import words_of

#: kind of a feature -> NumPy's kinds of columns that need no conversion
NATIVE_KINDS = {"number": "fiu", "boolean": "b"}
#: Numeric results of `pandas.api.types.infer_dtype`.
NUMERIC = frozenset({"integer", "floating", "mixed-integer-float", "decimal", "complex", "boolean"})
ONE = "write one plain value for each row in load(), or leave the field out of the contract"
KNOWN_LATER = 'name the column with the time at which it becomes known: Target(..., known_at="...")'
#: A date, and a time with a zone, as text.
DATED = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}")
ZONED = re.compile(r":\d\d.*(Z|UTC|GMT|[+-]\d\d:?\d\d)\s*$", re.IGNORECASE)
UTF8 = 'write {}.str.encode("utf-8", "replace").str.decode("utf-8"): it has characters that no file can hold'


def plain(column: pd.Series[Any]) -> list[Any]:
    """A column as Python values, with None for pandas' missing values."""
    values: list[Any] = column.astype(object).where(column.notna(), None).tolist()
    return [_python(value) for value in values] if column.dtype == object else values


def settled(rows: pd.DataFrame, contract: Contract) -> pd.DataFrame:
    """The contract's columns in *rows*, except time, in the contract's types.

    `Decimal` becomes a float, 0 and 1 a boolean, a float label such as 1.0 the class 1, and NumPy's
    scalars and pandas' nullable and categorical types their Python values.
    """
    ways: dict[str, Callable[[Any], Any]] = {f.name: _of_kind(f) for f in contract.columns}
    kinds = {feature.name: feature.kind for feature in contract.columns}
    ways |= {contract.target.name: _label(contract.target), contract.key: lambda value: value}
    found = {}
    for name, way in ways.items():
        if name not in rows:
            continue
        kind = NATIVE_KINDS.get(kinds.get(name, ""), "")
        if isinstance(rows[name].dtype, np.dtype) and rows[name].dtype.kind in kind:
            continue
        with reading(name):
            before = plain(rows[name])
            after = [None if value is None else way(value) for value in before]
            foreign = not isinstance(rows[name].dtype, np.dtype)
            if foreign or any(type(a) is not type(b) for a, b in zip(after, rows[name], strict=True)):
                found[name] = _series(after, rows.index)
    return rows.assign(**found)


def read_times(column: pd.Series[Any]) -> tuple[pd.Series[Any] | None, str]:
    """The times of *column* in UTC, NaT where one cannot be read; or None, and why the column has none."""
    name, given = column.name, column.dropna()
    # Numbers would be read as nanoseconds since 1970.
    if len(given) and pd.api.types.infer_dtype(given) in NUMERIC:
        return None, (
            f"{name}: expected times, got {show(plain(given)[0])};"
            f' write pd.to_datetime(rows["{name}"], unit="s", utc=True), with your unit'
        )
    zoned = [] if isinstance(given.dtype, pd.DatetimeTZDtype) else [_has_zone(value) for value in given.tolist()]
    if True in zoned and False in zoned:
        without, with_zone = (plain(given)[zoned.index(each)] for each in (False, True))
        return None, (
            f"{name}: {zoned.count(False):,} of {len(zoned):,} times have no time zone, such as {without}, and the others have"
            f' one, such as {with_zone}; write rows["{name}"].map(pd.Timestamp).map(lambda at: at if at.tzinfo else'
            ' at.tz_localize("Europe/Vienna")), with your zone'
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about guessed formats: unread values are reported
            at = pd.to_datetime(column, utc=True, errors="coerce")
        return at if isinstance(at.dtype, pd.DatetimeTZDtype) else at.astype("datetime64[us, UTC]"), ""
    except (TypeError, ValueError) as error:
        period = isinstance(column.dtype, pd.PeriodDtype)
        cure = f'rows["{name}"].dt.to_timestamp()' if period else f'pd.to_datetime(rows["{name}"], utc=True)'
        return None, f"{name}: expected times, got {column.dtype}: {error}; write {cure}"


def _has_zone(value: Any) -> bool | None:
    """Whether a time has a zone; None for what is no time."""
    if isinstance(value, str):
        return ZONED.search(value) is not None if DATED.search(value) else None
    return value.tzinfo is not None if isinstance(value, datetime) else None


@contextmanager
def reading(name: str) -> Iterator[None]:
    """Turn an error raised by the values of the column *name* into a `ContractError`."""
    try:
        yield
    except ContractError:
        raise
    except Exception as error:  # an object in a cell may raise anything
        what = f"{name}: its values raise {type(error).__name__}: {words_of(error)}"
        cure = "write numbers, text, booleans, times or None there"
        raise ContractError("a column cannot be read", [f"{what}; {cure}"]) from error


def remedy(contract: Contract, name: str, value: Any) -> str:
    """What to write in the recipe so that *value* fits the column *name*."""
    column, time = f'rows["{name}"]', f'rows["{contract.time}"]'
    if name == contract.target.name:
        return _label_remedy(contract.target, time, column, value)
    if name == contract.key:
        return _key_remedy(column, value)
    feature = next(f for f in contract.columns if f.name == name)
    if value is None:
        return "write nullable=True in the contract, or leave such rows out of load()"
    if feature.kind == "number":
        return _number_remedy(time, column, value)
    if feature.kind == "boolean":
        numeric = isinstance(value, (int, float))
        return f"write {column} > 0" if numeric else f"write {column} == 'yes', with your word for true"
    return _category_remedy(feature, column, value)


def _key_remedy(column: str, value: Any) -> str:
    if value is None or value == "":
        return "leave rows without a key out of load()"
    return UTF8.format(column) if isinstance(value, str) else f"write {column}.astype(str)"


def _category_remedy(feature: Feature, column: str, value: Any) -> str:
    if not isinstance(value, str):
        return f"write {column}.astype(str), or another kind in the contract"
    if feature.choices:
        return "add it to choices in the contract, or replace it in load()"
    if not value:
        return f'write {column}.replace("", None), and nullable=True in the contract'
    if len(value) > MAX_TEXT_LENGTH:
        return f"write {column}.str.slice(0, {MAX_TEXT_LENGTH}): a category has at most {MAX_TEXT_LENGTH:,} characters"
    if "\0" in value:
        return f'write {column}.str.replace("\\0", ""): it has the character NUL'
    return UTF8.format(column)


def _number_remedy(time: str, column: str, value: Any) -> str:
    number = isinstance(value, Real)
    infinite = isinstance(value, float) and not np.isfinite(value)
    for fits, words in (
        (isinstance(value, (date, np.datetime64)), f"write how long ago it was, such as ({time} - {column}).dt.days"),
        (isinstance(value, (timedelta, np.timedelta64)), f"write {column}.dt.total_seconds()"),
        (isinstance(value, str), f"write pd.to_numeric({column}), or make it a category"),
        (isinstance(value, bool), 'write kind="boolean" in the contract'),
        (infinite, f"write {column}.replace([np.inf, -np.inf], np.nan), and nullable=True in the contract"),
    ):
        if fits:
            return words
    if not isinstance(value, (int, float)):
        return f"write {column}.astype(float)" if number else ONE
    if abs(value) > MAX_FLOAT32:
        return f"leave such rows out of load(): float32 holds numbers up to {MAX_FLOAT32:.1e}"
    return "write another minimum or maximum in the contract, or leave such rows out of load()"


def _label_remedy(target: Target, time: str, column: str, value: Any) -> str:
    kinds = {type(label) for label in target.classes}
    binary = isinstance(value, (bool, int, float)) and value in (0, 1)
    for fits, words in (
        (value is None, f"leave rows whose outcome is not known yet out of load(), or {KNOWN_LATER}"),
        (isinstance(value, bool) and kinds and bool not in kinds, "write classes=(False, True) in the contract"),
        (
            isinstance(value, str) and kinds == {bool},
            f"write {column} == {value!r}, with your word for true, or add it to classes in the contract",
        ),
        (binary and kinds == {bool}, f"write {column}.astype(bool), or classes=(0, 1) in the contract"),
        (kinds == {str} and not isinstance(value, (str, list)), f"write {column}.astype(str)"),
        (kinds, "add it to classes in the contract, replace it in load(), or leave such rows out of load()"),
    ):
        if fits:
            return words
    return _number_remedy(time, column, value)


def _of_kind(feature: Feature) -> Callable[[Any], Any]:
    return {"number": _number, "boolean": _boolean}.get(feature.kind, lambda value: value)


def _number(value: Any) -> Any:
    return float(value) if isinstance(value, Decimal) else value


def _boolean(value: Any) -> Any:
    value = _number(value)
    return bool(value) if isinstance(value, (int, float)) and value in (0, 1) else value


def _label(target: Target) -> Callable[[Any], Any]:
    whole = {label for label in target.classes if type(label) is int}

    def label(value: Any) -> Any:
        value = _number(value)
        return int(value) if isinstance(value, float) and value in whole else value

    return label


def _python(value: Any) -> Any:
    # The item of a datetime64 in nanoseconds is an integer, which would look like a number.
    foreign = isinstance(value, np.generic) and not isinstance(value, (np.datetime64, np.timedelta64))
    return value.item() if foreign else value


def _series(values: list[Any], index: Any) -> pd.Series[Any]:
    """Booleans and numbers in NumPy's types where possible, everything else unchanged."""
    if values and all(type(value) is bool for value in values):
        return pd.Series(values, index, dtype=bool)
    if values and all(value is None or type(value) in (int, float) for value in values):
        if None not in values and all(type(value) is int for value in values):
            return pd.Series(values, index, dtype=object).infer_objects()
        return pd.Series([np.nan if v is None else v for v in values], index).astype("float64")
    return pd.Series(values, index, dtype=object)

"""A recipe tried in seconds: all rows are checked, and the estimator is fitted and exported with few of them."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd

from model.data import DataError, check
from model.declarations import Recipe, declared
from model.loaded_columns import read_times
from model.onnx_export.bundle_manifest import Build
from model.onnx_export.export import export
from model.train import Fitted, load_rows, train

#: About so many rows are fitted; of a class with fewer than RARE_ROWS rows, all are.
ABOUT_ROWS, RARE_ROWS = 3_000, 300


def dry_run(recipe: Recipe, today: date, parity: float) -> tuple[int, Fitted]:
    """The number of rows that fit the contract, and the recipe fitted on few of them.

    What was exported is thrown away. Raises what `train` and `export` raise for the recipe on the day *today*: whatever
    would refuse it at night, but for what only all rows show (such as a difference from ONNX in one of them).
    """
    loaded, start, end = load_rows(recipe, today)
    if isinstance(loaded, pd.DataFrame) and not len(loaded):
        _refuse_a_table_that_ended(recipe, start)
    check(loaded, recipe.CONTRACT, start, end, declared(recipe))
    few = SimpleNamespace(**{**vars(recipe), "load": _few(recipe, loaded, (start, end))})
    fitted = train(few, today, second_fit=False, refit=False)
    with tempfile.TemporaryDirectory() as folder:
        export(fitted, Build(datetime.now(UTC), "", Path(recipe.__file__ or "recipe")), Path(folder), parity)
    return len(loaded), fitted


def _refuse_a_table_that_ended(recipe: Recipe, start: datetime) -> None:
    """Raises `DataError` with the day to type if all rows are from before *start*.

    All of them are loaded for that, which is for a person who waits, and not for a night.
    """
    earlier, time = recipe.load(datetime(1970, 1, 1, tzinfo=UTC), start), recipe.CONTRACT.time
    at = read_times(earlier[time])[0] if isinstance(earlier, pd.DataFrame) and time in earlier else None
    if at is not None and at.notna().any():
        newest = at.max()
        raise DataError(
            f"load() returned no rows from {start:%Y-%m-%d} on: the newest row is of {newest:%Y-%m-%d}; type"
            f" --today {newest + timedelta(days=1):%Y-%m-%d} (make: TODAY={newest + timedelta(days=1):%Y-%m-%d}), or load"
            " newer rows"
        )


def _few(recipe: Recipe, loaded: pd.DataFrame, window: tuple[datetime, datetime]) -> Callable[..., pd.DataFrame]:
    """The recipe's `load` with the same few rows at each call: which ones follows from a row's key and time.

    The rows *loaded* for the *window* are not asked for again.
    """
    contract = recipe.CONTRACT
    step = max(len(loaded) // ABOUT_ROWS, 1)
    counts = loaded[contract.target.name].value_counts()
    rare = [*counts.index[counts < RARE_ROWS]] if contract.target.classes else []

    def load(start: datetime, end: datetime) -> Any:
        rows = loaded if (start, end) == window else recipe.load(start, end)
        hashed = pd.util.hash_pandas_object(rows[[contract.key, contract.time]].astype(str), index=False)
        return rows[(hashed % step == 0).to_numpy() | rows[contract.target.name].isin(rare).to_numpy()]

    return load

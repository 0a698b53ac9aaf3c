"""`from model import init`: a recipe for a data frame in a notebook."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import chdir
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd

from contracts.thresholds import read_rules
from model.new_recipe.dry_run import dry_run
from model.new_recipe.questions import guessed
from model.new_recipe.recipe_draft import Asked
from model.new_recipe.recipe_text import plain_name
from model.new_recipe.recipe_writing import refuse_to_lose, write_recipe
from model.new_recipe.source_table import SourceError, read_table, write_parquet
from model.train import read_recipe

#: The repository: recipes are run from here, wherever the notebook is.
ROOT = Path(__file__).parents[2]


def init(
    rows: Any,
    name: str,
    *,
    target: str = "",
    time: str = "",
    key: str = "",
    known_at: str = "",
    zone: str = "",
    drop: Sequence[str] = (),
    recipe: str | Path = "model/recipe.py",
    replace: bool = False,
    root: Path = ROOT,
    say: Callable[[str], None] = print,
) -> Path:
    """Write a *recipe* for a data frame of pandas or polars, or an Arrow table, and try it; returns the recipe's path.

    *rows* are stored as data/NAME.parquet in the repository *root*, which git ignores: for nights on GitHub, `load` has to
    read them from their source. An index with a name, or of times, becomes a column. The other arguments are those of
    `python -m model init`. Raises `SourceError`, a ValueError, with what to write.
    """
    frame = rows.copy() if isinstance(rows, pd.DataFrame) else rows
    if isinstance(frame, pd.DataFrame):
        frame = _with_index(frame)
    with chdir(root):
        file, plain = Path(recipe), plain_name(name)
        refuse_to_lose(file, replace)
        stored = Path("data") / f"{plain}.parquet"
        stored.parent.mkdir(exist_ok=True)
        write_parquet(frame, stored)
        asked = Asked(target, time, key, zone, tuple(drop), known_at)
        found = write_recipe(read_table(str(stored)), plain, asked, guessed, file, say)
        _tried(file, found.last_day, say)
        say(
            f"the rows are in {stored}, which git ignores; for nights on GitHub, load() has to read them from their source"
        )
        say(f"next, in {root}: RECIPE={file} TODAY={found.last_day} make retrain gate land")
        return file.absolute()


def _tried(file: Path, today: date, say: Callable[[str], None]) -> None:
    rows, fitted = dry_run(read_recipe(file), today, read_rules(Path("checks/thresholds.toml")).export.parity)
    for remark in fitted.remarks:
        say(f"warning: {remark}")
    say(f"{rows:,} rows fit the contract; the estimator was fitted and exported")


def _with_index(frame: pd.DataFrame) -> pd.DataFrame:
    """*frame* with its index as columns, where it says something, and with names that are texts."""
    if isinstance(frame.columns, pd.MultiIndex):
        raise SourceError(
            "the columns have several levels; write rows.columns = ['_'.join(each) for each in rows.columns]"
        )
    if isinstance(frame.index, pd.DatetimeIndex) and frame.index.name is None:
        frame = frame.rename_axis("at")
    says = isinstance(frame.index, pd.MultiIndex) or frame.index.name is not None
    frame = frame.reset_index(drop=not says)
    return frame.set_axis([str(each) for each in frame.columns], axis=1)

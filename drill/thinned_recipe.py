"""The drill's subject: the user's recipe and data, thinned so that training takes a second."""

from __future__ import annotations

import functools
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder

from contracts.row_contract import Contract, Feature
from drill.sent_journal import compared
from model.data import check
from model.onnx_export.bundle_manifest import Build
from model.onnx_export.export import export, to_graph
from model.train import Fitted, read_recipe, train, training_window

#: About how many rows of a window are kept.
ROWS = 12_000
Frame: TypeAlias = pd.DataFrame
Change = Callable[[Frame, "Subject"], Frame]


@dataclass(frozen=True)
class Subject:
    """A recipe's data as of a day. *salt* selects which rows are kept, the same ones in each window.

    The champion is *age* holdouts older than the candidate. *sent*: whether there is a journal of the rows that were
    sent to the scorer (`drill.sent_journal`). *counted*: the day whose window determines the share of rows that is
    kept (default: *today*); subjects that are compared with each other have the same one, as rules compare row rates.
    """

    path: Path
    today: date
    parity: float
    salt: str = ""
    age: int = 1
    sent: bool = False
    counted: date | None = None

    @property
    def recipe(self) -> SimpleNamespace:
        """The user's recipe, whose rows are thinned."""
        read = _read(self.path)
        found = SimpleNamespace(**vars(read))
        found.load = lambda start, end: self._thin(_load(self.path, start, end), read.CONTRACT)
        return found

    @property
    def contract(self) -> Contract:
        """The user's contract."""
        found: Contract = self.recipe.CONTRACT
        return found

    @property
    def held(self) -> timedelta:
        """The length of the holdout, in whole days."""
        recipe = self.recipe
        start, end = training_window(recipe, self.today)
        return getattr(recipe, "HOLDOUT", None) or timedelta(days=max(1, (end - start).days // 5))

    @property
    def since(self) -> datetime:
        """The end of the champion's data."""
        return self.end - self.held * self.age

    @property
    def end(self) -> datetime:
        """The end of the candidate's data."""
        return training_window(_read(self.path), self.today)[1]

    @property
    def rows(self) -> Frame:
        """The candidate's rows, training and holdout, without a fault."""
        return _rows(self)

    @property
    def share(self) -> float:
        """The share of rows that is kept, the same one for each window."""
        loaded = _load(self.path, *training_window(_read(self.path), self.counted or self.today))
        return min(1.0, ROWS / max(len(loaded), 1)) if isinstance(loaded, pd.DataFrame) else 1.0

    def random(self, name: str) -> np.random.Generator:
        """A generator seeded by *name*."""
        return np.random.default_rng(zlib.crc32(f"{self.salt}{name}".encode()))

    def changed(self, change: Change, **more: Any) -> SimpleNamespace:
        """The recipe with its rows changed by *change*, and the attributes *more*."""
        recipe = self.recipe
        load, last = recipe.load, training_window(recipe, self.today)[1]

        def changed(start: datetime, end: datetime) -> Frame:
            # The change is in the source: it does not depend on the end of the window that is loaded.
            rows = change(load(start, max(end, last)), self)
            return rows if end >= last else rows[pd.to_datetime(rows[recipe.CONTRACT.time], utc=True) < end]

        recipe.load = changed
        for name, value in more.items():
            setattr(recipe, name, value)
        return recipe

    def plain(self, into: Path, today: date) -> Path:
        """The bundle of the user's recipe as of *today*, made once in a folder of *into*."""
        folder = into / f"plain-{today}-{self.salt.replace(' ', '-')}"
        made = sorted(path.parent for path in folder.glob("2*/manifest.json"))
        return made[0] if made else self.make(self.recipe, folder, today=today)

    def champion(self, into: Path) -> Path:
        """The bundle as of *age* holdouts before the candidate's day."""
        return self.plain(into, self.today - self.held * self.age)

    def make(self, recipe: SimpleNamespace, into: Path, *, today: date | None = None) -> Path:
        """A bundle of *recipe*, by the functions of `model`. Raises what they raise."""
        return self.export(self.fit(recipe, today), into, today=today)

    def fit(self, recipe: SimpleNamespace, today: date | None = None) -> Fitted:
        """The estimator of *recipe*, fitted as of a day. Raises what `train` raises."""
        fitted = train(recipe, today or self.today)
        if not self.sent or (today or self.today) != self.today:
            return fitted
        loaded = pd.concat([fitted.split.train, fitted.split.holdout], ignore_index=True)
        clean = check(self.rows, self.contract, *training_window(_read(self.path), self.today))
        return replace(fitted, sent=compared(clean, loaded, self.contract, fitted.contract))

    def export(
        self, fitted: Fitted, into: Path, *, today: date | None = None, convert: Callable[[Fitted], bytes] = to_graph
    ) -> Path:
        """The bundle of a fitted estimator. Raises what `model.onnx_export` raises."""
        at = datetime.combine(today or self.today, time(3), UTC)
        return export(fitted, Build(at, "", self.path), into, self.parity, convert)

    def _thin(self, rows: Frame, contract: Contract) -> Frame:
        if not isinstance(rows, pd.DataFrame) or [*rows.columns].count(contract.key) != 1:
            return rows  # training reports what is wrong with them
        # A row is kept or not whatever the window: training loads the same rows with an earlier end.
        words = (self.salt + rows[contract.key].astype(str)).to_numpy(object)
        kept = pd.util.hash_array(words) % 10_000 < self.share * 10_000
        return rows[kept].reset_index(drop=True)


@functools.cache
def _read(path: Path) -> Any:
    return read_recipe(path)


@functools.lru_cache(maxsize=8)
def _load(path: Path, start: datetime, end: datetime) -> Frame:
    return _read(path).load(start, end)


@functools.lru_cache(maxsize=4)
def _rows(subject: Subject) -> Frame:
    found: Frame = subject.recipe.load(*training_window(_read(subject.path), subject.today))
    return found


def plain(contract: Contract, **settings: Any) -> Pipeline:
    """An estimator for any contract's features, for faults that need one."""
    words = [f.name for f in contract.features if f.kind == "category"]
    encoder = OneHotEncoder(handle_unknown="ignore", min_frequency=20, sparse_output=False)
    kind = HistGradientBoostingRegressor if contract.task == "regression" else HistGradientBoostingClassifier
    args = {"max_iter": 80, "max_leaf_nodes": 15, "min_samples_leaf": 50, "l2_regularization": 5.0}
    trees = kind(**(args | {"early_stopping": False, "random_state": 0} | settings))
    return make_pipeline(ColumnTransformer([("categories", encoder, words)], remainder="passthrough"), trees)


def with_feature(contract: Contract, feature: Feature) -> Contract:
    """The contract with an additional feature."""
    return again(contract, features=(*contract.features, feature))


def again(contract: Contract, **changes: Any) -> Contract:
    """The contract with *changes*."""
    names = ("name", "task", "features", "target", "key", "time", "slices", "private")
    return Contract(**({name: getattr(contract, name) for name in names} | changes))


def codes(rows: Frame, contract: Contract) -> np.ndarray[Any, np.dtype[np.float64]]:
    """The target as numbers, (n,)."""
    return np.array([contract.target.encode(each) for each in rows[contract.target.name].tolist()])

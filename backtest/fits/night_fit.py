"""Fit the models of one night, and measure what they realise in each later period. Kept in a folder by digest."""

from __future__ import annotations

import functools
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, time
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd

from backtest.replayed_nights import NightFit, Period
from bundles.bundle import Bundle
from checks.comparison.weighted_metrics import METRICS
from checks.evidence import served_score, target
from contracts.row_contract import Contract
from drill.drill_digest import beside, identity
from drill.stored_json import read_json, write_json
from model.data import check
from model.label_delay.known_outcomes import known
from model.onnx_export.bundle_manifest import Build
from model.onnx_export.export import export
from model.train import read_recipe, train

#: The packages on which a fit depends.
PACKAGES = ("contracts", "model", "reporting")
FIT = "fit.json"


@dataclass(frozen=True)
class Task:
    """What the models of the night *today* are made of, and how they are measured.

    They are measured by *metric* in each of the *periods* from *number* on. Models are stored in the folder *kept*.
    *refit*: a release model, trained on all rows, is what is served.
    """

    recipe: Path
    today: date
    parity: float
    kept: Path
    metric: str
    periods: tuple[Period, ...]
    number: int
    refit: bool = True


def fit_night(task: Task) -> tuple[NightFit, list[tuple[int, float]]]:
    """The night's models, and for each period the number of rows and the metric of the served model."""
    try:
        found = _models(task)
    except (Exception, SystemExit) as error:  # anything that the recipe or its libraries raise
        return _left_out(task, f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"), []
    return found, _measured(task, found)


def lost(task: Task) -> tuple[NightFit, list[tuple[int, float]]]:
    """The night whose process was killed."""
    return _left_out(task, "the process that trained it was killed, possibly for lack of memory"), []


@functools.cache
def rows_between(recipe: Path, start: datetime, end: datetime) -> tuple[pd.DataFrame, Contract]:
    """The rows of the recipe from *start* up to *end* whose outcomes are known today."""
    module = recipe_at(recipe)
    contract: Contract = module.CONTRACT
    rows = check(module.load(start, end), contract, start, end, known_by=datetime.now(UTC))
    rows = rows[known(rows, contract)].reset_index(drop=True)
    return rows.assign(**{contract.target.name: _encoded(rows, contract)}), contract


def _models(task: Task) -> NightFit:
    of = identity(task.today, task.parity, task.refit, files=beside(task.recipe), packages=PACKAGES)
    folder = task.kept / f"{task.today}-{of[:16]}"
    if (folder / FIT).is_file():
        return NightFit(**read_json(folder / FIT))
    # Whether another seed changes decisions is a property of the recipe, for which nightly training fits once more.
    fitted = train(recipe_at(task.recipe), task.today, second_fit=False, refit=task.refit)
    at = datetime.combine(task.today, time(3), UTC)
    found = NightFit(f"{task.today}", str(export(fitted, Build(at, "", task.recipe), folder, task.parity)))
    write_json(folder / FIT, asdict(found))
    return found


def _measured(task: Task, found: NightFit) -> list[tuple[int, float]]:
    """The rows and the metric of each period; kept beside the models."""
    later = task.periods[task.number :]
    asked = identity(task.metric, later, found.bundle, packages=PACKAGES)
    kept = Path(found.bundle).parent / f"realised-{asked[:16]}.json"
    if kept.is_file():
        return [(int(many), float(value)) for many, value in read_json(kept)]
    bundle = Bundle.load(Path(found.bundle))
    rows, contract = rows_between(task.recipe, task.periods[0].start, task.periods[-1].end)
    measured = [_realised(bundle, rows, contract, period, task.metric) for period in later]
    write_json(kept, measured)
    return measured


def _realised(bundle: Bundle, rows: pd.DataFrame, contract: Contract, period: Period, metric: str) -> tuple[int, float]:
    at = rows[contract.time]
    inside = rows[(at >= period.start) & (at < period.end)]
    if inside.empty:
        return 0, float("nan")
    return len(inside), float(METRICS[metric](target(inside, contract), served_score(bundle, inside))())


def _encoded(rows: pd.DataFrame, contract: Contract) -> np.ndarray[Any, Any]:
    return np.array([contract.target.encode(value) for value in rows[contract.target.name].tolist()], dtype=float)


def _left_out(task: Task, why: str) -> NightFit:
    return NightFit(f"{task.today}", left_out=why)


@functools.cache
def recipe_at(recipe: Path) -> ModuleType:
    """The recipe at the path *recipe*; a process reads it once."""
    return read_recipe(recipe)

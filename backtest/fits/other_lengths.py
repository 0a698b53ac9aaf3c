"""Fit one night's recipe on shorter and longer windows, and up to shorter and longer holdouts, and measure the next period.

A model with a holdout of zero is the release model. These models are not exported: estimator and ONNX file agree.
"""

from __future__ import annotations

import warnings
from datetime import datetime, timedelta
from types import ModuleType

import pandas as pd

from backtest.fits.night_fit import PACKAGES, Task, recipe_at, rows_between
from checks.comparison.weighted_metrics import METRICS
from checks.evidence import target
from contracts.row_contract import Contract
from drill.drill_digest import beside, identity
from drill.stored_json import read_json, write_json
from model.data import check, encoded_target, model_inputs
from model.estimator_scores import scores_of
from model.label_delay.expected_outcomes import TrainingSet
from model.label_delay.sample_weights import weighing
from model.train import training_window

#: Shares of the recipe's own window and holdout.
WINDOWS, HOLDOUTS = (0.5, 2.0), (0.5, 1.0, 2.0)
#: A window that begins this share of itself later than asked for has no rows so far back.
MAX_MISSING_SHARE = 0.1


def measure_lengths(task: Task) -> dict[str, float]:
    """By length, such as "window 0.5" or "holdout 2", the metric in the period after the night; stored in the folder of the fits."""
    of = identity(task.today, task.metric, task.periods[task.number], files=beside(task.recipe), packages=PACKAGES)
    kept = task.kept / f"lengths-{task.today}-{of[:16]}.json"
    if not kept.is_file():
        try:
            found = _measured(task)
        except (Exception, SystemExit):  # a night that cannot be trained is reported by its fit
            found = {}
        task.kept.mkdir(parents=True, exist_ok=True)
        write_json(kept, found)
    return dict(read_json(kept))


def lost_lengths(_: Task) -> dict[str, float]:
    """The night whose process was killed, possibly for lack of memory."""
    return {}


def _measured(task: Task) -> dict[str, float]:
    recipe, period = recipe_at(task.recipe), task.periods[task.number]
    contract: Contract = recipe.CONTRACT
    if contract.target.comes_late:  # such a window is no slice of the rows: what is known depends on its end
        return {}
    start, end = training_window(recipe, task.today)
    first = end - (end - start) * max(WINDOWS)
    rows = check(recipe.load(first, end), contract, first, end)
    at, later = rows[contract.time], _inside(task, period.start, period.end)
    held: timedelta = getattr(recipe, "HOLDOUT", None) or (end - start) / 5
    begins = {share: end - (end - start) * share for share in WINDOWS}
    parts = {f"window {share:g}": rows[at >= begin] for share, begin in begins.items() if _reaches(at, begin, end)}
    parts |= {f"holdout {share:g}": rows[(at >= start) & (at < at.iloc[-1] - held * share)] for share in HOLDOUTS}
    return {name: _value(recipe, part, later, contract, task.metric) for name, part in parts.items() if len(part)}


def _reaches(at: pd.Series, begin: datetime, end: datetime) -> bool:
    return bool(at.iloc[0] - begin <= MAX_MISSING_SHARE * (end - begin))


def _value(recipe: ModuleType, rows: pd.DataFrame, later: pd.DataFrame, contract: Contract, metric: str) -> float:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # as in training: effects are measured
        weigh = weighing(recipe, lambda own, part: own(part))
        own, estimator = None if weigh is None else weigh(rows), recipe.estimator()
        TrainingSet(model_inputs(rows, contract), encoded_target(rows, contract), own).fit(estimator)
    scores = scores_of(estimator, model_inputs(later, contract), contract)
    return float(METRICS[metric](target(later, contract), scores)())


def _inside(task: Task, start: datetime, end: datetime) -> pd.DataFrame:
    rows, contract = rows_between(task.recipe, task.periods[0].start, task.periods[-1].end)
    return rows[(rows[contract.time] >= start) & (rows[contract.time] < end)]

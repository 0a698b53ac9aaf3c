"""Fit the recipe's estimator, and measure it on rows later than all it learnt from."""

from __future__ import annotations

import importlib.util
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from sklearn import metrics

from model.contract import Contract, ContractError
from model.data import DataError, Split, check, encoded_target, model_inputs, split_by_time

Scores = np.ndarray[Any, np.dtype[np.float64]]
#: With more rows than these to learn from, nothing is learnt twice: a seed hardly matters then.
SECOND_FIT = 100_000
#: On so many rows it is tried whether the seed matters at all: scikit-learn's boosting draws nothing
#: up to 10,000 rows, and what it keeps back to stop early above them.
PROBE = 10_500


class RecipeError(Exception):
    """A recipe cannot be read, lacks something, or raised. The message says which and where."""


@dataclass(frozen=True)
class Fitted:
    """An estimator that has learnt, the rows it learnt from, and how it does on later ones.

    *unstable* is the share of the holdout's decisions that another seed changes; None where nothing
    in the estimator is random, or where there are too many rows for a second fit.
    """

    estimator: Any
    contract: Contract
    split: Split
    window: tuple[datetime, datetime]
    metrics: dict[str, float]
    unstable: float | None = None


def read_recipe(path: Path) -> ModuleType:
    """The recipe in the file *path*, with everything a recipe must have. Raises `RecipeError`."""
    spec = importlib.util.spec_from_file_location("recipe", path)
    if not path.is_file() or spec is None or spec.loader is None:
        raise RecipeError(f"there is no recipe at {path}; name a Python file: --recipe FILE")
    recipe = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(recipe)
    except ContractError as error:
        raise RecipeError(f"{path}: {error}") from error
    except Exception as error:
        raise RecipeError(_raised(path, "cannot be imported", error)) from error
    missing = [
        name for name in ("window", "load", "estimator") if not callable(getattr(recipe, name, 0))
    ]
    if not isinstance(getattr(recipe, "CONTRACT", None), Contract):
        missing.insert(0, "CONTRACT (a model.contract.Contract)")
    if missing:
        raise RecipeError(
            f"{path} has no {', '.join(missing)}; model/recipe.py is a complete example"
        )
    return recipe


def train(recipe: ModuleType, today: date) -> Fitted:
    """Load the recipe's window for *today*, fit its estimator, measure it.

    Raises `RecipeError` if the recipe's own code raises, `DataError` or `ContractError` if its rows
    cannot be learnt from.
    """
    contract: Contract = recipe.CONTRACT
    path = Path(recipe.__file__ or "recipe")
    step = "window"
    try:
        start, end = recipe.window(today)
        step = "load"
        rows = recipe.load(start, end)
        step = "estimator"
        estimator = recipe.estimator()
    except Exception as error:
        raise RecipeError(_raised(path, f"{step}() failed", error)) from error
    holdout: timedelta | None = getattr(recipe, "HOLDOUT", None)
    split = split_by_time(check(rows, contract, start, end), contract, holdout)
    try:
        estimator.fit(model_inputs(split.train, contract), encoded_target(split.train, contract))
        scores = predict(estimator, split, contract)
    except Exception as error:
        raise RecipeError(_raised(path, "the estimator does not fit", error)) from error
    truth = encoded_target(split.holdout, contract)
    measured = measure(contract, truth, scores)
    unstable = _unstable(recipe.estimator, split, contract, scores)
    return Fitted(estimator, contract, split, (start, end), measured, unstable)


def decisions(contract: Contract, scores: Scores, like: Scores) -> Any:
    """What is decided by *scores*, (n,), cut where *like*, a rival's scores, are cut.

    Binary: as many positives as *like* expects; multiclass: the likeliest class; regression: which
    fourth of *like* the value falls into.
    """
    if contract.task == "multiclass":
        return scores.argmax(axis=1)
    cuts = [1 - like.mean()] if contract.task == "binary" else [0.25, 0.5, 0.75]
    return np.searchsorted(np.quantile(like, cuts), scores)


def _unstable(
    make: Callable[[], Any], split: Split, contract: Contract, scores: Scores
) -> float | None:
    """The share of decisions that change when another estimator learns with another seed.

    That is a second fit. Where a few rows already show that the seed changes nothing, it is spared.
    """
    names = [name for name in make().get_params() if name.endswith("random_state")]
    if not names or len(split.train) > SECOND_FIT:
        return None
    inputs, truth = model_inputs(split.train, contract), encoded_target(split.train, contract)
    later = model_inputs(split.holdout, contract)

    def learnt(seed: int, rows: Any) -> Scores:
        estimator = make().set_params(**dict.fromkeys(names, seed))
        estimator.fit(inputs.iloc[rows], truth[rows])
        return scores_of(estimator, later, contract)

    few = np.random.default_rng(0).permutation(len(truth))[:PROBE]
    lacking = contract.target.classes and len({*truth[few]}) < len(contract.target.classes)
    if len(truth) > 2 * PROBE and not lacking and np.array_equal(learnt(0, few), learnt(1, few)):
        return 0.0
    again = learnt(1, slice(None))
    changed = decisions(contract, again, scores) != decisions(contract, scores, scores)
    return round(float(changed.mean()), 6)


def predict(estimator: Any, split: Split, contract: Contract) -> Scores:
    """The estimator's own scores of the holdout, of the shape that `Bundle.score` gives."""
    inputs = model_inputs(split.holdout, contract)
    return scores_of(estimator, inputs, contract)


def scores_of(estimator: Any, inputs: Any, contract: Contract) -> Scores:
    """The estimator's scores of *inputs*: (n,), or (n, classes) for multiclass."""
    if contract.task == "regression":
        return np.asarray(estimator.predict(inputs), dtype=np.float64).reshape(-1)
    chances = np.asarray(estimator.predict_proba(inputs), dtype=np.float64)
    if chances.shape[1] != len(contract.target.classes):
        raise DataError(
            f"the estimator knows {chances.shape[1]} classes, the contract {len(contract.target.classes)}"
        )
    return chances[:, 1] if contract.task == "binary" else chances


def measure(contract: Contract, truth: np.ndarray[Any, Any], scores: Scores) -> dict[str, float]:
    """The task's usual metrics, rounded to six digits: truth (n,), scores as `scores_of` gives."""
    if contract.task == "regression":
        found = {
            "mae": metrics.mean_absolute_error(truth, scores),
            "rmse": metrics.root_mean_squared_error(truth, scores),
            "r2": metrics.r2_score(truth, scores),
        }
    elif contract.task == "binary":
        found = {
            "roc_auc": metrics.roc_auc_score(truth, scores),
            "log_loss": metrics.log_loss(truth, scores, labels=[0, 1]),
            "brier": metrics.brier_score_loss(truth, scores),
        }
    else:
        labels = list(range(len(contract.target.classes)))
        found = {
            "roc_auc": metrics.roc_auc_score(truth, scores, multi_class="ovr", labels=labels),
            "log_loss": metrics.log_loss(truth, scores, labels=labels),
            "accuracy": metrics.accuracy_score(truth, scores.argmax(axis=1)),
        }
    return {name: round(float(value), 6) for name, value in found.items()}


def _raised(path: Path, what: str, error: Exception) -> str:
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{path}: {what}: {type(error).__name__}: {error} ({Path(last.filename).name}:{last.lineno})"

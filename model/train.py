"""Fit the recipe's estimator, and measure it on the out-of-time holdout."""

from __future__ import annotations

import functools
import importlib.util
import os
import sys
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd

from contracts.bundle_content import EXPECTED
from contracts.row_contract import Contract, ContractError
from contracts.tolerance import changed_share
from model.data import NOWHERE, DataError, Split, check, encoded_target, model_inputs
from model.declarations import Declared, Recipe, declared, defined
from model.estimator_scores import Scores, check_scores, measure, scores_of
from model.given_columns import described as columns_given
from model.given_columns import with_columns
from model.label_delay.expected_outcomes import TrainingSet
from model.label_delay.sample_weights import WeightsError, refuse_without_weights, said_of, weighing
from model.label_delay.training_rows import TrainingRows, training_rows
from model.notices import remarks
from model.onnx_export.convertibility import unfit
from model.point_in_time import replay
from model.recipe_errors import described, place
from model.source_profile.recipe_secrets import set_secrets

#: With more training rows, there is no second fit with another seed: the seed has little effect then.
SECOND_FIT = 100_000
#: Rows for a first test whether the seed matters at all: scikit-learn's boosting uses it only above 10,000 rows, to
#: split off rows for early stopping.
PROBE = 10_500

#: What requirements/recipe.in names, beside the environment of this process: .venv/recipe beside .venv/work.
OWN_PACKAGES = Path(sys.prefix).parent / "recipe"


class RecipeError(Exception):
    """A recipe cannot be read, is incomplete, or raised an error. The message says which and where."""


@dataclass(frozen=True)
class Fitted:
    """A fitted estimator, its training rows, and its metrics on the holdout: the evaluation model.

    *release* is the release model: the recipe's estimator fitted to all rows, the holdout included. None if the
    evaluation model is served.
    *unstable* is the share of the holdout's decisions that another seed changes; None if nothing in the estimator is
    random, or there are too many rows for a second fit. *remarks* are sentences on the rows. *where* is the place of
    each field in the recipe. *replay* compares a load with an earlier end (`model.point_in_time`), *sent* the rows
    with the journal (`model.serving_skew`). *late* are JSON values on outcomes that come late; then *split* ends where
    outcomes are known, *unknown* are the rows of its holdout's time without an outcome, and *newest* are the rows up to
    the window's end; *arrived* are outcomes that earlier holdouts may have lacked, *expected* the
    probability of each class of a release model's rows (`TrainingSet`). *to_onnx* is the recipe's own conversion.
    """

    estimator: Any
    contract: Contract
    split: Split
    window: tuple[datetime, datetime]
    metrics: dict[str, float]
    unstable: float | None = None
    remarks: tuple[str, ...] = ()
    where: Declared = NOWHERE
    replay: Mapping[str, Any] | None = None
    sent: Mapping[str, Any] | None = None
    late: Mapping[str, Any] = field(default_factory=dict)
    newest: Split | None = None
    unknown: pd.DataFrame | None = None
    arrived: pd.DataFrame | None = None
    expected: Any = None
    release: Fitted | None = None
    to_onnx: Callable[[Any], Any] | None = None

    @property
    def loaded(self) -> Split:
        """The rows of the training window: *newest*, or else *split*."""
        return self.newest or self.split

    @property
    def later(self) -> pd.DataFrame:
        """The rows of the training window that are later than the holdout: where outcomes come late, most have none."""
        rows = pd.concat([self.loaded.train, self.loaded.holdout], ignore_index=True)
        expected = self.release.expected if self.release else None
        if expected is not None:
            rows = rows.assign(**{f"{EXPECTED}{number}": column for number, column in enumerate(expected.T)})
        return rows[rows[self.contract.time] > self.split.holdout[self.contract.time].iloc[-1]]

    @property
    def served(self) -> Fitted:
        """The model that is served: the release model, if there is one."""
        return self.release or self


def read_recipe(path: Path) -> ModuleType:
    """The complete recipe in the file *path*. Raises `RecipeError`."""
    spec = importlib.util.spec_from_file_location("recipe", path)
    if not path.is_file() or spec is None or spec.loader is None:
        raise RecipeError(f"there is no recipe at {path}; name a Python file: --recipe FILE")
    set_secrets(os.environ, Path())
    recipe = importlib.util.module_from_spec(spec)
    if OWN_PACKAGES.is_dir() and str(OWN_PACKAGES) not in sys.path:
        sys.path.insert(1, str(OWN_PACKAGES))  # before the environment: a newer version may be named
    sys.modules["recipe"] = recipe  # a dataclass looks its module up by name when it is created
    try:
        spec.loader.exec_module(recipe)
    except ContractError as error:
        raise RecipeError(f"{path}: {error} ({place(path, error)})") from error
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # SystemExit, and whatever else a recipe may raise
        raise RecipeError(f"{path}: cannot be imported: {described(path, error)}") from error
    finally:  # joblib pickles the functions of a module that cannot be imported by value
        sys.modules.pop("recipe", None)
    missing = [name for name in ("window", "load", "estimator") if not callable(getattr(recipe, name, 0))]
    if not isinstance(getattr(recipe, "CONTRACT", None), Contract):
        missing.insert(0, "CONTRACT (a model.contract.Contract)")
    holdout = getattr(recipe, "HOLDOUT", None)
    if holdout is not None and not (isinstance(holdout, timedelta) and holdout > timedelta(0)):
        raise RecipeError(f"{path}: HOLDOUT is {holdout!r}; expected a time such as timedelta(days=14)")
    if missing:
        raise RecipeError(f"{path} has no {', '.join(missing)}; model/recipe.py is a complete example")
    recipe.estimator = with_columns(recipe.estimator, recipe.CONTRACT)  # type: ignore[attr-defined]
    return recipe


def training_window(recipe: Recipe, today: date) -> tuple[datetime, datetime]:
    """The training window for *today*, in UTC: start, and end (exclusive).

    Raises `RecipeError` unless it returns two datetimes with a zone, the earlier first.
    """
    path = Path(recipe.__file__ or "recipe")
    found = _call(path, "window", recipe.window, today)
    expected = (
        "expected two datetimes with a zone, such as\n"
        "  end = datetime.combine(today, time(), UTC); return end - timedelta(days=90), end"
    )
    if not isinstance(found, (tuple, list)) or len(found) != 2:
        many = f" of {len(found)}" if isinstance(found, (tuple, list)) else ""
        wrong = f"a {type(found).__name__}{many}" if found is not None else "None"
    elif any(not isinstance(each, datetime) for each in found):
        wrong = " and ".join(type(each).__name__ for each in found)
    elif any(each is pd.NaT for each in found):
        wrong = f"no time ({found[0]}, {found[1]})"
    elif any(each.utcoffset() is None for each in found):
        wrong = f"datetimes without a zone ({found[0]}, {found[1]})"
    elif not found[0] < found[1]:
        wrong = f"a start, {found[0]}, that is not before the end, {found[1]}"
    else:
        try:
            return found[0].astimezone(UTC), found[1].astimezone(UTC)
        except (OverflowError, ValueError):
            wrong = f"times that UTC cannot express ({found[0]}, {found[1]})"
    raise RecipeError(f"{path}: window() returned {wrong} ({defined(path, recipe.window)}); {expected}")


def load_rows(recipe: Recipe, today: date) -> tuple[Any, datetime, datetime]:
    """What `load` returns for the training window of *today*, with its start and end. Raises `RecipeError`."""
    start, end = training_window(recipe, today)
    return _call(Path(recipe.__file__ or "recipe"), "load", recipe.load, start, end), start, end


def train(recipe: Recipe, today: date, *, second_fit: bool = True, refit: bool = True) -> Fitted:
    """Load the recipe's training window for *today*, fit its estimator, and measure it on the holdout.

    Without *second_fit* it is not measured how many decisions another seed changes. With *refit*, the recipe's estimator is
    then fitted to all rows, the holdout included: the release model.

    Raises `RecipeError` if the recipe's code raises, `DataError` or `ContractError` if its rows cannot be trained on.
    """
    contract: Contract = recipe.CONTRACT
    path, where = Path(recipe.__file__ or "recipe"), declared(recipe)
    loaded, start, end = load_rows(recipe, today)
    estimator = _call(path, "estimator", recipe.estimator)
    if not (hasattr(estimator, "fit") and hasattr(estimator, "get_params")):
        raise RecipeError(
            f"{path}: estimator() returned {type(estimator).__name__}; expected a scikit-learn estimator,"
            f" not fitted yet ({defined(path, recipe.estimator)})"
        )
    holdout: timedelta | None = getattr(recipe, "HOLDOUT", None)
    rows = check(loaded, contract, start, end, where)
    weigh = weighing(recipe, functools.partial(_call, path, "weights"))
    chosen = replace(training_rows(recipe.load, rows, contract, (start, end), holdout, where), weigh=weigh)
    split = chosen.split
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # effects of what a fit warns about are measured on the holdout
            refuse_without_weights(estimator, weigh)
            trained = chosen.evaluation_set(recipe.estimator)
            trained.fit(estimator)
            _check_method(path, recipe, estimator)
            scores = predict(estimator, split, contract)
            check_scores(estimator, scores, contract)
            unstable = _unstable(recipe.estimator, trained, split, contract, scores) if second_fit else None
            own = getattr(recipe, "to_onnx", None)
            evaluation = Fitted(estimator, contract, split, (start, end), {}, unstable, where=where, to_onnx=own)
            release = release_of(evaluation, chosen, recipe.estimator) if refit else None
    except (RecipeError, WeightsError, KeyboardInterrupt):
        raise
    except DataError as error:
        raise DataError(f"{where.at('estimator()')}{error}") from error
    except BaseException as error:
        raise RecipeError(
            f"{path}: the estimator ({defined(path, recipe.estimator)}) does not fit:"
            f" {described(path, error)}{unfit(estimator, error, split.train, contract, where)}"
        ) from error
    late, sentences = chosen.described(trained, release.late if release else {})
    return replace(
        evaluation,
        metrics=measure(contract, encoded_target(split.holdout, contract), scores),
        remarks=(
            *remarks(loaded, contract),
            *sentences,
            *columns_given(estimator, contract),
            *said_of(weigh, chosen.rows),
        ),
        replay=replay(recipe.load, chosen.newest, contract, (start, end)),
        late=late,
        newest=chosen.newest,
        unknown=chosen.unknown,
        arrived=chosen.arrived,
        release=release,
    )


def release_of(evaluation: Fitted, chosen: TrainingRows, make: Callable[[], Any]) -> Fitted:
    """The release model beside *evaluation*: the estimator of *make*, fitted to all rows of the training window.

    Raises `DataError` if its scores cannot be used, and what the estimator raises.
    """
    contract, estimator = evaluation.contract, make()
    trained = chosen.release_set(make)
    trained.fit(estimator)
    check_scores(estimator, predict(estimator, evaluation.split, contract), contract)
    split = Split(chosen.rows, evaluation.split.holdout)
    window, where = evaluation.window, evaluation.where
    found = Fitted(estimator, contract, split, window, {}, where=where, late=trained.found, to_onnx=evaluation.to_onnx)
    return replace(found, expected=trained.expected)


def _unstable(
    make: Callable[[], Any], trained: TrainingSet, split: Split, contract: Contract, scores: Scores
) -> float | None:
    """The share of decisions that change with another seed, by a second fit.

    If a few rows show that the seed changes nothing, there is no second fit.
    """
    names = [name for name in make().get_params() if name.endswith("random_state")]
    truth = trained.truth
    if not names or len(truth) > SECOND_FIT:
        return None
    later = model_inputs(split.holdout, contract)

    def refit(seed: int, rows: Any) -> Scores:
        estimator = make().set_params(**dict.fromkeys(names, seed))
        trained.fit(estimator, rows)
        return scores_of(estimator, later, contract)

    few = np.random.default_rng(0).permutation(len(truth))[:PROBE]
    lacking = contract.target.classes and len({*truth[few]}) < len(contract.target.classes)
    if len(truth) > 2 * PROBE and not lacking and np.array_equal(refit(0, few), refit(1, few)):
        return 0.0
    return round(changed_share(contract, refit(1, slice(None)), scores), 6)


def predict(estimator: Any, split: Split, contract: Contract) -> Scores:
    """The estimator's scores of the holdout, in the shape of `Bundle.score`."""
    inputs = model_inputs(split.holdout, contract)
    return scores_of(estimator, inputs, contract)


def _call(path: Path, name: str, function: Callable[..., Any], *arguments: Any) -> Any:
    try:
        return function(*arguments)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise RecipeError(f"{path}: {name}() failed: {described(path, error)}") from error


def _check_method(path: Path, recipe: Recipe, estimator: Any) -> None:
    task = recipe.CONTRACT.task
    needed = "predict" if task == "regression" else "predict_proba"
    if not hasattr(estimator, needed):
        raise RecipeError(
            f"{path}: the estimator {type(estimator).__name__} has no {needed}, which a {task} model needs"
            f" ({defined(path, recipe.estimator)})"
        )

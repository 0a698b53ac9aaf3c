"""The weights that a recipe's `weights(rows)` gives to its training rows.

Models are evaluated plainly: metrics, the gate and monitoring count each row once.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import has_fit_parameter

from model.data import DataError
from model.declarations import Recipe, defined

Array = np.ndarray[Any, Any]
#: The weights of rows, (n,); None where all count the same.
Weigh = Callable[[pd.DataFrame], Array] | None


class WeightsError(DataError):
    """The recipe's weights cannot be used. The message says why, and where they are."""


def weight_argument(estimator: Any) -> str | None:
    """The argument of `fit` for sample weights, such as `logisticregression__sample_weight`; None without one.

    An estimator around other estimators may not hand weights on to them, so it counts as one without.
    """
    if isinstance(estimator, Pipeline):
        name, last = estimator.steps[-1]
        inner = weight_argument(last)
        return f"{name}__{inner}" if inner else None
    if any(_is_estimator(value) for value in estimator.get_params(deep=False).values()):
        return None
    return "sample_weight" if has_fit_parameter(estimator, "sample_weight") else None


def refuse_without_weights(estimator: Any, weigh: Weigh) -> None:
    """Raise `WeightsError` for an *estimator* whose `fit` takes no weights, or that wraps another one, if there are some."""
    if weigh is not None and weight_argument(estimator) is None:
        last = estimator
        while isinstance(last, Pipeline):
            last = last.steps[-1][1]
        wraps = any(_is_estimator(value) for value in last.get_params(deep=False).values())
        why = "may not hand them on to the estimator that it wraps" if wraps else "takes none"
        raise WeightsError(
            f"weights() would not be used: the fit of {type(last).__name__} {why}; write an estimator with sample_weight,"
            " such as HistGradientBoostingClassifier, class_weight in the estimator, or load fewer rows of one kind"
        )


def weighing(recipe: Recipe, call: Callable[..., Any]) -> Weigh:
    """The weights(rows) of the *recipe*, checked; None if it has none. *call* runs them: (function, rows)."""
    path = Path(recipe.__file__ or "recipe")
    own = getattr(recipe, "weights", None)
    if not callable(own):
        return None

    def weigh(rows: pd.DataFrame) -> Array:
        try:
            return checked(call(own, rows.copy()), rows)
        except WeightsError as error:
            raise WeightsError(f"{path}: {error} ({defined(path, own)})") from error

    return weigh


def checked(weights: Any, rows: pd.DataFrame) -> Array:
    """The *weights* of *rows*, (n,): finite numbers from 0, not all of them 0. Raises `WeightsError`."""
    expected = "expected one number from 0 for each row, such as np.where(rows['amount'] > 100, 2.0, 1.0)"
    try:
        found = np.asarray(weights, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise WeightsError(
            f"weights() returned {type(weights).__name__}, which is no array of numbers; {expected}"
        ) from error
    if found.shape != (len(rows),):
        raise WeightsError(f"weights() returned the shape {found.shape} for {len(rows):,} rows; {expected}")
    wrong = ~(np.isfinite(found) & (found >= 0))
    if wrong.any():
        raise WeightsError(f"weights() returned {found[wrong][0]:g} for {int(wrong.sum()):,} rows; {expected}")
    if not found.any():
        raise WeightsError(f"weights() returned 0 for all {len(rows):,} rows; {expected}")
    return found


def said_of(weigh: Weigh, rows: pd.DataFrame) -> list[str]:
    """A sentence on the weights of *rows*: their range, and how many rows of one weight are as good for an average.

    Kish 1965, Survey sampling, section 11.7: (sum w)² / sum w².
    """
    if weigh is None:
        return []
    found = weigh(rows)
    said = (
        f"trained with the sample weights of weights(rows), from {found.min():.3g} to {found.max():.3g}: {len(found):,} rows"
        f" are as good as {found.sum() ** 2 / (found**2).sum():,.0f} of one weight; all metrics count each row once"
    )
    return [said]


def _is_estimator(value: Any) -> bool:
    parts = value if isinstance(value, list) else [value]
    return any(hasattr(each[1] if isinstance(each, tuple) and len(each) > 1 else each, "fit") for each in parts)

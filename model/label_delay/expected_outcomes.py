"""Training while outcomes are still coming in: expectation-maximisation around a recipe's estimator.

A row without an outcome yet enters once for each class, weighted by the probability of the class given the row and that
its outcome is not known at its age:

    P(c | row, unknown at age a)  is proportional to  P(c | row) P(unknown at a | c, row)

The first factor is the estimator's, at first trained on rows that are old enough to be whole, the second is the delay
model's (`model.label_delay.delay_curves`). Chapelle 2014, "Modeling delayed feedback in display advertising", section 4;
Dempster, Laird, Rubin 1977.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from contracts.row_contract import Contract
from model.data import DataError, encoded_target, model_inputs
from model.estimator_scores import scores_of
from model.label_delay.delay_curves import WHOLE_SHARE, delay_model, whole_after
from model.label_delay.known_outcomes import DAY, delays, known
from model.label_delay.sample_weights import Weigh, weight_argument

#: How many times the expected outcomes are computed; a third time changed nothing on the streams that were tried.
STEPS = 2
#: Cohorts with this share of their outcomes are a first model where none is whole: the unknown rest counts for all classes
#: alike in it, and by the delays, which are of all rows, in the next.
NEARLY = 0.75
#: Fewest rows of each class in whole cohorts.
MIN_ROWS_OF_CLASS = 20
#: A class with a smaller probability is left out.
NEGLIGIBLE = 1e-4
Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class TrainingSet:
    """Rows to fit an estimator on: inputs, encoded target and weights (n,), None where all rows count the same.

    *found* are JSON values on the delay: how many rows had no outcome, and what was done. *expected* has the probability of each
    class of each row of the window, (rows, classes), where rows without an outcome entered with it.
    """

    inputs: pd.DataFrame
    truth: Array
    weights: Array | None = None
    found: Mapping[str, Any] = field(default_factory=dict)
    expected: Array | None = None

    def fit(self, estimator: Any, rows: Any = slice(None)) -> Any:
        """Fit the *estimator* on the set, or on some of its *rows*."""
        weights = {} if self.weights is None else {str(weight_argument(estimator)): self.weights[rows]}
        return estimator.fit(self.inputs.iloc[rows], self.truth[rows], **weights)


def training_set(
    make: Callable[[], Any],
    rows: pd.DataFrame,
    older: pd.DataFrame,
    contract: Contract,
    moment: datetime,
    weigh: Weigh = None,
) -> TrainingSet:
    """What the estimators of *make* are trained on: *rows*, with the outcomes that were known at *moment*.

    *older* are earlier rows, for delays that are longer than the training window. *weigh* gives the recipe's weights of
    rows, by which those of expected outcomes are multiplied.
    """
    if not contract.target.comes_late or known(rows, contract).all():
        return _plain(rows, contract, {}, weigh)
    every = pd.concat([older, rows], ignore_index=True)
    days, there = delays(every, contract, moment), known(every, contract)
    age = ((pd.Timestamp(moment) - every[contract.time]) / DAY).to_numpy()
    found: dict[str, Any] = {"rows": len(rows), "unknown": int((~known(rows, contract)).sum())}
    shares = (whole_after(days, there, float(age.max()), share) for share in (WHOLE_SHARE, NEARLY))
    whole = next((each for each in shares if each is not None), None)
    if contract.target.maturity is not None:
        whole = contract.target.maturity / DAY
    ripe = there & (age >= (age.max() / 2 if whole is None else whole))
    found |= {"whole_after": whole}
    if contract.task == "regression" or contract.target.maturity is not None or whole is None:
        return _matured(every[ripe].tail(len(rows)), contract, found, weigh)
    counts = np.bincount(encoded_target(every[ripe], contract), minlength=len(contract.target.classes))
    if counts.min() < MIN_ROWS_OF_CLASS:
        return _matured(every[ripe].tail(len(rows)), contract, found | {"whole_after": None}, weigh)
    own = np.ones(len(every)) if weigh is None else weigh(every)
    return _expected(make, every, len(older), contract, _Ages(days, there, age >= whole, own), found)


def sentences(found: Mapping[str, Any], target: str) -> list[str]:
    """What was done about rows without an outcome of *target*, by what a `TrainingSet` found; [] if all have one."""
    if not found:
        return []
    missing = f"{target}: {found['unknown']:,} of {found['rows']:,} rows have no outcome yet"
    if found["method"] == "matured":
        age = "the older half" if found["whole_after"] is None else f"rows of {found['whole_after']:g} days and older"
        return [f"{missing}; trained on {age} alone, {found['matured']:,} rows with an outcome"]
    drawn = "; the estimator takes no sample weights, so that a class is drawn for each" if found.get("drawn") else ""
    expected = (
        f"{missing}; they are trained on with the probability of each class at their age, in {found['steps']} steps"
        f" (the last one changed the probabilities by {found['change']:.3f} on average){drawn}"
    )
    reached = [
        f"{each['class']} after " + ("more days than were observed" if days is None else f"{days:.3g} days")
        for each in found["delay"]
        for days in (each["known_after"]["0.9"],)
    ]
    return [expected, f"{target}: 90 % of outcomes are known: {', '.join(reached)}"]


@dataclass(frozen=True)
class _Ages:
    """Days until known, or the age; whether known; whether the row's cohort is whole; the row's own weight: (n,) each."""

    days: Array
    known: Array
    whole: Array
    own: Array


def _expected(
    make: Callable[[], Any], every: pd.DataFrame, first: int, contract: Contract, ages: _Ages, found: Mapping[str, Any]
) -> TrainingSet:
    """The rows of *every* from *first* on, those without an outcome once for each class."""
    inputs, late, old = model_inputs(every, contract), ~ages.known, ages.whole
    codes = np.full(len(every), -1)
    codes[ages.known] = encoded_target(every[ages.known], contract)
    classes = len(contract.target.classes)
    weights = np.full((len(every), classes), 1 / classes)
    weights[ages.known] = np.eye(classes)[codes[ages.known]]
    window = np.arange(len(every)) >= first

    # The last rows of whole cohorts without an outcome count for all classes alike: left out, they would leave the
    # probability of the class that takes longest at 0 where the delay is longest.
    estimator = _weighted(inputs, codes, weights, ages.own, old, make(), {}).fit(make())
    probability = _probabilities(estimator, inputs[late], contract)
    weights[late] = probability
    delay = delay_model(inputs[old], codes[old], ages.days[old], ages.known[old], weights[old])
    changes = []
    for step in range(STEPS):
        if step:
            delay = delay.refitted(inputs, ages.days, ages.known, weights)
            estimator = _weighted(inputs, codes, weights, ages.own, window, make(), {}).fit(make())
            probability[window[late]] = _probabilities(estimator, inputs[late & window], contract)
        posterior = probability * delay.unknown(inputs[late], ages.days[late])
        posterior /= posterior.sum(axis=1, keepdims=True)
        changes.append(float(np.abs(posterior - weights[late])[window[late]].mean()))
        weights[late] = posterior
    delay = delay.refitted(inputs, ages.days, ages.known, weights)
    names = tuple(str(each) for each in contract.target.classes)
    said = {"method": "expected", "steps": STEPS, "change": round(changes[-1], 4), "delay": delay.summary(names)}
    trained = _weighted(inputs, codes, weights, ages.own, window, make(), {**found, **said})
    return replace(trained, expected=weights[window])


def _weighted(
    inputs: pd.DataFrame,
    codes: Array,
    weights: Array,
    own: Array,
    rows: Array,
    estimator: Any,
    found: Mapping[str, Any],
) -> TrainingSet:
    """The masked *rows* in their order; *estimator* decides whether they are weighted or their classes are drawn."""
    inputs, codes, weights, own = inputs[rows].reset_index(drop=True), codes[rows], weights[rows], own[rows]
    if weight_argument(estimator) is None:
        draw = np.random.default_rng(0).random(len(weights))
        drawn = (weights.cumsum(axis=1) < draw[:, None]).sum(axis=1).clip(max=weights.shape[1] - 1)
        return TrainingSet(inputs, np.where(codes >= 0, codes, drawn), None, {**found, "drawn": True})
    place, truth = np.nonzero(weights > NEGLIGIBLE)
    return TrainingSet(inputs.iloc[place].reset_index(drop=True), truth, weights[place, truth] * own[place], found)


def _matured(rows: pd.DataFrame, contract: Contract, found: Mapping[str, Any], weigh: Weigh) -> TrainingSet:
    """The outcomes of rows that are old enough, alone. Raises `DataError` where they lack a class, or are none."""
    seen = {str(label) for label in rows[contract.target.name].unique()}
    lacking = [str(label) for label in contract.target.classes if str(label) not in seen]
    if rows.empty or lacking:
        raise DataError(
            f"of {found['rows']:,} rows, {found['unknown']:,} have no {contract.target.name} yet, and those that are old"
            f" enough have none{' of ' + ', '.join(lacking) if lacking else ''}: write a longer window()"
        )
    return _plain(rows, contract, {**found, "method": "matured", "matured": len(rows)}, weigh)


def _plain(rows: pd.DataFrame, contract: Contract, found: Mapping[str, Any], weigh: Weigh) -> TrainingSet:
    own = None if weigh is None else weigh(rows)
    return TrainingSet(model_inputs(rows, contract), encoded_target(rows, contract), own, found)


def _probabilities(estimator: Any, inputs: pd.DataFrame, contract: Contract) -> Array:
    """The probability of each class: (n, classes)."""
    if inputs.empty:
        return np.zeros((0, len(contract.target.classes)))
    scores = scores_of(estimator, inputs, contract)
    return np.stack([1 - scores, scores], axis=1) if scores.ndim == 1 else scores

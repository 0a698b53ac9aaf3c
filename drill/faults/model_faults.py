"""Model faults: wrong training, or a useless estimator."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression

from contracts.row_contract import Contract
from drill.fault import COMPARISON_RULES, DoesNotApplyError, Fault
from drill.faults.data_faults import number
from drill.faults.leakage_faults import refitted
from drill.thinned_recipe import Subject, again, codes, plain
from model.data import Split
from model.train import Fitted

#: Too few rows to train on.
FEW_ROWS = 300
OTHER_RULES = (*COMPARISON_RULES, "drift.predictions", "calibration*", "model.constant")


def with_estimator(settle: Callable[[Contract, Subject], Any]) -> Callable[[Subject], SimpleNamespace]:
    """The recipe with another estimator."""

    def recipe(subject: Subject) -> SimpleNamespace:
        contract = subject.contract
        return subject.changed(lambda frame, _: frame, estimator=lambda: settle(contract, subject))

    return recipe


def _noise(fitted: Fitted) -> Fitted:
    """Trained on permuted outcomes; the evidence has the true ones."""
    return _fitted_to(fitted, lambda truth, _: np.random.default_rng(0).permutation(truth))


def _slice_lost(fitted: Fitted) -> Fitted:
    """The smaller slices' outcomes are inverted for training: one in six rows or fewer."""

    def spoilt(truth: Any, train: Any) -> Any:
        name = next((f.name for f in fitted.contract.features if f.kind == "category"), None)
        name = (*fitted.contract.slices, name)[0]
        if name is None:
            raise DoesNotApplyError("there is no category to slice by")
        shares = train[name].value_counts(normalize=True)
        lost = shares[(shares >= 0.05)].index[-1]
        other = truth.max() - truth
        return np.where(train[name] == lost, other, truth)

    return _fitted_to(fitted, spoilt)


def _fitted_to(fitted: Fitted, spoil: Callable[[Any, Any], Any]) -> Fitted:
    contract, train = fitted.contract, fitted.split.train
    truth = spoil(codes(train, contract), train)
    labels = [contract.target.classes[int(each)] for each in truth] if contract.target.classes else truth
    spoilt = Split(train.assign(**{contract.target.name: labels}), fitted.split.holdout)
    return replace(refitted(fitted, spoilt, contract.time), split=fitted.split)


def _late_inverted(fitted: Fitted) -> Fitted:
    """The outcomes of the holdout's last days, a third of them, are inverted for training, as by a late join."""
    time = fitted.contract.time
    end = fitted.split.holdout[time].max()
    since = end - (end - fitted.split.holdout[time].min()) / 3

    def spoilt(truth: Any, train: Any) -> Any:
        return np.where(train[time] > since, truth.max() + truth.min() - truth, truth)

    return _fitted_to(fitted, spoilt)


def _linear(fitted: Fitted) -> Fitted:
    """The recipe's preprocessing before a linear model, where that can be fitted."""
    number = fitted.contract.task == "regression"
    made = plain(fitted.contract)
    made.steps[1:] = [("fill", _imputer()), ("linear", LinearRegression() if number else LogisticRegression())]
    return refitted(replace(fitted, estimator=made), fitted.split, fitted.contract.time)


def _memoriser(contract: Contract, _: Subject) -> Any:
    return plain(
        contract, max_iter=250, learning_rate=0.4, max_leaf_nodes=255, min_samples_leaf=1, l2_regularization=0.0
    )


def _constant(contract: Contract, _: Subject) -> Any:
    return plain(contract, max_iter=1, learning_rate=1e-4, max_leaf_nodes=2)


def _loud(contract: Contract, _: Subject) -> Any:
    """Positives weigh as much as negatives: a good ranking, but no calibrated probabilities."""
    if contract.task == "regression":
        raise DoesNotApplyError("a regression has no probabilities")
    return plain(contract, class_weight="balanced")


def _directed(subject: Subject) -> SimpleNamespace:
    """The contract has a direction, and the model is trained with the opposite one."""
    if subject.contract.task == "multiclass":
        raise DoesNotApplyError("a direction is for one score")
    name = number(subject).name
    features = tuple(replace(f, direction="up") if f.name == name else f for f in subject.contract.features)
    contract = again(subject.contract, features=features)
    numbers = [f.name for f in features if f.kind != "category"]
    after = [-1 if each == name else 0 for each in numbers]

    def estimator() -> Any:
        made = plain(contract)

        def width(columns: int) -> list[int]:
            return [0] * (columns - len(after)) + after

        return _Constrained(made, width)

    return subject.changed(lambda frame, _: frame, CONTRACT=contract, estimator=estimator)


class _Constrained:
    """A pipeline whose trees get their directions when the encoder's width is known."""

    def __new__(cls, made: Any, width: Callable[[int], list[int]]) -> Any:
        fit = made.fit

        def fitted(inputs: Any, truth: Any) -> Any:
            columns = made[0].fit(inputs).transform(inputs).shape[1]
            made[-1].set_params(monotonic_cst=width(columns))
            return fit(inputs, truth)

        made.fit = fitted
        return made


def _unstable(contract: Contract, _: Subject) -> Any:
    """A few extremely random trees: another seed gives another model."""
    kind = ExtraTreesRegressor if contract.task == "regression" else ExtraTreesClassifier
    made = plain(contract)
    made.steps[-1] = (
        "trees",
        kind(n_estimators=4, max_depth=12, min_samples_leaf=5, max_features=1, bootstrap=True, random_state=0),
    )
    made.steps.insert(1, ("fill", _imputer()))
    return made


def _imputer() -> Any:
    from sklearn.impute import SimpleImputer  # noqa: PLC0415

    return SimpleImputer(strategy="median")


def _few(fitted: Fitted) -> Fitted:
    """Trained on the first rows only, as after an experiment that was left in the code."""
    few = Split(fitted.split.train.head(FEW_ROWS), fitted.split.holdout)
    return replace(refitted(fitted, few, fitted.contract.time), split=fitted.split)


def _eager(contract: Contract, _: Subject) -> Any:
    return plain(contract, learning_rate=0.3, min_samples_leaf=3, l2_regularization=0.0)


FAULTS = (
    Fault(
        "trained on noise",
        "the outcomes were shuffled for training",
        ("compare.*", "model.gain"),
        OTHER_RULES,
        fitted=_noise,
    ),
    Fault(
        "a memoriser", "trees that memorise each row", ("model.degradation",), OTHER_RULES, with_estimator(_memoriser)
    ),
    Fault("a constant", "the same answer for every row", ("model.constant",), OTHER_RULES, with_estimator(_constant)),
    Fault(
        "one slice regressed",
        "one slice was trained on inverted outcomes",
        ("slice*", "compare.slice*"),
        OTHER_RULES,
        fitted=_slice_lost,
    ),
    Fault(
        "miscalibrated",
        "positives weigh as much as negatives",
        ("model.calibration", "calibration*", "compare.calibration*"),
        OTHER_RULES,
        with_estimator(_loud),
    ),
    Fault(
        "monotone constraint broken",
        "the score falls where the contract says it rises",
        ("model.direction",),
        OTHER_RULES,
        _directed,
    ),
    Fault(
        "seed-unstable",
        "four extremely random trees: another seed gives another model",
        ("model.stability",),
        OTHER_RULES,
        with_estimator(_unstable),
    ),
    Fault(
        "worse than the baseline",
        f"overfitted trees, trained on {FEW_ROWS} rows only",
        ("compare.baseline",),
        OTHER_RULES,
        with_estimator(_eager),
        fitted=_few,
    ),
    Fault(
        "release model trained on noise",
        "the outcomes were shuffled for the release model alone",
        ("release.fit",),
        ("release.*", "model.direction"),
        release=_noise,
    ),
    Fault(
        "release model trained on wrong late outcomes",
        "the outcomes of the holdout's last third were inverted for the release model alone",
        ("release.fit",),
        ("release.*", "model.direction"),
        release=_late_inverted,
    ),
    Fault(
        "release model of another window",
        "the release model was trained on the first rows only",
        ("release.fit",),
        ("release.*", "model.direction"),
        release=_few,
    ),
    Fault(
        "release model of another estimator",
        "the release model is a linear one",
        ("release.estimator",),
        ("release.*", "model.direction", "serving.*"),
        release=_linear,
    ),
)

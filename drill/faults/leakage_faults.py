"""Leakage faults: the model gets information that is not available at prediction time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from contracts.row_contract import Feature
from drill.drawing import normal_by_row, seed_of, uniform_by_row
from drill.fault import Fault, Random, Variant
from drill.thinned_recipe import Frame, Subject, codes
from model.data import Split
from model.train import Fitted

ADDED = "added_value"


#: The added feature.
FEATURE = Feature(ADDED, "number", "a joined column", nullable=True)


def adding(what: str, values: Callable[[Frame], Any], served: Callable[[Frame], Any] | None = None) -> Variant:
    """A variant with the added feature; at prediction time it is *served*, or missing."""

    def at_prediction(frame: Frame) -> Frame:
        return frame.assign(**{ADDED: served(frame) if served else np.nan})

    return Variant(what, lambda frame: frame.assign(**{ADDED: values(frame)}), FEATURE, at_prediction)


def truth_of(frame: Frame, subject: Subject) -> Any:
    """The target as numbers, (n,)."""
    return pd.Series(codes(frame, subject.contract), index=frame.index)


def spread_of(subject: Subject) -> float:
    """The standard deviation of the target, whatever window is loaded."""
    return float(truth_of(subject.rows, subject).std())


def _copied(random: Random, subject: Subject) -> Variant:
    factor = float(random.choice([-1, 1])) * float(random.uniform(0.5, 100))
    return adding(f"{factor:.1f} times the target", lambda frame: factor * truth_of(frame, subject))


def _derived(random: Random, subject: Subject) -> Variant:
    width, seed, spread = float(random.uniform(0.2, 0.6)), seed_of(random), spread_of(subject)

    def values(frame: Frame) -> Any:
        return truth_of(frame, subject) + normal_by_row(frame, subject.contract, seed) * width * spread

    return adding(f"the target with noise of {width:.2f} standard deviations", values)


def _key(random: Random, subject: Subject) -> Variant:
    # As when ids are assigned to cases first, then to controls: the number gives the outcome away.
    width, seed = float(random.uniform(0.05, 0.2)), seed_of(random)

    def values(frame: Frame) -> Any:
        order = truth_of(frame, subject) + normal_by_row(frame, subject.contract, seed) * width
        return order.rank(method="first")

    return adding(f"an id by the outcome, with noise of {width:.2f}", values)


def _group(random: Random, subject: Subject) -> Variant:
    # The mean outcome of a group of a few rows, the row itself included.
    size, seed = int(random.integers(2, 5)), seed_of(random)

    def values(frame: Frame) -> Any:
        place = uniform_by_row(frame, subject.contract, seed).argsort().argsort() // size
        return truth_of(frame, subject).groupby(place).transform("mean")

    return adding(f"the mean outcome of {size} rows, the row's own included", values)


def _future(fitted: Fitted) -> Fitted:
    """The estimator fitted to a random split instead of one by time."""
    contract = fitted.contract
    rows = pd.concat([fitted.split.train, fitted.split.holdout]).drop_duplicates(contract.key, ignore_index=True)
    late = np.random.default_rng(0).random(len(rows)) < len(fitted.split.holdout) / len(rows)
    split = Split(rows[~late].reset_index(drop=True), rows[late].reset_index(drop=True))
    return refitted(fitted, split, contract.time)


def _copies(fitted: Fitted) -> Fitted:
    """Two in five rows of the holdout are trained on, too, with an earlier time."""
    train, holdout, time = fitted.split.train, fitted.split.holdout, fitted.contract.time
    taken = holdout.sample(frac=0.4, random_state=0)
    earlier = train[time].sample(len(taken), random_state=0).to_numpy()
    keys = taken[fitted.contract.key] + " again"
    taken = taken.assign(**{time: pd.to_datetime(earlier, utc=True), fitted.contract.key: keys})
    both = pd.concat([train, taken], ignore_index=True)
    return refitted(fitted, Split(both, holdout), time)


def refitted(fitted: Fitted, split: Split, time: str) -> Fitted:
    """The estimator fitted to another split, sorted by *time*."""
    from model.data import encoded_target, model_inputs  # noqa: PLC0415

    split = Split(*(part.sort_values(time, ignore_index=True) for part in (split.train, split.holdout)))
    contract = fitted.contract
    fitted.estimator.fit(model_inputs(split.train, contract), encoded_target(split.train, contract))
    return replace(fitted, split=split)


#: Rules that name a feature with the outcome in it. A load with an earlier end changes one that is computed from the rows
#: that are loaded together.
LEAK_RULES = ("leak.solo", "data.label_correlation", "leak.added")
GROUP_LEAK_RULES = (*LEAK_RULES, "leak.replay")
GIVES_AWAY = (
    "data.label_correlation",
    "leak.solo",
    "leak.added",
    "leak.replay",
    "model.degradation",
    "data.frozen",
    "contract.*",
    "labels.maturing",
)

FAULTS = (
    Fault("target copied", "the target is among the features", LEAK_RULES, GIVES_AWAY, draw=_copied),
    Fault("target-derived feature", "a feature is the target and some noise", LEAK_RULES, GIVES_AWAY, draw=_derived),
    Fault(
        "future rows in training",
        "rows are split at random, not by time",
        ("data.time_overlap",),
        (
            "data.fresh_rows",
            "compare.*",
            "slice*",
            "calibration*",
            "upstream.*",
            "data.rate",
            "data.lost",
            "labels.maturing",
        ),
        fitted=_future,
    ),
    Fault(
        "rows on both sides of the split",
        "two in five rows of the holdout are trained on as well",
        ("leak.split",),
        ("model.degradation", "data.duplicates"),
        fitted=_copies,
    ),
    Fault(
        "key leakage",
        "a feature numbers the rows by their outcome, like an id assigned afterwards",
        LEAK_RULES,
        GIVES_AWAY,
        draw=_key,
    ),
    Fault(
        "group leakage",
        "a feature is the mean outcome of a row's group, its own outcome included",
        GROUP_LEAK_RULES,
        GIVES_AWAY,
        draw=_group,
    ),
)

"""Leakage faults: the model gets information that is not available at prediction time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd

from contracts.row_contract import Feature
from drill.fault import Fault
from drill.thinned_recipe import Change, Frame, Subject, codes, plain, with_feature
from model.data import Split
from model.train import Fitted

ADDED = "added_value"


def leaking(change: Change) -> Callable[[Subject], SimpleNamespace]:
    """A recipe with an additional feature, whose values come from *change*."""

    def recipe(subject: Subject) -> SimpleNamespace:
        contract = with_feature(subject.contract, Feature(ADDED, "number", "a joined column", nullable=True))
        return subject.changed(change, CONTRACT=contract, estimator=lambda: plain(contract))

    return recipe


def _copied(rows: Frame, subject: Subject) -> Frame:
    return rows.assign(**{ADDED: codes(rows, subject.contract)})


def _derived(rows: Frame, subject: Subject) -> Frame:
    truth = codes(rows, subject.contract)
    noise = subject.random("derived").normal(0, 0.45 * truth.std(), len(rows))
    return rows.assign(**{ADDED: truth + noise})


def _key(rows: Frame, subject: Subject) -> Frame:
    # As when ids are assigned to cases first, then to controls: the number gives the outcome away.
    order = codes(rows, subject.contract) + subject.random("key").normal(0, 0.1, len(rows))
    return rows.assign(**{ADDED: pd.Series(order).rank(method="first").to_numpy()})


def _group(rows: Frame, subject: Subject) -> Frame:
    # The mean outcome of a group of three rows, the row itself included.
    group = subject.random("group").permutation(len(rows)) // 3
    mean = pd.Series(codes(rows, subject.contract)).groupby(group).transform("mean")
    return rows.assign(**{ADDED: mean.to_numpy()})


def _future(fitted: Fitted) -> Fitted:
    """The estimator fitted to a random split instead of one by time."""
    contract = fitted.contract
    rows = pd.concat([fitted.split.train, fitted.split.holdout], ignore_index=True)
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


SOLO = ("leak.solo", "data.label_correlation")
GIVES_AWAY = (
    "data.label_correlation",
    "leak.solo",
    "model.degradation",
    "data.frozen",
    "contract.*",
    "labels.maturing",
)

FAULTS = (
    Fault("target copied", "the target is among the features, under another name", SOLO, GIVES_AWAY, leaking(_copied)),
    Fault("target-derived feature", "a feature is the target and some noise", SOLO, GIVES_AWAY, leaking(_derived)),
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
        SOLO,
        GIVES_AWAY,
        leaking(_key),
    ),
    Fault(
        "group leakage",
        "a feature is the mean outcome of a row's group, its own outcome included",
        SOLO,
        GIVES_AWAY,
        leaking(_group),
    ),
)

"""The harm of a fault: the served model's loss on the rows of the month after the window, loaded without the fault.

The faulty candidate is compared with a clean one that was trained on the same window with the same estimator.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from contracts.row_contract import Contract
from drill.fault import Fault
from drill.thinned_recipe import Frame, Subject, plain
from model.data import check, encoded_target, model_inputs
from model.estimator_scores import Scores, scores_of
from model.label_delay.known_outcomes import known
from model.train import Fitted

MONTH = timedelta(days=28)
#: Probabilities are kept this far from 0 and 1, as the logarithm is infinite there.
MIN_PROBABILITY = 1e-6


def harm(fault: Fault, fitted: Fitted, subject: Subject) -> float | None:
    """By how much the next month's loss of the faulty candidate *fitted* is worse than the clean one's.

    None without rows of a whole month after the window. The loss is the log loss; for a regression the mean absolute
    error as a share of the median's.
    """
    rows = _month(subject)
    if rows is None:
        return None
    clean = _clean(subject, fault.feature)
    return round(_loss(fitted, fault.served(rows)) - _loss(clean, rows), 6)


def loss_of(contract: Contract, truth: Scores, scores: Scores) -> float:
    """The log loss, or for a regression the mean absolute error as a share of the median's."""
    if contract.task == "regression":
        most = np.abs(truth - np.median(truth)).mean()
        return float(np.abs(truth - scores).mean() / max(most, 1e-12))
    chance = np.column_stack([1 - scores, scores]) if scores.ndim == 1 else scores
    return float(-np.log(np.clip(chance[np.arange(len(truth)), truth.astype(int)], MIN_PROBABILITY, 1)).mean())


def _loss(fitted: Fitted, rows: Frame) -> float:
    scores = scores_of(fitted.served.estimator, model_inputs(rows, fitted.contract), fitted.contract)
    return loss_of(fitted.contract, encoded_target(rows, fitted.contract), scores)


@functools.lru_cache(maxsize=4)
def _clean(subject: Subject, trees: bool) -> Fitted:
    """The clean candidate; with the estimator of faults that add a feature, if *trees*."""
    recipe = subject.recipe
    if trees:
        recipe = subject.changed(_same, estimator=lambda: plain(subject.contract))
    return subject.fit(recipe)


def _same(frame: Frame, _: Any) -> Frame:
    return frame


@functools.lru_cache(maxsize=2)
def _month(subject: Subject) -> Frame | None:
    start, end = subject.end, subject.end + MONTH
    load: Callable[..., Any] = subject.recipe.load
    rows = load(start, end)
    if not isinstance(rows, pd.DataFrame) or not len(rows):
        return None
    rows = check(rows, subject.contract, start, end, known_by=datetime.now(UTC))
    rows = rows[known(rows, subject.contract)].reset_index(drop=True)
    if rows.empty:
        return None
    # A part of a month may be a part of the labels.
    return rows if rows[subject.contract.time].max() >= end - timedelta(days=7) else None

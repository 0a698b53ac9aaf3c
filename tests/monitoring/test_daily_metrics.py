"""Daily metrics, against scikit-learn's."""

from datetime import date

import numpy as np
import pytest
import sklearn.metrics as reference
from hypothesis import given, settings
from hypothesis import strategies as st

from monitoring.journal.window import read_window
from monitoring.metrics import daily_metrics as metrics
from tests.monitoring.conftest import answered, reading, write


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 9999))
def test_they_are_those_of_sklearn(seed):
    """With ties, and for two and three classes."""
    random = np.random.default_rng(seed)
    truth = random.integers(0, 2, 80).astype(float)
    truth[:2] = 0, 1
    scores = random.random(80).round(1).clip(0.05, 0.95)
    many = random.random((80, 3)) + 0.1
    many /= many.sum(axis=1, keepdims=True)
    classes = random.integers(0, 3, 80).astype(float)
    classes[:3] = 0, 1, 2

    assert metrics.roc_auc(truth, scores) == pytest.approx(reference.roc_auc_score(truth, scores))
    assert metrics.metric("log_loss", truth, scores) == pytest.approx(reference.log_loss(truth, scores))
    assert metrics.metric("accuracy", truth, scores) == pytest.approx(reference.accuracy_score(truth, scores >= 0.5))
    assert metrics.metric("log_loss", classes, many) == pytest.approx(reference.log_loss(classes, many))
    assert metrics.metric("accuracy", classes, many) == reference.accuracy_score(classes, many.argmax(axis=1))
    assert metrics.metric("mae", truth, scores) == pytest.approx(reference.mean_absolute_error(truth, scores))
    assert metrics.metric("rmse", truth, scores) == pytest.approx(reference.root_mean_squared_error(truth, scores))


def test_a_single_class_has_no_auc():
    """It is left out of the page, not drawn as a half."""
    assert np.isnan(metrics.roc_auc(np.zeros(3), np.arange(3.0)))


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_a_day_is_measured_from_enough_outcomes_on(made, journal, task):
    """Rows and outcomes are counted either way."""
    each = made(task)
    answers, outcomes = answered(each, date(2026, 2, 20), 2)
    write(journal, answers, outcomes[:200])
    rows = read_window(journal, reading(each), 21).rows
    first, second = metrics.daily_metrics(rows, each.contract, "v", 100)

    assert (first.day, first.rows, first.labelled) == ("2026-02-20", 150, 150)
    assert (second.rows, second.labelled, second.metrics) == (150, 50, {})
    assert first.metrics.keys() == set(metrics.METRICS[task])

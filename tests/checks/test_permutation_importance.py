"""Permutation importance, with test doubles as models."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from checks.evidence import gather, load_bundle
from checks.insights.permutation_importance import TIMES, changed, importances, interval
from contracts.row_contract import Contract, Feature, Target

FEATURES = (Feature("useful", "number"), Feature("idle", "number", nullable=True), Feature("kind", "category"))
CONTRACT = Contract("toy", "binary", FEATURES, Target("y", (False, True)), key="who", time="at")


class Model:
    """Answers by the useful feature alone."""

    def __init__(self, contract=CONTRACT):
        self.contract, self.categories = contract, {"kind": frozenset("ab")}

    def score_columns(self, columns):
        return np.where(np.array(columns["useful"], dtype=float) > 0, 0.9, 0.1)


@pytest.fixture
def rows():
    """Ten days of forty rows; the truth is what the useful feature says, nine times of ten."""
    random = np.random.default_rng(1)
    useful = random.normal(0, 1, 400)
    return pd.DataFrame(
        {
            "who": "v",
            "at": pd.date_range("2026-03-01", periods=400, freq="36min", tz="UTC"),
            "useful": useful,
            "idle": [None, 1.0] * 200,
            "kind": ["a", "a", "b", "new"] * 100,
            "y": ((useful > 0) ^ (random.random(400) < 0.1)).astype(float),
        }
    )


@pytest.fixture
def evidence(bundles, rows):
    """Fresh rows are all but the first fifty."""
    found = gather(load_bundle(bundles[0]), None)
    return replace(found, contract=CONTRACT, holdout=rows, fresh=np.arange(400) >= 50)


def test_what_the_model_uses_has_a_benefit_and_what_it_does_not_has_none(evidence):
    """With what it lacks: half of it missing, a quarter never seen in training."""
    found = {each.name: each for each in importances(Model(), None, evidence, None)}

    assert found["useful"].shown
    # Shuffled, half of the rows change sides: from 90 % right to 50 %.
    assert found["useful"].benefit == pytest.approx(0.4 * np.log(9), rel=0.15)
    assert found["useful"].low < found["useful"].benefit < found["useful"].high
    assert not found["idle"].shown
    assert (found["idle"].benefit, found["idle"].missing, found["idle"].rows) == (0.0, 0.5, 350)
    assert found["kind"].unseen == pytest.approx(0.25, abs=0.01)
    assert [each.status for each in found.values()] == ["kept"] * 3


def test_the_importance_of_a_removed_feature_is_the_champions(evidence, rows):
    """On its own rows; it comes last."""
    fewer = Model(replace(CONTRACT, features=FEATURES[:1]))
    found = importances(fewer, Model(), evidence, rows)

    assert [(each.name, each.status) for each in found] == [
        ("useful", "kept"),
        ("idle", "removed"),
        ("kind", "removed"),
    ]
    assert found[1].rows == 400
    assert [each.name for each in importances(fewer, Model(), evidence, None)] == ["useful"]


def test_the_importance_of_a_retired_feature_is_on_the_fresh_rows(evidence):
    """They keep its column, so nothing older is needed."""
    fewer = Model(replace(CONTRACT, features=FEATURES[:1], retired=FEATURES[1:]))
    found = importances(fewer, Model(), evidence, None)

    assert [(each.name, each.status, each.rows) for each in found[1:]] == [
        ("idle", "removed", 350),
        ("kind", "removed", 350),
    ]


def test_the_status_of_each_feature_is_given():
    """Added, changed (and how), removed; another description is no change."""
    new = (
        Feature("useful", "number", maximum=9, unit="m"),
        replace(FEATURES[1], owner="me"),
        Feature("more", "boolean"),
    )
    status, what = changed(replace(CONTRACT, features=new), CONTRACT)

    assert status == {"useful": "changed", "idle": "kept", "more": "added", "kind": "removed"}
    assert what == {"useful": "unit none to m; maximum none to 9"}
    assert set(changed(CONTRACT, None)[0].values()) == {"kept"}


def test_the_interval_is_that_of_days():
    """Rows of one day are one; of a single day, the rows are drawn."""
    days = np.repeat(np.arange(20), 10)
    effect = np.repeat(np.random.default_rng(0).normal(0, 1, 20), 10)
    low, high = interval(effect, days)
    close, far = interval(effect, np.arange(200))

    assert high - low > 2 * (far - close)  # ten equal rows say no more than one
    assert high - low == pytest.approx(2 * 1.96 * effect.std() / np.sqrt(20), rel=0.2)
    assert interval(effect, np.zeros(200)) == pytest.approx((close, far))


def test_every_task_is_measured(by_task):
    """By its own loss, through its ONNX file."""
    for task, loss in (("multiclass", "log loss"), ("regression", "absolute error")):
        bundle = load_bundle(by_task[task])
        found = importances(bundle, None, gather(bundle, None), None)

        assert {each.name for each in found} == set(bundle.contract.feature_names)
        assert {each.loss for each in found} == {loss}
        assert found[0].shown


def test_a_shuffled_feature_is_the_only_column_that_is_made_again(evidence):
    """The work grows with the number of features, not with its square."""

    asked = []

    class Watched(Model):
        def score_columns(self, columns):
            asked.append(columns)
            return super().score_columns(columns)

    importances(Watched(), None, evidence, None)
    usual, *shuffled = asked

    assert len(shuffled) == 3 * TIMES
    for columns in shuffled:
        assert sum(columns[name] is not usual[name] for name in usual) == 1

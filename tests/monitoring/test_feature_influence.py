"""Influence: the share of the score's variance that one feature explains."""

import numpy as np
import pandas as pd
import pytest

from contracts.row_contract import Contract, Feature, Target
from monitoring.metrics.feature_influence import influence

CONTRACT = Contract(
    "t",
    "binary",
    (Feature("much", "number", nullable=True), Feature("kind", "category"), Feature("none", "number")),
    Target("y", (False, True)),
    "k",
    "at",
)


def test_each_feature_explains_its_share():
    """A number through its tenths, a category through its values; noise explains nothing."""
    random = np.random.default_rng(1)
    much, none = random.normal(size=(2, 4000))
    kind = random.choice(["a", "b", "c"], 4000)
    score = 2 * much + (kind == "a")
    found = influence(pd.DataFrame({"much": much, "kind": kind, "none": none, "score": score}), CONTRACT)

    assert found["much"] == pytest.approx(4 / 4.22, abs=0.05)
    assert found["kind"] == pytest.approx(0.22 / 4.22, abs=0.02)
    assert found["none"] < 0.005


def test_a_category_of_few_rows_explains_nothing_by_itself():
    """A name for every row would else explain all."""
    random = np.random.default_rng(1)
    frame = pd.DataFrame({"kind": [f"n{n}" for n in range(500)], "score": random.normal(size=500)})

    assert influence(frame, CONTRACT)["kind"] == 0


def test_missing_values_are_a_group():
    """Whether a value is missing may decide the score."""
    much = np.where(np.arange(400) % 2, np.nan, np.arange(400.0))
    frame = pd.DataFrame({"much": much, "score": np.arange(400) % 2})

    assert influence(frame, CONTRACT)["much"] == pytest.approx(1)


@pytest.mark.parametrize(
    ("change", "known"),
    [
        ({}, {"much", "kind"}),
        ({"much": 0.1}, {"kind"}),
        ({"much": None}, {"kind"}),
        ({"kind": "a"}, {"much"}),
        ({"score": 0.1}, set()),
    ],
)
def test_what_never_varied_has_no_influence_that_is_known(change, known):
    """None is not the same as no influence, which would keep it out of every alarm."""
    frame = pd.DataFrame({"much": np.arange(400.0), "kind": ["a", "b"] * 200, "score": np.arange(400) % 7})

    assert {*influence(frame.assign(**change), CONTRACT)} == known
    many = frame.assign(**change).rename(columns={"score": "score_0"}).assign(score_1=0.2)
    assert {*influence(many, CONTRACT)} == known

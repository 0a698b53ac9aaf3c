"""How many decisions a release changes, counted by hand."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.diff import churn
from checks.evidence import gather, load_bundle


@pytest.fixture(scope="session")
def of_task(by_task):
    """Evidence of any task, with scores of one's own."""

    def made(task, ours, theirs, fresh=None):
        found = gather(load_bundle(by_task[task]), None)
        fresh = np.ones(len(ours), bool) if fresh is None else np.array(fresh)
        return replace(found, holdout_scores=np.array(ours), champion=np.array(theirs), fresh=fresh)

    return made


def test_a_probability_that_crosses_the_half_is_another_decision(of_task):
    """At the half it is a yes; how far it moves does not count."""
    found = of_task("binary", [0.1, 0.49, 0.5, 0.9], [0.4, 0.5, 0.49, 0.51])

    assert churn(found) == 0.5


def test_of_many_classes_the_likeliest_decides(of_task):
    """One row of two changes."""
    found = of_task("multiclass", [[0.5, 0.3, 0.2], [0.1, 0.2, 0.7]], [[0.4, 0.3, 0.3], [0.4, 0.3, 0.3]])  # fmt: skip

    assert churn(found) == 0.5


def test_a_number_must_move_by_a_tenth_of_the_quartile_range(of_task):
    """The champion's quartiles are 1 and 3: more than 0.2 is another decision."""
    found = of_task("regression", [0.0, 1.1, 2.3, 2.7, 4.1], [0.0, 1.0, 2.0, 3.0, 4.0])

    assert churn(found) == pytest.approx(0.4)


def test_only_fresh_rows_count(of_task):
    """The others are what a model learnt from."""
    assert churn(of_task("binary", [0.1, 0.9], [0.9, 0.9], [False, True])) == 0.0
    assert churn(of_task("binary", [0.1, 0.9], [0.9, 0.9], [False, False])) is None


def test_without_a_champion_nothing_is_known(evidence):
    """Null in verdict.json, not nought."""
    assert churn(replace(evidence, champion=None)) is None


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30), st.data())
def test_it_is_a_share_and_does_not_ask_who_is_who(of_task, theirs, data):
    """For two classes, swapping the models changes nothing; a model agrees with itself."""
    ours = data.draw(st.lists(st.floats(0, 1), min_size=len(theirs), max_size=len(theirs)))
    found = churn(of_task("binary", ours, theirs))

    assert 0 <= found <= 1
    assert found == churn(of_task("binary", theirs, ours))
    assert churn(of_task("binary", theirs, theirs)) == 0

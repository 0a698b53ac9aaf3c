"""How many decisions a release changes, counted by hand."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.evidence import gather, load_bundle
from checks.insights.prediction_churn import SliceChurn, churn_by_slice, churn_share

pytestmark = pytest.mark.slow


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

    assert churn_share(found) == 0.5


def test_of_many_classes_the_most_probable_decides(of_task):
    """One row of two changes."""
    found = of_task("multiclass", [[0.5, 0.3, 0.2], [0.1, 0.2, 0.7]], [[0.4, 0.3, 0.3], [0.4, 0.3, 0.3]])

    assert churn_share(found) == 0.5


def test_a_number_must_move_by_a_tenth_of_the_quartile_range(of_task):
    """The champion's quartiles are 1 and 3: more than 0.2 is another decision."""
    found = of_task("regression", [0.0, 1.1, 2.3, 2.7, 4.1], [0.0, 1.0, 2.0, 3.0, 4.0])

    assert churn_share(found) == pytest.approx(0.4)


def test_only_fresh_rows_count(of_task):
    """The others are training rows of a model."""
    assert churn_share(of_task("binary", [0.1, 0.9], [0.9, 0.9], [False, True])) == 0.0
    assert churn_share(of_task("binary", [0.1, 0.9], [0.9, 0.9], [False, False])) is None


def test_without_a_champion_nothing_is_known(evidence):
    """Null in verdict.json, not 0."""
    assert churn_share(replace(evidence, champion=None)) is None


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30), st.data())
def test_it_is_a_share_and_does_not_ask_who_is_who(of_task, theirs, data):
    """For two classes, swapping the models changes nothing; a model agrees with itself."""
    ours = data.draw(st.lists(st.floats(0, 1), min_size=len(theirs), max_size=len(theirs)))
    found = churn_share(of_task("binary", ours, theirs))

    assert 0 <= found <= 1
    assert found == churn_share(of_task("binary", theirs, ours))
    assert churn_share(of_task("binary", theirs, theirs)) == 0


def test_both_directions_are_shown_for_each_slice(of_task):
    """One row of four each way; a slice of a few rows is left out."""
    found = of_task("binary", [0.1, 0.9, 0.2, 0.8] * 50, [0.9, 0.1, 0.3, 0.7] * 50)
    found = replace(found, holdout=found.holdout.head(200).assign(device=["phone", "desk"] * 100))
    changes = churn_by_slice(found)

    assert changes.whole == SliceChurn("all", 200, 0.5, {"no to yes": 0.25, "yes to no": 0.25})
    by_name = {each.name: each for each in changes.slices}
    assert by_name["device = phone"].ways == {"yes to no": 0.5}
    assert by_name["device = desk"].ways == {"no to yes": 0.5}


def test_of_many_classes_each_way_has_its_name(of_task):
    """From the likeliest class of the one to the other's."""
    found = of_task("multiclass", [[0.5, 0.3, 0.2]] * 2, [[0.1, 0.3, 0.6], [0.4, 0.3, 0.3]])
    first, *_, last = (str(each) for each in found.contract.target.classes)

    assert churn_by_slice(replace(found, holdout=found.holdout.head(2))).whole.ways == {f"{last} to {first}": 0.5}


def test_the_biggest_movers_come_with_what_is_odd_about_them(of_task):
    """Old and new score, and the features that are not as usual; the rest of the row is left out."""
    found = of_task("binary", [0.5, 0.1, 0.5], [0.5, 0.9, 0.6])
    holdout = found.holdout.head(3).assign(pages=[4.0, 99.0, None], country=["AT", "XX", "AT"])
    movers = churn_by_slice(replace(found, holdout=holdout)).movers

    assert [(mover.old, mover.new) for mover in movers] == [(0.9, 0.1), (0.6, 0.5), (0.5, 0.5)]
    assert movers[0].odd["country"] == "XX (in 0.0% of rows)"
    assert movers[0].odd["pages"].startswith("99 (typical ")
    assert movers[1].odd["pages"] == "missing"
    assert "pages" not in movers[2].odd


def test_a_private_field_is_shown_nowhere(of_task):
    """Not as a slice, and not beside a score."""
    found = of_task("binary", [0.5, 0.1] * 50, [0.5, 0.9] * 50)
    holdout = found.holdout.head(100).assign(pages=1e6, country="XX")
    shown = f"{churn_by_slice(replace(found, holdout=holdout))}"
    assert "1e+06" in shown
    assert "XX" in shown
    contract = replace(found.contract, private=("pages", "country"))
    hidden = f"{churn_by_slice(replace(found, holdout=holdout, contract=contract))}"

    assert "pages" not in hidden
    assert "country" not in hidden
    assert "XX" not in hidden

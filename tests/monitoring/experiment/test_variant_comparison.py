"""From live.toml and the journal to a result: whole, by slice, week by week."""

from dataclasses import replace

import numpy as np
import pytest

from contracts.live_config import Live, Slot
from contracts.release_policy import Measures
from contracts.row_contract import Contract, Feature, Target
from contracts.thresholds import ConfigurationError
from forge.interface import Change
from monitoring.experiment.day_sums import read_sums
from monitoring.experiment.variant_comparison import compare, measures, split_of
from monitoring.journal.frame_store import FrameStore
from tests.monitoring.experiment.conftest import CONTRACT, NEW, OLD, SHADOW, a_journal, a_split, read_request

pytestmark = pytest.mark.slow

DIGEST = "sha256:" + "a" * 64


def result(journal, split, days, rules, contract=CONTRACT):
    names = tuple(measures(rules, contract.task, split.shadow))
    wanted = read_request(split, days + 1, contract, features=contract.feature_names, measures=names)
    return compare(read_sums(journal, wanted, FrameStore(None)), split, contract, rules)


@pytest.mark.parametrize(
    ("split", "skill", "state"),
    [
        (a_split(), (0.3, 1.0), "wins"),
        (a_split(), (1.0, 0.3), "loses"),
        (a_split(0.3, holdback=0.1), (0.3, 1.0), "wins"),
        (a_split(), (0.9, 0.9), "running"),
        (SHADOW, (0.8, 1.0), "wins"),
        (SHADOW, (1.0, 0.6), "loses"),
        (SHADOW, (0.98, 1.0), "equivalent"),
    ],
)
def test_the_better_one_wins(journal, rules, split, skill, state):
    """By what it knows of the visitors: split, with a holdback, in the shadow."""
    found = result(a_journal(journal, split, 16, skill=skill), split, 15, rules)

    assert (found.decision.state, found.days) == (state, 15)
    assert found.harmed_slices == (["device = desk", "device = phone"] if state == "loses" else [])
    assert sum(found.units) <= 2 * 16 * 120


def test_an_early_look_saw_what_a_later_one_says_it_saw(journal, rules):
    """The sequence is computed day by day, and no day is computed again."""
    split = a_split()
    a_journal(journal, split, 12, 150, skill=(0.5, 1))
    early, late = result(journal, split, 6, rules), result(journal, split, 11, rules)

    for before, after in zip(early.measures, late.measures, strict=True):
        assert before.sequence.low == pytest.approx(after.sequence.low[:6])
        assert before.sequence.mean == pytest.approx(after.sequence.mean[:6])


def test_rows_of_one_key_are_one_unit(journal, rules):
    """Ten rows of each visitor are no more evidence than visitors."""
    split = a_split()
    once = result(a_journal(journal, split, 6, 100, rows=1), split, 5, rules)
    often = result(a_journal(journal, split, 6, 100, rows=8), split, 5, rules)

    assert once.units == often.units
    assert often.measures[0].sequence.sd < once.measures[0].sequence.sd


def test_the_first_week_is_reported_separately(journal, rules):
    """What is new may please for being new."""

    def pleases(answers, outcomes, shadow):
        """In its first week whoever got the challenger buys; then nobody does."""
        arms = {each["id"]: (each["arm"], each["at"] < "2026-03-09") for each in answers}
        bought = {True: "yes", False: "no"}
        return (
            answers,
            [
                each | {"outcome": bought[arms[each["id"]][1]]} if arms[each["id"]][0] == "challenger" else each
                for each in outcomes
            ],
            shadow,
        )

    split = a_split()
    outcome = Measures("outcome", {"outcome": 0.01})
    watched = replace(rules, binary=outcome)
    found = result(a_journal(journal, split, 16, spoil=pleases), split, 15, watched)
    first, later = found.novelty

    assert found.novelty_effect
    assert first.gain[1] > 0 > later.gain[2]
    assert first.challenger == 1.0
    assert later.challenger == 0.0
    assert not result(journal, split, 6, watched).novelty_effect


def test_more_of_the_outcome_is_what_the_rules_say_it_is(journal, rules):
    """A sale, or a delay."""
    split = a_split()
    outcome = replace(rules, binary=Measures("outcome", {"outcome": 0.01}))
    a_journal(journal, split, 6)
    good = result(journal, split, 5, outcome).measures[0]
    bad = result(journal, split, 5, replace(outcome, outcome_is="bad")).measures[0]

    assert good.gain[0] == pytest.approx(-bad.gain[0])


def test_a_shadow_is_not_measured_by_what_came_of_it(rules):
    """Nobody saw its answers."""
    both = replace(rules, binary=Measures("outcome", {"outcome": 0.01, "brier": 0.01}))
    alone = replace(rules, binary=Measures("outcome", {"outcome": 0.01}))

    assert measures(both, "binary", shadow=False) == ["outcome", "brier"]
    assert measures(both, "binary", shadow=True) == ["brier"]
    with pytest.raises(ConfigurationError, match="a shadow cannot affect; add another: log"):
        measures(alone, "binary", shadow=True)


def test_margins_of_a_regression_are_shares(journal, rules):
    """Of the champion's own error, whatever the unit."""
    split = a_split()
    contract = Contract(
        name="t", task="regression", key="k", time="at", features=(Feature("pages", "number"),), target=Target("amount")
    )

    def in_cents(answers, outcomes, shadow):
        return answers, [each | {"outcome": 100.0} for each in outcomes], shadow

    found = result(a_journal(journal, split, 6, spoil=in_cents), split, 5, rules, contract)

    assert [each.name for each in found.measures] == ["mae", "mse"]
    assert found.measures[0].margin == pytest.approx(0.02 * found.measures[0].champion)
    assert found.slices == ()


@pytest.mark.parametrize("days", [0, 1])
def test_the_first_days_are_no_error(journal, rules, days):
    """Nothing is known yet."""
    split = a_split()
    found = result(a_journal(journal, split, 2, 20), split, days, rules)

    assert found.decision.state == "running"
    assert np.isinf(found.measures[0].gain[2])


def live(at, share=0.1, **more):
    base = Live(Slot(OLD, DIGEST), Slot(NEW, DIGEST, share=share))
    return Change("c", at, "", replace(base, **more).to_toml())


@pytest.mark.parametrize(
    ("history", "since"),
    [
        ([], None),
        ([live("3", challenger=None), live("2")], None),
        ([live("2"), live("1", challenger=None)], "2"),
        ([live("3"), live("2"), live("1", share=0.2)], "2"),
        ([live("3"), live("2", salt="x"), live("1")], "3"),
        ([live("3"), live("2", champion=Slot(NEW, DIGEST)), live("1")], "3"),
        ([live("3"), live("2", anchor=Slot(OLD, DIGEST, share=0.1)), live("1")], "3"),
        ([live("3"), live("2", anchor=Slot(OLD, DIGEST)), live("1")], "1"),
        ([live("2"), Change("c", "1", "", "broken [")], "2"),
        ([live("2", challenger=Slot(NEW, DIGEST)), live("1")], None),
        ([live("2", champion=None), live("1")], None),
        ([live("2", challenger=Slot(NEW, DIGEST, mode="shadow")), live("1")], "2"),
    ],
)
def test_an_experiment_began_when_what_is_compared_did(history, since):
    """Other shares deal other units; another champion is another question."""
    found = split_of(history)

    assert (found and found.since) == since

"""The journal becomes units: one per key, once, when its days are over."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from contracts.row_contract import Contract, Feature, Target
from monitoring.experiment.day_sums import read_tally
from monitoring.experiment.experiment_units import OTHER, measured, shared
from monitoring.journal.frame_store import Shelf
from monitoring.journal.window import JournalError
from serve.journal.parquet import convert
from tests.monitoring.experiment.conftest import (
    CONTRACT,
    MONDAY,
    NEW,
    OLD,
    SHADOW,
    SINCE,
    a_journal,
    a_split,
    asked,
    read_units,
)


def read(journal, split, days, measures=("log_loss",), unit_days=1):
    return read_units(journal, asked(split, days, measures=measures, unit_days=unit_days))


def test_a_key_is_one_unit_however_many_rows_it_has(journal):
    """With the mean of what they came to."""
    split = a_split()
    many = read(a_journal(journal, split, 3, 40, rows=4), split, 3).frame

    assert len(many) == 2 * 40
    assert many["key"].is_unique
    assert sorted(set(many["day"])) == [0, 1]
    assert many["day"].is_monotonic_increasing
    assert 0.4 < many["challenger"].mean() < 0.6


def test_a_unit_counts_when_its_days_are_over(journal):
    """Not before; so what was counted never changes."""
    split = a_split()
    a_journal(journal, split, 6, 40)

    assert [read(journal, split, days).days for days in range(1, 5)] == [0, 1, 2, 3]
    assert len(read(journal, split, 1).frame) == 0
    assert read(journal, split, 6, unit_days=3).days == 3
    early, late = read(journal, split, 3).frame, read(journal, split, 6).frame
    assert early.equals(late[late["day"] < 2])


def test_an_outcome_that_comes_too_late_does_not_count(journal):
    """It is neither a negative nor a value that turns up later."""

    def late(answers, outcomes, shadow):
        after = (MONDAY + timedelta(days=1.5)).isoformat()
        return answers, [outcomes[0] | {"at": after}, *outcomes[2:]], shadow

    split = a_split()
    frame = read(a_journal(journal, split, 3, 10, spoil=late), split, 3).frame

    assert frame["labelled"].tolist() == [False, False, *[True] * 18]
    assert np.isnan(frame["log_loss"][0])


def test_the_first_outcome_stands(journal):
    """As for the watch."""

    def again(answers, outcomes, shadow):
        more = [each | {"outcome": "yes", "at": each["at"] + "0"} for each in outcomes]
        wrong = [{"id": "0-0", "outcome": "perhaps", "at": SINCE}, {"id": 7, "at": SINCE}]
        return answers, [*outcomes, *wrong, *more], shadow

    split = a_split()
    once = read(a_journal(journal, split, 3, 10), split, 3, ("outcome",)).frame
    assert read(a_journal(journal, split, 3, 10, spoil=again), split, 3, ("outcome",)).frame.equals(once)


def test_what_belongs_to_another_split_is_left_out(journal):
    """Other shares, other versions, what was before; what is torn is counted."""

    def mixed(answers, outcomes, shadow):
        others = [
            {"share": 0.2},
            {"share": None},
            {"version": "20250101T0000-ddddddd"},
            {"arm": "anchor"},
            {"at": "2026-03-01T23:59:59Z"},
            {"at": "never"},
        ]
        return ([*answers, *(answers[0] | each | {"id": f"x{n}"} for n, each in enumerate(others))], outcomes, shadow)

    split = a_split()
    units = read(a_journal(journal, split, 3, 10, spoil=mixed), split, 3)

    assert len(units.frame) == 20
    assert units.odd == {"lines of answers that are torn": 1, "rows that were answered under other shares, left out": 2}


def test_who_was_in_both_arms_or_in_the_wrong_one_is_counted(journal):
    """That is a fault of the split, and no visitor."""

    def crossed(answers, outcomes, shadow):
        arms = {"champion": {"arm": "challenger", "version": NEW}, "challenger": {"arm": "champion", "version": OLD}}
        first = answers[0]
        return [*answers, first | arms[first["arm"]] | {"id": "again"}], outcomes, shadow

    split = a_split()
    units = read(a_journal(journal, split, 3, 10, spoil=crossed), split, 3)

    assert (units.crossed, units.misdealt) == (1, 1)
    assert len(units.frame) == 19


def test_the_held_back_are_in_neither_arm(journal):
    """Their answers are the anchor's."""
    split = a_split(0.3, held=0.3)
    units = read(a_journal(journal, split, 3, 200), split, 3)

    assert 200 < len(units.frame) < 360
    assert units.misdealt == 0
    assert units.frame["challenger"].mean() == pytest.approx(split.chance, abs=0.1)


def test_a_shadow_is_compared_on_the_same_rows(journal):
    """Row by row; one that it did not score is counted, and not compared."""

    def dropped(answers, outcomes, shadow):
        return answers, outcomes, shadow[5:]

    units = read(a_journal(journal, SHADOW, 3, 10, skill=(0.5, 1), spoil=dropped), SHADOW, 3)
    frame = units.frame[units.frame["labelled"]]

    assert (len(units.frame), len(frame), units.unscored) == (20, 15, 5)
    assert (frame["log_loss"] != frame["log_loss" + OTHER]).all()


def test_features_of_one_arm_alone_are_not_looked_at():
    """They would tell the arms apart, and bias what is compared; so would a private one."""
    fewer = replace(CONTRACT, features=CONTRACT.features[:1], slices=())

    assert shared(CONTRACT, CONTRACT) == ["pages", "device"]
    assert shared(CONTRACT, fewer) == shared(fewer, CONTRACT) == ["pages"]
    assert shared(CONTRACT, replace(CONTRACT, private=("pages",))) == ["device"]


def test_the_measures_are_those_of_the_books():
    """By hand."""
    scores, truth = np.array([0.8, 0.3]), np.array([1.0, 1.0])
    many = np.array([[0.7, 0.2, 0.1], [0.1, 0.2, 0.7]])

    assert measured("log_loss", scores, truth) == pytest.approx([0.22314355, 1.2039728])
    assert measured("brier", scores, truth) == pytest.approx([0.04, 0.49])
    assert measured("accuracy", scores, truth).tolist() == [1, 0]
    assert measured("outcome", scores, truth).tolist() == [1, 1]
    assert measured("mae", scores, truth) == pytest.approx([0.2, 0.7])
    assert measured("mse", scores, truth) == pytest.approx([0.04, 0.49])
    assert measured("log_loss", many, np.array([0, 1])) == pytest.approx([0.35667494, 1.6094379])
    assert measured("accuracy", many, np.array([0, 1])).tolist() == [1, 0]


def test_no_journal_is_said(tmp_path):
    """With where it was looked for."""
    with pytest.raises(JournalError, match="there is no journal at"):
        read_tally(tmp_path / "nowhere", asked(a_split(), 3), Shelf(None))


def test_many_classes_and_numbers_are_read_as_well(journal):
    """Lists of scores; an error for a number."""
    split = a_split()
    three = Contract(
        name="t",
        task="multiclass",
        key="k",
        time="at",
        features=(Feature("pages", "number"),),
        target=Target("tariff", ("a", "b", "c")),
    )

    def as_classes(answers, outcomes, shadow):
        return (
            [each | {"score": [0.5, 0.3, 0.2]} for each in answers],
            [each | {"outcome": "b"} for each in outcomes],
            shadow,
        )

    a_journal(journal, split, 3, 10, spoil=as_classes)
    units = read_units(journal, asked(split, 3, three))
    assert units.frame["log_loss"].to_numpy() == pytest.approx(np.full(20, -np.log(0.3)))


def test_a_journal_that_was_put_away_reads_the_same(journal):
    """Parquet by the day, with lines that fit no columns, and whole numbers for an outcome."""
    split = a_split()
    numbers = replace(CONTRACT, target=Target("bought", (0, 1)))

    def odd(answers, outcomes, shadow):
        told = [each | {"outcome": int(each["outcome"] == "yes")} for each in outcomes]
        told[3]["outcome"] = "none"
        wrong = answers[0] | {"id": "w", "score": "high"}
        return ([*answers[:7], wrong, answers[7] | {"row": {"pages": 41.5}}, *answers[8:]], told, shadow)

    def found():
        more = {"features": ("pages", "device"), "measures": ("brier",)}
        return read_units(journal, asked(split, 3, numbers, **more))

    a_journal(journal, split, 3, 40, spoil=odd)
    before = found()
    for segment in list(journal.glob("*.jsonl")):
        convert(segment)
    after = found()

    assert list(journal.glob("*.jsonl")) == []
    assert len(before.frame) == 80
    assert before.frame["labelled"].sum() == 79
    assert after.odd == before.odd == {"answers that do not fit the contract": 1}
    pd.testing.assert_frame_equal(after.frame, before.frame, check_dtype=False)

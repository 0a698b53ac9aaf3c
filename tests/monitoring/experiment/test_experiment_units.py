"""Units of the journal: one per key, counted once, after its days."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from archive.parquet import convert
from contracts.row_contract import Contract, Feature, Target
from monitoring.experiment.day_sums import read_sums
from monitoring.experiment.experiment_units import OTHER, shared_features
from monitoring.journal.frame_store import FrameStore
from monitoring.journal.window import JournalError
from monitoring.metrics.daily_metrics import row_measure
from tests.monitoring.experiment.conftest import (
    CONTRACT,
    MONDAY,
    NEW,
    OLD,
    SHADOW,
    SINCE,
    a_journal,
    a_split,
    read_request,
    read_units,
)


def read(journal, split, days, measures=("log_loss",), unit_days=1):
    return read_units(journal, read_request(split, days, measures=measures, unit_days=unit_days))


def test_a_key_is_one_unit_however_many_rows_it_has(journal):
    """With the mean of their measures."""
    split = a_split()
    many = read(a_journal(journal, split, 3, 40, rows=4), split, 3).frame

    assert len(many) == 2 * 40
    assert many["key"].is_unique
    assert sorted(set(many["day"])) == [0, 1]
    assert many["day"].is_monotonic_increasing
    assert 0.4 < many["challenger"].mean() < 0.6


def test_a_unit_counts_after_its_days(journal):
    """Not before, so it never changes."""
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


def test_the_first_outcome_counts(journal):
    """As in monitoring."""

    def again(answers, outcomes, shadow):
        more = [each | {"outcome": "yes", "at": each["at"] + "0"} for each in outcomes]
        wrong = [{"id": "0-0", "outcome": "perhaps", "at": SINCE}, {"id": 7, "at": SINCE}]
        return answers, [*outcomes, *wrong, *more], shadow

    split = a_split()
    once = read(a_journal(journal, split, 3, 10), split, 3, ("outcome",)).frame
    assert read(a_journal(journal, split, 3, 10, spoil=again), split, 3, ("outcome",)).frame.equals(once)


def test_rows_of_another_split_are_ignored(journal):
    """Other shares, other versions, earlier ones; torn lines are counted."""

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
    assert units.ignored == {"torn lines of answers, ignored": 1, "rows under another traffic split, ignored": 2}


def test_units_in_both_variants_or_in_the_wrong_one_are_counted(journal):
    """They are no units, but a fault of the split."""

    def in_both(answers, outcomes, shadow):
        arms = {"champion": {"arm": "challenger", "version": NEW}, "challenger": {"arm": "champion", "version": OLD}}
        first = answers[0]
        return [*answers, first | arms[first["arm"]] | {"id": "again"}], outcomes, shadow

    split = a_split()
    units = read(a_journal(journal, split, 3, 10, spoil=in_both), split, 3)

    assert (units.in_both, units.misassigned) == (1, 1)
    assert len(units.frame) == 19


def test_the_holdback_is_in_neither_variant(journal):
    """It is answered by the anchor."""
    split = a_split(0.3, holdback=0.3)
    units = read(a_journal(journal, split, 3, 200), split, 3)

    assert 200 < len(units.frame) < 360
    assert units.misassigned == 0
    assert units.frame["challenger"].mean() == pytest.approx(split.chance, abs=0.1)


def test_a_shadow_is_compared_on_the_same_rows(journal):
    """Row by row; rows that it did not score are counted, and not compared."""

    def dropped(answers, outcomes, shadow):
        return answers, outcomes, shadow[5:]

    units = read(a_journal(journal, SHADOW, 3, 10, skill=(0.5, 1), spoil=dropped), SHADOW, 3)
    frame = units.frame[units.frame["labelled"]]

    assert (len(units.frame), len(frame), units.unscored) == (20, 15, 5)
    assert (frame["log_loss"] != frame["log_loss" + OTHER]).all()


def test_features_of_one_variant_are_not_used():
    """They would identify the variant, and bias the comparison; nor are private ones."""
    fewer = replace(CONTRACT, features=CONTRACT.features[:1], slices=())

    assert shared_features(CONTRACT, CONTRACT) == ["pages", "device"]
    assert shared_features(CONTRACT, fewer) == shared_features(fewer, CONTRACT) == ["pages"]
    assert shared_features(CONTRACT, replace(CONTRACT, private=("pages",))) == ["device"]


def test_measures_by_hand():
    """Against values from a calculator."""
    scores, truth = np.array([0.8, 0.3]), np.array([1.0, 1.0])
    many = np.array([[0.7, 0.2, 0.1], [0.1, 0.2, 0.7]])

    assert row_measure("log_loss", scores, truth) == pytest.approx([0.22314355, 1.2039728])
    assert row_measure("brier", scores, truth) == pytest.approx([0.04, 0.49])
    assert row_measure("accuracy", scores, truth).tolist() == [1, 0]
    assert row_measure("outcome", scores, truth).tolist() == [1, 1]
    assert row_measure("mae", scores, truth) == pytest.approx([0.2, 0.7])
    assert row_measure("mse", scores, truth) == pytest.approx([0.04, 0.49])
    assert row_measure("log_loss", many, np.array([0, 1])) == pytest.approx([0.35667494, 1.6094379])
    assert row_measure("accuracy", many, np.array([0, 1])).tolist() == [1, 0]


def test_a_missing_journal_is_an_error(tmp_path):
    """With its place."""
    with pytest.raises(JournalError, match="there is no journal at"):
        read_sums(tmp_path / "nowhere", read_request(a_split(), 3), FrameStore(None))


def test_multiclass_scores_are_read(journal):
    """Lists of scores."""
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
    units = read_units(journal, read_request(split, 3, three))
    assert units.frame["log_loss"].to_numpy() == pytest.approx(np.full(20, -np.log(0.3)))


def test_a_converted_journal_reads_the_same(journal):
    """Parquet by the day, with lines that fit no columns, and whole numbers for an outcome."""
    split = a_split()
    numbers = replace(CONTRACT, target=Target("bought", (0, 1)))

    def ignored(answers, outcomes, shadow):
        sent = [each | {"outcome": int(each["outcome"] == "yes")} for each in outcomes]
        sent[3]["outcome"] = "none"
        wrong = answers[0] | {"id": "w", "score": "high"}
        return ([*answers[:7], wrong, answers[7] | {"row": {"pages": 41.5}}, *answers[8:]], sent, shadow)

    def found():
        more = {"features": ("pages", "device"), "measures": ("brier",)}
        return read_units(journal, read_request(split, 3, numbers, **more))

    a_journal(journal, split, 3, 40, spoil=ignored)
    before = found()
    for segment in list(journal.glob("*.jsonl")):
        convert(segment)
    after = found()

    assert list(journal.glob("*.jsonl")) == []
    assert len(before.frame) == 80
    assert before.frame["labelled"].sum() == 79
    assert after.ignored == before.ignored == {"rows that do not fit the contract, ignored": 1}
    pd.testing.assert_frame_equal(after.frame, before.frame, check_dtype=False)

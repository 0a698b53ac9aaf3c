"""Variants of faults: the same one for the same seed, in the rows that its description names and no others."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from drill import drawing
from drill.fault import DoesNotApplyError
from drill.faults import FAMILIES
from drill.make import cases_of
from drill.rounds import default_seed, rounds
from drill.sent_journal import compared
from drill.thinned_recipe import Subject, with_feature
from model.data import check

SHOP = Path(__file__).parents[2] / "drill/streams/shop.py"


class Small(Subject):
    """A third of the rows, so that each variant takes a tenth of a second."""

    share = 0.3


SUBJECT = Small(SHOP, date(2025, 5, 1), 1e-5, "test", 2)
DRAWN = {fault.name: fault for each in FAMILIES.values() for fault in each if fault.draw}
#: Not with two classes.
NOT_HERE = {"labels measured with an error"}
#: Training refuses their rows.
REFUSED = {name for name, fault in DRAWN.items() if {"train.contract", "train.data"} & {*fault.rules}}
#: Changes of numbers, categories and outcomes that concern the rows of `where` only.
ONLY_WHERE = (
    "label noise",
    "label noise in a segment",
    "labels inverted in a segment",
    "labels partial",
    "pile-up on the mean",
    "clipped at a maximum",
    "category defaulted",
    "missing in a segment",
)


def drawn(name, seed):
    return DRAWN[name].draw(np.random.default_rng(seed), SUBJECT)


@pytest.mark.parametrize("name", sorted(set(DRAWN) - NOT_HERE))
def test_a_variant_is_the_same_for_its_seed_and_changes_rows_that_the_contract_admits(name):
    one, again = drawn(name, 5), drawn(name, 5)
    before = SUBJECT.rows.copy()
    rows = one.change(SUBJECT.rows)

    assert one.what == again.what
    pd.testing.assert_frame_equal(rows, again.change(SUBJECT.rows))
    pd.testing.assert_frame_equal(SUBJECT.rows, before)  # the rows of other variants
    assert not rows.reset_index(drop=True).equals(before)
    if name in REFUSED:
        return
    contract = with_feature(SUBJECT.contract, one.feature) if one.feature else SUBJECT.contract
    start = SUBJECT.end - timedelta(days=400)
    for each in (rows, one.served(SUBJECT.rows)):
        check(each.sample(1_000, random_state=0), contract, start, SUBJECT.end)


def test_another_seed_draws_another_variant():
    """Each fault has several descriptions over a few seeds."""
    same = [name for name in set(DRAWN) - NOT_HERE if _content(name, 1) == _content(name, 2) == _content(name, 3)]

    assert same == []


def _content(name, seed):
    try:
        return drawn(name, seed).what
    except DoesNotApplyError as error:
        return str(error)


@pytest.mark.parametrize("name", ONLY_WHERE)
def test_rows_that_the_description_does_not_name_are_left_alone(name, monkeypatch):
    for seed in range(3):
        places = []
        original = drawing.where

        def seen(*args, places=places, original=original, **named):
            places.append(original(*args, **named))
            return places[-1]

        module = __import__(DRAWN[name].draw.__module__, fromlist=["where"])
        monkeypatch.setattr(module, "where", seen)
        variant = drawn(name, seed)
        monkeypatch.undo()
        rows = SUBJECT.rows
        outside = ~places[0].rows(rows)

        changed = variant.change(rows)
        pd.testing.assert_frame_equal(changed[outside].astype(object), rows[outside].astype(object), check_dtype=False)
        assert places[0].words in variant.what


def test_the_same_rows_are_chosen_in_each_window():
    """By key and time: a row is chosen or not, wherever it stands."""
    rows, contract = SUBJECT.rows, SUBJECT.contract
    chosen = drawing.uniform_by_row(rows, contract, 3)

    assert np.array_equal(drawing.uniform_by_row(rows.iloc[100:200], contract, 3), chosen[100:200])
    assert not np.array_equal(drawing.uniform_by_row(rows, contract, 4), chosen)
    assert abs(chosen.mean() - 0.5) < 0.02
    assert abs(drawing.normal_by_row(rows, contract, 3).std() - 1) < 0.03


def test_thinned_rows_are_the_same_in_a_shorter_window():
    """Else a replay of an earlier end would differ without a fault."""
    start, end = SUBJECT.end - timedelta(days=90), SUBJECT.end
    all_rows, fewer = (SUBJECT.recipe.load(start, each) for each in (end, end - timedelta(days=10)))

    pd.testing.assert_frame_equal(all_rows[: len(fewer)], fewer)


#: Faults whose values depend on later rows, or whose rows have another time: a load with an earlier end gives others.
LOOK_AHEAD = {
    "backfill from the future",
    "counter updated later",
    "group leakage",
    "key leakage",
    "labels off by one",
    "look-ahead window on a number",
    "look-ahead window on the outcome",
    "target encoding over all rows",
    "the day's final rate",
    "time zone shifted",
}


@pytest.mark.parametrize("name", sorted(set(DRAWN) - NOT_HERE - LOOK_AHEAD))
def test_other_faults_are_the_same_in_a_load_with_an_earlier_end(name):
    """As in a faulty source: a replay of an earlier end must not find them for what they are not."""
    variant, time = drawn(name, 5), SUBJECT.contract.time
    cut = SUBJECT.end - timedelta(days=10)
    rows = SUBJECT.rows
    whole = variant.change(rows)
    earlier = variant.change(rows[rows[time] < cut].reset_index(drop=True))

    order = [time, SUBJECT.contract.key]
    whole, earlier = (
        each[each[time] < cut - timedelta(hours=1)].sort_values(order, ignore_index=True) for each in (whole, earlier)
    )
    pd.testing.assert_frame_equal(whole, earlier, check_dtype=False)


def test_a_look_ahead_uses_later_rows_only_and_serves_earlier_ones_only():
    """The last row has no next hours, the first none before."""
    variant = drawn("look-ahead window on the outcome", 1)
    rows = SUBJECT.rows.sort_values(["ordered_at", "order"], ignore_index=True)

    assert np.isnan(variant.change(rows)["added_value"].iloc[-1])
    assert np.isnan(variant.served(rows)["added_value"].iloc[0])


def test_rounds_are_the_same_for_a_seed_and_within_the_recipes_days():
    one, other = (list(rounds(SHOP, None, 1e-5, 7, 3)) for _ in range(2))

    assert [each.subject for each in one] == [each.subject for each in other]
    assert len({each.subject.today for each in one}) == 3
    assert all(date(2024, 9, 1) <= each.subject.today <= date(2026, 6, 1) for each in one)
    assert [each.named("bots") for each in one] == ["bots", "bots (2)", "bots (3)"]
    assert one[0].random("bots").integers(1e9) != one[1].random("bots").integers(1e9)
    assert {each.subject.today for each in rounds(SHOP, date(2025, 1, 1), 1e-5, 7, 2)} == {date(2025, 1, 1)}


def test_the_default_seed_differs_by_minute():
    at = datetime(2026, 1, 1, 12, tzinfo=UTC)

    assert default_seed(at) == default_seed(at) != default_seed(at + timedelta(minutes=1))


def test_a_bounded_number_of_faults_is_drawn_by_the_seed():
    one, other = cases_of(2, faults=5, seed=1), cases_of(2, faults=5, seed=2)

    assert len(one) == len(other) == 8
    assert one == cases_of(2, faults=5, seed=1) != other
    assert one[0] == other[0] == ("clean", 0)


def test_with_a_journal_of_the_rows_that_were_sent_a_moved_clock_is_seen():
    """It is in the source itself, so that the loaded rows alone do not show it."""
    contract, rows = SUBJECT.contract, SUBJECT.rows
    moved = rows.assign(hour=(rows["hour"] + 2) % 24)

    assert compared(rows, rows, contract, contract)["features"] == {}
    assert [*compared(rows, moved, contract, contract)["features"]] == ["hour"]


def test_the_reason_of_a_fault_is_no_whole_family_of_rules():
    """A rule on rows that fails for another reason is no finding of a leak."""
    broad = {"data.*", "upstream.*", "leak.*", "drift.*", "serving.*", "contract.*", "*"}

    assert {
        fault.name: broad & {*fault.rules} for each in FAMILIES.values() for fault in each if broad & {*fault.rules}
    } == {}


def test_subjects_of_several_days_can_have_one_share_of_rows():
    """A stream that grows has more rows in a later window; rules on lost rows compare the bundles of both days."""
    early, late = (Subject(SHOP, date(2025, month, 1), 1e-5) for month in (2, 8))
    counted = Subject(SHOP, early.today, 1e-5, counted=late.today)

    assert early.share > late.share
    assert counted.share == late.share

"""Rows of the same key and time that contradict each other, and features that number the rows."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from checks.rules.rows.conflicts import conflicts
from checks.rules.rows.running_ids import running_ids
from contracts.row_contract import Feature
from tests.checks.window_rows import CONTRACT, window_evidence, window_rows


@pytest.fixture(scope="module")
def rows():
    return window_rows(np.random.default_rng(0), 60)


def again(rows, share, **changes):
    """The rows, and a share of them once more with the same key and time."""
    few = rows.sample(frac=share, random_state=0)
    more = few.assign(**{name: change(few) for name, change in changes.items()})
    return pd.concat([rows, more]).sort_values("at", kind="stable", ignore_index=True)


def flipped(few):
    return 1 - few["bought"]


@pytest.mark.parametrize(
    ("share", "changes", "outcome"),
    [
        (0.0, {}, "PASS"),
        (0.1, {}, "PASS"),  # exact repeats have a limit of another rule
        (0.0002, {"bought": flipped}, "PASS"),  # named, but too few to hold the candidate
        (0.002, {"bought": flipped}, "FAIL"),
        (0.05, {"bought": flipped}, "FAIL"),
        (0.01, {"pages": lambda few: few["pages"] + 1}, "FAIL"),
        (0.01, {"price": lambda few: few["price"].mask(few["price"].notna())}, "FAIL"),
    ],
)
def test_rows_in_conflict_are_counted_with_an_example(rules, rows, share, changes, outcome):
    found = conflicts(window_evidence(again(rows, share, **changes), rows), rules.gate.rows)

    assert (found.outcome, found.severity) == (outcome, "hold")
    assert ("have the key and time of another row and differ" in found.observed) == bool(changes)
    if "bought" in changes:
        assert "with bought = " in found.observed
        assert " True" in found.observed


def test_conflicts_that_the_champion_has_as_well_are_usual(rules, rows):
    """Keys that recur at one time, as those of group bookings, are named, and no fault."""
    twice = again(rows, 0.05, bought=flipped)
    found = conflicts(window_evidence(twice, twice), rules.gate.rows)

    assert found.outcome == "PASS"
    assert "of the champion's rows did" in found.observed


def test_without_a_champion_conflicts_are_only_reported(rules, rows):
    found = conflicts(window_evidence(again(rows, 0.05, bought=flipped)), rules.gate.rows)

    assert (found.outcome, found.severity) == ("FAIL", "warn")


def test_a_private_value_is_not_shown(rules, rows):
    contract = CONTRACT.from_json(CONTRACT.to_json() | {"private": ["pages", "visit"]})
    twice = again(rows, 0.01, pages=lambda few: few["pages"] + 1)
    found = conflicts(window_evidence(twice, rows, contract), rules.gate.rows)

    assert "such as (private) at 2026-" in found.observed
    assert "pages (private)" in found.observed


EXTENDED = replace(CONTRACT, features=(*CONTRACT.features, Feature("added", "number")))
WORDS = replace(CONTRACT, features=(*CONTRACT.features, Feature("added", "category")))


def numbers(rows):
    return np.arange(len(rows), dtype=float)


RUNNING = {
    "row number": (EXTENDED, numbers),
    "an id with gaps": (EXTENDED, lambda rows: numbers(rows) * 7 + np.random.default_rng(0).integers(0, 30, len(rows))),
    "the day": (EXTENDED, lambda rows: rows["at"].dt.dayofyear.astype(float)),
    "falling": (EXTENDED, lambda rows: -numbers(rows)),
    "seconds": (EXTENDED, lambda rows: (rows["at"] - rows["at"].iloc[0]).dt.total_seconds()),
    "a customer's number": (EXTENDED, lambda rows: np.random.default_rng(0).permutation(len(rows)) * 10.0),
    "a session": (WORDS, lambda rows: rows["visit"] + "-x"),
}
HONEST = {
    "an amount": (EXTENDED, lambda rows: np.random.default_rng(0).lognormal(3, 1, len(rows)).round(2)),
    "a weekly figure": (EXTENDED, lambda rows: (rows["at"].dt.dayofyear // 7).astype(float)),
    "a figure of each day": (EXTENDED, lambda rows: np.sin(rows["at"].dt.dayofyear / 9.0)),
    "an account's age": (
        EXTENDED,
        lambda rows: numbers(rows) / 60 + np.random.default_rng(0).exponential(100, len(rows)),
    ),
    "the minute": (EXTENDED, lambda rows: rows["minute"]),
    "constant": (EXTENDED, lambda rows: 1.0),
    "a shop": (WORDS, lambda rows: (numbers(rows) % 300).astype(str)),
}


@pytest.mark.parametrize("kind", RUNNING)
def test_a_running_number_or_an_id_is_named(rules, rows, kind):
    """New, it holds the candidate; that of the champion is reported."""
    contract, values = RUNNING[kind]
    with_id = rows.assign(added=values(rows))
    new, old = (
        running_ids(window_evidence(with_id, before, contract), rules.gate.leakage) for before in (rows, with_id)
    )

    assert (new.outcome, new.severity) == ("FAIL", "hold")
    assert new.observed.startswith("added ")
    assert (old.outcome, old.severity) == ("FAIL", "warn")


@pytest.mark.parametrize("kind", HONEST)
def test_a_feature_that_numbers_nothing_passes(rules, rows, kind):
    contract, values = HONEST[kind]
    found = running_ids(window_evidence(rows.assign(added=values(rows)), rows, contract), rules.gate.leakage)

    assert found.outcome == "PASS", found.observed

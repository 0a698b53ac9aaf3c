"""What a stream has always had is no fault of tonight, and what a business may do is for a person: no rule rejects it."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from checks.rules.changes.missing_steps import missing_steps
from checks.rules.rows.column_values import frozen, sentinels
from checks.rules.rows.labels import balance
from checks.rules.rows.leakage import solo
from checks.rules.rows.row_counts import rate, repeated
from checks.rules.stream_habits import judged_by_habit
from checks.verdict import Finding
from tests.checks.window_rows import CONTRACT, late, window_evidence, window_rows


@pytest.fixture
def rows():
    return window_rows(np.random.default_rng(3), 120)


def share_of(rows, share, seed=0):
    return np.random.default_rng(seed).random(len(rows)) < share


def effect(finding):
    return "PASS" if finding.outcome == "PASS" else finding.severity


HABITS = {
    "data.missing": lambda rows: rows.assign(age=rows["age"].mask(share_of(rows, 0.9))),
    "data.duplicates": lambda rows: pd.concat([rows, rows[share_of(rows, 0.3)]], ignore_index=True),
    "data.variants": lambda rows: rows.assign(device=rows["device"].mask(share_of(rows, 0.2), "Phone")),
    "data.mixed_types": lambda rows: rows.assign(device=rows["device"].mask(share_of(rows, 0.2), "1077")),
}


@pytest.mark.parametrize("rule", HABITS)
def test_a_limit_on_columns_blocks_only_what_the_champions_rows_lack(rows, rules, rule):
    """The same rows beside a champion's that were like them, that were not, and without a champion."""
    failed = Finding(rule, "FAIL", "as observed", "the limit", "why")
    habit = HABITS[rule](rows)
    found = {
        name: judged_by_habit(failed, window_evidence(habit, before), rules.gate.data)
        for name, before in {"as ever": HABITS[rule](rows), "new": rows, "first": None}.items()
    }

    assert {name: each.severity for name, each in found.items()} == {"as ever": "warn", "new": "block", "first": "hold"}
    assert found["as ever"].observed == "as observed; the champion's rows were like that, too"
    assert found["new"].observed.startswith("as observed; since the champion: ")


def test_another_column_that_is_mostly_missing_is_named(rows, rules):
    """Age was; price was not."""
    before = HABITS["data.missing"](rows)
    now = before.assign(price=before["price"].mask(share_of(rows, 0.8, 1)))
    failed = Finding("data.missing", "FAIL", "as observed", "the limit", "why")
    found = judged_by_habit(failed, window_evidence(now, before), rules.gate.data)

    assert found.severity == "block"
    assert "since the champion: price 8" in found.observed
    assert "age" not in found.observed


def test_a_rule_that_passes_or_is_another_stays_as_it_is(rows, rules):
    for finding in (
        Finding("data.missing", "PASS", "", "", ""),
        Finding("data.missing", "NOT_RUN", "", "", ""),
        Finding("data.time_overlap", "FAIL", "", "", ""),
    ):
        assert judged_by_habit(finding, window_evidence(rows, rows), rules.gate.data) == finding


@pytest.mark.parametrize(
    ("value", "expected"), [(120.0, "hold"), (300.0, "hold"), (-99.0, "block"), (-999.0, "block"), (99_999.0, "block")]
)
def test_a_new_price_is_no_code(rows, rules, value, expected):
    """A product at 120 or 300 where others cost up to 90; a code has another sign, or is far from any price."""
    column = (rows["depth"] * 90 + 1).round(2)
    now = rows.assign(price=column.mask(late(rows, 8) & share_of(rows, 0.15), value))
    found = sentinels(window_evidence(now), rules.gate.rows)

    assert effect(found) == expected, found.observed
    assert f"price = {value:g}" in found.observed


def test_a_rate_that_stays_for_longer_than_ever_is_for_a_person(rows, rules):
    """One value a day, six of them in two months, and then none for a month; a sensor that hangs is rejected."""
    day = ((rows["at"] - rows["at"].min()) // pd.Timedelta(days=1)).to_numpy()
    bank = rows.assign(rain=4.0 - 0.25 * np.minimum(day // 8, 6))
    hangs = rows.assign(depth=rows["depth"].mask(late(rows, 9), 0.5))

    assert effect(frozen(window_evidence(bank), rules.gate.rows)) == "hold"
    assert effect(frozen(window_evidence(hangs), rules.gate.rows)) == "block"


@pytest.mark.parametrize(("before", "expected"), [(0.001, "warn"), (0.05, "block"), (None, "hold")])
def test_a_rare_class_may_have_always_been_rare(rows, rules, before, expected):
    """Frauds are one row in a thousand; where they were one in twenty, their labels are lost."""

    def frauds(share):
        return rows.assign(bought=(np.arange(len(rows)) % round(1 / share) == 0) * 1.0)

    evidence = window_evidence(frauds(0.001), None if before is None else frauds(before))

    assert effect(balance(evidence, rules.gate.labels)) == expected


@pytest.mark.parametrize(("habit", "expected"), [(True, "PASS"), (False, "block")])
def test_keys_that_recur_on_a_date_are_no_day_loaded_twice(rows, rules, habit, expected):
    """Customers who order twice on a day, in a table with dates only."""
    visits = rows.assign(at=rows["at"].dt.floor("D"), visit=[f"c{number // 2}" for number in range(len(rows))])
    found = repeated(window_evidence(visits, visits if habit else rows), rules.gate.rows)

    assert effect(found) == expected, found.observed


@pytest.mark.parametrize(("kept", "expected"), [(0.6, "hold"), (0.1, "block")])
def test_a_month_quieter_than_any_before_is_for_a_person(rows, rules, kept, expected):
    """A January after the first Christmas; an export of a tenth of the rows is not one."""
    fewer = rows[~late(rows, 14) | share_of(rows, kept)].reset_index(drop=True)
    found = rate(window_evidence(fewer), rules.gate.rows)

    assert effect(found) == expected, found.observed


def test_a_field_that_an_upgrade_introduces_is_not_filled_upstream(rows, rules):
    """It has no value before the upgrade, apart from a test's; beside it a source that begins to fill is found."""
    new = rows.assign(age=rows["age"].mask(~late(rows, 9) & ~share_of(rows, 0.001)))
    filled = rows.assign(age=rows["age"].mask(share_of(rows, 0.3) & ~late(rows, 9)))

    assert effect(missing_steps(window_evidence(new, rows[~late(rows, 10)]), rules.gate.changes)) == "PASS"
    assert effect(missing_steps(window_evidence(filled, rows[~late(rows, 10)]), rules.gate.changes)) == "hold"


def test_a_lag_may_explain_nearly_everything_of_a_first_model(rows, rules):
    """Nine tenths of the next hour's demand; only the outcome itself explains all of it."""
    contract = replace(CONTRACT, task="regression", target=replace(CONTRACT.target, classes=()))
    depth = rows["depth"]
    found = {
        noise: effect(
            solo(
                window_evidence(rows.assign(bought=depth + noise * (rows["minute"] % 7 - 3)), None, contract),
                None,
                rules.gate.leakage,
            )
        )
        for noise in (0.05, 0.001)
    }

    assert found == {0.05: "hold", 0.001: "block"}


def test_a_feature_that_was_worse_than_none_did_not_rise(rows, rules):
    """In the champion's holdout a season began that no training row had: R² was below 0, and is now 0."""
    contract = replace(CONTRACT, task="regression", target=replace(CONTRACT.target, classes=()))
    random = np.random.default_rng(0)
    flat = rows.assign(bought=random.normal(0, 1, len(rows)))
    turned = flat.assign(bought=flat["bought"] + 3 * np.where(late(rows, 14), -1, 1) * (rows["depth"] > 0.5))
    found = solo(window_evidence(flat, turned, contract), turned[late(rows, 14)], rules.gate.leakage)

    assert found.outcome == "PASS", found.observed

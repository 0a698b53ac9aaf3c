"""The rule on rows that were loaded again with an earlier end."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from checks.rules.rows.replayed_rows import CAUSES, replayed

ROWS = [500, 3_000, 12_000, 0]
NONE = [0, 0, 0, 0]


def load(**more):
    """A comparison without a difference, apart from *more*."""
    found = {"end": "2026-02-09T12:10:00Z", "rows": ROWS, "only_earlier": NONE, "only_later": NONE, "labels": NONE}
    return found | {"features": {}} | more


def of(rows, cause="spread", name="age", **example):
    rows_of = {"key": "v7", "time": "2026-02-09T09:00:00Z", "earlier": 12.5, "later": 13.5} | example
    return {name: {"rows": rows, "cause": cause, "oldest": 1.4, "examples": [rows_of]}}


@pytest.fixture
def judged(evidence, rules):
    """The finding on a bundle with these comparisons."""

    def judge(*loads, revised=()):
        features = tuple(replace(each, revised=each.name in revised) for each in evidence.contract.features)
        contract = replace(evidence.contract, features=features)
        manifest = {"point_in_time": {"days": [1, 7, 28], "loads": list(loads)}} if loads else {}
        return replayed(SimpleNamespace(manifest=manifest, contract=contract), rules.gate.leakage)

    return judge


@pytest.mark.parametrize(
    ("rows", "outcome"),
    [
        ([500, 3_000, 12_000, 0], "FAIL"),
        ([2, 0, 0, 0], "FAIL"),
        ([1, 0, 0, 0], "PASS"),
        ([0, 7, 0, 0], "FAIL"),
        ([0, 6, 24, 0], "PASS"),
        ([0, 0, 25, 0], "FAIL"),
    ],
)
def test_a_feature_that_differs_in_a_period_fails(judged, rows, outcome):
    """Two in a thousand rows of any period; a source may be corrected between the loads."""
    found = judged(load(features=of(rows)))

    assert (found.rule, found.outcome, found.severity) == ("leak.replay", outcome, "block")
    assert "age" in found.observed


def test_no_difference_passes(judged):
    """And says how many rows were compared."""
    found = judged(load(), load())

    assert found.outcome == "PASS"
    assert "15,500 rows have the same features" in found.observed


@pytest.mark.parametrize("cause", CAUSES)
def test_the_likely_cause_is_named_with_an_example(judged, cause):
    """First the feature, then its share."""
    found = judged(load(features=of([100, 0, 0, 0], cause)))

    assert "age differs in 0.6% of 15,500 rows" in found.observed
    assert CAUSES[cause].format(oldest=1.4)[:30] in found.observed
    assert "v7 at 2026-02-09T09:00:00Z: 12.5 with the earlier end, 13.5 with the later" in found.observed


def test_an_example_without_key_or_value(judged):
    """The key may be private, the value missing."""
    found = of([100, 0, 0, 0], earlier=None, later="AT")
    del found["age"]["examples"][0]["key"]

    assert "(such as 2026-02-09T09:00:00Z: None with the earlier end, AT with" in judged(load(features=found)).observed
    found["age"]["examples"] = []
    assert "such as" not in judged(load(features=found)).observed


def test_the_second_load_counts_too(judged):
    """A maximum may be the same in most of the window."""
    assert judged(load(), load(features=of(ROWS))).outcome == "FAIL"
    assert judged(load(), {"end": "2026-01-20T12:00:00Z", "failed": "too few rows"}).outcome == "PASS"


def test_a_revised_feature_is_not_judged(judged):
    """And the report says so."""
    found = judged(load(features=of(ROWS)), revised=["age"])

    assert found.outcome == "PASS"
    assert "revised by design, not judged: age" in found.observed


def test_rows_of_the_earlier_load_alone_fail(judged):
    """A sample drawn for each load, or a selection by later events."""
    found = judged(load(only_earlier=[0, 30, 400, 0]))

    assert found.outcome == "FAIL"
    assert "3.2% of the rows with the earlier end are missing" in found.observed
    assert judged(load(only_earlier=[0, 0, 20, 0])).outcome == "PASS"


def test_rows_of_the_later_load_alone_are_reported(judged):
    """Their outcomes may have arrived meanwhile."""
    found = judged(load(only_later=[400, 1_000, 200, 0], labels=[30, 0, 0, 0]))

    assert found.outcome == "PASS"
    assert "1,600 older rows exist with the later end only" in found.observed
    assert "30 of 15,500 rows have another outcome" in found.observed


def test_a_load_that_does_not_work_for_an_earlier_end_fails(judged):
    """What could not be checked is no pass; as a failure it can be waived."""
    found = judged({"end": "2026-02-09T12:10:00Z", "failed": "ValueError: fixed data"})

    assert found.outcome == "FAIL"
    assert (
        "gave no rows to compare with an earlier end (2026-02-09T12:10:00Z): ValueError: fixed data" in found.observed
    )


def test_a_bundle_of_before_is_not_compared(judged):
    """Older bundles have no second load."""
    found = judged()

    assert found.outcome == "PASS"
    assert found.observed.startswith("not compared")

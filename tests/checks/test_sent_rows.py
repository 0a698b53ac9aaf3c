"""The rule on rows that were sent to the scorer and loaded."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from checks.rules.rows.sent_rows import CAUSES, skew

FOUND = {"from": "2026-02-06", "to": "2026-02-19", "sent": 2_100, "rows": 2_000, "not_sent": [], "features": {}}


def of(rows, cause="factor", **more):
    """A feature that differs."""
    example = {"key": "v1", "time": "2026-02-19T09:00:00Z", "sent": 12.5, "loaded": 13.5}
    return {"age": {"rows": rows, "of": 2_000, "cause": cause, "by": 1.08, "examples": [example]} | more}


@pytest.fixture
def judged(evidence, rules):
    """The finding on a bundle with this comparison."""

    def judge(found, revised=()):
        features = tuple(replace(each, revised=each.name in revised) for each in evidence.contract.features)
        contract = replace(evidence.contract, features=features)
        manifest = {} if found is None else {"sent": found}
        return skew(SimpleNamespace(manifest=manifest, contract=contract), rules.gate.rows)

    return judge


@pytest.mark.parametrize(("rows", "outcome"), [(2_000, "FAIL"), (41, "FAIL"), (40, "PASS"), (1, "PASS")])
def test_a_feature_that_was_sent_otherwise_fails(judged, rows, outcome):
    """Above the limit, with examples."""
    found = judged(FOUND | {"features": of(rows)})

    assert (found.rule, found.outcome, found.severity) == ("data.skew", outcome, "block")
    assert ("sent 12.5, loaded 13.5" in found.observed) == (outcome == "FAIL")
    assert "age" in found.observed


@pytest.mark.parametrize("cause", CAUSES)
def test_the_likely_cause_is_named(judged, cause):
    """With its number, where it has one."""
    found = judged(FOUND | {"features": of(500, cause)})

    assert found.observed.startswith("of 2,000 rows that were sent from 2026-02-06 to 2026-02-19: age differs in 25.0%")
    assert CAUSES[cause].format(by=1.08) in found.observed


def test_without_a_journal_there_is_nothing_to_compare(judged):
    """It passes, and says so; a journal that cannot be read does not."""
    assert judged(None).outcome == "PASS"
    assert judged(None).observed.startswith("no journal")
    assert judged({"unjoined": "the key is private"}).outcome == "PASS"
    assert judged({"failed": "there is no journal at x"}).outcome == "FAIL"


def test_few_rows_in_both_places_pass_with_their_number(judged):
    """And no difference passes."""
    found = judged(FOUND | {"rows": 60})
    assert found.outcome == "PASS"
    assert found.observed.startswith("60 of 2,100 sent rows")
    assert judged(FOUND).outcome == "PASS"


def test_times_of_another_zone_fail(judged):
    """Whatever the features."""
    found = judged(FOUND | {"hours": -1.0})

    assert found.outcome == "FAIL"
    assert found.observed.startswith("the times of the sent rows are -1 hours from the loaded ones")


def test_revised_and_missing_features_are_named(judged):
    """They are not judged."""
    found = judged(FOUND | {"features": of(2_000), "not_sent": ["pages"]}, revised=["age"])

    assert found.outcome == "PASS"
    assert "not sent: pages" in found.observed
    assert "revised by design, not judged: age" in found.observed

"""Contract compatibility, by the contract's own validation of today's rows."""

from dataclasses import replace

import pandas as pd
import pytest

from checks.rules.contract_compatibility import compatible, retired
from contracts.row_contract import Contract, Feature, Target

AGE = Feature("age", "number", minimum=0, maximum=100)
DEVICE = Feature("device", "category", choices=("phone", "desk"), nullable=True)
TODAY = Contract("toy", "binary", (AGE, DEVICE), Target("y", (False, True)), key="who", time="at")
ROWS = pd.DataFrame({"age": [10.0, 50.0, 90.0, 20.0], "device": ["phone", "desk", None, "phone"]})
SAME = "0 of 4 rows would be refused"


def outcome_of(features, **more):
    found = compatible(TODAY, replace(TODAY, features=features, **more), {"rows": ROWS}, "block")
    return found.outcome, found.observed


@pytest.mark.parametrize(
    ("features", "outcome", "words"),
    [
        ((AGE, DEVICE), "PASS", SAME),
        ((AGE,), "PASS", f"device may still be sent, and is ignored; {SAME}"),
        ((AGE, DEVICE, Feature("more", "number", nullable=True)), "PASS", SAME),
        (
            (AGE, DEVICE, Feature("more", "number")),
            "FAIL",
            "more is new and required, and no client sends it yet (nullable=True accepts rows without it); 4 of 4 rows would be refused: more (expected a number)",
        ),
        (
            (replace(AGE, maximum=95), DEVICE),
            "PASS",
            "age accepts only a number from 0 to 95, and accepted a number from 0 to 100; 0 of 4",
        ),
        (
            (replace(AGE, maximum=60), DEVICE),
            "FAIL",
            "1 of 4 rows would be refused: age (expected a number from 0 to 60)",
        ),
        ((replace(AGE, maximum=None), DEVICE), "PASS", SAME),
        ((AGE, replace(DEVICE, choices=("phone", "tablet"))), "FAIL", "device no longer accepts desk; 1 of 4"),
        ((AGE, replace(DEVICE, choices=("phone", "desk", "tablet"))), "PASS", SAME),
        ((AGE, replace(DEVICE, choices=())), "PASS", SAME),
        ((AGE, replace(DEVICE, nullable=False)), "FAIL", "device may no longer be missing; 1 of 4"),
        (
            (AGE, Feature("device", "boolean", nullable=True)),
            "FAIL",
            "device must be a boolean now, and was a category; 3 of 4",
        ),
        (
            (AGE, Feature("devices", "category", nullable=True)),
            "FAIL",
            "4 of 4 rows would be refused: device (expected the field devices)",
        ),
    ],
)
def test_what_refuses_todays_rows_breaks(features, outcome, words):
    """A narrower range that refuses no row is reported, and passes."""
    found = outcome_of(features)

    assert found[0] == outcome
    assert words in found[1]


def test_a_retired_feature_that_no_live_model_reads_is_said():
    """The anchor may read it for months."""
    fewer = replace(TODAY, features=(AGE,), retired=(DEVICE,))
    found = retired(fewer, [fewer])

    assert [(each.outcome, each.severity, each.observed) for each in found] == [
        ("FAIL", "warn", "device: no live model reads it")
    ]
    assert retired(fewer, [fewer, TODAY]) == []


def test_other_answers_break_too():
    """A website that knows two classes cannot read a third."""
    assert outcome_of((AGE, DEVICE), target=Target("y", ("no", "yes")))[0] == "FAIL"


def test_without_a_champion_nobody_sends_rows():
    """The first of all."""
    assert compatible(None, TODAY, {}, "block").outcome == "PASS"
    assert compatible(TODAY, replace(TODAY, features=(AGE, Feature("more", "number"))), {}, "warn").severity == "warn"

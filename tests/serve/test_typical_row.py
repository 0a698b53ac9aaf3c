"""The row that the form is filled in with: usual, admitted by the contract, and nobody's."""

import json
from dataclasses import replace
from types import SimpleNamespace

import pytest

from bundles.bundle import Bundle
from contracts.row_contract import Feature
from serve.app import create_app
from serve.routes.typical_row import typical_row


def usual(feature, values, seen=(), private=False):
    """The typical value of *feature* where golden rows have *values*."""
    contract = SimpleNamespace(features=(feature,), private=(feature.name,) if private else ())
    rows = [{feature.name: value} for value in values]
    manifest = {"golden": {"rows": rows}, "data": {"categories": {feature.name: list(seen)}}}
    return typical_row(contract, manifest)[feature.name]


NUMBER = Feature("n", "number")
CATEGORY = Feature("c", "category")
CHOICE = Feature("c", "category", choices=("a", "b"))
BOOLEAN = Feature("b", "boolean")
CASES = [
    (NUMBER, [1, 2, 90], (), 2),
    (NUMBER, [1.0, 2.5, 3.25, None], (), 2.5),
    (NUMBER, [41.29999923706055], (), 41.3),
    (NUMBER, [1013.0, "old", [], True, None], (), 1013),
    (NUMBER, [], (), 0),
    (NUMBER, [None], (), 0),
    (NUMBER, [1e300, 7], (), 7),
    (replace(NUMBER, minimum=0.0, maximum=120.0), [200], (), 60),
    (replace(NUMBER, minimum=5.0), [], (), 5),
    (replace(NUMBER, maximum=-5.0), [], (), -5),
    (replace(NUMBER, minimum=-1e308, maximum=1e308), [], (), 0),
    (replace(NUMBER, minimum=0.0, maximum=1e300), [], (), 1.70141e38),
    (replace(NUMBER, minimum=1.2345675, maximum=1.2345685), [1.234568], (), 1.234568),
    (CATEGORY, ["x", "y", "y", "never seen", "never seen", "never seen"], ("x", "y"), "y"),
    (CATEGORY, ["z"], ("x", "y"), "x"),
    (CATEGORY, [], (), "x"),
    (CATEGORY, [["y"], 3, None], (), "x"),
    (CHOICE, ["b"], (), "b"),
    (CHOICE, ["c"], (), "a"),
    (BOOLEAN, [False, False, True], (), False),
    (BOOLEAN, [None, "yes"], (), True),
]


@pytest.mark.parametrize(("feature", "values", "seen", "expected"), CASES)
def test_the_usual_value_is_one_that_is_admitted(feature, values, seen, expected):
    """The median or the most frequent; else one from the contract."""
    found = usual(feature, values, seen)

    assert found == expected
    assert feature.problem(found) is None
    assert json.loads(json.dumps(found)) == found


@pytest.mark.parametrize(
    ("feature", "values", "seen", "made"),
    [(NUMBER, [7, 7], (), 0), (CATEGORY, ["ann"], ("ann", "bob"), "x"), (BOOLEAN, [False], (), True)],
)
def test_a_private_field_is_made_up(feature, values, seen, made):
    """Golden rows are real."""
    assert usual(feature, values, seen, private=True) == made


def test_it_is_scored(store, journal, clock, each_task):
    """By the bundle it is from, with every feature."""
    store.serve(each_task)
    client = create_app(store.folder, journal, follow_every=None, clock=clock).test_client()
    bundle = Bundle.load(each_task)
    found = typical_row(bundle.contract, bundle.manifest)

    assert tuple(found) == bundle.contract.feature_names
    assert client.post("/score", json=found).status_code == 200

"""Rows that a measure cannot be taken of: the reason is said, no crash is reported, and the rest is measured."""

import numpy as np
import pandas as pd
import pytest

from monitoring.incidents.self_check import crashed_checks
from monitoring.journal.window import days_of
from monitoring.measure import measure_days
from monitoring.metrics.drift import attempt

pytestmark = pytest.mark.slow


def scores_of(rows):
    return [name for name in rows if name == "score" or name.startswith("score_")]


def on_day(rows, time, **values):
    """The *rows* with *values* on their fourth day."""
    day = days_of(rows, time)
    at = day == sorted(day.unique())[3]
    return rows.assign(**{name: rows[name].mask(at, value) for name, value in values.items()})


def few_of_a_day(rows, time):
    """One row of the fourth day."""
    day = days_of(rows, time)
    at = day == sorted(day.unique())[3]
    return rows[~at | (at & (at.cumsum() == 1))].reset_index(drop=True)


ESTIMATE, DRIFT = "estimated_performance", "multivariate_drift"
LABELS = "not monitored: too few rows of class "
#: name -> (the change of rows, kinds not monitored where the reference is so, and where the judged rows are)
ODD = {
    "a category that is always missing": (
        lambda r, c: r.assign(country=pd.Series([None] * len(r), dtype=object)),
        {},
        {},
    ),
    "a category with one value": (lambda r, c: r.assign(country="AT"), {}, {}),
    "a boolean with one value": (lambda r, c: r.assign(returning=pd.Series(True, r.index, dtype="boolean")), {}, {}),
    "a number that is always missing": (lambda r, c: r.assign(age=np.nan), {}, {}),
    "a number that is constant in a slice": (
        lambda r, c: r.assign(pages=r["pages"].mask(r["device"] == "phone", 0.1)),
        {},
        {},
    ),
    "a number that is constant on a day": (lambda r, c: on_day(r, c.time, pages=0.1), {}, {}),
    "a day of one class": (lambda r, c: on_day(r, c.time, **{c.target.name: 1}), {}, {}),
    "a day of one row": (lambda r, c: few_of_a_day(r, c.time), {}, {}),
    "outcomes of one class": (lambda r, c: r.assign(**{c.target.name: 1}), {ESTIMATE: LABELS}, {}),
    "no outcome": (lambda r, c: r.assign(**{c.target.name: np.nan}), {ESTIMATE: "not monitored: too few rows "}, {}),
    "a constant score": (lambda r, c: r.assign(**dict.fromkeys(scores_of(r), 1 / max(len(scores_of(r)), 2))), {}, {}),
    "one row": (
        lambda r, c: r.head(1),
        {ESTIMATE: "not monitored: too few rows "},
        dict.fromkeys(("univariate_drift", "score_drift", DRIFT, ESTIMATE), "not monitored: too few rows (1)"),
    ),
}


#: Where a task has its own way to look at it.
OF_TASKS = ["a category that is always missing", "outcomes of one class", "a constant score", "one row"]
CASES = [("binary", odd) for odd in ODD]
CASES += [(task, odd) for task in ("multiclass", "regression") for odd in OF_TASKS]
CASES += [("regression", "no outcome")]


@pytest.mark.parametrize(("task", "odd"), CASES)
def test_odd_rows_are_a_reason_and_never_a_crash(made, rules, task, odd):
    """As a reference, and as what is judged."""
    ours = made(task)
    change, of_reference, of_rows = ODD[odd]
    usual, contract = ours.reference, ours.contract
    changed = change(usual, contract)
    if task == "regression" and changed[contract.target.name].notna().any():  # it has no classes
        of_reference = {kind: why for kind, why in of_reference.items() if why != LABELS}
    for reference, rows, expected in ((changed, usual, of_reference), (usual, changed, of_rows)):
        found, unknown = measure_days(reference, rows, contract, ours.seen, rules)
        reasons = {each.kind: each.why for each in unknown}

        assert [each for each in unknown if each.crashed] == []
        assert reasons.keys() == expected.keys(), reasons
        assert all(reasons[kind].startswith(why) for kind, why in expected.items()), reasons
        assert np.isfinite([each.value for each in found]).all()
        assert "missing_values" in {each.kind for each in found}


def test_scores_that_are_no_probabilities_are_said(made, rules):
    """No waiting mends them, so the kind is blind."""
    ours = made("multiclass")
    wrong = ours.reference.assign(score_0=0.2, score_1=0.2, score_2=0.2)
    _, (one,) = measure_days(wrong, ours.reference, ours.contract, ours.seen, rules)

    assert (one.kind, one.yet, one.crashed) == (ESTIMATE, False, False)
    assert "do not add up to 1" in one.why


def test_a_mistake_in_the_code_is_still_reported():
    """With all other steps done."""

    def mistake():
        raise KeyError("no such column")

    found, unknown = attempt([("score_drift", mistake), ("row_rate", lambda: ["measured"])])

    assert found == ["measured"]
    (broken,) = crashed_checks(unknown)
    assert broken.details == ("score_drift: KeyError: 'no such column'",)

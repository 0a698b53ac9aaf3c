"""Leaks are judged by what is known: the champion's own features and power, and few outcomes decide nothing."""

from dataclasses import replace

import numpy as np
import pytest

from checks.insights.permutation_importance import Importance
from checks.rules.rows.feature_power import MIN_CASES, power_alone, power_of_scores
from checks.rules.rows.leakage import added, solo
from contracts.row_contract import Contract, Feature, Target
from tests.checks.window_rows import CONTRACT, late, window_evidence, window_rows


@pytest.fixture(scope="module")
def rows():
    return window_rows(np.random.default_rng(1), 40)


@pytest.fixture(scope="module")
def limits(rules):
    return rules.gate.leakage


def with_task(rows, task):
    """Contract and rows of a *task*: the outcome is binary, one of three classes, or a number."""
    classes = {"binary": (False, True), "multiclass": ("low", "middle", "high"), "regression": ()}[task]
    contract = Contract("shop", task, CONTRACT.features, Target("bought", classes), "visit", "at")
    if task == "multiclass":
        rows = rows.assign(bought=rows["bought"] * (1 + (rows["depth"] > 0.5)))
    if task == "regression":
        rows = rows.assign(bought=rows["bought"] + rows["depth"])
    return contract, rows


def hinted(rows, strength, seed=0):
    """A feature's values that give the outcome away: the more, the larger the *strength*."""
    return rows["bought"] * strength + np.random.default_rng(seed).normal(0, 1, len(rows))


TASKS = ["binary", "multiclass", "regression"]


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize(
    ("then", "now", "outcome", "severity"),
    [
        (8.0, 8.0, "PASS", "block"),  # it was high, and stays high
        (0.0, 8.0, "FAIL", "block"),  # it jumped, and gives the outcome away
        (0.0, 1.1, "FAIL", "hold"),  # it jumped, and is below the limit
        (1.5, 1.6, "PASS", "block"),
        (8.0, 0.0, "PASS", "block"),  # a fall is no leak
    ],
)
def test_a_feature_of_the_champion_is_judged_against_its_own_power_then(
    limits, rows, task, then, now, outcome, severity
):
    """A feature with 90 % of the power is no fault where the champion has been using it."""
    contract, rows = with_task(rows, task)
    before = rows.assign(depth=hinted(rows, then))
    evidence = window_evidence(rows.assign(depth=hinted(rows, now, seed=1)), before, contract)
    found = solo(evidence, before[late(before, 14)], limits)

    assert (found.outcome, found.severity) == (outcome, severity), found.observed
    if outcome == "FAIL":
        assert found.observed.startswith("depth alone has")
        assert "when the champion was evaluated" in found.observed


@pytest.mark.parametrize("task", TASKS)
def test_a_new_segment_with_other_outcomes_is_no_leak(limits, rows, task):
    """The category separates the new segment from the others, which raises its power alone."""
    contract, rows = with_task(rows, task)
    new = late(rows, 30) & (np.random.default_rng(2).random(len(rows)) < 0.4)
    most = {"binary": 1.0, "multiclass": 2.0, "regression": 4.0}[task]
    now = rows.assign(country=rows["country"].where(~new, "CH"), bought=rows["bought"].where(~new, most))
    found = solo(window_evidence(now, rows, contract), rows[late(rows, 14)], limits)

    assert found.outcome == "PASS", found.observed


@pytest.mark.parametrize("task", TASKS)
def test_without_a_champion_the_limit_is_absolute(limits, rows, task):
    contract, rows = with_task(rows, task)
    leaked = window_evidence(rows.assign(depth=hinted(rows, 8.0)), None, contract)

    assert solo(leaked, None, limits).outcome == "FAIL"
    assert solo(window_evidence(rows, None, contract), None, limits).outcome == "PASS"


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("cases", [0, 1, 5, 12])
def test_a_few_outcomes_do_not_reject(limits, rows, cases, seed):
    """Five positives are ranked first by some feature of many by chance; the class is named."""
    random = np.random.default_rng(seed)
    holdout = np.flatnonzero(late(rows, 14))
    chosen = random.choice(holdout, cases, replace=False)
    bought = rows["bought"].where(~late(rows, 14), 0.0)
    bought.iloc[chosen] = 1.0
    rare = rows.assign(bought=bought, depth=bought * 2 + rows["depth"])
    found = solo(window_evidence(rare), None, limits)

    assert found.outcome == "PASS"
    assert f"not judged for classes with fewer than {MIN_CASES} rows: True ({cases})" in found.observed


def test_the_class_that_a_feature_gives_away_is_named(limits, rows):
    contract, rows = with_task(rows, "multiclass")
    given = rows.assign(depth=(rows["bought"] == 2) * 1.0)
    found = solo(window_evidence(given, None, contract), None, limits)

    assert found.outcome == "FAIL"
    assert "depth alone has 100% of a perfect model's predictive power for the class high" in found.observed


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("strength", [0.0, 0.5, 1.0, 2.0])
def test_the_interval_of_a_power_contains_that_of_many_more_rows(seed, strength):
    """The standard error is not too small: 2.58 of them, on 800 rows against 60,000."""
    random = np.random.default_rng(seed)
    truth, days = (random.random(60_000) < 0.1).astype(float), np.arange(60_000) // 60
    scores = truth * strength + random.normal(0, 1, len(truth))
    (whole,) = power_of_scores(CONTRACT, truth, scores, days).values()
    (few,) = power_of_scores(CONTRACT, truth[:800], scores[:800], days[:800]).values()

    assert abs(few.value - whole.value) < 2.58 * few.error + 0.02
    assert few.error < 0.1


def test_a_perfect_ranking_of_few_has_a_standard_error():
    truth = np.arange(200) < MIN_CASES
    (power,) = power_of_scores(CONTRACT, truth.astype(float), truth.astype(float), np.arange(200)).values()

    assert power.value == 1.0
    assert 0.02 < power.error < 0.1


EXTENDED = replace(CONTRACT, features=(*CONTRACT.features, Feature("hint", "number")))


def importance(name, status, benefit):
    return Importance(name, status, "log loss", benefit, benefit * 0.9, benefit * 1.1, 500, 0.0, 0.0)


def compared(rows, ours, theirs, contract=EXTENDED):
    """Evidence whose candidate and champion know so much of the outcome, from 0 (nothing) to 1."""
    hint = rows.assign(hint=rows["depth"])
    base = window_evidence(hint, rows, contract)
    share = base.truth.mean()
    scores = [share + (base.truth - share) * each for each in (ours, theirs)]
    return replace(base, holdout_scores=scores[0], champion=scores[1])


OLD = [importance("pages", "kept", 0.02), importance("device", "kept", 0.01), importance("gone", "removed", 0.5)]


@pytest.mark.parametrize(
    ("benefit", "ours", "theirs", "fails"),
    [
        (0.02, 0.30, 0.25, False),  # a good feature, among others
        (0.06, 0.30, 0.25, True),  # shuffling it costs more than shuffling all others
        (0.02, 0.50, 0.10, True),  # the gain is larger than all that the champion gains
        (-0.01, 0.20, 0.25, False),
    ],
)
def test_one_new_feature_that_brings_more_than_all_others_holds(limits, rows, benefit, ours, theirs, fails):
    found = added(compared(rows, ours, theirs), [*OLD, importance("hint", "added", benefit)], limits)

    assert (found.outcome, found.severity) == ("FAIL" if fails else "PASS", "hold")
    assert found.observed.startswith("promised ")
    assert ("one new feature brings more than all others" in found.observed) == fails


def test_a_new_feature_that_alone_beats_the_champion_holds(limits, rows):
    evidence = compared(rows, 0.3, 0.25)
    evidence = replace(
        evidence,
        train=evidence.train.assign(hint=hinted(evidence.train, 0.9)),
        holdout=evidence.holdout.assign(hint=hinted(evidence.holdout, 0.9)),
        champion=np.random.default_rng(0).random(len(evidence.holdout)),
    )
    found = added(evidence, [*OLD, importance("hint", "added", 0.02)], limits)

    assert found.outcome == "FAIL"
    assert solo(evidence, None, limits).outcome == "PASS"  # it does not give the outcome away


def test_without_a_new_feature_or_a_champion_nothing_was_promised(limits, rows):
    kept = added(compared(rows, 0.9, 0.1), OLD, limits)
    first = added(replace(compared(rows, 0.9, 0.1), champion=None), [*OLD, importance("hint", "added", 1.0)], limits)

    assert (kept.outcome, first.outcome) == ("PASS", "PASS")
    assert "no champion" in first.observed


def test_a_new_feature_that_is_weaker_than_the_champion_passes_whatever_its_power(limits, rows):
    """The champion has 100 % of the power: a new feature with 90 % gives nothing away that is not known."""
    evidence = compared(rows, 0.9, 0.9)
    evidence = replace(
        evidence,
        train=evidence.train.assign(hint=hinted(evidence.train, 3.0)),
        holdout=evidence.holdout.assign(hint=hinted(evidence.holdout, 3.0)),
    )
    (power,) = power_alone(EXTENDED, EXTENDED.feature("hint"), evidence.train, evidence.holdout).values()
    assert power.low > limits.max_solo
    assert solo(evidence, None, limits).outcome == "PASS"

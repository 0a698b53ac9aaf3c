"""Calibration and spread of the scores, beside the champion and beside a constant."""

from types import SimpleNamespace

import numpy as np
import pytest

from checks.rules.model_behaviour import calibration, spread
from contracts.row_contract import Contract, Feature, Target

DAYS, ROWS = 14, 5_000


def scored(truth, scores, champion=None, task="binary"):
    """Evidence of two weeks with these outcomes and scores."""
    target = Target("y", (False, True)) if task == "binary" else Target("y")
    return SimpleNamespace(
        contract=Contract("c", task, (Feature("x", "number"),), target, key="who", time="at"),
        truth=truth,
        holdout_scores=scores,
        champion=champion,
        day_codes=np.repeat(np.arange(DAYS), ROWS),
        key_codes=np.arange(DAYS * ROWS),
    )


@pytest.mark.parametrize(
    ("ours", "champion", "outcome"),
    [
        (0.0, None, "PASS"),
        (0.2, None, "FAIL"),
        (0.2, 0.2, "PASS"),  # the rate of outcomes has changed for both
        (0.2, 0.25, "PASS"),
        (0.25, 0.15, "FAIL"),  # both beyond the limit, and the candidate surely more
        (0.2, 0.05, "FAIL"),  # the champion's is within the limit
    ],
)
def test_no_candidate_is_rejected_for_a_calibration_that_the_champion_shares(rules, ours, champion, outcome):
    """*ours* and *champion* are how far above the outcomes' rate their scores are."""
    random = np.random.default_rng(0)
    chance = random.uniform(0.1, 0.7, DAYS * ROWS)
    truth = (random.random(len(chance)) < chance).astype(float)
    rows = scored(truth, chance + ours, None if champion is None else chance + champion)

    (found,) = calibration(rows, rules.gate)

    assert found.outcome == outcome, found.observed


@pytest.mark.parametrize(
    ("task", "power", "outcome"),
    [("binary", 1.0, "PASS"), ("binary", 0.0, "FAIL"), ("regression", 1.0, "PASS"), ("regression", 0.0, "FAIL")],
)
def test_a_small_spread_passes_where_the_scores_are_surely_better_than_a_constant(rules, task, power, outcome):
    """A rare class, or an outcome with a few very large values; scores without *power* are random numbers."""
    random = np.random.default_rng(0)
    n = DAYS * ROWS
    if task == "binary":
        chance = np.where(random.random(n) < 0.2, 0.0028, 0.0001)
        truth = (random.random(n) < chance).astype(float)
        scores = chance if power else random.permutation(chance)
    else:
        level = random.choice([1.0, 3.0], n)
        truth = level + np.where(random.random(n) < 0.002, 5_000.0, 0.0)
        scores = level if power else random.permutation(level)
    found = spread(scored(truth, scores, task=task), rules.gate.behaviour, rules.gate.compare)

    assert found.outcome == outcome, found.observed

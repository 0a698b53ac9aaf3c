"""The rules where outcomes, scores or a feature are constant, exactly or but for rounding."""

from dataclasses import replace

import numpy as np
import pytest

from checks.comparison.bootstrap import Blocks, paired
from checks.comparison.bootstrap import measures as measured
from checks.comparison.weighted_metrics import METRICS
from checks.insights.prediction_churn import _odd, _typical
from checks.rules.model_behaviour import spread
from checks.rules.rows.column_values import frozen, sentinels
from checks.rules.rows.feature_power import power_alone
from checks.rules.rows.leakage import solo
from contracts.row_contract import Contract, Target
from contracts.tolerance import spread_of

#: Of most numbers of rows, the standard deviation of each as computed is not 0.
CONSTANTS = [0.3, 49.99, -7.3e-5, 1e9 + 0.1]


def regression(evidence, train, outcome, scores):
    """The evidence as that of a regression: the outcomes of both parts, the holdout's scores."""
    old = evidence.contract
    contract = Contract(old.name, "regression", old.features, Target("bought"), old.key, old.time)
    return replace(
        evidence,
        contract=contract,
        champion=None,
        holdout_scores=scores,
        train=evidence.train.assign(bought=train),
        holdout=evidence.holdout.assign(bought=outcome),
    )


def rounded(value, n):
    """*n* times a value, as two ways to compute it round it."""
    return np.where(np.arange(n) % 3 == 0, np.nextafter(value, np.inf), value)


@pytest.mark.parametrize("value", CONSTANTS)
def test_the_spread_of_a_constant_is_exactly_0(value):
    """Also of one of several columns, and where the last bit differs; a small spread is one."""
    assert spread_of(np.full(600, value)) == 0
    assert spread_of(rounded(value, 600)) == 0
    assert spread_of(np.column_stack([np.full(600, value), np.arange(600)])).tolist() == [0, np.arange(600).std()]
    assert spread_of([value, value * (1 + 1e-9)]) > 0


@pytest.mark.parametrize("value", CONSTANTS)
def test_no_feature_explains_a_constant_outcome(evidence, rules, value):
    """R² of a constant is not defined, and float noise is no scale: the rule's figure is 0."""
    n = len(evidence.holdout)
    varied = np.arange(len(evidence.train)) % 7 * 1.0
    for train in (varied, value):
        for outcome in (np.full(n, value), rounded(value, n)):
            changed = regression(evidence, train, outcome, np.arange(n) * 1.0)
            for feature in changed.contract.features:
                (power,) = power_alone(changed.contract, feature, changed.train, changed.holdout).values()
                assert (power.value, power.error) == (0.0, 0.0)
            assert "has 0% of a perfect model's predictive power" in solo(changed, None, rules.gate.leakage).observed


@pytest.mark.parametrize("value", CONSTANTS)
def test_scores_that_are_all_equal_are_constant_whatever_the_outcomes(evidence, rules, value):
    """And scores that differ are not, where the outcomes are all equal."""
    n = len(evidence.holdout)
    for outcome in (np.arange(n) * 1.0, np.full(n, value)):
        for scores in (np.full(n, value), rounded(value, n)):
            changed = regression(evidence, 0.0, outcome, scores)
            found = spread(changed, rules.gate.behaviour, rules.gate.compare)
            assert (found.outcome, found.observed) == ("FAIL", "every row has the same score")
    varied = regression(evidence, 0.0, np.full(n, value), np.arange(n))
    found = spread(varied, rules.gate.behaviour, rules.gate.compare)
    assert (found.outcome, found.observed) == ("PASS", "the scores vary, and all outcomes are the same")


@pytest.mark.parametrize("value", CONSTANTS)
def test_the_offset_from_outcomes_that_differ_in_the_last_bit_is_no_multiple_of_it(value):
    """It is measured in the outcome's units there."""
    truth = rounded(value, 600)

    assert METRICS["offset"](truth, truth + 2.0)() == pytest.approx(2.0)


@pytest.mark.parametrize("metric", ["mae", "rmse"])
def test_a_champion_without_an_error_is_compared_with(metric):
    """An equal candidate is as good; of a worse one no share of the error can be given."""
    truth, day = np.full(80, 49.99), np.repeat(np.arange(8), 10)
    blocks = Blocks(day, np.arange(80), 50, 0)

    equal = paired(metric, measured(metric, truth, truth, truth), blocks, 0.95)
    worse = paired(metric, measured(metric, truth, truth + 1, truth), blocks, 0.95)

    assert (equal.value, equal.low, equal.high) == (0.0, 0.0, 0.0)
    assert np.isnan(worse.value)
    assert worse.low is None


def test_the_last_bit_of_a_feature_is_neither_a_placeholder_nor_a_standstill(evidence, rules):
    """0.1 + 0.2 is not 0.3, and means the same."""
    n, days = len(evidence.holdout), np.arange(len(evidence.holdout)) % 14
    at = evidence.holdout["at"].iloc[0] + days.astype("timedelta64[D]")
    other = replace(
        evidence,
        train=evidence.train.assign(pages=0.3),
        holdout=evidence.holdout.assign(pages=np.where(np.arange(n) % 2, 0.3, 0.1 + 0.2), at=at),
    )
    mixed = replace(
        evidence,
        train=evidence.train.assign(pages=rounded(0.3, len(evidence.train))),
        holdout=evidence.holdout.assign(pages=0.3),
    )

    assert sentinels(other, rules.gate.rows).outcome == "PASS"
    assert frozen(mixed, rules.gate.rows).outcome == "PASS"
    assert _odd(0.3, _typical(other.holdout["pages"])) is None

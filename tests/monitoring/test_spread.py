"""A constant column has no spread, whatever rounding leaves; and a change of it is seen."""

import numpy as np
import pandas as pd
import pytest

from monitoring.measure import measure_days
from monitoring.metrics.drift import drift
from monitoring.metrics.performance import performance
from monitoring.metrics.spread import departure, deviation, is_constant, mean_interval

pytestmark = pytest.mark.slow

CONSTANTS = [0.0, 0.1, 0.00046, 1.463, 1e16, -3.3e-9, 123456.789]


@pytest.mark.parametrize("value", CONSTANTS)
@pytest.mark.parametrize("count", [1, 7, 999, 20127])
def test_a_constant_has_no_spread(value, count):
    """Whose standard deviation is 4e-19 where the mean is rounded."""
    values = pd.Series(np.full(count, value))

    assert deviation(values) == 0.0
    assert (departure(values, values) == 0.0).all()


@pytest.mark.parametrize("value", CONSTANTS)
def test_a_change_of_a_constant_is_the_share_of_rows_that_left_it(value):
    """It has no unit but that."""
    reference = pd.Series(np.full(1000, value))
    now = pd.Series(np.r_[np.full(60, value), np.full(40, value * 1.5 + 1)])
    sign = np.sign(value * 1.5 + 1 - value)

    assert departure(reference, now).mean() == pytest.approx(0.4 * sign)


def test_what_varies_is_measured_in_standard_deviations():
    """Small or large, with missing values."""
    values = pd.Series([1.0, 2.0, 3.0, None]) * 1e-15

    assert not is_constant(values)
    assert departure(values, pd.Series([4e-15])).iloc[0] == pytest.approx(2.0)
    assert is_constant(pd.Series([1e16, 1e16 + 2]))
    assert is_constant(pd.Series([None, None], dtype=float))


@pytest.mark.parametrize("value", [0.1, 1e16])
def test_a_constant_feature_and_score_are_measured_and_a_change_is_seen(made, value):
    """By the share alone: there is no distance of distributions to a point."""
    ours = made("binary")
    feature = next(f.name for f in ours.contract.features if f.kind == "number")
    rows = ours.reference.assign(**{feature: value, "score": 0.1})
    for factor, expected in ((1.0, 0.0), (1.5, 1.0)):
        now = rows.assign(**{feature: value * factor})
        found, unknown = drift(rows, now, ours.contract, {})
        means = [m.value for m in found if (m.metric, m.feature) == ("mean", feature)]
        assert unknown == []
        assert set(means) == {expected}
        assert {m.value for m in found if (m.kind, m.metric) == ("score_drift", "mean")} == {0.0}


@pytest.mark.parametrize("task", ["binary", "multiclass"])
@pytest.mark.parametrize("left", [0, 1])
def test_a_rare_class_is_said_and_the_rest_is_measured(made, rules, task, left):
    """CBPE needs two rows of each class; what is realised and what drifts does not."""
    ours = made(task)
    target = ours.contract.target.name
    rare = ours.reference[target].astype(float) == 1
    reference = pd.concat([ours.reference[~rare], ours.reference[rare].head(left)])
    reference = reference.sort_values(ours.contract.time).reset_index(drop=True)
    found, unknown = performance(reference, ours.reference, ours.reference, ours.contract)

    (one,) = unknown
    assert (one.kind, one.yet, one.crashed) == ("estimated_performance", True, False)
    assert one.why.startswith("not monitored: too few rows of class ")
    assert {each.kind for each in found} == {"realised_performance"}


def test_a_constant_target_ends_no_run(made, rules):
    """A regression whose outcomes are all the same number."""
    ours = made("regression")
    reference = ours.reference.assign(**{ours.contract.target.name: 0.1})
    found, unknown = measure_days(reference, reference, ours.contract, {}, rules)

    assert [each for each in unknown if each.crashed] == []
    assert np.isfinite([each.value for each in found]).all()
    assert max(abs(each.value) for each in found if each.kind == "prediction_bias") < 1e6


@pytest.mark.parametrize("days", [4, 7, 30])
def test_the_interval_of_a_mean_covers_it_in_95_of_100_cases(days):
    """For independent days of different sizes."""
    random = np.random.default_rng(days)
    rows = random.integers(50, 150, days)
    intervals = [mean_interval(random.normal(0.7, 0.1, days), rows) for _ in range(4000)]

    assert np.mean([low <= 0.7 <= high for low, high in intervals]) == pytest.approx(0.95, abs=0.015)


def test_an_interval_needs_some_days():
    """Three say too little about the variation between days; with equal sizes it is Student's."""
    assert mean_interval([0.7, 0.6, 0.8], [1, 1, 1]) is None
    assert mean_interval([0.6, 0.7, 0.8, 0.7], [5] * 4) == pytest.approx((0.7 - 0.1299, 0.7 + 0.1299), abs=1e-3)

"""Intervals and tests that hold at all times at once: against formulas, and by simulation."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring.experiment.confidence_sequences import (
    DailySums,
    confidence_sequence,
    half_width,
    ratio_p_value,
    tuned,
    units_needed,
)
from tests.monitoring.experiment.conftest import by_day

ALPHA, DAYS, RUNS = 0.05, 60, 2000
#: What chance adds to a share of ALPHA in RUNS runs, once in a thousand.
CHANCE = 3.1 * math.sqrt(ALPHA * (1 - ALPHA) / RUNS)


def peeked(draw, truth, units, seed):
    """The share of runs in which any of sixty daily intervals misses the truth."""
    rng, missed = np.random.default_rng(seed), 0
    rho = tuned(14 * units, ALPHA)
    for _ in range(RUNS):
        total, squares = draw(rng, (DAYS, units))
        found = confidence_sequence(DailySums(np.full(DAYS, float(units)), total, squares), ALPHA, rho, 200)
        missed += bool(((found.low > truth) | (found.high < truth)).any())
    return missed / RUNS


def rates(chance):
    def draw(rng, shape):
        total = rng.binomial(shape[1], chance, shape[0]).astype(float)
        return total, total

    return draw


def amounts(rng, shape):
    values = rng.exponential(size=shape)
    return values.sum(1), (values**2).sum(1)


@pytest.mark.parametrize(
    ("draw", "truth", "units"),
    [(rates(0.5), 0.5, 50), (rates(0.05), 0.05, 200), (rates(0.01), 0.01, 1000), (amounts, 1, 50)],
    ids=["even", "rare", "rarer", "amounts"],
)
def test_sixty_looks_miss_the_truth_no_more_often_than_stated(draw, truth, units):
    """Over all of them together."""
    assert peeked(draw, truth, units, seed=1) <= ALPHA + CHANCE


def test_a_fixed_interval_would_miss_it_far_more_often():
    """What it is for: sixty looks at a z-test."""
    rng, missed = np.random.default_rng(1), 0
    for _ in range(RUNS):
        mean = rng.normal(size=DAYS).cumsum() / np.arange(1, DAYS + 1)
        missed += bool((np.abs(mean) > 1.96 / np.sqrt(np.arange(1, DAYS + 1))).any())

    assert missed / RUNS > 0.3


def test_the_width_is_that_of_the_paper():
    """Robbins' normal mixture, written the way it was first: with V for the variance so far."""
    for t, rho in ((10, 0.1), (1000, 0.05), (10**6, 0.001)):
        v, eta = t, 1 / rho**2
        robbins = math.sqrt((v + eta) * math.log((v + eta) / (eta * ALPHA**2))) / t
        assert half_width(t, 1.0, ALPHA, rho) == pytest.approx(robbins, rel=1e-12)


def test_tuned_is_the_tightest_at_its_units():
    """To a thousandth, for the appendix's formula is a close one."""
    rhos = np.geomspace(1e-4, 1, 5000)
    for units in (100, 10_000):
        best = half_width(units, 1.0, ALPHA, rhos).min()
        assert half_width(units, 1.0, ALPHA, tuned(units, ALPHA)) == pytest.approx(best, rel=1e-3)


@given(st.floats(1e-3, 1), st.floats(0.01, 100), st.floats(1e-3, 0.5))
def test_units_needed_are_just_enough(target, sd, alpha):
    """One fewer is not."""
    rho = tuned(1000, alpha)
    units = units_needed(target, sd, alpha, rho)

    assert half_width(units, sd, alpha, rho) <= target * (1 + 1e-9)
    assert units <= 3 or half_width(units - 2, sd, alpha, rho) > target


@pytest.mark.parametrize("target", [0.0, -1.0, math.nan])
def test_what_is_never_reached_needs_for_ever(target):
    """A difference of nothing is never reported as one."""
    assert units_needed(target, 1.0, ALPHA, 0.1) == math.inf


def test_too_few_units_say_nothing():
    """No interval, no opinion; nor does a day without any."""
    days = by_day(np.array([1.0, 0.0, 1.0]), np.array([1, 1, 3]), 5)
    found = confidence_sequence(days, ALPHA, 0.1, 3)

    assert found.units.tolist() == [0, 0 + 2, 2, 3, 3]
    assert np.isinf(found.high).tolist() == [True, True, True, False, False]
    assert found.mean[-1] == pytest.approx(2 / 3)


def test_a_true_ratio_looked_at_daily_is_seldom_suspected():
    """Sixty looks, one chance."""
    rng, suspected = np.random.default_rng(2), 0
    for _ in range(300):
        new = rng.binomial(500, 0.1, DAYS)
        suspected += ratio_p_value(np.column_stack([500 - new, new]), (0.9, 0.1)) < ALPHA

    assert suspected / 300 <= ALPHA


@pytest.mark.parametrize(("seen", "wrong"), [(0.100, False), (0.101, False), (0.11, True), (0.09, True)])
def test_a_wrong_ratio_is_found(seen, wrong):
    """A tenth of one arm that gets lost, within a month."""
    new = np.full(30, round(2000 * seen))

    assert (ratio_p_value(np.column_stack([2000 - new, new]), (0.9, 0.1)) < 0.001) == wrong


def test_the_ratios_p_value_is_one_over_the_bayes_factor():
    """By hand, for a single unit: the prior's mean is the null, so it says nothing."""
    assert ratio_p_value(np.array([[1, 0]]), (0.5, 0.5)) == pytest.approx(1.0)
    # Two of two: null 1/4, alternative 1/2 * 5001/10001.
    expected = 0.25 / (0.5 * 5001 / 10001)
    assert ratio_p_value(np.array([[2, 0]]), (0.5, 0.5)) == pytest.approx(expected)

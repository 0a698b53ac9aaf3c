"""Steps of daily means: found where a change began and lasts, and not in what the days before show as well."""

import numpy as np
import pandas as pd
import pytest

from checks.rules.changes.day_steps import MIN_STANDARD_ERRORS, Days, joined, steps

DAYS, FIRST = 90, 76
DATES = pd.date_range("2026-08-30", periods=DAYS, tz="UTC")


def sums_of(shares, random, rows):
    """Rows of 90 days that have a property with the *shares*, (days,)."""
    at = np.repeat(np.arange(DAYS), rows)
    return Days(at, DATES).sums((random.random(len(at)) < shares[at]).astype(float))


def found(shares, random, rows=200, least=0.01):
    return steps(sums_of(np.clip(shares, 0, 1), random, rows), DATES[FIRST], np.array([least]))


day = np.arange(DAYS)
#: Daily shares without a fault.
INNOCENT = {
    "constant": lambda random: np.full(DAYS, 0.1),
    "never": lambda random: np.zeros(DAYS),
    "weekdays": lambda random: 0.1 + 0.08 * (day % 7 == int(random.integers(7))),
    "a trend": lambda random: 0.05 + 0.2 * day / DAYS,
    "a trend down": lambda random: 0.3 - 0.25 * day / DAYS,
    "a season": lambda random: 0.2 + 0.1 * np.sin(day / 12 + 7 * random.random()),
    "weather": lambda random: 0.02 + 0.3 * (random.random(DAYS) < 0.3),
    "spells of weather": lambda random: np.repeat(0.02 + 0.4 * (random.random(18) < 0.4), 5),
    "outages of a day": lambda random: 0.01 + 0.8 * (random.random(DAYS) < 0.05),
    "overdispersed days": lambda random: random.beta(1, 9, DAYS),
    "a random walk": lambda random: 0.3 + np.cumsum(random.normal(0, 0.01, DAYS)),
    "a step that is over": lambda random: 0.1 + 0.3 * ((day >= 60) & (day < 74)),
    "one bad day": lambda random: 0.02 + 0.5 * (day == 80),
    "two bad days": lambda random: 0.02 + 0.5 * ((day == 80) | (day == 85)),
}


@pytest.mark.parametrize("rows", [10, 100, 1000])
@pytest.mark.parametrize("kind", INNOCENT)
def test_what_the_days_before_show_as_well_is_no_step(kind, rows):
    for seed in range(10):
        random = np.random.default_rng(seed)
        assert found(INNOCENT[kind](random), random, rows) == []


@pytest.mark.parametrize("rows", [100, 1000])
@pytest.mark.parametrize(("before", "after"), [(0.0, 0.1), (0.02, 0.2), (0.1, 0.4), (0.2, 0.0), (0.5, 0.05)])
def test_a_step_is_found_with_its_day_and_size(before, after, rows):
    for seed in range(5):
        random = np.random.default_rng(seed)
        since = int(random.integers(FIRST, DAYS - 4))
        (step,) = found(np.where(day < since, before, after), random, rows)

        assert abs(pd.Timestamp(step.since, tz="UTC") - DATES[since]) <= pd.Timedelta(days=1)
        assert (step.before, step.after) == pytest.approx((before, after), abs=0.06)
        assert np.sign(step.rise) == np.sign(after - before)
        assert step.errors > MIN_STANDARD_ERRORS


def test_a_share_that_vanishes_is_a_step_however_much_it_varied():
    """Its usual differences are as large as the share itself, but it was never zero for days."""
    random = np.random.default_rng(0)
    varied = random.uniform(0.05, 0.3, DAYS)

    assert found(varied, random) == []
    assert len(found(np.where(day < 80, varied, 0.0), random)) == 1


@pytest.mark.parametrize("days", [0, 10, 20])
def test_few_days_before_give_no_step(days):
    at = np.repeat(day, 200)
    sums = Days(at, DATES).sums((at >= days).astype(float))
    assert steps(sums, DATES[days], np.array([0.01])) == []


def test_groups_and_missing_values_are_counted_apart():
    codes = np.array([0, 0, 1, 1])
    sums = Days(codes, DATES[:2]).sums(np.array([1.0, 3.0, np.nan, 5.0]), np.array([0, 1, 0, -1]), 2)

    assert sums.totals.tolist() == [[1, 3], [0, 0]]
    assert sums.counts.tolist() == [[1, 1], [0, 0]]
    assert joined([sums, sums]).squares.tolist() == [[1, 9, 1, 9], [0, 0, 0, 0]]


def test_no_statistic_has_no_step():
    nothing = Days(np.repeat(day, 2), DATES).sums(np.zeros(2 * DAYS), np.full(2 * DAYS, -1), 0)
    assert steps(nothing, DATES[FIRST], np.empty(0)) == []


def test_a_statistic_that_was_chosen_is_compared_with_all():
    """One of many values is commonest in each fortnight; that another one is now is usual."""
    random = np.random.default_rng(0)
    at = np.repeat(day, 200)
    value = np.where(random.random(len(at)) < 0.15, at // 14, 100 + random.integers(0, 50, len(at)))
    days = Days(at, DATES)
    sums = joined([days.sums(value == each) for each in range(7)])

    assert len(steps(sums, DATES[FIRST], np.full(7, 0.01))) == 1
    assert steps(sums, DATES[FIRST], np.full(7, 0.01), together=True) == []

"""The bootstrap of days: exact, honest with few days, and with keys that come again."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from checks.comparison.bootstrap import Blocks, Gap, difference, measures, paired
from checks.comparison.weighted_metrics import METRICS
from checks.decision.proven_findings import finding

SEEDS = st.integers(0, 10_000)
BINARY = ("log_loss", "roc_auc", "brier", "ece", "mean")


def stream(seed, days=8, per=25, keys=None):
    """truth, two models' scores, days and keys; with ties."""
    random = np.random.default_rng(seed)
    n = days * per
    logit = random.normal(-0.5, 1.2, n)
    truth = (random.random(n) < 1 / (1 + np.exp(-logit))).astype(float)
    truth[:2] = 0, 1
    ours, theirs = ((1 / (1 + np.exp(-logit - random.normal(0, 0.5, n)))).round(2) for _ in "ab")
    key = random.integers(0, keys, n) if keys else np.arange(n)
    return (truth, ours, theirs, np.repeat(np.arange(days), per), np.unique(key, return_inverse=True)[1])


@pytest.mark.parametrize("metric", BINARY)
@settings(max_examples=10, deadline=None)
@given(seed=SEEDS)
def test_a_draw_of_days_is_the_metric_of_its_rows(metric, seed):
    """The product of matrices gives what weighing each row would."""
    truth, ours, _, day, key = stream(seed)
    blocks = Blocks(day, key, 20, seed)
    (measure,) = measures(metric, truth, ours)

    drawn = measure.drawn(blocks.day, blocks.times)
    for times, value in zip(blocks.times, drawn, strict=True):
        assert value == pytest.approx(measure(times[day]), nan_ok=True)
    assert blocks.times.sum(axis=1).tolist() == [8.0] * 20


@pytest.mark.parametrize("metric", [*BINARY, "mae", "rmse", "offset"])
def test_the_influence_of_a_row_is_what_a_little_more_of_it_does(metric):
    """By differences: the weight of one row is raised by a little."""
    truth, ours, *_ = stream(3)
    measure = METRICS[metric](truth, ours)
    pull = measure.influence()

    assert pull.sum() == pytest.approx(0, abs=1e-9)
    for row in (0, 1, 57):
        weights = np.ones(len(truth))
        weights[row] += 1e-4
        assert (measure(weights) - measure()) / 1e-4 == pytest.approx(pull[row], abs=2e-5)


def test_of_a_mean_over_equal_days_it_is_students_interval():
    """Thirty days: percentiles, widened for few days, come near mean ± t * s / sqrt(n)."""
    random = np.random.default_rng(0)
    errors = random.normal(1, 0.2, (2, 30))
    truth, day = np.zeros(30), np.arange(30)
    gap = paired("brier", measures("brier", truth, *np.sqrt(errors)), Blocks(day, day, 20_000, 0), 0.95)
    each = errors[1] - errors[0]
    low, high = stats.t.interval(0.95, 29, each.mean(), each.std(ddof=1) / np.sqrt(30))

    assert (gap.low, gap.high) == pytest.approx((low, high), abs=0.004)
    assert gap.error == pytest.approx(each.std(ddof=1) / np.sqrt(30), rel=0.02)
    assert gap.p_value(0.0) == pytest.approx(stats.ttest_1samp(each, 0.0, alternative="less").pvalue, abs=0.01)


def test_rows_of_one_key_go_together():
    """Two hundred rows a day of the same five customers have less information than those of a thousand."""
    random = np.random.default_rng(1)
    day, key = np.repeat(np.arange(20), 50), np.tile(np.arange(50) % 5, 20)
    errors = 1 + 0.2 * random.normal(size=5)[key] + 0.05 * random.normal(size=1000)
    both = measures("brier", np.zeros(1000), np.sqrt(errors), np.ones(1000))
    apart = paired("brier", both, Blocks(day, np.arange(1000), 500, 0), 0.95)
    together = paired("brier", both, Blocks(day, key, 500, 0), 0.95)

    assert together.error > 5 * apart.error
    assert (together.freedom, apart.freedom) == pytest.approx((4, 19))


@settings(max_examples=20, deadline=None)
@given(SEEDS)
def test_keys_that_recur_never_make_it_surer(seed):
    """Never narrower than days alone."""
    truth, ours, theirs, day, key = stream(seed, keys=30)
    both = measures("log_loss", truth, ours, theirs)
    alone = paired("log_loss", both, Blocks(day, np.arange(len(day)), 200, 0), 0.95)
    keyed = paired("log_loss", both, Blocks(day, key, 200, 0), 0.95)

    assert keyed.error >= alone.error
    assert keyed.low <= alone.low <= alone.value <= alone.high <= keyed.high


def test_a_day_of_few_rows_hardly_counts_as_a_day():
    """Of 100, 100 and 1 row: little more than two."""
    day = np.repeat([0, 1, 2], [100, 100, 1])

    assert Blocks(day, np.arange(201), 10, 0).effective == pytest.approx(2.02, abs=0.01)


def test_too_few_days_give_no_interval():
    """One day is one observation, however many rows it has."""
    truth, ours, theirs, day, key = stream(0, days=2, per=500)
    gap = paired("log_loss", measures("log_loss", truth, ours, theirs), Blocks(day, key, 10, 0), 0.95, 3)

    assert (gap.low, gap.high, gap.days) == (None, None, 2)
    assert gap.days_to_settle(0.0) is None


def test_how_many_days_are_missing_is_right_once_they_are_there():
    """Four times the days halve the interval, and Student's t shrinks with it."""
    gap = Gap("roc_auc", 0.7, 0.702, -0.002, -0.008, 0.004, 0.003, 99, 10_000, 100, 0.95)

    assert gap.days_to_settle(-0.005) == pytest.approx(293, abs=3)  # 300 without Student
    assert gap.days_to_settle(-0.0020001) is None
    wider = Gap("roc_auc", 0.7, 0.702, -0.006, -0.012, 0.0, 0.003, 99, 10_000, 100, 0.95)
    assert wider.days_to_settle(-0.005) == pytest.approx(3400, rel=0.02)  # to be sure it is worse


def test_the_interval_covers_what_is_true():
    """95 of 100 times, with 14 days that differ; a long run of it is in BENCHMARKS.md."""
    random, covered = np.random.default_rng(5), 0
    for _ in range(300):
        day = np.repeat(np.arange(14), 20)
        errors = 1 + random.normal(0, 0.1, 14)[day] + random.normal(0, 0.3, 280)
        both = measures("mae", np.zeros(280), np.ones(280), errors)
        gap = paired("brier", both, Blocks(day, np.arange(280), 300, 0), 0.95)
        covered += gap.low <= 0 <= gap.high

    assert 0.92 <= covered / 300 <= 0.98


def test_the_difference_is_turned_so_that_more_is_better():
    """A share of the other's error for regression."""
    assert difference("roc_auc", 0.8, 0.7) == pytest.approx(0.1)
    assert difference("log_loss", 0.4, 0.5) == pytest.approx(0.1)
    assert difference("mae", 0.9, 1.0) == pytest.approx(0.1)


def test_what_cannot_be_measured_has_no_interval():
    """One class alone has no ROC AUC; it is inconclusive, with the reason."""
    gap = paired(
        "roc_auc",
        measures("roc_auc", np.zeros(40), np.arange(40.0), np.arange(40.0)),
        Blocks(np.arange(40) % 8, np.arange(40), 50, 0),
        0.95,
    )
    found = finding("compare.roc_auc", gap, 0.01, "the champion")

    assert (gap.low, found.outcome, found.more_rows) == (None, "INCONCLUSIVE", None)
    assert "one of the classes is absent" in found.why

"""Limits that can be reached: within the metric's range, better than chance, and near enough to be passed."""

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest

from contracts.thresholds import read_rules
from monitoring.charts.charting import charts, signals_of
from monitoring.charts.expected_movement import Expected, Movement
from monitoring.charts.scales import auc_error, restored, stabilised
from monitoring.charts.signals import Measure, Signal
from monitoring.charts.watchability import unwatched

FIRST = date(2026, 3, 2)
RANGES = {
    "roc_auc": (0.5, 1.0),
    "accuracy": (0.0, 1.0),
    "share": (-1.0, 1.0),
    "share_by_score": (-1.0, 1.0),
    "jensen_shannon": (0.0, 1.0),
    "rows": (0.0, np.inf),
    "mae": (0.0, np.inf),
    "p99": (0.0, np.inf),
}


@pytest.fixture(scope="module")
def rules(root):
    return replace(read_rules(root / "checks/thresholds.toml").monitoring, draws=60)


def day(number):
    return f"{FIRST + timedelta(days=number)}"


def random_measures(random, days, rows):
    """Every kind of series, with days of tails and constants, and days without a value."""
    kinds = [
        ("realised_performance", "roc_auc", "", lambda: np.clip(0.72 + random.standard_t(2) * 0.08, 0, 1)),
        ("realised_performance", "accuracy", "", lambda: np.clip(0.9 + random.standard_t(2) * 0.1, 0, 1)),
        ("realised_performance", "mae", "", lambda: abs(random.standard_cauchy())),
        ("estimated_performance", "roc_auc", "", lambda: np.clip(0.55 + random.normal() * 0.05, 0, 1)),
        ("prediction_bias", "share", "", lambda: np.clip(random.standard_cauchy() * 0.05, -1, 1)),
        ("prediction_bias", "share_by_score", "", lambda: np.clip(random.standard_t(2) * 0.1, -1, 1)),
        ("missing_values", "share", "rare", lambda: random.binomial(rows, 0.002) / rows),
        ("missing_values", "share", "often", lambda: float(random.random() < 0.5)),
        ("missing_values", "share", "never", lambda: 0.0),
        ("missing_values", "share", "always", lambda: 1.0),
        ("unseen_categories", "share", "new", lambda: random.beta(0.1, 2)),
        ("label_coverage", "share", "", lambda: np.clip(0.95 + random.normal() * 0.2, 0, 1)),
        ("errors", "share", "", lambda: random.beta(0.05, 5)),
        ("score_drift", "jensen_shannon", "", lambda: random.beta(1, 3)),
        ("univariate_drift", "jensen_shannon", "age", lambda: random.beta(8, 1)),
        ("row_rate", "rows", "", lambda: float(random.negative_binomial(1, 0.01))),
        ("latency", "p99", "", lambda: abs(random.standard_cauchy()) * 40),
    ]
    found = []
    for number in range(days):
        today = max(int(rows * random.uniform(0.3, 1.5)), 1)
        for kind, metric, feature, draw in kinds:
            if random.random() > 0.1 or number < 5:
                positives = random.binomial(today, 0.05)
                found.append(Measure(kind, metric, feature, day(number), float(draw()), today, positives))
    return found


@pytest.mark.parametrize("seed", range(12))
def test_no_limit_is_outside_the_range_or_further_than_six_deviations(seed, rules):
    """Whatever the reference: 7 to 60 days, 20 to 5,000 rows, heavy tails, constants, days without a value."""
    random = np.random.default_rng(seed)
    days, rows = int(random.integers(7, 61)), int(np.exp(random.uniform(np.log(20), np.log(5000))))
    reference = random_measures(random, days, rows)
    now = [replace(each, day=day(days + 10 + n)) for n, each in enumerate(random_measures(random, 1, rows))]
    for chart in charts([(reference, now)], {}, rules):
        series, limits = chart.series, chart.limits
        least, most = RANGES[chart.known[0].metric]
        if chart.known[0].kind in ("missing_values", "unseen_categories", "label_coverage", "errors"):
            least = 0.0
        for limit in (*series.above(limits), *series.below(limits)):
            if limit is None:
                continue
            assert least < limit < most, series.name
            far = abs(series.scaled(limit) - limits.mean) / limits.deviation
            relevant = abs(limit - series.unscaled(limits.mean)) <= series.tolerance + 1e-9
            assert far <= 6.001 or relevant or (series.absolute and limit <= series.tolerance + 1e-9), series.name
        for signal in signals_of(chart, rules):
            for limit in (signal.lower, signal.upper, signal.level_lower, signal.level_upper):
                assert limit is None or least <= limit <= most, series.name


def auc_days(days, rows, positives, seed=0, auc=0.72):
    """A day's ROC AUC varies by its sampling error."""
    random = np.random.default_rng(seed)
    error = auc_error(auc, positives, rows - positives)
    return [
        Measure(
            "realised_performance",
            "roc_auc",
            "",
            day(n),
            float(np.clip(random.normal(auc, error), 0, 1)),
            rows,
            positives,
        )
        for n in range(days)
    ]


def test_a_day_of_three_positives_has_no_limit_and_says_so(rules):
    """A limit below 0.5 was drawn, which no model falls below. The report says what is missing."""
    known = auc_days(14, 60, 3)
    (chart,) = charts([(known, [replace(known[0], day=day(30))])], {}, rules)
    (unknown,) = unwatched([chart])

    assert chart.series.below(chart.limits)[0] is None
    assert unknown.kind == "realised_performance roc_auc"
    assert unknown.yet
    assert unknown.why.startswith("3 positives a day: a single value cannot fall below its limit; one of ")


def test_a_day_of_many_positives_has_a_limit_above_chance(rules):
    """400 rows with 100 positives."""
    known = auc_days(14, 400, 100)
    (chart,) = charts([(known, [replace(known[0], day=day(30))])], {}, rules)

    assert unwatched([chart]) == []
    assert 0.5 < chart.series.below(chart.limits)[0] < 0.68


@pytest.mark.parametrize(("weekday_rows", "today", "alarm"), [(1000, 190, True), (1000, 210, False), (10, 0, False)])
def test_an_outage_is_an_alarm_whatever_the_rows_varied_by(weekday_rows, today, alarm, rules):
    """A fifth of the weekday's expected rows; of ten rows none may come by chance."""
    random = np.random.default_rng(1)
    known = [
        Measure(
            "row_rate", "rows", "", day(n), max(float(weekday_rows * (1 + random.standard_t(2) * (n % 7 > 4))), 0.0), 1
        )
        for n in range(28)
    ]
    (chart,) = charts([(known, [Measure("row_rate", "rows", "", day(35), float(today), today)])], {}, rules)
    (signal,) = signals_of(chart, rules)

    assert signal.breached is alarm


def test_the_arcsine_scale_ends_where_shares_end():
    """What lies beyond its ends is 0 or 1."""
    assert restored(stabilised(np.array([0.0, 0.3, 1.0]))) == pytest.approx([0.0, 0.3, 1.0])
    assert restored(np.array([-2.0, 9.0])) == pytest.approx([0.0, 1.0])


def test_the_error_of_a_roc_auc_is_that_of_resampled_rows():
    """Hanley and McNeil's formula, against 2,000 draws of 40 positives and 160 negatives: a tenth larger here."""
    random = np.random.default_rng(3)
    high, low = random.normal(1.0, 1.0, (2000, 40, 1)), random.normal(0.0, 1.0, (2000, 1, 160))
    auc = (high > low).mean(axis=(1, 2))

    assert auc_error(float(auc.mean()), 40, 160) == pytest.approx(1.1 * auc.std(), rel=0.1)
    assert auc_error(0.7, 0, 160) == 0.0


def test_a_limit_that_moves_out_of_the_range_is_not_drawn():
    """A distance of 0.3 that is expected to be 0.8 by now."""
    signal = Signal("univariate_drift", "jensen_shannon", "age", day(9), 0.1, 0.1, None, 0.4, 100, 0.1, None, 0.15)
    (moved,) = Expected(
        {signal.name: Movement(lambda days: 0.8 + 0 * days, lambda days: 0 * days)}, frozenset()
    ).with_movement([signal])

    assert (moved.upper, moved.level_upper) == (None, pytest.approx(0.95))

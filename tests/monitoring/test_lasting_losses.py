"""Small lasting losses against the evaluated value are found by adding up days, on streams with known truth."""

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest

from contracts.thresholds import read_rules
from monitoring.charts.charting import charts, signals_of
from monitoring.charts.control_chart import MEMORY, cusum
from monitoring.charts.signals import Measure
from monitoring.charts.variance_prior import Prior, digamma, fitted, inverse_trigamma, squeezed, trigamma
from monitoring.metrics.daily_metrics import roc_auc

FIRST = date(2026, 3, 2)
TRAINED, REFERENCE, BEFORE, AFTER = 76, 14, 28, 34


@pytest.fixture(scope="module")
def rules(root):
    return replace(read_rules(root / "checks/thresholds.toml").monitoring, draws=200)


def outcomes(random, first, days, rows, logit=0.0, wrong=0.0):
    """Realised accuracy, ROC AUC and bias of calibrated scores; the outcome's *logit* moves, or a share is *wrong*."""
    found = []
    for number in range(first, first + days):
        score = 1 / (1 + np.exp(1 - 1.5 * random.normal(size=rows)))
        chance = 1 / (1 + np.exp(-(np.log(score / (1 - score)) + logit)))
        truth = ((random.random(rows) < chance) ^ (random.random(rows) < wrong)).astype(float)
        day, positives, off = f"{FIRST + timedelta(days=number)}", int(truth.sum()), score - truth
        apart = score - score.mean()
        for kind, metric, value in (
            ("realised_performance", "accuracy", ((score >= 0.5) == truth).mean()),
            ("realised_performance", "roc_auc", roc_auc(truth, score)),
            ("prediction_bias", "share", off.mean()),
            ("prediction_bias", "share_by_score", (apart * off).mean() / apart.std()),
        ):
            if np.isfinite(value):
                found.append(Measure(kind, metric, "", day, float(value), rows, positives))
    return found


def alarms(seed, rows, rules, **change):
    """The days (from the change on, counted from 1) of an alarm of any chart, and those before the change."""
    random = np.random.default_rng(seed)
    trained, known = outcomes(random, 0, TRAINED, rows), outcomes(random, TRAINED, REFERENCE, rows)
    start = TRAINED + REFERENCE
    now = outcomes(random, start, BEFORE, rows) + outcomes(random, start + BEFORE, AFTER, rows, **change)
    drawn = charts([(known, now)], {}, rules, trained)
    changed = FIRST + timedelta(days=start + BEFORE)
    beyond = {date.fromisoformat(s.day) for chart in drawn for s in signals_of(chart, rules) if s.breached}
    return sorted((day - changed).days + 1 for day in beyond if day >= changed), [d for d in beyond if d < changed]


def test_a_fall_of_the_accuracy_by_018_at_48_rows_a_day_pages_within_ten_days(rules):
    """Outcomes count two days late, so it must be seen in the values of eight days."""
    firsts = [alarms(seed, 48, rules, wrong=0.34)[0][:1] for seed in range(100, 106)]

    assert all(first and first[0] <= 8 for first in firsts)


def test_a_miscalibration_of_04_logits_is_seen_within_two_weeks(rules):
    """On 330 rows a day, half of the time or more; the ROC AUC stays."""
    firsts = [(alarms(seed, 330, rules, logit=0.4)[0] or [np.inf])[0] for seed in range(100, 107)]

    assert np.median(firsts) <= 12


def test_nothing_that_changes_is_no_alarm(rules):
    """On nine weeks of either stream."""
    found = [len(alarms(seed, rows, rules)[0]) for rows in (48, 330) for seed in range(200, 204)]

    assert sum(count > 0 for count in found) <= 1


def test_a_cusum_is_pages_within_its_memory():
    """Page's recursion for the days that it looks back; a day without a value changes nothing."""
    values = np.random.default_rng(1).normal(size=(MEMORY, 1))
    values[5] = np.nan
    total, expected = 0.0, []
    for (value,) in values:
        total = total if np.isnan(value) else max(0.0, total + min(max(value, -4.0), 4.0) - 0.5)
        expected.append(total)

    assert cusum(values, np.array([0.5]))[:, 0] == pytest.approx(expected)


def test_a_cusum_forgets_what_is_older_than_its_memory():
    """So a day has the same sum in tomorrow's run."""
    values = np.concatenate([np.full((10, 1), 3.0), np.zeros((MEMORY, 1))])
    longer = np.concatenate([np.full((50, 1), 1.0), values])

    assert cusum(longer, np.array([0.25]))[-1] == pytest.approx(cusum(values, np.array([0.25]))[-1])


def test_the_prior_is_estimated_from_all_series():
    """Of 4,000 variances that are drawn from the model: c = 1.5 and d0 = 12."""
    random = np.random.default_rng(2)
    covariate = random.uniform(0.5, 3, 4000)
    true = 1.5 * covariate * 12 / random.chisquare(12, 4000)
    ratio, days = fitted(true * random.chisquare(13, 4000) / 13, np.full(4000, 13.0), covariate)

    assert (ratio, days) == (pytest.approx(1.5, rel=0.05), pytest.approx(12, rel=0.15))


def test_variances_that_differ_by_chance_alone_are_all_the_priors():
    """Then d0 is as large as it may be, and 14 days hardly count."""
    random = np.random.default_rng(3)
    sample = random.chisquare(13, 40) / 13
    ratio, days = fitted(sample, np.full(40, 13.0), np.ones(40))
    prior = replace(Prior.none(40), variance=np.full(40, ratio), days=np.full(40, days))

    assert squeezed(sample, 13.0, prior).std() < sample.std() / 2


def test_a_squeezed_variance_is_the_weighted_mean():
    """(d0 s0² + d s²) / (d0 + d), and not below what sampling theory says."""
    prior = replace(
        Prior.none(2), variance=np.array([2.0, 2.0]), days=np.array([10.0, 0.0]), least=np.array([0.0, 7.0])
    )

    assert squeezed(np.array([5.0, 5.0]), 5.0, prior) == pytest.approx([3.0, 7.0])


@pytest.mark.parametrize(("x", "first", "second"), [(0.5, -1.963510026, 4.934802201), (6.5, 1.792911330, 0.166284537)])
def test_digamma_and_trigamma_have_their_published_values(x, first, second):
    """Abramowitz and Stegun, tables 6.1 and 6.3, and their recurrences."""
    assert digamma(np.array([x]))[0] == pytest.approx(first, rel=1e-6)
    assert trigamma(np.array([x]))[0] == pytest.approx(second, rel=1e-6)
    assert inverse_trigamma(second) == pytest.approx(x, rel=1e-5)

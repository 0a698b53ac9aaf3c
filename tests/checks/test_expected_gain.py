"""The decision by expectation: the posterior, its words, and the findings that follow from it."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import multivariate_normal, norm

from checks.comparison.bootstrap import Gap
from checks.comparison.compare import compare
from checks.decision.against_baseline import SERVE_THE_TREE, against_baseline
from checks.decision.age_ledger import DAILY, staleness
from checks.decision.expected_findings import anchored, guardrail, primary
from checks.decision.expected_gain import Ages, expected_gain, sentence, waiting
from checks.decision.money import per_day
from checks.decision.outlook import Outlook, ages
from checks.decision.staleness import AgeLoss, Staleness
from contracts.row_contract import Contract
from contracts.row_fields import Feature, Target

MARGIN = 0.005
#: 0.010 in nine days.
KNOWN = Staleness("log_loss", (AgeLoss(9, 0.010, 0.001), AgeLoss(18, 0.016, 0.002)), "a backtest of 30 nights")
UNKNOWN = Staleness("log_loss")
#: What is assumed before there are verdicts, at a log loss of 0.45.
ASSUMED = staleness([], "log_loss", MARGIN, 0.45 * DAILY)


def gap(value, error=0.002, days=14, holdout=14, metric="log_loss", theirs=0.45):
    far = 1.959964 * error
    low, high = (value - far, value + far) if days > 2 else (None, None)
    return Gap(metric, theirs - value, theirs, value, low, high, error, days - 1.0, 800 * days, days, 0.95, holdout)


@given(st.floats(-0.05, 0.05), st.floats(1e-4, 0.05), st.floats(0, 18), st.floats(0, 18))
def test_it_is_the_conditional_expectation_of_a_joint_normal(value, error, compared, served):
    """Computed by the general formula from the covariance of measurement and gain; the prior moves it by one error at most."""
    found = expected_gain(gap(value, error), MARGIN, KNOWN, Ages(compared, served))
    (seen, of_seen), (later, of_later) = KNOWN.after(compared), KNOWN.after(served)
    joint = np.array([[MARGIN**2 + of_seen**2 + error**2, MARGIN**2 + of_seen**2], [0, MARGIN**2 + of_seen**2]])
    slope = joint[0, 1] / joint[0, 0]
    whole = later + slope * (value - seen)
    mean = float(np.clip(whole, value + later - seen - error, value + later - seen + error))
    variance = joint[1, 1] - slope * joint[0, 1] + abs(of_later**2 - of_seen**2)

    assert found.mean == pytest.approx(mean, abs=1e-9)
    assert found.error**2 == pytest.approx(variance, abs=1e-9)
    assert found.risk == pytest.approx(norm.cdf(-MARGIN, mean, math.sqrt(variance)), abs=1e-6)
    assert found.changed + found.fresher == pytest.approx(found.mean)
    assert multivariate_normal([0], [[found.error**2]]).cdf([0]) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("value", "error", "known", "days", "outcome"),
    [
        (+0.004, 0.002, UNKNOWN, 9, "PASS"),
        (-0.001, 0.001, UNKNOWN, 9, "INCONCLUSIVE"),  # a proof would land it, and nothing says that it earns
        (-0.001, 0.010, KNOWN, 9, "PASS"),  # the comparison says little, and the champion is nine days older
        (-0.001, 0.010, KNOWN, 1, "INCONCLUSIVE"),  # one day older
        (+0.001, 0.200, UNKNOWN, 9, "INCONCLUSIVE"),  # the comparison says nothing
        (-0.012, 0.002, KNOWN, 9, "FAIL"),  # surely worse, whatever the age
        (-0.012, 0.005, KNOWN, 9, "INCONCLUSIVE"),
        (-0.025, 0.012, KNOWN, 18, "INCONCLUSIVE"),  # unlike the models before: the prior does not excuse it
    ],
)
def test_what_lands_holds_and_is_rejected(value, error, known, days, outcome):
    """At a risk of 10 %."""
    measured = gap(value, error)
    found = expected_gain(measured, MARGIN, known, Ages(days, days))

    assert primary("compare.log_loss", measured, MARGIN, found, 0.1).outcome == outcome


@pytest.mark.parametrize(
    ("metric", "error", "margin", "mean"),
    [("log_loss", 0.005, 0.005, 0.0004), ("roc_auc", 0.005, 0.010, 0.0002), ("mae", 0.02, 0.02, 0.0009)],
)
def test_before_any_verdict_an_older_champion_is_assumed_to_lose(metric, error, margin, mean):
    """By a share of its loss; of an area under the curve, of what is missing to 1. So a retrain of equal quality lands."""
    found = Outlook().expected(gap(0.0, error, metric=metric), margin, Ages(7, 7))

    assert found.mean == pytest.approx(mean, abs=1e-4)
    assert found.outcome(0.1) == "PASS"


def test_gains_that_varied_by_period_leave_a_bad_one_less_weight():
    """Where earlier gains moved by 10 % from period to period, one of -3 % says little of the next period.

    So the chance of a loss beyond the margin is that of what stays, and `max_risk` can be met.
    """
    known = Staleness("mae", (AgeLoss(28, 0.03, 0.01),), "eight earlier verdicts", 0.10)
    calm, varying = (replace(known, spread=each) for each in (0.02, 0.10))
    measured = gap(-0.03, 0.03, metric="mae")
    before, found = (expected_gain(measured, 0.02, each, Ages(28, 28)) for each in (calm, varying))

    assert before.mean < found.mean < 0.03
    assert before.outcome(0.1) == "INCONCLUSIVE"
    assert found.outcome(0.1) == "PASS"


@pytest.mark.parametrize(("value", "outcome"), [(-0.05, "PASS"), (-0.15, "INCONCLUSIVE")])
def test_a_gain_beyond_what_periods_vary_is_not_excused(value, outcome):
    """It is moved by the standard deviation of periods and errors at most."""
    known = Staleness("mae", (AgeLoss(28, 0.03, 0.01),), "eight earlier verdicts", 0.10)
    found = expected_gain(gap(value, 0.03, metric="mae"), 0.02, known, Ages(28, 28))

    assert found.mean <= value + math.hypot(0.03, math.sqrt(0.10**2 - 0.02**2)) + 1e-9
    assert found.outcome(0.1) == outcome


def test_in_the_sum_of_many_retrains_all_that_varies_stays():
    """So gains over the anchor are not moved further by periods, and it still bounds creep."""
    known = Staleness("log_loss", (), "eight earlier verdicts", 0.03)
    one, many = (expected_gain(gap(-0.008, 0.004), MARGIN, known, Ages(), of_many=each) for each in (False, True))

    assert many.mean < one.mean
    assert many.risk > 0.5 > one.risk


@pytest.mark.parametrize("theirs", [math.nan, 0.0, -1.0])
def test_without_a_loss_nothing_is_assumed(theirs):
    """A perfect champion, or a metric that is undefined."""
    measured = replace(gap(-0.001), theirs=theirs)

    assert Outlook().expected(measured, MARGIN, Ages(7, 7)).fresher == 0


def test_an_anchor_is_not_assumed_to_lose():
    """Its margin bounds creep, also where age is harmless."""
    measured = gap(-0.004, 0.01)

    assumed, bound = (Outlook().expected(measured, MARGIN, Ages(90, 90), of_many=each) for each in (False, True))
    assert bound.mean < 0 < assumed.mean


def test_a_comparison_has_seen_the_age_of_the_champion_already():
    """Staleness is added only where the served models are further apart than the compared ones."""
    precise, known = gap(0.010, 1e-6), replace(KNOWN, points=(AgeLoss(9, 0.010, 0.0), AgeLoss(18, 0.016, 0.0)))
    same, further = (expected_gain(precise, MARGIN, known, Ages(9, served)).mean for served in (9, 18))

    assert same == pytest.approx(0.010)
    assert further == pytest.approx(0.016)


def test_ages_are_those_of_training_ends():
    """The evaluation model's end is that of the training rows; the release model has its own."""
    old = {"data": {"train": {"end": "2026-10-01T00:00:00Z"}}}
    new = {"data": {"train": {"end": "2026-10-10T12:00:00Z"}}, "release": {"end": "2026-10-24T12:00:00Z"}}

    assert ages(new, old) == Ages(9.5, 23.5)
    assert ages(new, None) == Ages()


@pytest.mark.parametrize(
    ("value", "known", "days", "words"),
    [
        (
            0.0126,
            KNOWN,
            9,
            (
                "expected to earn 0.0123 of log_loss a row: +0.0022 by the comparison (-0.0018 to +0.0062), +0.0101 by being nine"
                " days fresher; chance of being worse by more than 0.0050: 0%"
            ),
        ),
        (
            -0.003,
            ASSUMED,
            1,
            (
                "expected to cost 0.0026 of log_loss a row: -0.0027 by the comparison (-0.0063 to +0.0010), +0.0001 by being one"
                " day fresher, which is assumed until verdicts show it; chance of being worse by more than 0.0050: 10%"
            ),
        ),
    ],
)
def test_the_words(value, known, days, words):
    """A reviewer reads what is expected, and of what it consists."""
    assert sentence(expected_gain(gap(value), MARGIN, known, Ages(days, days))) == words


@pytest.mark.parametrize(
    ("value", "known", "words"),
    [
        (-0.006, KNOWN, "so waiting costs less than landing for about five days"),
        (-0.006, ASSUMED, "is assumed to lose 0.0001 of log_loss a day by being older"),
        (-0.006, UNKNOWN, "for as long as the champion does not lose by being older"),
        (+0.006, UNKNOWN, "The chance of a loss beyond the margin is not below 10%"),
        (+0.006, UNKNOWN, "On average waiting does not cost less than landing, for any number of days"),
    ],
)
def test_a_hold_says_how_long_waiting_costs_less(value, known, words):
    """By what a day of age costs."""
    assert words in waiting(expected_gain(gap(value), MARGIN, known, Ages(1, 1)), 0.1)


@pytest.mark.parametrize(
    ("value", "error", "outcome"),
    [(-0.002, 0.02, "PASS"), (-0.015, 0.02, "PASS"), (-0.013, 0.005, "INCONCLUSIVE"), (-0.02, 0.002, "FAIL")],
)
def test_a_guardrail_holds_what_is_rather_worse_than_its_margin(value, error, outcome):
    """With a margin of 0.010. A wide interval says little: a candidate is rather like the champion than not."""
    measured = gap(value, error, metric="roc_auc")
    found = expected_gain(measured, 0.010, UNKNOWN, Ages())

    assert guardrail("compare.roc_auc", measured, 0.010, "the champion", found).outcome == outcome


@pytest.mark.parametrize(
    ("value", "outcome"), [(0.0, "PASS"), (-0.002, "PASS"), (-0.004, "INCONCLUSIVE"), (-0.01, "FAIL")]
)
def test_the_anchor_bounds_the_sum_of_small_losses(value, outcome):
    """By the chance that the loss exceeds its margin."""
    measured = gap(value)
    found = expected_gain(measured, MARGIN, UNKNOWN, Ages())

    assert anchored("compare.anchor.log_loss", measured, MARGIN, found, 0.1).outcome == outcome


def test_too_few_days_give_no_expectation():
    """And so no decision."""
    measured = gap(0.1, days=2)

    assert expected_gain(measured, MARGIN, KNOWN, Ages(9, 9)) is None
    assert primary("compare.log_loss", measured, MARGIN, None, 0.1).outcome == "INCONCLUSIVE"


@pytest.mark.parametrize(
    ("value", "champion", "theirs", "first", "outcome", "severity", "words"),
    [
        (0.02, "PASS", 0.01, "land", "PASS", "block", "not worth"),
        (-0.02, "FAIL", 0.01, "land", "FAIL", "block", SERVE_THE_TREE),
        (-0.02, "PASS", -0.03, "land", "FAIL", "warn", "The champion itself is worse than the tree"),
        (-0.02, "PASS", -0.03, None, "FAIL", "block", "The champion itself is worse than the tree"),
        (-0.004, "PASS", 0.0, "hold", "INCONCLUSIVE", "warn", "the candidate is the better one"),
        (-0.004, None, None, "land", "INCONCLUSIVE", "warn", "between this model and none"),
        (-0.004, None, None, "hold", "INCONCLUSIVE", "block", "Not attainable with this holdout"),
        (-0.02, None, None, "land", "FAIL", "block", SERVE_THE_TREE),
    ],
)
def test_the_simple_tree(value, champion, theirs, first, outcome, severity, words):
    """With a champion the choice is between two models, without one between this model and none."""
    own = None if theirs is None else gap(theirs)
    found = against_baseline(gap(value), MARGIN, champion, own, first)

    assert (found.outcome, found.severity) == (outcome, severity)
    assert words in found.why


def test_the_gate_decides_by_expectation_unless_it_is_set(evidence, rules):
    """A candidate that is a little worse than the champion, and proven to be within the margin."""
    slightly = np.clip(0.98 * evidence.holdout_scores + 0.02 * evidence.truth, 1e-6, 1 - 1e-6)
    worse = replace(evidence, champion=slightly)
    wide = replace(
        rules.gate.compare, binary=replace(rules.gate.compare.binary, margins={"log_loss": 0.2, "roc_auc": 0.2})
    )

    found = {}
    for decide in ("expected", "proven"):
        table, findings = compare(worse, replace(wide, decide=decide))
        found[decide] = (findings[0].rule, findings[0].outcome, table[0].expected is None)

    assert found == {
        "expected": ("compare.log_loss", "INCONCLUSIVE", False),
        "proven": ("compare.log_loss", "PASS", True),
    }


@pytest.mark.parametrize(
    ("task", "metric", "words"),
    [
        ("binary", "log_loss", "about +50 EUR a day by the decisions on these rows"),
        ("regression", "mae", "about +150 EUR a day"),
        ("regression", "rmse", "about +100 EUR a day by the error on these rows"),
    ],
)
def test_a_gain_in_money(task, metric, words):
    """Ten rows of two days, ten EUR for each wrong decision or unit of error."""
    classes = ("no", "yes") if task == "binary" else ()
    target = Target("y", classes, unit="" if classes else "min", worth=10.0, currency="EUR")
    contract = Contract("c", task, (Feature("x", "number"),), target, key="k", time="t")
    truth = np.zeros(10)
    ours, theirs = (np.zeros(10), np.ones(10)) if task == "binary" else (np.zeros(10) + 2.0, np.zeros(10) + 4.0)
    found = replace(expected_gain(gap(0.01), MARGIN, UNKNOWN, Ages()), metric=metric, mean=0.75)

    assert per_day(contract, truth, (ours, theirs), 2, found) == words


def test_a_gain_unlike_those_before_keeps_its_own_interval():
    """The prior moves it by one error, and does not make it look precise."""
    found = expected_gain(gap(0.20, 0.03), MARGIN, UNKNOWN, Ages(23, 23))

    assert found.mean == pytest.approx(0.17)
    assert (found.low, found.high) == pytest.approx((0.17 - 1.959964 * 0.03, 0.17 + 1.959964 * 0.03))

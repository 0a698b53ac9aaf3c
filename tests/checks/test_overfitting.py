"""model.degradation: overfitting is found, a period that is harder for every model is not."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from checks.comparison.compare import Compared, compare
from checks.earlier_rows import Past
from checks.rules import overfitting
from checks.verdict import judge
from contracts.row_contract import Contract, Feature, Target

DAYS, HELD, ROWS = 76, 14, 80
#: The training rows' scores are their outcomes.
MEMORISED = -1.0


def judged(rules, task="binary", noise=(0.6, 0.6), hard=1.0, periods=0.0, champion=None, seed=0, compared=None):
    """The finding on scores that are the best ones with *noise*, in training and holdout (standard deviations).

    The holdout's is *hard* times as large for every model; that of weeks in training varies by *periods* (of the
    logarithm). *champion* is the noise of the champion's scores.
    """
    random = np.random.default_rng(seed)
    target = Target("y", (False, True)) if task == "binary" else Target("y")
    contract = Contract("c", task, (Feature("x", "number"),), target, key="who", time="at")
    day = np.repeat(np.arange(DAYS + HELD), ROWS)
    late, best = day >= DAYS, random.normal(0, 1.5, len(day))
    chance = 1 / (1 + np.exp(-best))
    truth = best if task == "regression" else (random.random(len(day)) < chance).astype(float)
    weeks = np.exp(periods * random.normal(size=20))[day // 7]

    def scores(noise):
        if noise[0] == MEMORISED:
            return np.where(late, scores((noise[1], noise[1])), truth)
        found = best + np.where(late, noise[1] * hard, noise[0]) * weeks * random.normal(size=len(day))
        return found if task == "regression" else 1 / (1 + np.exp(-found))

    at = pd.Timestamp("2026-01-01", tz="UTC") + pd.to_timedelta(day, "D")
    rows = pd.DataFrame({"who": np.arange(len(day)).astype(str), "at": at, "x": 0.0, "y": truth})
    ours, theirs = scores(noise), scores(champion or noise)
    evidence = SimpleNamespace(
        contract=contract,
        train=rows[~late],
        holdout=rows[late],
        train_scores=ours[~late],
        holdout_scores=ours[late],
        truth=truth[late],
        days=day[late],
        day_codes=day[late] - DAYS,
        key_codes=np.arange(late.sum()),
        champion=theirs[late] if champion else None,
        unreadable="",
        past=Past({}, ("", ""), rows[~late]),
    )
    bundle = (
        SimpleNamespace(contract=contract, manifest={"data": {"train": {"end": str(at.max())}}}) if champion else None
    )
    gate = rules.gate
    return overfitting.degradation(
        evidence, bundle, gate.model, gate.compare, compared, lambda _, rows: theirs[rows.index]
    )


@pytest.mark.parametrize("task", ["binary", "regression"])
def test_a_model_that_memorises_fails(rules, task):
    """Without a champion, and beside one that does not."""
    for champion in (None, (1.0, 1.0)):
        found = judged(rules, task, noise=(MEMORISED, 6.0), champion=champion)
        assert found.outcome == "FAIL", found.observed


@pytest.mark.parametrize("task", ["binary", "regression"])
def test_as_good_on_the_holdout_passes(rules, task):
    """A loss of the limit itself is not needed to pass."""
    assert judged(rules, task).outcome == "PASS"


def test_a_harder_period_is_not_overfitting(rules):
    """The champion's error grows on the same rows, too."""
    alone = judged(rules, "regression", hard=3.0)
    beside = judged(rules, "regression", hard=3.0, champion=(0.6, 0.6))

    assert (alone.outcome, beside.outcome) == ("FAIL", "PASS")
    assert "on the same rows" in beside.observed


def test_a_loss_that_periods_in_training_show_is_chance(rules):
    """A loss of two thirds where weeks differ by as much; with equal weeks it fails."""
    equal = [judged(rules, "regression", hard=1.7, seed=seed).outcome for seed in range(5)]
    uneven = [judged(rules, "regression", hard=1.7, periods=0.8, seed=seed).outcome for seed in range(5)]

    assert (equal.count("FAIL"), uneven.count("PASS") >= 4) == (5, True)


def test_a_quiet_holdout_is_not_worse(rules):
    """The error is taken relative to the larger spread of the outcomes, in training or the holdout."""
    contract = SimpleNamespace(task="regression")
    loud, quiet = np.linspace(0, 100, 50), np.linspace(0, 10, 50)

    assert overfitting.performance(quiet, quiet + 5, contract, loud) == pytest.approx(0.2, abs=0.01)
    assert overfitting.performance(loud, loud + 5, contract, quiet) == pytest.approx(0.2, abs=0.01)
    assert overfitting.performance(quiet, quiet + 5, contract) == pytest.approx(2, abs=0.1)


def test_one_outcome_has_no_performance(rules):
    """Then nothing can be compared, and other rules fail."""
    contract = SimpleNamespace(task="binary")

    assert np.isnan(overfitting.performance(np.zeros(5), np.linspace(0, 1, 5), contract))


def test_classes_count_one_by_one(rules):
    """The mean over the classes of which both outcomes occur."""
    contract = SimpleNamespace(task="multiclass")
    scores = np.array([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.2, 0.7, 0.1], [0.7, 0.2, 0.1]])

    assert overfitting.performance(np.array([0.0, 1.0, 1.0, 0.0]), scores, contract) == 1.0


@pytest.mark.parametrize("task", ["binary", "regression"])
@pytest.mark.parametrize(
    ("over_baseline", "outcome", "decision"),
    [
        (0.2, "PASS", "PROMOTE"),
        (0.2, None, "PROMOTE"),  # no champion yet
        (0.2, "INCONCLUSIVE", "HOLD"),
        (0.2, "FAIL", "REJECT"),
        (-0.01, "PASS", "REJECT"),
        (None, None, "REJECT"),  # too few days for an interval
    ],
)
def test_a_model_that_is_better_out_of_time_is_not_rejected_for_its_training_error(
    rules, task, over_baseline, outcome, decision
):
    """The comparison on the holdout decides: the loss from training is reported, and holds or rejects without that."""
    compared = Compared("mae", 31.0, 75.0, over_baseline=over_baseline, outcome=outcome)
    champion = None if outcome is None else (1.0, 1.0)

    found = judged(rules, task, noise=(MEMORISED, 6.0), champion=champion, compared=compared)

    assert found.outcome == "FAIL"
    assert judge([found], [], True, "").decision == decision


def test_a_severity_that_is_set_lower_stays(rules):
    """`warn` in thresholds.toml is not raised."""
    finding = overfitting.ruled("model.degradation", False, "", "", "", "warn")

    assert overfitting.weighed(finding, Compared("mae", 31, 75, over_baseline=1.0, outcome="INCONCLUSIVE")) == finding


def test_the_comparison_states_the_lower_bound_over_the_simple_tree(evidence, rules):
    """Of the primary metric only."""
    table, findings = compare(evidence, rules.gate.compare)
    (against_tree,) = [each for each in findings if each.rule == "compare.baseline"]

    assert f"{table[0].over_baseline:+.4f}" in against_tree.observed
    assert {each.over_baseline for each in table[1:]} == {None}

"""Metrics against scikit-learn's; the paired comparison of known models."""

from dataclasses import replace

import numpy as np
import pytest
import sklearn.metrics as reference
from hypothesis import given, settings
from hypothesis import strategies as st

from checks.comparison.baseline import baseline
from checks.comparison.compare import compare
from checks.comparison.slices import by_slice
from checks.comparison.weighted_metrics import METRICS
from checks.decision.gain_text import gain
from checks.evidence import gather, load_bundle

SEEDS = st.integers(0, 10_000)


def binary(seed, n=200):
    random = np.random.default_rng(seed)
    truth = random.integers(0, 2, n).astype(float)
    truth[:2] = 0, 1
    scores = np.clip(random.normal(0.4 + 0.2 * truth, 0.2), 0.01, 0.99).round(2)  # with ties
    return truth, scores, random.integers(0, 4, n).astype(float)


def multiclass(seed, n=200):
    random = np.random.default_rng(seed)
    truth = random.integers(0, 3, n).astype(float)
    truth[:3] = 0, 1, 2
    scores = random.random((n, 3)) + np.eye(3)[truth.astype(int)]
    return truth, scores / scores.sum(axis=1, keepdims=True), random.integers(0, 4, n) + 0.0


@settings(max_examples=25, deadline=None)
@given(SEEDS)
def test_binary_metrics_are_those_of_sklearn_with_weights_too(seed):
    """A day that is drawn twice counts twice."""
    truth, scores, weights = binary(seed)
    for weight in (None, weights):
        given = {"sample_weight": weight}
        assert METRICS["roc_auc"](truth, scores)(weight) == pytest.approx(
            reference.roc_auc_score(truth, scores, **given)
        )
        assert METRICS["log_loss"](truth, scores)(weight) == pytest.approx(reference.log_loss(truth, scores, **given))
        assert METRICS["brier"](truth, scores)(weight) == pytest.approx(
            reference.brier_score_loss(truth, scores, **given)
        )


@settings(max_examples=25, deadline=None)
@given(SEEDS)
def test_multiclass_metrics_are_those_of_sklearn(seed):
    """Log loss and accuracy."""
    truth, scores, weights = multiclass(seed)
    for weight in (None, weights):
        assert METRICS["log_loss"](truth, scores)(weight) == pytest.approx(
            reference.log_loss(truth, scores, sample_weight=weight)
        )
        assert METRICS["accuracy"](truth, scores)(weight) == pytest.approx(
            reference.accuracy_score(truth, scores.argmax(axis=1), sample_weight=weight)
        )


@settings(max_examples=25, deadline=None)
@given(SEEDS)
def test_regression_metrics_are_those_of_sklearn(seed):
    """MAE and RMSE."""
    truth, scores, weights = binary(seed)
    for weight in (None, weights):
        assert METRICS["mae"](truth, scores)(weight) == pytest.approx(
            reference.mean_absolute_error(truth, scores, sample_weight=weight)
        )
        assert METRICS["rmse"](truth, scores)(weight) ** 2 == pytest.approx(
            reference.mean_squared_error(truth, scores, sample_weight=weight)
        )


def test_a_sure_mistake_costs_much_but_not_infinitely_much():
    """A float32 of exactly 0 happens."""
    assert METRICS["log_loss"](np.array([1.0]), np.array([0.0]))(None) == pytest.approx(16.118, abs=1e-3)


def test_auc_of_a_single_class_is_unknown_not_half():
    """A day may have no late flight at all."""
    assert np.isnan(METRICS["roc_auc"](np.zeros(3), np.arange(3.0))(None))


def test_a_gain_is_a_number_or_a_share_of_the_champions_error():
    """More is better, whichever the metric."""
    assert gain("log_loss", -0.0406) == "-0.0406"
    assert gain("mae", 0.0123) == "+1.23%"


def test_a_model_against_itself_is_no_worse(evidence, rules):
    """Whatever the days that are drawn."""
    same = replace(evidence, champion=evidence.holdout_scores)
    table, findings = compare(same, rules.gate.compare)

    assert {row.difference for row in table} == {0.0}
    assert {(row.low, row.high) for row in table} == {(0.0, 0.0)}
    assert {f.rule for f in findings if f.outcome != "PASS"} == {"compare.log_loss"}, "nothing is expected to be earned"
    _, proven = compare(same, replace(rules.gate.compare, decide="proven"))
    assert {f.outcome for f in proven} == {"PASS"}


def test_an_anchor_that_is_the_champion_does_not_hold_what_the_champion_admits(evidence, rules):
    """Until the second model lands they are one, and one loss has not added up; a proof asks for both margins."""
    days, scores = np.unique(evidence.days), evidence.holdout_scores.copy()
    scores[np.isin(evidence.days, days[:1])] = 0.5
    same = replace(evidence, champion=evidence.holdout_scores, anchor=evidence.holdout_scores, holdout_scores=scores)
    other = replace(same, anchor=np.clip(0.999 * evidence.holdout_scores, 1e-6, 1))

    def anchored(of):
        _, findings = compare(of, rules.gate.compare)
        return {f.outcome for f in findings if f.rule.startswith("compare.anchor.")}

    assert anchored(same) == {"PASS"}
    assert anchored(other) != {"PASS"}


def test_a_better_candidate_passes_and_the_swap_fails(evidence, rules):
    """The same two models, the other way round."""
    _, passed = compare(evidence, rules.gate.compare)
    swapped = replace(evidence, champion=evidence.holdout_scores, holdout_scores=evidence.champion)
    table, failed = compare(swapped, rules.gate.compare)

    assert {f.outcome for f in passed} == {"PASS"}
    assert [f.outcome for f in failed if f.rule == "compare.log_loss"] == ["FAIL"]
    assert all(row.high < 0 for row in table)


def test_where_the_days_disagree_a_proof_is_open(evidence, rules):
    """One bad day of four: this holdout cannot give a proof, and what it can give is said."""
    days = np.unique(evidence.days)
    worse = evidence.holdout_scores.copy()
    worse[evidence.days == days[0]] = 0.5
    champion = evidence.holdout_scores.copy()
    champion[evidence.days == days[1]] = 0.5
    open_ = replace(evidence, holdout_scores=worse, champion=champion)
    _, findings = compare(open_, replace(rules.gate.compare, decide="proven"))
    log_loss = next(f for f in findings if f.rule == "compare.log_loss")

    assert log_loss.outcome == "INCONCLUSIVE"
    assert log_loss.more_rows is None
    assert log_loss.why.startswith("Not attainable with this holdout of four days; what is attainable: a gain above +")


def test_training_rows_of_either_model_do_not_count(bundles):
    """The comparison uses rows that are new to both."""
    old, new = (load_bundle(bundle) for bundle in bundles)

    assert gather(old, None).fresh.all()
    assert not gather(old, new).fresh.any()


def test_the_comparison_is_the_same_each_time(evidence, rules):
    """A verdict can be made again."""
    assert compare(evidence, rules.gate.compare) == compare(evidence, rules.gate.compare)


def test_a_champion_with_another_contract_is_scored_as_far_as_it_can_read_the_rows(bundles, by_task):
    """One that needs a feature these rows have not cannot be compared, and that is said."""
    candidate = load_bundle(bundles[1])
    champion = load_bundle(bundles[0])
    more = replace(
        champion.contract, features=(*champion.contract.features, replace(champion.contract.features[0], name="gone"))
    )
    found = gather(candidate, replace(champion, contract=more))

    assert found.champion is None
    assert "gone" in found.unreadable


def test_without_a_readable_champion_nothing_passes(evidence, rules):
    """It is not the same as having none."""
    unreadable = replace(evidence, champion=None, unreadable="it needs a field that is gone")
    _, findings = compare(unreadable, rules.gate.compare)

    assert {f.outcome for f in findings if f.rule != "compare.baseline"} == {"NOT_RUN"}


def test_without_any_champion_there_is_nothing_to_compare_with(evidence, rules):
    """The first gate says so."""
    _, findings = compare(replace(evidence, champion=None), rules.gate.compare)

    assert {f.observed for f in findings if f.rule != "compare.baseline"} == {"no champion yet"}


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_each_task_has_a_baseline_of_its_own_shape(by_task, task):
    """A tree of depth three."""
    found = gather(load_bundle(by_task[task]), None)
    simple = baseline(found)

    assert simple.shape == found.holdout_scores.shape
    assert len(np.unique(simple.round(9), axis=0)) <= 8


def test_a_candidate_that_a_simple_tree_beats_fails(evidence, rules):
    """Scores that are all 0.5."""
    guessing = replace(evidence, holdout_scores=np.full(len(evidence.holdout), 0.5), champion=None)
    _, findings = compare(guessing, rules.gate.compare)

    assert findings[-1].rule == "compare.baseline"
    assert findings[-1].outcome == "FAIL"


def test_each_slice_has_its_metric(evidence):
    """As far as a slice has rows enough and both outcomes."""
    found = by_slice(evidence, "log_loss")

    assert [name.split(" = ")[0] for name, *_ in found] == sorted(
        (name.split(" = ")[0] for name, *_ in found), key=["country", "device"].index
    )
    assert {name for name, *_ in found} >= {"country = AT", "country = DE"}
    assert all(rows >= 50 for _, rows, *_ in found)

"""The release model is held to the scores of the evaluation model, which was judged."""

import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnx
import pandas as pd
import pytest

from checks.evidence import gather, load_bundle, score, served_score, target
from checks.rules.release_model import RELEASE, release_rules, same_estimator, shifts

FORMAT_2 = Path(__file__).parents[1] / "bundles/format-2"
TASKS = ["binary", "multiclass", "regression"]


@pytest.fixture(params=TASKS)
def two_models(request):
    return load_bundle(min((FORMAT_2 / request.param).iterdir()))


def found_in(evidence, release_scores, rules, start="2000-01-01T00:00:00Z"):
    candidate = SimpleNamespace(manifest={"release": {"start": start}})
    found = release_rules(replace(evidence, release_scores=release_scores), candidate, rules.gate.release)
    assert [each.rule for each in found] == [*RELEASE[:3]]
    return {each.rule.removeprefix("release."): each for each in found}


def failing(evidence, release_scores, rules, *start):
    return {name for name, each in found_in(evidence, release_scores, rules, *start).items() if each.outcome != "PASS"}


@pytest.mark.parametrize("task", TASKS)
def test_a_bundle_with_one_model_has_no_findings(by_task, task, rules):
    """Format 1: what was judged is served."""
    bundle = load_bundle(by_task[task])
    evidence = gather(bundle, None)

    assert bundle.evaluation is bundle
    assert release_rules(evidence, bundle, rules.gate.release) == []
    assert same_estimator(bundle, rules.gate.release) == []
    assert evidence.served_scores is evidence.holdout_scores


def test_a_bundle_with_two_models_passes(two_models, rules):
    """The samples of format 2, of every task."""
    evidence = gather(two_models, None)

    assert {each.outcome for each in release_rules(evidence, two_models, rules.gate.release)} == {"PASS"}
    assert [each.outcome for each in same_estimator(two_models, rules.gate.release)] == ["PASS"]


def test_the_gate_judges_the_evaluation_model(two_models):
    """Its scores are those of the evidence; the release model's, which was trained on the rows, are others."""
    evidence = gather(two_models, two_models, two_models)

    assert evidence.stored_scores_agree
    for scores in (evidence.holdout_scores, evidence.champion, evidence.anchor):
        assert np.array_equal(scores, score(two_models, evidence.holdout))
    assert np.array_equal(evidence.served_scores, served_score(two_models, evidence.holdout))
    assert not np.array_equal(evidence.served_scores, evidence.holdout_scores)


def test_models_are_compared_on_rows_later_than_the_training_of_their_evaluation_models():
    """The champion's release model was trained on some of them, its evaluation model on none."""
    old, new = map(load_bundle, sorted((FORMAT_2 / "binary").iterdir()))
    evidence = gather(new, old)
    last = max(each.manifest["data"]["train"]["end"] for each in (old, new))

    assert evidence.fresh.all() == (str(evidence.holdout[new.contract.time].min()) > last)
    assert np.array_equal(evidence.champion, score(old, evidence.holdout))


@pytest.fixture
def judged(two_models):
    return gather(two_models, None)


def test_shuffled_scores_fail(judged, rules):
    """A release model that was trained on something else."""
    other = np.random.default_rng(0).permutation(judged.holdout_scores)

    assert "fit" in failing(judged, other, rules)


def test_scores_nearer_to_the_outcomes_pass(judged, rules):
    """A release model was trained with them: two fifths of the way."""
    classes = judged.holdout_scores.shape[1:]
    truth = np.eye(*classes)[judged.truth.astype(int)] if classes else judged.truth
    nearer = judged.holdout_scores * 0.8 + truth * 0.2

    assert failing(judged, nearer, rules) <= {"decisions"}


def test_a_bias_by_design_is_no_shift(evidence):
    """Class weights raise every probability; rows with more positives than those of training raise them further."""
    weighted = replace(
        evidence,
        train_scores=np.full(len(evidence.train), target(evidence.train, evidence.contract).mean() + 0.3),
        holdout=evidence.holdout.assign(**{evidence.contract.target.name: np.ones(len(evidence.holdout))}),
    )
    before, after = np.full(len(evidence.holdout), 1.1), np.full(len(evidence.holdout), 1.3)

    assert max(each.away for each in shifts(weighted, after, before)) == 0
    assert max(each.away for each in shifts(replace(weighted, train_scores=evidence.train_scores), after, before)) > 0


@pytest.mark.parametrize(("name", "part"), [("slice", "channel"), ("newest", "the newest day")])
def test_the_part_that_is_scored_differently_is_named(evidence, rules, name, part):
    """The mean of all rows hardly moves; a refit on wrong late outcomes shows on the newest day first."""
    slices = evidence.contract.slices[0]
    values = evidence.holdout[slices].astype(str)
    rare = values.value_counts().loc[lambda counts: counts >= 30].index[-1]
    rows = (values == rare).to_numpy() if name == "slice" else evidence.days == evidence.days.max()
    distance = (evidence.truth - evidence.holdout_scores)[rows].mean()
    scores = evidence.holdout_scores - np.where(rows, np.sign(distance) * 0.3, 0)
    finding = found_in(evidence, scores, rules)["calibration"]

    assert finding.outcome == "FAIL"
    assert (f"{slices} = {rare}" if name == "slice" else part) in finding.observed


def test_rows_before_the_training_window_do_not_count(judged, rules):
    """Outcomes are so late that the release model was trained on a part of the holdout, or on none of it."""
    at = judged.holdout[judged.contract.time]
    middle = at.iloc[len(at) // 2]
    spoilt = np.where(
        (at < middle).to_numpy().reshape(-1, *[1] * (judged.holdout_scores.ndim - 1)), 0, judged.holdout_scores
    )

    assert "fit" in failing(judged, spoilt, rules)
    assert "fit" not in failing(judged, spoilt, rules, f"{middle:%Y-%m-%dT%H:%M:%SZ}")
    found = found_in(judged, spoilt, rules, "2100-01-01T00:00:00Z")
    assert [(each.outcome, each.severity) for each in (found["fit"], found["calibration"])] == [
        ("INCONCLUSIVE", "warn")
    ] * 2
    assert "trained on 0 rows of the holdout" in found["fit"].observed


@pytest.mark.parametrize("task", ["binary", "multiclass"])
def test_expected_outcomes_judge_as_known_ones_do(task, by_task):
    """Where they are certain; a mixture of both classes is the mean of both."""
    bundle = load_bundle(by_task[task])
    evidence = gather(bundle, None)
    classes = len(evidence.contract.target.classes)
    scores = evidence.holdout_scores
    other = np.roll(scores, 1, axis=0)
    sure = np.eye(classes)[evidence.truth.astype(int)]

    known, expected = (shifts(evidence, other, scores, each) for each in (None, sure))

    assert [(each.name, each.away, each.worse) for each in expected] == [
        (each.name, pytest.approx(each.away), pytest.approx(each.worse)) for each in known
    ]
    even = np.full_like(sure, 1 / classes)
    agreeing = shifts(evidence, even[:, 1] if scores.ndim == 1 else even, scores, even)
    assert all(each.worse < 0 for each in agreeing)
    assert all(each.away == 0 for each in agreeing)


def late_bundle(evidence, task, method, tmp_path):
    """The bundle of two models, with rows after the holdout whose outcomes were expected as the release model scores."""
    source = min((FORMAT_2 / task).iterdir())
    folder = tmp_path / source.name
    shutil.copytree(source, folder)
    later = pd.read_parquet(folder / "evidence/holdout.parquet")
    release = evidence.release_scores
    chances = np.stack([1 - release, release], axis=1) if release.ndim == 1 else release
    columns = {f"expected_{number}": column for number, column in enumerate(chances.T)} if method != "before" else {}
    later.assign(**columns).to_parquet(folder / "evidence/later.parquet")
    bundle = load_bundle(source)
    manifest = bundle.manifest | {
        "release": {"start": "2100-01-01T00:00:00Z"},
        "label_delay": {"release": {"method": "matured" if method == "matured" else "expected"}},
    }
    return replace(bundle, folder=folder, manifest=manifest), replace(evidence, later=later)


@pytest.mark.parametrize("task", ["binary", "multiclass"])
@pytest.mark.parametrize(("method", "outcome"), [("expected", "PASS"), ("matured", "PASS"), ("before", "INCONCLUSIVE")])
def test_a_release_model_that_was_not_trained_on_the_holdout_is_judged_by_what_is_known(
    task, method, outcome, rules, tmp_path
):
    """By the expected outcomes of later rows, or by all old rows; old bundles lack both."""
    two_models = load_bundle(min((FORMAT_2 / task).iterdir()))
    bundle, evidence = late_bundle(gather(two_models, None), task, method, tmp_path)

    found = {each.rule: each for each in release_rules(evidence, bundle, rules.gate.release)}

    assert {found["release.fit"].outcome, found["release.calibration"].outcome} == {outcome}
    assert ("with the expected outcomes" in found["release.fit"].observed) == (method == "expected")


@pytest.mark.parametrize("task", ["binary", "multiclass"])
def test_a_release_model_of_other_rows_is_worse_by_expected_outcomes(task, by_task, rules):
    """Its scores are not near the outcomes that training expected."""
    evidence = gather(load_bundle(by_task[task]), None)
    scores = evidence.holdout_scores
    expected = np.stack([1 - scores, scores], axis=1) if scores.ndim == 1 else scores

    found = shifts(evidence, np.roll(scores, 7, axis=0), scores, expected)

    assert found[0].worse > rules.gate.release.max_worse


def test_a_private_value_is_not_shown(evidence, rules):
    """The slice is checked all the same."""
    name = evidence.contract.slices[0]
    hidden = replace(evidence, contract=replace(evidence.contract, private=(name,)))

    assert {f"a value of {name}"} == {
        each.name for each in shifts(hidden, evidence.holdout_scores, evidence.holdout_scores) if name in each.name
    }


def test_another_estimator_is_named(two_models, rules, tmp_path):
    """The release model predicts with other operators."""
    folder = Path(shutil.copytree(two_models.folder, tmp_path / "copy"))
    model = onnx.load(folder / "model.onnx")
    for node in model.graph.node:
        if node.op_type.startswith(("TreeEnsemble", "Linear")):
            node.op_type = "SVMRegressor"
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    (finding,) = same_estimator(replace(two_models, folder=folder), rules.gate.release)

    assert finding.outcome == "FAIL"
    assert "the release model predicts with SVMRegressor" in finding.observed

"""A bundle holds the model that was measured, byte for byte the same each time, or is refused."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, date, datetime

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, SplineTransformer, StandardScaler

from bundles.bundle import Bundle
from contracts.row_contract import Contract, Feature, Target
from model.data import Split, model_inputs
from model.estimator_scores import scores_of
from model.onnx_export.bundle_manifest import Build
from model.onnx_export.export import ExportError, export, to_graph
from model.onnx_export.parity import ParityError, replay, runner
from model.onnx_export.split_points import Thresholds, thresholds
from model.train import Fitted, read_recipe, train

pytestmark = pytest.mark.slow

TODAY = date(2026, 2, 20)
NOON = datetime(2026, 2, 20, 12, tzinfo=UTC)
TASKS = {"buys": "binary", "tariff": "multiclass", "basket": "regression"}


@pytest.fixture(scope="module", params=TASKS)
def fitted(request, recipes):
    return train(read_recipe(recipes / f"{request.param}.py"), TODAY)


@pytest.fixture
def build(recipes):
    return Build(NOON, "c0ffee", recipes / "buys.py")


def test_a_bundle_is_what_the_scorer_loads(fitted, build, tmp_path):
    """Its digests, its golden rows and its evidence all hold."""
    bundle = Bundle.load(export(fitted, build, tmp_path, 1e-5), evidence=True)

    assert bundle.contract == fitted.contract
    assert bundle.version.startswith("20260220T1200-")
    assert set(bundle.manifest) - {"stability"} == {
        "format",
        "version",
        "digest",
        "task",
        "contract",
        "classes",
        "files",
        "golden",
        "data",
        "metrics",
        "parity",
        "point_in_time",
        "release",
        "evaluation",
        "core",
        "recipe",
        "build",
    }


def test_training_twice_gives_the_same_digest_at_another_time_too(fitted, build, recipes, tmp_path):
    """The digest covers the content, not when it was made, nor its author."""
    again = train(read_recipe(recipes / f"{fitted.contract.name}.py"), TODAY)
    later = replace(build, made_at=datetime(2026, 3, 1, tzinfo=UTC), commit="other")
    one, other = export(fitted, build, tmp_path, 1e-5), export(again, later, tmp_path, 1e-5)

    assert one.name[14:] == other.name[14:] == Bundle.load(one).digest[7:19]
    assert one.name != other.name
    for file in sorted(path.relative_to(one) for path in one.rglob("*.*")):
        if file.name != "manifest.json":
            assert (one / file).read_bytes() == (other / file).read_bytes(), file


def test_another_process_gives_the_same_digest_too(root, recipes, tmp_path):
    """Sets have another order in each, and libraries love sets; each process makes a bundle of each task."""
    code = (
        "import sys; from model.__main__ import main;"
        f" [main(['train', '--today', '{TODAY}', '--recipe', f'{recipes}/{{name}}.py', '--out', f'{{sys.argv[1]}}/{{name}}'])"
        " for name in sys.argv[2:]]"
    )
    for seed in ("1", "2"):
        subprocess.run(
            [sys.executable, "-c", code, str(tmp_path / seed), *TASKS],
            cwd=root,
            env=os.environ | {"PYTHONHASHSEED": seed},
            check=True,
            stdout=subprocess.DEVNULL,
        )

    for name in TASKS:
        first, second = ([path.name[14:] for path in (tmp_path / seed / name).iterdir()] for seed in ("1", "2"))
        assert len(first) == 1
        assert first == second


def test_the_evidence_carries_the_graphs_own_scores(fitted, build, tmp_path):
    """What the gate reads is what the scorer would answer."""
    folder = export(fitted, build, tmp_path, 1e-5)
    bundle = Bundle.load(folder, evidence=True).evaluation
    rows = pd.read_parquet(folder / "evidence/holdout.parquet")
    names = list(bundle.contract.feature_names)
    given = rows[names].astype(object).where(rows[names].notna(), None).to_dict("records")
    scores = rows.filter(regex="^score").to_numpy().reshape(len(rows), -1)

    assert np.array_equal(bundle.score(given).reshape(len(rows), -1), scores)


def test_the_release_model_is_the_recipe_trained_on_all_rows(fitted, build, tmp_path):
    """The evaluation model, trained up to the holdout, travels beside it."""
    bundle = Bundle.load(export(fitted, build, tmp_path, 1e-5), evidence=True)
    inputs = model_inputs(fitted.split.holdout, fitted.contract)
    rows = inputs.astype(object).where(inputs.notna(), None).to_dict("records")

    assert bundle.manifest["format"] == 2
    assert bundle.manifest["release"]["rows"] == len(fitted.split.train) + len(fitted.split.holdout)
    assert bundle.manifest["release"]["end"] == bundle.manifest["data"]["holdout"]["end"]
    for model, estimator in ((bundle, fitted.release.estimator), (bundle.evaluation, fitted.estimator)):
        assert np.allclose(model.score(rows), scores_of(estimator, inputs, fitted.contract), atol=1e-5)


def test_without_a_refit_a_bundle_has_one_model(fitted, build, tmp_path):
    """Format 1, as before there were two."""
    bundle = Bundle.load(export(replace(fitted, release=None), build, tmp_path, 1e-5), evidence=True)

    assert bundle.manifest["format"] == 1
    assert bundle.evaluation is bundle
    assert not {"release", "evaluation"} & {*bundle.manifest}


def test_parity_is_tried_beside_every_threshold_of_the_trees(fitted):
    """Where a row could go the other way."""
    graph = to_graph(fitted)
    known = thresholds(graph, model_inputs(fitted.split.holdout, fitted.contract), fitted.contract)
    found = replay(fitted, runner(graph, fitted.contract), known, 1e-5)
    near = found["beside_thresholds"]

    assert (len(known.points) > 0) == (fitted.contract.name != "buys")  # a linear model has none
    assert near["replayed"] == near["of"] >= 2 * sum(map(len, known.points.values()))


def test_a_graph_that_disagrees_is_refused_with_its_worst_row(fitted):
    """The message shows the row, both scores and the limit."""
    honest = runner(to_graph(fitted), fitted.contract)

    def off_by_a_bit(columns):
        scores = honest(columns)
        scores[3] += 0.01 * np.maximum(1, np.abs(scores[3]))
        return scores

    with pytest.raises(ParityError) as caught:
        replay(fitted, off_by_a_bit, Thresholds(), 1e-5)

    assert "1 of" in str(caught.value)
    assert "allowed is 1e-05 (thresholds.toml, export.parity)" in str(caught.value)


def test_a_score_that_is_not_a_number_is_never_within_the_limit(fitted):
    """NaN compares false with everything; it must not pass for that."""
    honest = runner(to_graph(fitted), fitted.contract)

    with pytest.raises(ParityError):
        replay(fitted, lambda columns: honest(columns) * np.nan, Thresholds(), 1e-5)


def test_an_export_that_fails_leaves_nothing_that_looks_like_a_bundle(fitted, build, tmp_path):
    """The folder gets its name when it is whole."""
    with pytest.raises(FileNotFoundError):
        export(fitted, replace(build, recipe=tmp_path / "gone.py"), tmp_path / "out", 1e-5)

    assert list((tmp_path / "out").iterdir()) == []


def test_a_graph_that_the_gate_would_not_take_is_not_written(fitted, build, tmp_path):
    """Here its bytes are not canonical: nothing but a field that nobody knows."""
    with pytest.raises(ExportError, match="the exported graph is not what a bundle may contain"):
        export(fitted, build, tmp_path / "out", 1e-5, lambda each: to_graph(each) + b"\xc2\x3e\x00")
    assert not (tmp_path / "out").exists()


def test_exporting_the_same_bundle_again_finds_it_there(fitted, build, tmp_path):
    """Two runs in one minute are both right."""
    assert export(fitted, build, tmp_path, 1e-5) == export(fitted, build, tmp_path, 1e-5)
    assert [path.name[0] for path in tmp_path.iterdir()] == ["2"]


def test_the_last_golden_row_has_unseen_categories_and_missing_values(fitted, build, tmp_path):
    """The rows that break a graph first are replayed before every swap."""
    golden = json.loads((export(fitted, build, tmp_path, 1e-5) / "manifest.json").read_text())["golden"]

    assert golden["rows"][-1]["country"] == "never seen"
    assert golden["rows"][-1]["age"] is None
    assert len(golden["rows"]) == len(golden["scores"])


NAMES = ("label", "probabilities", "variable", "output_label", "output_probability", "input", "class", "größe")


@pytest.mark.parametrize("classifier", [True, False])
def test_features_may_be_called_as_the_converter_calls_its_own_tensors(classifier):
    """The graph's inputs have the contract's names, and its scores are the estimator's."""
    contract = Contract(
        "names",
        "binary" if classifier else "regression",
        tuple(Feature(name, "number") for name in NAMES),
        Target("y", (False, True) if classifier else ()),
        key="who",
        time="at",
    )
    inputs = pd.DataFrame(np.random.default_rng(0).random((80, len(NAMES))), columns=list(NAMES)).astype("float32")
    truth = inputs["label"] > inputs["variable"]
    last = LogisticRegression() if classifier else LinearRegression()
    encoder = ColumnTransformer([("n", StandardScaler(), list(NAMES))])
    estimator = make_pipeline(encoder, last).fit(inputs, truth.astype(int))

    graph = to_graph(Fitted(estimator, contract, Split(inputs, inputs), (NOON, NOON), {}))
    found = runner(graph, contract)({name: inputs[name].tolist() for name in NAMES})

    expected = estimator.predict_proba(inputs)[:, 1] if classifier else estimator.predict(inputs)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_text_is_lowered_by_a_locale_that_every_image_has():
    """C.UTF-8 is part of glibc; en_US.UTF-8, ONNX Runtime's own choice, is not in slim images."""
    contract = Contract(
        "text", "binary", (Feature("words", "category"),), Target("y", (False, True)), key="who", time="at"
    )
    inputs = pd.DataFrame({"words": ["Küche NEU", "neu", "ÄRGER", "küche", "Neu ärger", "alt"] * 5})
    words = TfidfVectorizer(token_pattern="[a-zA-ZäöüÄÖÜ]+")
    estimator = make_pipeline(ColumnTransformer([("t", words, "words")]), LogisticRegression())
    estimator.fit(inputs, [0, 1, 0, 1, 1, 0] * 5)

    graph = to_graph(Fitted(estimator, contract, Split(inputs, inputs), (NOON, NOON), {}))
    found = runner(graph, contract)({"words": inputs["words"].tolist()})

    assert b"C.UTF-8" in graph
    np.testing.assert_allclose(found, estimator.predict_proba(inputs)[:, 1], atol=1e-5)


@pytest.mark.parametrize(
    ("step", "words"),
    [(SplineTransformer(), "SplineTransformer"), (FunctionTransformer(np.sin), "FunctionTransformer")],
)
def test_a_step_that_has_no_converter_is_named_with_what_to_use(step, words):
    """Not skl2onnx's own words alone."""
    contract = Contract("one", "binary", (Feature("size", "number"),), Target("y", (False, True)), key="who", time="at")
    inputs = pd.DataFrame({"size": np.arange(60, dtype="float32")})
    estimator = make_pipeline(step, LogisticRegression()).fit(inputs, [0, 1, 1] * 20)

    with pytest.raises(ExportError, match=words):
        to_graph(Fitted(estimator, contract, Split(inputs, inputs), (NOON, NOON), {}))

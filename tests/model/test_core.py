"""A graph's core gives the very bits of the graph, or there is none."""

import json
from datetime import UTC, date, datetime

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder

from bundles.bundle import Bundle
from bundles.onnx_core import CoreError, Encoder, trial
from contracts.row_contract import Contract, Feature, Target
from model.onnx_export.bundle_manifest import Build
from model.onnx_export.core_extraction import CutError, cut
from model.onnx_export.core_proof import categories_of, core_of
from model.onnx_export.export import export, to_graph
from model.train import read_recipe, train

pytestmark = pytest.mark.slow

TODAY = date(2026, 2, 20)
TASKS = ("buys", "tariff", "basket")
CATEGORIES = ["country", "campaign", "device"]
ESTIMATORS = {
    "one-hot, infrequent ones together": lambda: make_pipeline(
        ColumnTransformer(
            [("c", OneHotEncoder(handle_unknown="ignore", min_frequency=20), CATEGORIES)],
            remainder="passthrough",
            sparse_threshold=0,
        ),
        HistGradientBoostingClassifier(max_iter=20),
    ),
    "ordinal, unknown ones below": lambda: make_pipeline(
        ColumnTransformer(
            [("c", OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1), CATEGORIES)],
            remainder="passthrough",
        ),
        HistGradientBoostingClassifier(max_iter=20),
    ),
    "a forest": lambda: make_pipeline(
        ColumnTransformer([("c", OneHotEncoder(handle_unknown="ignore"), CATEGORIES)]),
        RandomForestClassifier(n_estimators=10, max_depth=4, random_state=0),
    ),
    "a linear model on categories alone": lambda: make_pipeline(
        ColumnTransformer([("c", OneHotEncoder(handle_unknown="ignore"), CATEGORIES)]), LogisticRegression()
    ),
}


@pytest.fixture(scope="module", params=TASKS)
def fitted(request, recipes):
    return train(read_recipe(recipes / f"{request.param}.py"), TODAY)


@pytest.fixture
def build(recipes):
    return Build(datetime(2026, 2, 20, 12, tzinfo=UTC), "c0ffee", recipes / "buys.py")


def test_every_recipe_beside_the_tests_has_a_core_that_serves(fitted, build, tmp_path):
    """The same bits as the full graph's, on the trial rows and on the holdout."""
    folder = export(fitted, build, tmp_path, 1e-5)
    cored, full = Bundle.load(folder), Bundle.load(folder, core=False)
    rows = trial(fitted.contract, categories_of(fitted), cored.manifest["golden"]["rows"])

    assert (cored.core, cored.manifest["core"].get("left_out")) == ("", None)
    assert cored.manifest["core"]["tried"] > 500 + len(fitted.split.holdout)
    assert cored.score(rows).tobytes() == full.score(rows).tobytes()


@pytest.mark.parametrize("name", ESTIMATORS)
def test_other_ways_to_encode_have_a_core_or_say_why_not(name, recipes):
    """What is not understood is served by its full graph."""
    recipe = read_recipe(recipes / "buys.py")
    recipe.estimator = ESTIMATORS[name]
    try:
        fitted = train(recipe, TODAY)
        graph = to_graph(fitted)
    except Exception as error:
        pytest.skip(f"skl2onnx does not export it: {error}")
    core, found = core_of(graph, fitted, fitted.split.holdout.head(3).to_dict("records"))

    assert (core is None) == ("left_out" in found)
    assert core is not None, found["left_out"]


def test_a_core_that_disagrees_is_left_out_and_it_is_said(fitted):
    """Here the graph's own scores are those of another model."""
    graph = onnx.load_from_string(to_graph(fitted))
    other = onnx.ModelProto()
    other.CopyFrom(graph)
    for node in other.graph.node:
        for attribute in node.attribute:
            if attribute.name in ("coefficients", "class_weights", "target_weights"):
                attribute.floats[0] += 1
    other_core, _ = cut(other.SerializeToString(), fitted.contract)
    core, found = core_of(graph.SerializeToString(), fitted, [], lambda *given: (other_core, cut(*given)[1]))

    assert core is None
    assert "does not give the full graph's scores" in found["left_out"]


def test_a_string_that_is_not_looked_up_has_no_core():
    """A normalizer changes it first: a table of the values seen says nothing of the others."""
    contract = Contract(
        name="c",
        task="regression",
        key="k",
        time="t",
        target=Target("y"),
        features=(Feature("word", "category"), Feature("n", "number")),
    )
    nodes = [
        helper.make_node("StringNormalizer", ["word"], ["lower"], case_change_action="LOWER"),
        helper.make_node(
            "LabelEncoder",
            ["lower"],
            ["code"],
            domain="ai.onnx.ml",
            keys_strings=["a"],
            values_floats=[1.0],
            default_float=0.0,
        ),
        helper.make_node("Add", ["code", "n"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [
            helper.make_tensor_value_info("word", TensorProto.STRING, [None, 1]),
            helper.make_tensor_value_info("n", TensorProto.FLOAT, [None, 1]),
        ],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, 1])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21), helper.make_opsetid("ai.onnx.ml", 3)])

    with pytest.raises(CutError, match="StringNormalizer is no look-up of word"):
        cut(model.SerializeToString(), contract)


def test_the_trial_has_every_category_and_only_rows_that_fit(fitted):
    """Among them one never seen, missing values, and numbers up to the bounds."""
    seen = categories_of(fitted)
    rows = trial(fitted.contract, seen, [])

    assert not [p for row in rows for p in fitted.contract.problems(row)]
    assert {row["country"] for row in rows} >= {*seen["country"], "never seen"}
    assert any(row["age"] is None for row in rows)
    assert rows == trial(fitted.contract, seen, [])


@pytest.mark.parametrize(
    "encoder",
    [
        {},
        {"parts": 3},
        {"parts": [{}]},
        {"parts": [{"numbers": ["country"]}]},
        {"parts": [{"numbers": ["nothing"]}]},
        {"parts": [{"category": "age", "unseen": [], "seen": {}}]},
        {"parts": [{"category": "country", "unseen": [0.0], "seen": {"AT": [[5, 1.0]]}}]},
        {"parts": [{"category": "country", "unseen": ["x"], "seen": {}}]},
    ],
    ids=json.dumps,
)
def test_a_manifest_without_a_whole_core_is_refused(encoder, recipes):
    """Whatever it says instead."""
    with pytest.raises(CoreError):
        Encoder.read(encoder, read_recipe(recipes / "buys.py").CONTRACT)


def test_one_row_and_many_are_encoded_alike(fitted):
    """By two ways, for speed."""
    _, found = cut(to_graph(fitted), fitted.contract)
    encoder = Encoder.read(found, fitted.contract)
    rows = trial(fitted.contract, categories_of(fitted), [])
    alone = np.frombuffer(b"".join(map(encoder.row, rows)), dtype=np.float32)

    assert alone.tobytes() == np.ascontiguousarray(encoder.matrix(rows)).tobytes()

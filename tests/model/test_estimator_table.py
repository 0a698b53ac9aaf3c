"""The page on estimators is what becomes of them, and a recipe may convert its estimator itself."""

from datetime import UTC, datetime

import pytest

from docs.generate.estimator_table import EXPORTED, PAGE, RECIPE, TODAY, libraries, outcome, tried
from model.onnx_export.bundle_manifest import Build
from model.onnx_export.export import ExportError, export
from model.onnx_export.parity import ParityError
from model.train import read_recipe, train
from tests.model.test_tree_libraries import library

pytestmark = pytest.mark.slow
LINES = tried(PAGE.read_text(encoding="utf-8"))


@pytest.mark.parametrize(("code", "task", "said"), LINES)
def test_each_line_of_the_page_is_so(code, task, said):
    """Exported with equal scores, or refused with what to write."""
    library("catboost")  # so that it is run by `make test-estimators` alone
    for name in libraries(code):
        library(name)

    assert outcome(code, task) == said


def test_the_page_has_a_line_for_each_kind():
    """Most of what is common works, and what does not work says what to write."""
    assert len(LINES) > 60
    assert sum(said == EXPORTED for _, _, said in LINES) > 50
    assert {name for code, _, _ in LINES for name in libraries(code)} == {"lightgbm", "xgboost", "catboost"}


OWN = """
from onnx import TensorProto, helper

def to_onnx(estimator):
    tree = estimator.named_steps["estimator"]
    kinds = {"town": TensorProto.STRING}
    names = ["amount", "age", "town", "member"]
    inputs = [helper.make_tensor_value_info(name, kinds.get(name, TensorProto.FLOAT), [None, 1]) for name in names]
    share = float(tree.class_prior_[1])
    nodes = [
        helper.make_node("Constant", [], ["zero"], value_float=0.0),
        helper.make_node("Constant", [], ["share"], value_float=@SHARE@),
        helper.make_node("Constant", [], ["other"], value_float=1 - @SHARE@),
        helper.make_node("Mul", ["age", "zero"], ["zeros"]),
        helper.make_node("Add", ["zeros", "other"], ["no"]),
        helper.make_node("Add", ["zeros", "share"], ["yes"]),
        helper.make_node("Concat", ["no", "yes"], ["probabilities"], axis=1),
    ]
    outputs = [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [None, 2])]
    graph = helper.make_graph(nodes, "own", inputs@LESS@, outputs)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
"""


def own(tmp_path, share="share", less="", more=""):
    path = tmp_path / "recipe.py"
    code = "__import__('sklearn.dummy').dummy.DummyClassifier(strategy='prior')"
    path.write_text(
        RECIPE.format(imports="", task="binary", code=code)
        + OWN.replace("@SHARE@", share).replace("@LESS@", less)
        + more
    )
    fitted = train(read_recipe(path), TODAY, second_fit=False, refit=False)
    return export(fitted, Build(datetime.now(UTC), "", path), tmp_path / "out", 1e-5)


def test_a_recipe_may_convert_its_estimator_itself(tmp_path):
    """With to_onnx(estimator), for what skl2onnx has no converter for."""
    assert own(tmp_path).is_dir()


@pytest.mark.parametrize(
    ("share", "less", "more", "error", "words"),
    [
        ("0.9", "", "", ParityError, "differs from the estimator"),
        ("share", "[:3]", "", ExportError, "a model with the inputs amount, age, town; expected an onnx.ModelProto"),
        ("share", "", "to_onnx = lambda estimator: None", ExportError, "to_onnx() returned NoneType; expected"),
        ("share", "", "to_onnx = lambda estimator: estimator.nothing", ExportError, "AttributeError"),
    ],
)
def test_its_scores_are_compared_all_the_same(share, less, more, error, words, tmp_path):
    """A mistake is found before a bundle exists."""
    with pytest.raises(error) as caught:
        own(tmp_path, share, less, more)

    assert words in str(caught.value)

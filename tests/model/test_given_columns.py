"""An estimator without a ColumnTransformer is given its columns; one that chooses them is left alone."""

from datetime import UTC, date, datetime

import pytest
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

from model.contract import Contract, Feature, Target
from model.given_columns import described, with_columns
from model.onnx_export.bundle_manifest import Build
from model.onnx_export.export import export
from model.train import read_recipe, train

pytestmark = pytest.mark.slow

TODAY = date(2026, 2, 20)
MIXED = (Feature("n", "number"), Feature("c", "category"), Feature("b", "boolean"))
IMPORTS = """
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
"""


def completed(estimator, features=MIXED):
    contract = Contract("t", "binary", features, Target("y", (0, 1)), "k", "at")
    return with_columns(lambda: estimator, contract)(), contract


@pytest.mark.parametrize(
    ("recipe", "estimator"),
    [
        ("buys", "HistGradientBoostingClassifier(max_iter=5)"),
        ("buys", "CalibratedClassifierCV(HistGradientBoostingClassifier(max_iter=5), cv=2)"),
        ("buys", "GridSearchCV(HistGradientBoostingClassifier(max_iter=5), {'max_depth': [2, 3]}, cv=2)"),
        ("buys", "make_pipeline(SimpleImputer(), StandardScaler(), LogisticRegression())"),
        ("tariff", "make_pipeline(SimpleImputer(), RandomForestClassifier(n_estimators=5, max_depth=4))"),
        ("basket", "HistGradientBoostingRegressor(max_iter=5)"),
    ],
)
def test_it_is_trained_and_exported(recipe, estimator, recipes, tmp_path):
    """Before: at most 1 input is supported but we got 6."""
    path = tmp_path / "recipe.py"
    source = (recipes / f"{recipe}.py").read_text().replace("Path(__file__).parent", f"Path({str(recipes)!r})")
    path.write_text(f"{source}{IMPORTS}\ndef estimator():\n    return {estimator}\n")
    fitted = train(read_recipe(path), TODAY, second_fit=False, refit=False)

    assert fitted.remarks[-1].startswith(
        "estimator() has no ColumnTransformer: it was given the 6 features as one matrix"
    )
    assert export(fitted, Build(datetime.now(UTC), "", path), tmp_path / "out", 1e-5).is_dir()


@pytest.mark.parametrize(
    "estimator",
    [
        make_pipeline(ColumnTransformer([("n", "passthrough", ["n"])]), LogisticRegression()),
        GridSearchCV(make_pipeline(ColumnTransformer([("n", "passthrough", ["n"])]), LogisticRegression()), {}),
        "no estimator",
        None,
    ],
)
def test_one_that_chooses_its_columns_is_left_alone(estimator):
    """Also deep inside of a search; what is no estimator is refused later, with a message."""
    found, contract = completed(estimator)

    assert found is estimator
    assert [*described(found, contract)] == []


def test_it_is_said_what_was_done():
    """For a person who reads the proposal."""
    found, contract = completed(HistGradientBoostingClassifier())

    (words,) = described(found, contract)
    assert words.endswith("it was given the 3 features as one matrix, c one-hot encoded")


@pytest.mark.parametrize(
    ("estimator", "features", "encoded"),
    [
        (make_pipeline(StandardScaler(), LogisticRegression()), MIXED, True),
        (make_pipeline(StandardScaler(), LogisticRegression()), (MIXED[0], MIXED[2]), False),
        (make_pipeline(OneHotEncoder(handle_unknown="ignore"), LogisticRegression()), (MIXED[1],), False),
        (make_pipeline(OrdinalEncoder(), LogisticRegression()), (MIXED[1], Feature("d", "category")), False),
    ],
)
def test_categories_are_encoded_unless_the_first_step_does(estimator, features, encoded):
    """Numbers and booleans are passed as they are."""
    found, _ = completed(estimator, features)

    assert isinstance(found, Pipeline)
    assert [name for name, *_ in found.steps[0][1].transformers] == (["categories"] if encoded else ["features"])

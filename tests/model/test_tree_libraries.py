"""LightGBM, XGBoost and CatBoost give the same scores in ONNX, on rows beside every threshold and with nulls."""

import importlib
import warnings
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import VotingClassifier
from sklearn.model_selection import GridSearchCV

from bundles.manifest import read_manifest
from docs.generate.estimator_table import TODAY, contract, rows, window
from model.given_columns import with_columns
from model.onnx_export.bundle_manifest import Build
from model.onnx_export.export import ExportError, export
from model.train import RecipeError, train

pytestmark = pytest.mark.slow
#: LightGBM before 4.6 calls scikit-learn with an argument that it no longer has.
EARLIEST = {"lightgbm": (4, 6)}
QUIET = {
    "lightgbm": {"verbose": -1, "n_jobs": 1, "n_estimators": 12, "min_child_samples": 5},
    "xgboost": {"n_jobs": 1, "n_estimators": 12},
    "catboost": {"verbose": 0, "thread_count": 1, "iterations": 12, "allow_writing_files": False},
}


def library(name):
    """The library, or the test is skipped."""
    found = pytest.importorskip(name, reason=f"{name} is not installed: see `make test-estimators`")
    if tuple(map(int, found.__version__.split(".")[:2])) < EARLIEST.get(name, (0,)):
        pytest.skip(f"{name} {found.__version__} does not fit the installed scikit-learn: see `make test-estimators`")
    return found


def exported(estimator, task, tmp_path, **more):
    """The manifest of the bundle of *estimator*."""
    path = tmp_path / "recipe.py"
    path.write_text("")
    terms = contract(task)
    recipe = SimpleNamespace(
        __file__=str(path),
        CONTRACT=terms,
        window=window,
        load=lambda start, end: rows(task, start, end),
        estimator=with_columns(lambda: estimator, terms),
        **more,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about names of features, and settings that are tried on purpose
        fitted = train(recipe, TODAY, second_fit=False, refit=False)
        return read_manifest(export(fitted, Build(datetime.now(UTC), "", path), tmp_path / "out", 1e-5))


@pytest.mark.parametrize(
    ("name", "kind", "task", "settings"),
    [
        *((name, kind, task, {}) for name, prefix in (("lightgbm", "LGBM"), ("xgboost", "XGB"), ("catboost", "CatBoost"))
          for kind, task in ((f"{prefix}Classifier", "binary"), (f"{prefix}Classifier", "multiclass"), (f"{prefix}Regressor", "regression"))),
        ("lightgbm", "LGBMClassifier", "binary", {"boosting_type": "dart"}),
        ("lightgbm", "LGBMClassifier", "binary", {"boosting_type": "rf", "bagging_freq": 1, "bagging_fraction": 0.5}),
        ("lightgbm", "LGBMClassifier", "binary", {"sigmoid": 2.0}),
        ("lightgbm", "LGBMClassifier", "binary", {"use_missing": False}),
        ("lightgbm", "LGBMClassifier", "binary", {"is_unbalance": True}),
        ("lightgbm", "LGBMClassifier", "binary", {"num_leaves": 200, "min_child_samples": 1}),
        ("lightgbm", "LGBMRegressor", "regression", {"objective": "poisson"}),
        ("lightgbm", "LGBMRegressor", "regression", {"objective": "quantile", "alpha": 0.9}),
        ("lightgbm", "LGBMRegressor", "regression", {"objective": "l1"}),
        ("xgboost", "XGBClassifier", "binary", {"booster": "dart", "rate_drop": 0.5}),
        ("xgboost", "XGBClassifier", "binary", {"scale_pos_weight": 9.0, "base_score": 0.2}),
        ("xgboost", "XGBRFClassifier", "multiclass", {}),
        ("xgboost", "XGBRegressor", "regression", {"objective": "count:poisson"}),
        ("xgboost", "XGBRegressor", "regression", {"objective": "reg:absoluteerror", "tree_method": "exact"}),
        ("catboost", "CatBoostClassifier", "binary", {"grow_policy": "Lossguide"}),
        ("catboost", "CatBoostClassifier", "multiclass", {"grow_policy": "Depthwise"}),
        ("catboost", "CatBoostClassifier", "binary", {"nan_mode": "Max"}),
        ("catboost", "CatBoostClassifier", "binary", {"auto_class_weights": "Balanced"}),
        ("catboost", "CatBoostRegressor", "regression", {"loss_function": "Poisson"}),
        ("catboost", "CatBoostRegressor", "regression", {"loss_function": "Quantile:alpha=0.9"}),
    ],
)  # fmt: skip
def test_its_scores_in_onnx_are_the_estimators(name, kind, task, settings, tmp_path):
    """On the holdout, nulls, unseen categories, bounds, and beside every threshold."""
    estimator = getattr(library(name), kind)(**QUIET[name] | settings)

    parity = exported(estimator, task, tmp_path)["parity"]

    assert parity["worst"] < 1e-5
    assert parity["beside_thresholds"]["replayed"] > 20


@pytest.mark.parametrize(
    "wrap",
    [
        lambda each: CalibratedClassifierCV(each, cv=2),
        lambda each: VotingClassifier([("a", each), ("b", clone(each))], voting="soft", flatten_transform=False),
        lambda each: GridSearchCV(each, {"max_depth": [2, 3]}, cv=2),
    ],
    ids=["calibrated", "voting", "search"],
)
def test_it_may_be_inside_of_those_of_sklearn(wrap, tmp_path):
    """Converters are found at any depth."""
    estimator = library("xgboost").XGBClassifier(**QUIET["xgboost"])
    assert exported(wrap(estimator), "binary", tmp_path)["parity"]["worst"] < 1e-5


@pytest.mark.parametrize(
    ("name", "kind", "task", "settings", "words"),
    [
        ("lightgbm", "LGBMRegressor", "regression", {"linear_tree": True}, "leave linear_tree out"),
        ("lightgbm", "LGBMClassifier", "binary", {"categorical_feature": [0]}, "encode categories with OneHotEncoder"),
        ("lightgbm", "LGBMClassifier", "binary", {"zero_as_missing": True}, "write NaN in load()"),
        ("lightgbm", "LGBMRegressor", "regression", {"reg_sqrt": True}, "use one of binary, cross_entropy"),
        ("xgboost", "XGBClassifier", "binary", {"booster": "gblinear"}, "use LogisticRegression or Ridge"),
        ("xgboost", "XGBRegressor", "regression", {"missing": 0.0}, "use NaN for missing values, in load()"),
        ("xgboost", "XGBClassifier", "binary", {"objective": "binary:hinge"}, "use one of binary:logistic"),
        ("catboost", "CatBoostClassifier", "binary", {"cat_features": [0]}, "encode categories with OneHotEncoder"),
    ],
)
def test_what_has_no_equivalent_is_refused_with_what_to_write(name, kind, task, settings, words, tmp_path):
    """Before a bundle exists."""
    estimator = getattr(library(name), kind)(**QUIET[name] | settings)

    with pytest.raises((ExportError, RecipeError)) as caught:
        exported(estimator, task, tmp_path)

    assert words in str(caught.value)


def test_the_versions_of_what_was_used_are_recorded(tmp_path):
    """The estimator's library is part of how a model was made."""
    library("xgboost")
    build = exported(importlib.import_module("xgboost").XGBClassifier(**QUIET["xgboost"]), "binary", tmp_path)["build"]

    assert build["libraries"]["xgboost"] == importlib.import_module("xgboost").__version__

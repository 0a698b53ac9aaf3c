"""Why an estimator cannot be fitted or converted, or gives other scores in ONNX, and what to use instead."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

import pandas as pd

from contracts.row_contract import Contract
from model.declarations import Declared
from model.onnx_export.trees import parts
from model.recipe_errors import words_of
from model.tree_libraries.split_trees import ConversionError

SUPPORTED = "an estimator on sklearn-onnx's list of supported scikit-learn models"
#: Steps without a converter in skl2onnx -> an equivalent step with one.
INSTEAD = {
    "DummyClassifier": "LogisticRegression(C=1e-6), which predicts little more than the mean",
    "DummyRegressor": "Ridge(alpha=1e9), which predicts little more than the mean",
    "HashingVectorizer": "TfidfVectorizer",
    "MissingIndicator": "a boolean feature made in load(), such as rows['amount'].isna()",
    "RandomizedSearchCV": "GridSearchCV, or the parameters that it found",
    "SplineTransformer": "KBinsDiscretizer(encode='onehot-dense'), or PolynomialFeatures",
}
#: The largest number whose square float32 can hold.
MAX_SQUARABLE = 1e19
SCALERS = {"StandardScaler", "MinMaxScaler", "MaxAbsScaler", "RobustScaler", "PowerTransformer"}


def _of(step: Any, name: str) -> Any:
    return getattr(step, name, None)


#: Kinds of steps, the condition under which one differs (or fails) in ONNX, and what to write.
DIFFERENT: tuple[tuple[str, Callable[[Any], Any], str], ...] = (
    (
        "SimpleImputer",
        lambda s: _of(s, "add_indicator"),
        "SimpleImputer(add_indicator=True) has no indicators in ONNX: add a boolean feature in load(), such as rows['amount'].isna()",
    ),
    (
        "SimpleImputer",
        lambda s: getattr(_of(s, "_fit_dtype"), "kind", "f") in "OUT" and _of(s, "missing_values") != "",
        "SimpleImputer of categories, whose nulls are empty strings here: write missing_values=''",
    ),
    ("KNNImputer", lambda _: True, "KNNImputer gives other values in ONNX: use SimpleImputer"),
    (
        "OneHotEncoder",
        lambda s: _of(s, "handle_unknown") in ("infrequent_if_exist", "warn"),
        "OneHotEncoder(handle_unknown='infrequent_if_exist' or 'warn') is not carried over: use handle_unknown='ignore', with min_frequency as it is",
    ),
    (
        "OneHotEncoder",
        lambda s: any(c.dtype.kind == "f" for c in _of(s, "categories_") or ()),
        "OneHotEncoder of numbers: declare the field as a category, or use KBinsDiscretizer(encode='onehot-dense')",
    ),
    (
        "KBinsDiscretizer",
        lambda s: _of(s, "encode") == "onehot",
        "KBinsDiscretizer(encode='onehot'): use encode='onehot-dense'",
    ),
    (
        "QuantileTransformer",
        lambda s: _of(s, "output_distribution") == "normal",
        "QuantileTransformer(output_distribution='normal'): use 'uniform', or PowerTransformer",
    ),
    (
        "Vectorizer",
        lambda s: _of(s, "analyzer") not in (None, "word") or _of(s, "ngram_range") not in (None, (1, 1)),
        "text is split into single words in ONNX: use analyzer='word', ngram_range=(1, 1), and token_pattern='[a-z]+' or another set of characters",
    ),
    (
        "KNeighbors",
        lambda _: True,
        "neighbours that are equally far, or weighted by distance, are taken differently in ONNX: use weights='uniform', or a gradient boosting",
    ),
    (
        "CalibratedClassifierCV",
        lambda s: _of(s, "method") == "isotonic",
        "CalibratedClassifierCV(method='isotonic'): use method='sigmoid'",
    ),
    ("VotingClassifier", lambda s: _of(s, "flatten_transform"), "VotingClassifier: write flatten_transform=False"),
    (
        "LinearDiscriminantAnalysis",
        lambda _: True,
        "LinearDiscriminantAnalysis gives other scores in ONNX: use LogisticRegression",
    ),
    (
        "GaussianProcess",
        lambda _: True,
        "Gaussian processes cannot be run by every ONNX Runtime: use a histogram gradient boosting",
    ),
    (
        "HistGradientBoosting",
        lambda s: _of(s, "is_categorical_") is not None,
        "categorical_features of histogram gradient boosting are not carried over: encode the categories with OneHotEncoder",
    ),
)
#: Messages of scikit-learn when a fit fails -> what to write.
UNFIT = (
    ("contains NaN", "fill missing values in the pipeline, with SimpleImputer"),
    ("could not convert string", "encode categories in the pipeline, with OneHotEncoder(handle_unknown='ignore')"),
    ("dense", "OneHotEncoder needs sparse_output=False here"),
    ("non-negative", "scale numbers with MinMaxScaler(clip=True) first"),
    ("Negative values", "scale numbers with MinMaxScaler(clip=True) first"),
    ("strictly positive", "use PowerTransformer(), whose method takes numbers of any sign"),
    ("not columns of the dataframe", "give a ColumnTransformer the names of features in the contract"),
    ("2-dimensional container", "write the column of a ColumnTransformer as a list: ['amount']"),
    ("must match exactly", "write the one column of a text vectorizer without a list: 'note'"),
    ("Unknown label type", "use a regressor for a regression target, and a classifier for classes"),
    (
        "out of the valid range of the loss",
        "use another loss, or Ridge: this one takes no target below 0 (gamma: at 0)",
    ),
    ("0 feature(s)", "give the ColumnTransformer features to use"),
    (
        "force_all_finite",
        "this library does not fit the installed scikit-learn: write lightgbm>=4.6 in requirements/recipe.in, type make recipe",
    ),
    ("cat_feature", "encode categories with OneHotEncoder(handle_unknown='ignore') or TargetEncoder before it"),
)


def why_not(estimator: Any, error: Exception) -> str:
    """One sentence: the step that cannot be converted, and what to write."""
    words = " ".join(str(error).split())
    if isinstance(error, ConversionError):
        return words
    found = re.search(r"for type '?<class '([\w.]+)'>", words)
    name = found[1].rpartition(".")[2] if found else ""
    if name:
        cure = INSTEAD.get(name, SUPPORTED)
        return f"{name} cannot be exported to ONNX: skl2onnx has no converter for it; use {cure}"
    words = words if len(words) <= 300 else words[:297] + "..."
    return (
        f"the estimator cannot be exported to ONNX: {type(error).__name__}: {words}; its steps are"
        f" {steps_of(estimator)}: see sklearn-onnx's list of supported scikit-learn models"
    )


def steps_of(estimator: Any) -> str:
    """The kinds of steps in *estimator*, as a list to read."""
    return ", ".join(sorted({type(estimator).__name__, *(type(s).__name__ for s in parts(estimator))}))


def likely_causes(estimator: Any, rows: pd.DataFrame, contract: Contract, where: Declared) -> str:
    """Known differences of *estimator* or its training *rows* in ONNX, as lines for a message."""
    return _listed([*_of_rows(rows, contract, where), *_of_steps(estimator)])


def unfit(estimator: Any, error: BaseException, rows: pd.DataFrame, contract: Contract, where: Declared) -> str:
    """What to write when the fit of *estimator* on *rows* raised *error*, as lines for a message."""
    words = words_of(error)
    found = [*_of_rows(rows, contract, where), *(cure for part, cure in UNFIT if part in words)]
    if "contains NaN" in words:
        names = [f.name for f in contract.features if f.kind != "category" and rows[f.name].isna().any()]
        found += [f"fields with missing values: {', '.join(names)}"] if names else []
    if "too large" in words:
        found += [
            f"{f.name} has numbers above {MAX_SQUARABLE:g}, whose squares float32 cannot hold: use another unit, or np.log1p"
            for f in contract.features
            if f.kind == "number" and rows[f.name].abs().max() > MAX_SQUARABLE
        ]
    return _listed(found or [f"correct the steps in estimator(): {steps_of(estimator)}"])


def _listed(cures: Iterable[str]) -> str:
    lines = [f"\n  - {each}" for each in dict.fromkeys(cures)]
    return "".join(["\n  What to do:", *lines]) if lines else ""


def _of_rows(rows: pd.DataFrame, contract: Contract, where: Declared) -> Iterable[str]:
    for feature in contract.features:
        if rows[feature.name].isna().all():
            yield (
                f"{where.at(feature.name)}{feature.name}: all {len(rows):,} training rows are null, and most steps"
                " cannot use that, or leave the column out; look at the source, or drop it:"
                f" python -m model feature drop {feature.name}"
            )


def _of_steps(estimator: Any) -> Iterable[str]:
    steps = list(parts(estimator))
    for kind, differs, words in DIFFERENT:
        if any(kind in type(step).__name__ and differs(step) for step in steps):
            yield words
    names = {type(step).__name__ for step in steps}
    trees = any(hasattr(step, "tree_") or hasattr(step, "_predictors") for step in steps) or any(
        name.startswith(("LGBM", "XGB", "CatBoost")) for name in names
    )
    if trees and names & SCALERS:
        yield "give trees the numbers as they are: a scaler before them rounds differently in ONNX"

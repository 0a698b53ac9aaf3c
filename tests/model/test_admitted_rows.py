"""What the contract admits gives the estimator's scores, or there is no bundle and the message says why.

A grid of estimators, encoders and kinds of field on 240 made-up rows, with nulls in the window and
without.
"""

import itertools
import json
import warnings
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.ensemble import (
    BaggingClassifier,
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
    StackingClassifier,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    Binarizer,
    KBinsDiscretizer,
    MinMaxScaler,
    Normalizer,
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
)
from sklearn.tree import DecisionTreeClassifier

from bundles.bundle import Bundle
from contracts.row_contract import Contract, Feature, Target
from model.data import Split, encoded_target, model_inputs
from model.declarations import Declared
from model.estimator_scores import scores_of
from model.notices import recorded, replayed
from model.onnx_export.bundle_manifest import Build
from model.onnx_export.edge_cases import MAX_BESIDE, beside, cases, frame
from model.onnx_export.export import ExportError, export, to_graph
from model.onnx_export.parity import ParityError, replay, round_thresholds, runner
from model.onnx_export.split_points import COMBINED, Thresholds, thresholds
from model.train import Fitted

pytestmark = pytest.mark.slow

NOON = datetime(2026, 2, 20, 12, tzinfo=UTC)
FEATURES = (
    Feature("income", "number", minimum=0, maximum=10_000, nullable=True),
    Feature("age", "number", minimum=18, maximum=110),
    Feature("town", "category"),
    Feature("channel", "category", nullable=True),
    Feature("shirt", "category", choices=("S", "M", "L")),
    Feature("member", "boolean", nullable=True),
)
NUMBERS, WORDS = ["income", "age", "member"], ["town", "channel", "shirt"]
TARGETS = {"binary": Target("y", (False, True)), "multiclass": Target("y", ("a", "b", "c")), "regression": Target("y")}
ENCODERS = {
    "one-hot, ignore": lambda: OneHotEncoder(handle_unknown="ignore", sparse_output=False),
    "one-hot": lambda: OneHotEncoder(sparse_output=False),
    "ordinal, -1": lambda: OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1),
    "ordinal": OrdinalEncoder,
}
ESTIMATORS = {
    "forest": ("binary", lambda: RandomForestClassifier(8, max_depth=5, random_state=0)),
    "forest, three classes": ("multiclass", lambda: RandomForestClassifier(8, max_depth=5, random_state=0)),
    "forest, a value": ("regression", lambda: RandomForestRegressor(8, max_depth=5, random_state=0)),
    "extra trees": ("binary", lambda: ExtraTreesClassifier(8, max_depth=5, random_state=0)),
    "extra trees, a value": ("regression", lambda: ExtraTreesRegressor(8, max_depth=5, random_state=0)),
    "one tree": ("binary", lambda: DecisionTreeClassifier(max_depth=4, random_state=0)),
    "bagging": ("binary", lambda: BaggingClassifier(DecisionTreeClassifier(max_depth=4), 4, random_state=0)),
    "boosting": ("multiclass", lambda: HistGradientBoostingClassifier(max_iter=5)),
    "boosting, a value": ("regression", lambda: HistGradientBoostingRegressor(max_iter=5)),
    "old boosting": ("binary", lambda: GradientBoostingClassifier(n_estimators=5)),
    "linear": ("binary", lambda: make_pipeline(StandardScaler(), LogisticRegression())),
    "linear, imputed": ("binary", lambda: make_pipeline(SimpleImputer(), StandardScaler(), LogisticRegression())),
}


def fit(task, estimator, nulls, target=lambda signal: signal * 300, features=FEATURES):
    """The estimator fitted on made-up rows; *nulls* says whether any of them lack something."""
    rng = np.random.default_rng(0)
    n = 240
    rows = pd.DataFrame(
        {
            "key": [f"r{i}" for i in range(n)],
            "at": [NOON - timedelta(hours=n - i) for i in range(n)],
            "income": rng.lognormal(7.5, 0.5, n).round(2).clip(0, 10_000),
            "age": rng.integers(18, 80, n).astype(float),
            "town": rng.choice(["Graz", "Linz", "Wels"], n),
            "channel": rng.choice(["web", "app"], n),
            "shirt": rng.choice(["S", "M", "L"], n),
            "member": (rng.random(n) < 0.5).astype(object),
        }
    )
    signal = np.log(rows["income"]) - 7.5 + 0.02 * (rows["age"] - 45) + (rows["town"] == "Wels") + rng.normal(0, 0.3, n)
    if nulls:
        for name in ("income", "channel", "member"):
            rows.loc[rng.random(n) < 0.15, name] = None
    classes = TARGETS[task].classes
    values = target(signal) if task == "regression" else pd.qcut(signal, len(classes), labels=False)
    rows["y"] = values if not classes else [classes[i] for i in values]
    contract = Contract(name="c", task=task, features=features, target=TARGETS[task], key="key", time="at")
    split = Split(rows[:180].reset_index(drop=True), rows[180:].reset_index(drop=True))
    estimator.fit(model_inputs(split.train, contract), encoded_target(split.train, contract))
    return Fitted(estimator, contract, split, (NOON - timedelta(hours=n), NOON), {})


def pipeline(encoder, estimator):
    return make_pipeline(ColumnTransformer([("n", "passthrough", NUMBERS), ("w", encoder, WORDS)]), estimator)


def attempt(fitted, limit=1e-5):
    """What `export` does with it: the graph and what the manifest says of parity."""
    round_thresholds(fitted.estimator)
    graph = to_graph(fitted)
    score = runner(graph, fitted.contract)
    points = thresholds(graph, model_inputs(fitted.split.holdout, fitted.contract), fitted.contract)
    return score, replay(fitted, score, points, limit)


@pytest.mark.parametrize(("kind", "encoder", "nulls"), list(itertools.product(ESTIMATORS, ENCODERS, (False, True))))
def test_every_combination_is_exported_correctly_or_refused_with_a_field_and_a_cure(kind, encoder, nulls):
    """Correct on rows of the test's own making: each field null or unseen, alone and together."""
    task, make = ESTIMATORS[kind]
    try:
        fitted = fit(task, pipeline(ENCODERS[encoder](), make()), nulls)
    except ValueError:
        pytest.skip("the estimator does not take nulls in training")
    try:
        score, _ = attempt(fitted)
    except (ParityError, ExportError) as error:
        said = str(error)
        assert "What to do:" in said or "holdout" in said
        assert encoder in ("one-hot", "ordinal") or kind in ("old boosting", "linear"), said
        return
    assert encoder in ("one-hot, ignore", "ordinal, -1")
    tried = model_inputs(fitted.split.holdout, fitted.contract)
    for change in (
        {"income": np.nan},
        {"channel": ""},
        {"member": np.nan},
        {"town": "new"},
        {"income": np.nan, "channel": "", "member": np.nan, "town": "new"},
        {"income": 0.0},
        {"income": 10_000.0},
        {"age": 110.0, "channel": "WEB"},
    ):
        rows = tried.assign(**{name: np.float32(v) if isinstance(v, float) else v for name, v in change.items()})
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            expected = scores_of(fitted.estimator, rows, fitted.contract)
        found = score({name: rows[name].to_numpy() for name in rows})
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-4 if task == "regression" else 1e-6)


def test_the_message_names_each_field_an_example_and_the_cure():
    """All problems at once, each with the line of the recipe."""
    fitted = fit("binary", pipeline(OrdinalEncoder(), GradientBoostingClassifier(n_estimators=3)), False)
    fitted = replace(fitted, where=Declared({"income": "shop.py:12"}))

    with pytest.raises(ParityError) as caught:
        attempt(fitted)

    said = str(caught.value)
    for words in (
        "- shop.py:12: income: null is admitted",
        "Input X contains NaN",
        "SimpleImputer",
        "nullable=False",
        "town: an unseen category is admitted",
        "town = 'never seen'",
        'handle_unknown="ignore"',
        "member: null is admitted",
        "channel: null is admitted",
    ):
        assert words in said


class Leaves(RegressorMixin, BaseEstimator):
    """A linear model that answers a missing income with no number."""

    def fit(self, rows, target):
        self.inner = LinearRegression().fit(rows[["age"]], target)
        return self

    def predict(self, rows):
        return np.where(rows["income"].isna(), np.nan, self.inner.predict(rows[["age"]]))


def test_an_estimator_that_answers_with_no_number_is_refused():
    """NaN is no score, whatever ONNX gives."""
    fitted = fit("regression", Leaves(), False)

    with pytest.raises(ParityError, match=r"income: null .*\n? ?.*not a finite number"):
        replay(
            fitted,
            lambda columns: fitted.estimator.inner.predict(pd.DataFrame({"age": columns["age"]})),
            Thresholds(),
            1e-5,
        )


def test_golden_rows_have_the_estimators_scores(tmp_path, recipes):
    """Each nullable field null, each open category unseen, and both together."""
    fitted = fit("regression", pipeline(ENCODERS["one-hot, ignore"](), RandomForestRegressor(8, random_state=0)), False)
    folder = export(fitted, Build(NOON, "", recipes / "buys.py"), tmp_path, 1e-5)
    golden = json.loads((folder / "manifest.json").read_text())["golden"]
    rows = pd.DataFrame(golden["rows"], dtype=object)

    assert {"income", "channel", "member"} <= {name for name in rows if rows[name].isna().any()}
    assert (rows["town"] == "never seen").any()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = scores_of(fitted.estimator, model_inputs(rows, fitted.contract), fitted.contract)
    assert golden["scores"] == expected.tolist()
    assert Bundle.load(folder).core == ""


@pytest.mark.parametrize(
    "target",
    [
        lambda s: s * 300,  # profit and loss
        lambda s: np.where(s > 0.8, s * 500, 0.0),  # claims
        lambda s: 300_000 * np.exp(0.4 * s),  # prices
        lambda s: np.maximum(0, s * 5).round(),  # counts
        lambda s: s * 1e-9,
        lambda s: s * 1e12,
        lambda s: s * 0,
        lambda s: s * 0 + 7.5,
    ],
    ids=["signed", "claims", "prices", "counts", "1e-9", "1e12", "zero", "constant"],
)
def test_float32_noise_passes_and_a_real_difference_does_not(target):
    """A thousandth of the scores' deviation is a real one, whatever their unit."""
    fitted = fit(
        "regression",
        pipeline(ENCODERS["ordinal, -1"](), HistGradientBoostingRegressor(max_iter=30, min_samples_leaf=5)),
        True,
        target,
    )
    score, _ = attempt(fitted)
    scores = scores_of(fitted.estimator, model_inputs(fitted.split.holdout, fitted.contract), fitted.contract)
    real = 1e-3 * (scores.std() or abs(scores[0]) or 1.0)

    with pytest.raises(ParityError, match="differs from the estimator"):
        replay(fitted, lambda columns: score(columns) + real, Thresholds(), 1e-5)


def test_small_probabilities_are_measured_by_their_own_spread():
    """Half of one in ten thousand is a real difference where all scores are that small."""

    class Rare(BaseEstimator):
        def fit(self, rows, target):
            return self

        def predict_proba(self, rows):
            p = 1e-4 * rows["age"].to_numpy(dtype=float) / 110
            return np.column_stack([1 - p, p])

    fitted = fit("binary", Rare(), False)
    honest = lambda columns: 1e-4 * np.asarray(columns["age"], dtype=float) / 110  # noqa: E731

    replay(fitted, honest, Thresholds(), 1e-5)
    with pytest.raises(ParityError):
        replay(fitted, lambda columns: honest(columns) * 0.95, Thresholds(), 1e-5)


def test_each_feature_is_moved_over_its_own_thresholds_only():
    """The graph's trees look at income and age; a threshold of one says nothing of the other."""
    fitted = fit(
        "binary", pipeline(ENCODERS["one-hot, ignore"](), DecisionTreeClassifier(max_depth=4, random_state=0)), False
    )
    inputs = model_inputs(fitted.split.holdout, fitted.contract)
    points = thresholds(to_graph(fitted), inputs, fitted.contract).points
    tree = fitted.estimator[-1].tree_

    for column, name in enumerate(NUMBERS[:2]):
        own = tree.threshold[(tree.children_left >= 0) & (tree.feature == column)]
        assert np.allclose(points.get(name, []), np.unique(own))


STEPS = {
    "as it is": lambda: "passthrough",
    "standard": StandardScaler,
    "min and max": lambda: MinMaxScaler(clip=True),
    "robust": RobustScaler,
    "power": PowerTransformer,
    "box-cox": lambda: PowerTransformer("box-cox"),
    "quantiles": lambda: QuantileTransformer(n_quantiles=50),
    "squares": lambda: PolynomialFeatures(2),
    "bins": lambda: KBinsDiscretizer(6, encode="ordinal", quantile_method="averaged_inverted_cdf"),
    "bins, one-hot": lambda: KBinsDiscretizer(6, encode="onehot-dense", strategy="uniform"),
    "above or below": lambda: Binarizer(threshold=1800.7),
    "twice": lambda: make_pipeline(StandardScaler(), PowerTransformer(), MinMaxScaler()),
}


def of_income(steps, estimator, names=("income",)):
    """Steps and an estimator on some of the numbers."""
    features = (Feature("income", "number", minimum=1, maximum=10_000), *FEATURES[1:])
    return fit(
        "binary", make_pipeline(ColumnTransformer([("n", steps, list(names))]), estimator), False, features=features
    )


def found_in(fitted):
    inputs = model_inputs(fitted.split.holdout, fitted.contract)
    return thresholds(to_graph(fitted), inputs, fitted.contract)


@pytest.mark.parametrize("step", STEPS)
def test_the_value_at_which_the_score_jumps_is_found_behind_any_step(step):
    """A tree's own scores differ between it and the next float32; no jump is missed."""
    fitted = of_income(STEPS[step](), DecisionTreeClassifier(max_depth=4, random_state=0))
    found = found_in(fitted)
    points = found.points["income"]
    score = runner(to_graph(fitted), fitted.contract)
    inputs = model_inputs(fitted.split.holdout, fitted.contract)

    def at(income):
        rows = inputs.iloc[[0] * len(income)].assign(income=income)
        return score({name: rows[name].to_numpy() for name in rows})

    jumps = at(points) != at(np.nextafter(points, np.float32(np.inf)))
    tree = fitted.estimator[-1].tree_
    assert found.unchecked == {}
    if "bins" not in step and step not in ("squares", "above or below"):
        assert jumps.all()
        assert len(points) == len(np.unique(tree.threshold[tree.children_left >= 0]))
    fine = np.linspace(1, 10_000, 5_000).astype(np.float32)
    between = np.searchsorted(points[jumps], fine)
    assert np.array_equal(np.diff(at(fine)) != 0, np.diff(between) > 0)


@pytest.mark.parametrize("step", ["standard", "power", "quantiles", "twice"])
def test_a_step_that_rounds_differently_before_trees_is_refused(step):
    """Trees split the same rows without it."""
    fitted = of_income(STEPS[step](), RandomForestClassifier(30, max_depth=6, random_state=0))

    with pytest.raises(
        ParityError, match=r"income: a value beside a threshold[^*]*give trees and bins the number as it is"
    ):
        attempt(fitted)


@pytest.mark.parametrize("encode", ["ordinal", "onehot-dense"])
@pytest.mark.parametrize("strategy", ["uniform", "quantile", "kmeans"])
def test_a_number_on_the_edge_of_a_bin_is_in_the_estimators_bin(strategy, encode):
    """Many edges are numbers that float32 does not hold."""
    method = {"quantile_method": "averaged_inverted_cdf"} if strategy == "quantile" else {}
    bins = KBinsDiscretizer(20, encode=encode, strategy=strategy, subsample=None, **method)
    fitted = of_income(bins, LogisticRegression(), ["income", "age"])
    edges = [each.copy() for each in bins_of(fitted)]
    score, found = attempt(fitted)
    inputs = model_inputs(fitted.split.holdout, fitted.contract)
    on = edges[0][1:-1].astype(np.float32)
    rows = inputs.iloc[[0] * len(on)].assign(income=on)

    assert found["beside_thresholds"]["replayed"] >= 2 * len(on)
    np.testing.assert_allclose(
        score({name: rows[name].to_numpy() for name in rows}),
        scores_of(fitted.estimator, rows, fitted.contract),
        rtol=1e-5,
    )
    for before, after in zip(edges, bins_of(fitted), strict=True):
        assert np.abs(after - before).max() < 1e-6 * before.max()


def bins_of(fitted):
    return fitted.estimator[0].named_transformers_["n"].bin_edges_


COMBINING = {
    "components": lambda: make_pipeline(PCA(2), DecisionTreeClassifier(max_depth=3)),
    "products": lambda: make_pipeline(
        PolynomialFeatures(2, interaction_only=True), DecisionTreeClassifier(max_depth=4)
    ),
    "length": lambda: make_pipeline(Normalizer(), DecisionTreeClassifier(max_depth=3)),
    "bins of components": lambda: make_pipeline(
        PCA(2), KBinsDiscretizer(4, encode="onehot-dense", strategy="uniform"), LogisticRegression()
    ),
    "a model's scores": lambda: StackingClassifier(
        [("l", make_pipeline(StandardScaler(), LogisticRegression()))], DecisionTreeClassifier(max_depth=2), cv=2
    ),
}


@pytest.mark.parametrize("kind", COMBINING)
def test_features_whose_thresholds_are_not_known_are_named(kind):
    """In what the manifest says of parity, and as a remark."""
    fitted = of_income("passthrough", COMBINING[kind](), ["income", "age"])
    _, parity = attempt(fitted)
    remarks = recorded({"parity": parity, "remarks": ["of the data"]})

    assert set(parity["beside_thresholds"]["unchecked"]) == {"income", "age"}
    assert remarks[0].startswith("not checked beside thresholds: features that are combined with others")
    assert "income, age" in remarks[0]
    assert remarks[1:] == ["of the data"]


def test_a_linear_model_has_no_thresholds_and_no_remark():
    """Components and powers are continuous."""
    fitted = of_income(
        "passthrough", make_pipeline(PCA(2), PowerTransformer(), LogisticRegression()), ["income", "age"]
    )
    _, parity = attempt(fitted)

    assert recorded({"parity": parity}) == []


def test_a_remark_names_ten_features_and_counts_the_others():
    """Shorter than a report cuts; and what is not of export's form is no remark, nor an error."""
    why = {f"feature_{at}": COMBINED for at in range(320)}
    (said,) = replayed({"beside_thresholds": {"replayed": 5, "of": 5, "unchecked": why}})

    assert len(said) < 500
    assert "feature_9 and 310 more" in said
    assert (
        replayed({"beside_thresholds": {"replayed": 5, "of": 6_000}, "unbounded": ["a"]})[0]
        == "replayed 5 of 6,000 rows beside thresholds, a regular sample"
    )
    for odd in (
        None,
        5,
        "text",
        [5],
        {},
        {"beside_thresholds": 5},
        {"beside_thresholds": {"replayed": "a", "of": 5, "unchecked": ["a"]}, "unbounded": 5},
    ):
        assert recorded({"parity": odd}) == []


def test_features_that_are_revised_by_design_are_named():
    """In the proposal and the report, since rules leave them out."""
    contract = {"features": [{"name": "age"}, {"name": "spent", "revised": True}]}

    assert recorded({"contract": contract}) == ["revised by design, so rules on changed values leave it out: spent"]


def test_rows_beside_thresholds_are_capped_and_counted():
    """What is left out is said."""
    contract = Contract(
        name="c",
        task="regression",
        features=(Feature("a", "number"), Feature("b", "number")),
        target=Target("y"),
        key="k",
        time="t",
    )
    many = np.linspace(0, 1, 50_000, dtype=np.float32)

    found, of = beside(contract, {"a": many, "b": many})

    assert len(found) == MAX_BESIDE < of
    assert {case.field for case in found} == {"a", "b"}


def test_every_case_is_a_row_that_the_contract_admits():
    """Nothing is refused for a row that no request may carry."""
    fitted = fit("binary", pipeline(ENCODERS["ordinal, -1"](), DecisionTreeClassifier(max_depth=2)), True)
    contract = fitted.contract
    inputs = model_inputs(fitted.split.holdout, contract)
    asked = cases(contract, inputs, {"town": ["Graz"], "channel": ["web"]})
    rows = frame(inputs, asked)

    for feature in contract.features:
        for value in rows[feature.name].drop_duplicates():
            missing = value == "" or value != value
            given = (
                None
                if missing
                else bool(value)
                if feature.kind == "boolean"
                else value
                if isinstance(value, str)
                else float(value)
            )
            assert feature.problem(given) is None


def test_a_field_without_bounds_is_named_where_very_large_values_fail():
    """A bundle all the same: the contract's author is asked for a minimum and a maximum."""
    free = (Feature("income", "number", nullable=True), *FEATURES[1:])
    fitted = fit(
        "binary",
        make_pipeline(
            ColumnTransformer(
                [("n", make_pipeline(SimpleImputer(), StandardScaler(with_mean=False)), ["income", "age"])]
            ),
            LogisticRegression(),
        ),
        False,
        features=free,
    )
    honest = runner(to_graph(fitted), fitted.contract)

    def overflows(columns):
        scores = honest(columns)
        return np.where(np.abs(np.asarray(columns["income"], dtype=float)) > 1e30, 0.3, scores)

    assert replay(fitted, overflows, Thresholds(), 1e-5)["unbounded"] == ["income"]

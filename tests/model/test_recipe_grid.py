"""No recipe ends in a traceback: it becomes a bundle that a scorer loads, or a sentence that says what to write.

Recipes are written as files, as a user writes them, and run as a user runs them. Each value of each
axis occurs at least once; which values meet is drawn with a fixed seed.
"""

import random
import re
import traceback
import warnings
from itertools import count
from textwrap import indent

import pytest

from bundles.bundle import Bundle
from model.__main__ import NO_MODEL, OK, main

pytestmark = pytest.mark.slow

RECIPE = """
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from uuid import UUID
import numpy as np
import pandas as pd
from sklearn.base import *
from sklearn.calibration import *
from sklearn.compose import *
from sklearn.decomposition import *
from sklearn.discriminant_analysis import *
from sklearn.dummy import *
from sklearn.ensemble import *
from sklearn.feature_extraction.text import *
from sklearn.feature_selection import *
from sklearn.impute import *
from sklearn.linear_model import *
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import *
from sklearn.neighbors import *
from sklearn.neural_network import *
from sklearn.pipeline import *
from sklearn.preprocessing import *
from sklearn.svm import *
from sklearn.tree import *
from contracts.row_contract import Contract, Feature, Target

NUMBERS, CATEGORIES, FLAGS, TEXT = ["amount", "age"], ["town", "channel"], ["member"], "note"
FEATURES = [
    Feature("amount", "number", minimum=-1e4, maximum=1e4, nullable=True),
    Feature("age", "number", minimum=0, maximum=120),
    Feature("town", "category"),
    Feature("channel", "category", choices=("web", "app"), nullable=True),
    Feature("note", "category", nullable=True),
    Feature("member", "boolean", nullable=True),
]
CONTRACT = dict(name="grid", task=@TASK@, target=Target("y", @CLASSES@), key="k", time="at")

def rename(old, new):
    global TEXT
    FEATURES[:] = [replace(f, name=new) if f.name == old else f for f in FEATURES]
    for names in (NUMBERS, CATEGORIES, FLAGS):
        names[:] = [new if name == old else name for name in names]
    TEXT = new if TEXT == old else TEXT

def another(**of):
    FEATURES.append(Feature("extra", "number", **of))
    NUMBERS.append("extra")

@BEFORE@
CONTRACT = Contract(**{"features": tuple(FEATURES), **CONTRACT})

def window(today):
    end = datetime.combine(today, time(), UTC)
    return end - timedelta(days=40), end

def load(start, end):
    rng, n = np.random.default_rng(0), 320
    rows = pd.DataFrame({
        "k": [f"r{i}" for i in range(n)],
        "at": pd.Timestamp(start) + pd.to_timedelta(np.arange(n) * 3, unit="h"),
        "amount": rng.normal(50, 20, n).round(2),
        "age": rng.integers(18, 90, n),
        "town": rng.choice(["Graz", "Linz", "Wels"], n),
        "channel": rng.choice(["web", "app"], n),
        "note": rng.choice(["late again", "very good", "so good so late"], n),
        "member": rng.random(n) < 0.5,
    })
    signal = (rows["amount"] / 20 + rows["age"] / 30 + rng.normal(0, 0.5, n)).to_numpy()
    signal = (signal - signal.mean()) / signal.std()
    rows["y"] = @OUTCOME@
    rows.loc[rng.random(n) < 0.1, "amount"] = np.nan
    rows.loc[rng.random(n) < 0.1, "channel"] = None
@LOAD@
    return rows

def estimator():
    return make_pipeline(ColumnTransformer(@COLUMNS@), @STEPS@)
@AFTER@
"""
#: task, classes of the target, outcome of a row by its signal
TARGETS = {
    "booleans": ("binary", (False, True), "signal > 0"),
    "text": ("binary", ("no", "yes"), 'np.where(signal > 0, "yes", "no")'),
    "0 and 1": ("binary", (0, 1), "(signal > 0).astype(int)"),
    "three classes": ("multiclass", ("a", "b", "c"), 'np.array(["a", "b", "c"])[np.searchsorted([-0.5, 0.5], signal)]'),
    "positive": ("regression", (), "np.exp(signal)"),
    "signed": ("regression", (), "signal * 100"),
}
NUMBER = "make_pipeline(SimpleImputer(), StandardScaler())"
ONE_HOT = 'OneHotEncoder(handle_unknown="ignore", sparse_output=False)'
FLAG = 'SimpleImputer(strategy="most_frequent")'


def columns(number=NUMBER, category=ONE_HOT, text="", flag=FLAG, more=""):
    """What a ColumnTransformer takes."""
    parts = ((number, "NUMBERS"), (category, "CATEGORIES"), (text, "TEXT"), (flag, "FLAGS"))
    listed = ", ".join(f'("{names}", {step}, {names})' for step, names in parts if step)
    return f"[{listed}]{more}"


def imputed(step):
    return f"make_pipeline(SimpleImputer(), {step})"


CATEGORIES = [
    "OneHotEncoder()",
    'OneHotEncoder(handle_unknown="ignore")',
    'OneHotEncoder(drop="first", handle_unknown="ignore")',
    'OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=10)',
    'OneHotEncoder(handle_unknown="warn", sparse_output=False)',
    'OneHotEncoder(handle_unknown="ignore", min_frequency=120)',
    "OrdinalEncoder()",
    'OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)',
    'OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan)',
    'make_pipeline(SimpleImputer(strategy="constant", fill_value="none"), OneHotEncoder(handle_unknown="ignore"))',
    'make_pipeline(SimpleImputer(missing_values="", strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore"))',
    "TargetEncoder(cv=3)",
    '"passthrough"',
    '"drop"',
]
NUMBERS = [
    "StandardScaler()",
    imputed("MinMaxScaler(clip=True)"),
    imputed("RobustScaler()"),
    imputed("PowerTransformer()"),
    imputed('PowerTransformer("box-cox")'),
    imputed("QuantileTransformer(n_quantiles=50)"),
    imputed('QuantileTransformer(n_quantiles=50, output_distribution="normal")'),
    imputed("KBinsDiscretizer(4)"),
    imputed('KBinsDiscretizer(4, encode="onehot-dense", strategy="uniform")'),
    imputed("SplineTransformer()"),
    imputed("PolynomialFeatures(2)"),
    'SimpleImputer(strategy="mean", add_indicator=True)',
    'SimpleImputer(strategy="median", add_indicator=True)',
    'SimpleImputer(strategy="most_frequent", add_indicator=True)',
    'SimpleImputer(strategy="constant", fill_value=-1, add_indicator=True)',
    "KNNImputer()",
    imputed("FunctionTransformer()"),
    imputed("FunctionTransformer(np.abs)"),
    'OneHotEncoder(handle_unknown="ignore")',
    'FeatureUnion([("a", SimpleImputer()), ("b", MissingIndicator())])',
    '"passthrough"',
    'make_pipeline(ColumnTransformer([("a", make_pipeline(SimpleImputer(), StandardScaler()), ["amount"])], remainder="passthrough"), MinMaxScaler())',
]
TEXTS = [
    "TfidfVectorizer()",
    'TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 3))',
    "CountVectorizer(ngram_range=(1, 2))",
    'CountVectorizer(binary=True, token_pattern="[a-z]+")',
    "HashingVectorizer(n_features=16)",
]
#: The columns of a ColumnTransformer, and the steps between it and the last one.
TRANSFORMERS = [
    *((columns(category=step), "") for step in CATEGORIES),
    *((columns(number=step), "") for step in NUMBERS),
    *((columns(text=step), "") for step in TEXTS),
    *((columns(), step) for step in ("SelectKBest(k=3)", "VarianceThreshold()", "PCA(3)", "TruncatedSVD(3)")),
    (columns(text="TfidfVectorizer()").replace("TEXT)", "[TEXT])"), ""),
    (columns(flag="", more=', remainder="passthrough"'), ""),
    (columns().replace("NUMBERS)", '["amount", "aeg"])'), ""),
    ('[("n", make_pipeline(SimpleImputer(), StandardScaler()), make_column_selector(dtype_include="number"))]', ""),
    (f'[("all", make_pipeline(ColumnTransformer({columns(flag="")}), StandardScaler()), [*NUMBERS, *CATEGORIES])]', ""),
    ("[]", ""),
]
CLASSIFIERS = [
    "LogisticRegression()",
    'SGDClassifier(loss="log_loss", random_state=0)',
    "SGDClassifier()",
    "RandomForestClassifier(3, max_depth=3)",
    "ExtraTreesClassifier(3, max_depth=3, random_state=0)",
    "HistGradientBoostingClassifier(max_iter=3)",
    "HistGradientBoostingClassifier(max_iter=3, categorical_features=[2])",
    "GradientBoostingClassifier(n_estimators=3)",
    "DecisionTreeClassifier(max_depth=3)",
    "KNeighborsClassifier()",
    'KNeighborsClassifier(weights="distance")',
    "GaussianNB()",
    "CalibratedClassifierCV(LinearSVC(), cv=2)",
    'CalibratedClassifierCV(LinearSVC(), method="isotonic", cv=2)',
    "MLPClassifier((3,), max_iter=3, random_state=0)",
    "LinearDiscriminantAnalysis()",
    "DummyClassifier()",
    'VotingClassifier([("a", LogisticRegression()), ("b", GaussianNB())], voting="soft")',
    'StackingClassifier([("a", LogisticRegression()), ("b", GaussianNB())], cv=2)',
    "DecisionTreeClassifier(min_samples_leaf=999)",
    'GridSearchCV(LogisticRegression(), {"C": [0.1, 1]}, cv=2)',
    "LinearRegression()",
    "LogisticRegression(C=-3)",
    "LogisticRegression",
    '"logistic"',
]
REGRESSORS = [
    "Ridge()",
    "Lasso(0.1)",
    "HuberRegressor()",
    "PoissonRegressor()",
    "GammaRegressor()",
    "RandomForestRegressor(3, max_depth=3)",
    "HistGradientBoostingRegressor(max_iter=3)",
    'HistGradientBoostingRegressor(max_iter=3, loss="poisson")',
    "GradientBoostingRegressor(n_estimators=3)",
    "KNeighborsRegressor()",
    "DummyRegressor()",
    "LogisticRegression()",
    'VotingRegressor([("a", Ridge()), ("b", DecisionTreeRegressor(max_depth=3))])',
    "TransformedTargetRegressor(Ridge(), func=np.log1p, inverse_func=np.expm1)",
]
for module, kind in (("xgboost", "XGB{}(n_estimators=3)"), ("lightgbm", "LGBM{}(n_estimators=3, verbose=-1)")):
    CLASSIFIERS.append(f"__import__({module!r}).{kind.format('Classifier')}")
    REGRESSORS.append(f"__import__({module!r}).{kind.format('Regressor')}")

#: Code of the recipe before the contract is made, and at the end of load(); a model can be made of these rows.
ADMITTED = [
    ("", ""),
    ("", 'rows["amount"] = np.nan'),
    ("", 'rows.loc[:270, "amount"] = np.nan'),
    ("", 'rows["channel"] = None'),
    ("", 'rows["member"] = None'),
    ("", 'rows["amount"], rows["age"], rows["town"], rows["member"] = 0.0, 7, "Graz", True'),
    ("", 'rows["member"] = pd.Series([np.bool_(v) for v in rows["member"]], dtype=object)'),
    ("", 'rows["age"] = rows["age"].astype("Int64"); rows["amount"] = rows["amount"].astype("Float64")'),
    ("", 'rows["member"] = rows["member"].astype("boolean"); rows.loc[:20, "member"] = pd.NA'),
    ("", 'rows["town"] = rows["town"].astype("string"); rows["age"] = rows["age"].astype("int64[pyarrow]")'),
    ("", 'rows["town"] = rows["town"].astype("category"); rows["age"] = rows["age"].astype("category")'),
    ("", 'rows["y"] = rows["y"].astype("category")'),
    (
        "",
        'rows["age"] = rows["age"].astype(pd.SparseDtype("int64", 0)); rows["amount"] = rows["amount"].astype("float16")',
    ),
    ("", 'rows["age"] = [Decimal(int(v)) for v in rows["age"]]; rows["amount"] = Decimal("NaN")'),
    ("", 'rows["amount"] = pd.NaT'),
    ("", 'rows.loc[:100, "amount"] = -0.0'),
    ("", 'rows["note"] = [f"note {i % 40}" for i in range(n)]; rows["town"] = rows["note"]'),
    ("", 'rows["note"] = "the"; rows.loc[290:, "town"] = "Steyr"'),
    ("", 'rows.loc[:20, "town"] = "ü" * 1000; rows.loc[21:40, "town"] = "a\\nb\\r\\tc"'),
    ("", 'rows["at"] = rows["at"].dt.tz_localize(None)'),
    ("", 'rows["at"] = rows["at"].dt.tz_convert("Europe/Vienna")'),
    ("", 'rows["at"] = rows["at"].astype(str)'),
    ("", 'rows["at"] = rows["at"].dt.date'),
    ("", 'rows = rows.sample(frac=1, random_state=0); rows["k"] = "same"'),
    ("", "rows = pd.concat([rows, rows.iloc[:50]])"),
    ("", 'rows = rows.set_index(["k", "at"], drop=False); rows.columns.name = "age"'),
    ("", 'rows[3] = 1; rows[("a", "b")] = 3; rows.index = [0] * n'),
    ("another()", 'rows["extra"] = 2**53 + np.arange(n)'),
    ("another()", 'rows["extra"] = pd.Series([2**70 + i for i in range(n)], dtype=object)'),
    ("another()", 'rows["extra"] = rng.normal(0, 1e37, n)'),
    ("another()", 'rows["extra"] = np.where(rng.random(n) < .5, 3.4e38, -3.4e38)'),
    ("another()", 'rows["extra"] = rng.normal(0, 1e-42, n)'),
    ("another(nullable=True)", 'rows["extra"] = None'),
    *(
        (f"rename('age', {name!r})", f"rows = rows.rename(columns={{'age': {name!r}}})")
        for name in ("label", "variable", "probabilities", "float_input", "größe", "class", "index", "None", "values")
    ),
    *(
        (f"rename({old!r}, {new!r})", f"rows = rows.rename(columns={{{old!r}: {new!r}}})")
        for old, new in (("town", "label"), ("town", "都市"), ("note", "variable"), ("member", "label"))
    ),
    ("", "rows['member'] = rows['member'].astype(int)"),
    (
        'CONTRACT |= {"retired": (Feature("old", "number", nullable=True),)}',
        'rows["old"] = pd.Series([1, None] * (n // 2), dtype="Int64")',
    ),
    ('CONTRACT |= {"slices": ["member"], "private": ["age", "k"], "zone": "Europe/Vienna"}', ""),
]

#: The same for rows and contracts that cannot be used; what the message must name, and the cure.
REFUSED = [
    ("", 'rows["amount"] = [Decimal("sNaN")] * n', "amount: its values raise InvalidOperation", "write numbers"),
    ("", 'rows.loc[3, "amount"] = np.inf', "amount", "replace([np.inf, -np.inf], np.nan)"),
    ("", 'rows.loc[3, "amount"] = 1e300', "amount", "leave such rows out"),
    ("another()", 'rows["extra"] = pd.Series([10**5000] * n, dtype=object)', "extra", "float32 holds numbers up to"),
    ("", 'rows["age"] = [Fraction(int(v), 3) for v in rows["age"]]', "age", ".astype(float)"),
    ("", 'rows["age"] = rows["age"].astype("longdouble")', "age", ".astype(float)"),
    ("", 'rows["age"] = rows["age"].astype(complex)', "age", "one plain value"),
    ("", 'rows["age"] = [[v] for v in rows["age"]]', "age", "one plain value"),
    ("", 'rows["age"] = pd.cut(rows["age"], 4)', "age", "one plain value"),
    ("", 'rows["age"] = rows["at"].dt.date', "age", ".dt.days"),
    ("", 'rows["age"] = rows["at"] - rows["at"].min()', "age", "total_seconds"),
    ("", 'rows["age"] = -1', "age", "another minimum or maximum"),
    ("", 'rows["member"] = rows["age"]', "member", 'rows["member"] > 0'),
    ("", 'rows["member"] = rows["at"]', "member", "your word for true"),
    ("", 'rows["town"] = rows["town"].astype(object); rows.loc[::2, "town"] = 4', "town", ".astype(str)"),
    ("", 'rows["town"] = [{v} for v in rows["town"]]', "town", ".astype(str)"),
    ("", 'rows["town"] = pd.Series([pd.Series([1, 2])] * n, dtype=object)', "town", ".astype(str)"),
    ("", 'rows.loc[:20, "town"] = ""', "town", '.replace("", None)'),
    ("", 'rows.loc[:20, "town"] = "x" * 5000', "town", ".str.slice(0, 1000)"),
    ("", 'rows.loc[:20, "town"] = "a\\0b"', "town", ".str.replace"),
    ("", 'rows["town"] = pd.Series(["\\ud800"] * n, dtype=object)', "town", ".str.encode"),
    ("", 'rows.loc[3, "channel"] = "phone"', "channel", "add it to choices"),
    ("", 'rows["age"] = rows["age"].astype(float); rows.loc[3, "age"] = np.nan', "age", "nullable=True"),
    ("", 'rows["y"] = [[v] for v in rows["y"]]', "y", "add it to classes"),
    ("", 'rows["y"] = rows["y"].astype(str)', "y", "your word for true"),
    ("", 'rows["y"] = rows["y"].astype(object); rows.loc[3, "y"] = None', "y", "leave rows"),
    ("", 'rows["y"] = True', "y of False", "a longer window()"),
    ("", 'rows = pd.concat([rows, rows[["age"]]], axis=1)', "age", "columns.duplicated()"),
    ("", "rows.columns = pd.MultiIndex.from_arrays([rows.columns, rows.columns])", "levels", '"_".join'),
    ("", 'rows["k"] = np.arange(n) / 2', "k: expected a string, got 0.0 (float)", ".astype(str)"),
    ("", 'rows["k"] = [UUID(int=i) for i in range(n)]', "k", ".astype(str)"),
    ("", 'rows["k"] = pd.Series(["\\ud800"] * n, dtype=object)', "k", ".str.encode"),
    ("", 'rows["at"] = rows["at"].dt.tz_localize(None).dt.to_period("h")', "at", ".dt.to_timestamp()"),
    ("", 'rows["at"] = rows["at"] - rows["at"].min()', "at", "expected times"),
    ("", 'rows["at"] = rows["at"].astype("int64").astype(object)', "at", 'unit="s"'),
    ("", 'rows["at"] = rows["at"].dt.strftime("%d.%m.%Y %H:%M")', "at", "format="),
    ("", 'rows["at"] = "soon"', "at", "format="),
    ("", 'rows["at"] = np.nan', "at", "missing"),
    ("", 'rows["at"] = datetime(1, 1, 1)', "at", "outside the window"),
    ("", 'rows["at"] = start', "no rows", "a longer window()"),
    ("", "rows = rows.iloc[:1]", "y", "a longer window()"),
    ("", "rows = rows.iloc[:0]", "returned no rows", "window()"),
    ("", "rows = None", "NoneType", "expected a pandas DataFrame"),
    ("", 'rows = rows.set_index("k")', "k is missing", "reset_index()"),
    *((f"rename('age', {name!r})", "", repr(name), "rename(columns=") for name in ("my age", "2age", "age🚀", "")),
    ("rename('age', 'score')", "", "score", "reserved for the model's answers"),
    ("FEATURES.append(FEATURES[0])", "", "amount", "used 2 times"),
    ('FEATURES[3] = Feature("channel", "category", choices=(1, 2))', "", "channel: choices has 1", "expected text"),
    ('FEATURES[3] = Feature("channel", "category", choices=None)', "", "channel: choices is None", "expected a tuple"),
    ('FEATURES[3] = Feature("channel", "category", choices={"web"})', "", "channel: choices is", "expected a tuple"),
    ('FEATURES[1] = Feature("age", "number", description={1})', "", "age: description", "plain text"),
    ('FEATURES[1] = Feature("age", "number", description=np.array([1, 2]))', "", "age: description", "plain text"),
    ('FEATURES[1] = Feature("age", "number", unit="\\ud800")', "", "age: unit", "plain text"),
    ('FEATURES[1] = Feature("age", np.array([1, 2]))', "", "age: kind", "number, category, boolean"),
    ('FEATURES[1] = Feature("age", "number", minimum=np.float32(0))', "", "age: minimum", "int or float"),
    ('CONTRACT["slices"] = (["member"],)', "", "slices: ['member'] (list)", "is not text"),
    ('CONTRACT["key"] = None', "", "key: None", "is not text"),
    ('CONTRACT["target"] = Target(3)', "", "a target's name is 3", "expected text"),
    ('CONTRACT["target"] = Target("y", None)', "", "y: classes is None", "expected a tuple"),
    ('CONTRACT["target"] = Target("y", {"a", "b"})', "", "y: classes is", "expected a tuple"),
    ('CONTRACT["target"] = Target("y", np.array([1, 2]))', "", "y: classes is", "expected a tuple"),
    ('CONTRACT["target"] = Target("y", tuple(np.array(["a", "b"])))', "", "y: classes has", "text, whole numbers"),
    ('CONTRACT["target"] = Target("y", (["a"], ["b"]))', "", "y: classes has", "text, whole numbers"),
]

OWN = """
class Mine(ClassifierMixin, BaseEstimator):
    def fit(self, rows, truth):
        self.classes_ = [0, 1]
        return self
    def predict_proba(self, rows):
        {}
def estimator():
    return Mine()
"""
#: The recipe's end, what the message must name, and the cure or what was expected.
ENDS = [
    ("HOLDOUT = timedelta.max", "no rows to train on", "HOLDOUT"),
    ("HOLDOUT = 14", "HOLDOUT is 14", "timedelta(days=14)"),
    ("def window(today): return pd.NaT, pd.NaT", "window() returned no time", "expected two datetimes"),
    ("def window(today): return today, today", "window() returned date and date", "expected two datetimes"),
    (
        "from zoneinfo import ZoneInfo\ndef window(today): return datetime.min.replace(tzinfo=ZoneInfo('Asia/Tokyo')), datetime.now(UTC)",
        "window() returned times that UTC cannot express",
        "expected two datetimes",
    ),
    ("def load(start, end): raise GeneratorExit", "load() failed: GeneratorExit", "recipe.py:"),
    (
        "def load(start, end): raise BaseExceptionGroup('many', [KeyboardInterrupt()])",
        "load() failed: BaseExceptionGroup",
        "recipe.py:",
    ),
    (
        "class Odd(Exception):\n    def __str__(self): return None\ndef load(start, end): raise Odd",
        "load() failed: Odd",
        "recipe.py:",
    ),
    ("def load(start, end): assert False", "load() failed: AssertionError (", "recipe.py:"),
    ("raise BaseException('stop')", "cannot be imported: BaseException: stop", "recipe.py:"),
    ("estimator = 5", "has no estimator", "complete example"),
    ("def estimator(): return 'logistic'", "estimator() returned str", "expected a scikit-learn estimator"),
    (OWN.format("raise SystemExit('bye')"), "SystemExit: bye", "recipe.py:"),
    (OWN.format("return np.zeros((3, 2))"), "shape (3, 2)", "expected (64, 2)"),
    (OWN.format("return None"), "shape ()", "expected (64, 2)"),
    (OWN.format("return np.full((len(rows), 2), 5.0)"), "returned 5 to 5", "probabilities"),
    (OWN.format("return np.full((len(rows), 2), np.nan)"), "finite", "Mine"),
    (OWN.format("return np.full((len(rows), 2), 0.5)"), "Mine cannot be exported", "use "),
    (
        OWN.format("return np.full((len(rows), 2), 0.5)")
        .replace("ClassifierMixin, BaseEstimator", "")
        .replace("    def fit", "    def get_params(self, deep=True): return {}\n    def fit"),
        "cannot be exported",
        "Mine",
    ),
]
CURE = re.compile(
    r"write |use |expected |What to do|give |fill |encode |replace |add |declare |scale |look at |correct |has no predict"
)
NAMED = re.compile(
    r"[a-z]\w*: |[A-Z]\w+(Encoder|Imputer|Transformer|Scaler|Vectorizer|Regress\w+|Classifier|Boosting|Discretizer|Selector|Pipeline|Indicator|Analysis)|recipe\.py"
)


@pytest.fixture
def run(tmp_path, capfd):
    """A recipe's text, as a file, trained as a user does; its exit code, message and bundle."""
    numbers = count()

    def trained(target, transformer, last, before="", load="", after=""):
        task, classes, outcome = TARGETS[target]
        table, step = transformer
        parts = {
            "TASK": repr(task),
            "CLASSES": repr(classes),
            "OUTCOME": outcome,
            "BEFORE": before,
            "LOAD": indent(load, "    "),
            "COLUMNS": table,
            "STEPS": f"{step}, {last}" if step else last,
            "AFTER": after,
        }
        folder = tmp_path / str(next(numbers))
        folder.mkdir()
        text = re.sub(r"@([A-Z]+)@", lambda found: parts[found[1]], RECIPE)
        (folder / "recipe.py").write_text(text, encoding="utf-8")
        words = ["train", "--recipe", str(folder / "recipe.py"), "--today", "2026-02-20", "--out", str(folder / "out")]
        capfd.readouterr()
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            try:
                code = main(words)
            except BaseException as error:
                shown = "".join(traceback.format_exception(error)[-3:])
                pytest.fail(f"{before}\n{load}\n{last}\n{table} {step}\n{after}\n{shown}")
        said = capfd.readouterr().err
        case = f"{before} | {load} | {table} {step} | {last} | {after}\n{said}"
        assert not warned, f"{case}\n{[str(each.message) for each in warned]}"
        assert "Traceback" not in said, case
        assert "report it" not in said, case
        made = [each for each in folder.glob("out/*") if not each.name.startswith(".")]
        if code == OK:
            assert said == "", case
            assert Bundle.load(made[0], evidence=True).contract.name == "grid"
        else:
            assert code == NO_MODEL, case
            assert said.startswith("error: no model was trained. "), case
            assert made == [], case
        return code, said, case

    return trained


def drawn(seed, many, *axes):
    """*many* tuples of a value from each of *axes*, each value as often as the others of its axis."""
    generator = random.Random(seed)
    shuffled = [generator.sample(axis, len(axis)) for axis in axes]
    return [tuple(axis[n % len(axis)] for axis in shuffled) for n in range(many)]


USUAL = (columns(), "")
DRAWN = [
    *drawn(
        23,
        max(len(TRANSFORMERS), len(ADMITTED)),
        TRANSFORMERS,
        CLASSIFIERS,
        ADMITTED,
        ["booleans", "text", "0 and 1", "three classes"],
    ),
    *drawn(24, len(REGRESSORS), TRANSFORMERS, REGRESSORS, ADMITTED, ["positive", "signed"]),
]


@pytest.mark.parametrize(("transformer", "last", "rows", "target"), DRAWN, ids=range(len(DRAWN)))
def test_every_recipe_makes_a_bundle_or_a_sentence_with_a_name_and_a_cure(run, transformer, last, rows, target):
    """Transformers, estimators, rows and targets that meet by chance."""
    before, load = rows
    code, said, case = run(target, transformer, last, before, load)
    if code != OK:
        assert CURE.search(said), case
        assert NAMED.search(said), case
        assert "cannot be imported" not in said, case


#: With the usual steps before them and the usual rows, these make a bundle.
SERVED = {
    "LogisticRegression()",
    'SGDClassifier(loss="log_loss", random_state=0)',
    "GaussianNB()",
    "CalibratedClassifierCV(LinearSVC(), cv=2)",
    "MLPClassifier((3,), max_iter=3, random_state=0)",
    'StackingClassifier([("a", LogisticRegression()), ("b", GaussianNB())], cv=2)',
    "DecisionTreeClassifier(min_samples_leaf=999)",
    'GridSearchCV(LogisticRegression(), {"C": [0.1, 1]}, cv=2)',
    "Ridge()",
    "Lasso(0.1)",
    "HuberRegressor()",
}

#: What does the same as these, which differ in ONNX or cannot be fitted.
CURES = {
    'KNeighborsClassifier(weights="distance")': "weights='uniform'",
    'CalibratedClassifierCV(LinearSVC(), method="isotonic", cv=2)': "method='sigmoid'",
    'VotingClassifier([("a", LogisticRegression()), ("b", GaussianNB())], voting="soft")': "flatten_transform=False",
    "TransformedTargetRegressor(Ridge(), func=np.log1p, inverse_func=np.expm1)": "narrow its minimum and maximum",
    "LogisticRegression": "correct the steps in estimator()",
}


@pytest.mark.parametrize(
    ("target", "last"), [*(("booleans", each) for each in CLASSIFIERS), *(("positive", each) for each in REGRESSORS)]
)
def test_each_estimator_alone(run, target, last):
    """With the usual steps before it, so that nothing else is what is refused."""
    code, said, case = run(target, USUAL, last)
    if last in SERVED and (target, last) != ("positive", "LogisticRegression()"):
        assert code == OK, case
    if code != OK:
        assert CURE.search(said), case
        assert NAMED.search(said), case
    assert CURES.get(last, "") in said, case


@pytest.mark.parametrize(("before", "load", "name", "cure"), REFUSED, ids=range(len(REFUSED)))
def test_rows_and_contracts_that_cannot_be_used_are_named_with_a_cure(run, before, load, name, cure):
    """The field, and what to write."""
    code, said, case = run("booleans", USUAL, "LogisticRegression()", before, load)
    assert code == NO_MODEL, case
    assert name in said, case
    assert cure in said, case


@pytest.mark.parametrize(("after", "name", "cure"), ENDS, ids=range(len(ENDS)))
def test_functions_of_a_recipe_that_fail_are_named(run, after, name, cure):
    """Whatever they raise or return."""
    code, said, case = run("booleans", USUAL, "LogisticRegression()", after=after)
    assert code == NO_MODEL, case
    assert name in said, case
    assert cure in said, case


MODULE = {
    "a dataclass whose annotations are text": "@dataclass\nclass Row:\n    size: 'int' = 3",
    "pickle": "import pickle\nclass Row: pass\npickle.dumps(Row())",
    "its own function in other processes": """
def score(made, rows, truth): return float((made.predict(rows) == truth).mean())
made = estimator
def estimator():
    steps = made().steps[:-1]
    return Pipeline([*steps, ("search", GridSearchCV(LogisticRegression(), {"C": [1]}, cv=2, scoring=score, n_jobs=2))])
""",
}


@pytest.mark.parametrize("name", MODULE)
def test_a_recipe_is_a_module_like_any_other(run, name):
    """What needs a class or a function by the name of its module finds it."""
    code, _, case = run("booleans", USUAL, "LogisticRegression()", after=MODULE[name])
    assert code == OK, case


@pytest.mark.parametrize(
    ("transformer", "last", "words"),
    [
        ((columns("SimpleImputer(add_indicator=True)"), ""), "Ridge()", "add a boolean feature in load()"),
        ((columns("KNNImputer()"), ""), "Ridge()", "use SimpleImputer"),
        ((columns(imputed("KBinsDiscretizer(4)")), ""), "Ridge()", "encode='onehot-dense'"),
        ((columns(text='TfidfVectorizer(analyzer="char_wb")'), ""), "Ridge()", "analyzer='word'"),
    ],
)
def test_a_step_that_differs_in_onnx_is_named_with_what_does_the_same(run, transformer, last, words):
    """The cure is of the step, not of skl2onnx."""
    code, said, case = run("positive", transformer, last)
    assert code == NO_MODEL, case
    assert words in said, case


def test_an_empty_column_is_named_wherever_it_fails(run):
    """An imputer drops it, and the model then has one column fewer than its contract."""
    for field in ("amount", "member"):
        _, said, case = run("booleans", USUAL, "LogisticRegression()", load=f"rows[{field!r}] = None")
        assert f"{field}: all 256 training rows are null" in said, case
        assert f"feature drop {field}" in said, case

"""A recipe is any file with a contract, a window, a load and an estimator; its mistakes are named."""

from datetime import date
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from sklearn.tree import DecisionTreeClassifier

from contracts.row_contract import Contract, ContractError, Feature, Target
from model.data import DataError, encoded_target
from model.estimator_scores import measure
from model.train import PROBE, RecipeError, predict, read_recipe, train

pytestmark = pytest.mark.slow

TODAY = date(2026, 2, 20)


def altered(recipes, tmp_path, more, name="altered.py"):
    """The small binary recipe, with *more* code at its end."""
    path = tmp_path / name
    source = (recipes / "buys.py").read_text()
    path.write_text(source.replace("Path(__file__).parent", f"Path({str(recipes)!r})") + more)
    return read_recipe(path)


@pytest.mark.parametrize("name", ["buys", "tariff", "basket"])
def test_a_recipe_of_each_task_predicts_better_than_chance(recipes, name):
    """Binary, multiclass and regression go through the same code."""
    fitted = train(read_recipe(recipes / f"{name}.py"), TODAY)

    assert fitted.metrics.get("roc_auc", 1) > 0.7
    assert fitted.metrics.get("r2", 1) > 0.3


def test_the_default_recipe_is_trained_on_laguardia_alone_until_april():
    """Newark and Kennedy come in as new segments on 8 April."""
    recipe = read_recipe(Path("model/recipe.py"))
    before = recipe.load(*recipe.window(date(2013, 4, 1)))
    after = recipe.load(*recipe.window(date(2013, 4, 29)))

    assert set(before["origin"]) == {"LGA"}
    assert after.groupby("origin")["scheduled_at"].min().dt.strftime("%m-%d").to_dict() == {
        "EWR": "04-08",
        "JFK": "04-08",
        "LGA": "01-29",
    }


def test_the_default_recipe_has_a_yesterday_on_every_night():
    """The year is replayed in rounds of 364 days, on the same weekdays."""
    recipe = read_recipe(Path("model/recipe.py"))
    now = recipe.load(*recipe.window(date(2027, 1, 4)))

    assert now["scheduled_at"].max() > pd.Timestamp("2027-01-03T12:00Z")
    assert now["scheduled_at"].dt.normalize().nunique() >= 90


def test_the_default_recipe_keeps_local_time_in_every_round():
    """Summer time changes on its day of that year, in the middle of a window, and not 364 days after the last."""
    recipe = read_recipe(Path("model/recipe.py"))
    rows = recipe.load(*recipe.window(date(2026, 12, 1)))
    local = rows["scheduled_at"].dt.tz_convert("America/New_York")

    assert (local.dt.day_of_week == rows["weekday"]).mean() > 0.999
    assert (local.dt.hour * 60 + local.dt.minute == rows["minute"]).mean() > 0.999
    assert set(rows.groupby(rows["scheduled_at"] < pd.Timestamp("2026-11-01T06:00Z")).size() > 5000) == {True}


def test_what_a_recipe_lacks_is_listed(tmp_path):
    """All at once, with an example to look at."""
    path = tmp_path / "empty.py"
    path.write_text("def load(start, end): pass")

    with pytest.raises(RecipeError, match=r"has no CONTRACT .*, window, estimator; model/recipe.py"):
        read_recipe(path)


def test_a_recipe_that_is_not_there_says_what_to_type(tmp_path):
    """A typing error in --recipe is answered in a sentence."""
    with pytest.raises(RecipeError, match=r"no recipe at .*nowhere\.py; name a Python file: --recipe"):
        read_recipe(tmp_path / "nowhere.py")


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ("\n1 / 0\n", "cannot be imported: ZeroDivisionError"),
        ("\ndef window(today): raise KeyError('x')\n", r"window\(\) failed: KeyError"),
        ("\ndef load(start, end): raise OSError('no disk')\n", r"load\(\) failed: OSError: no disk"),
        ("\ndef estimator(): return nothing\n", r"estimator\(\) failed: NameError"),
        ("\ndef estimator(): return object()\n", r"estimator\(\) returned object; expected a scikit-learn estimator"),
    ],
)
def test_a_recipe_that_raises_is_reported_with_the_line(recipes, tmp_path, more, words):
    """Which of its functions, which error, which line."""
    with pytest.raises(RecipeError, match=words + r".*\(\w+.py:\d+\)"):
        train(altered(recipes, tmp_path, more), TODAY)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ("rows.iloc[:0]", DataError, r"load\(\) returned no rows"),
        ("rows.rename(columns={'pages': 'page_count'})", DataError, "is it called 'page_count'"),
        ("rows.assign(pages='many')", ContractError, "pages: expected a number of at least 0"),
        ("rows.assign(bought=None)", ContractError, "bought: expected one of 'no', 'yes'"),
        ("rows.assign(bought='no')", DataError, "have no bought of yes"),
    ],
)
def test_data_that_cannot_be_trained_on_is_refused(recipes, tmp_path, change, error, words):
    """With what is wrong with it."""
    more = f"\nwhole = load\ndef load(start, end):\n    rows = whole(start, end)\n    return {change}\n"

    with pytest.raises(error, match=words):
        train(altered(recipes, tmp_path, more), TODAY)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            "rows.assign(pages='many', returning='no')",
            r"- visits.py:\d+: returning: expected true or.*\n  - visits.py:\d+: pages: expected a number",
        ),
        (
            "rows.drop(columns='device').assign(age='old')",
            r"- visits.py:\d+: device is missing.*\n  - visits.py:\d+: age: expected a number",
        ),
        ("rows.assign(visitor=7)", r"- buys.py:26: visitor: expected a string, got 7"),
        ("rows.assign(at=rows['at'] + pd.Timedelta('400D'))", r"- buys.py:27: at: .* lie outside the window"),
        ("rows.assign(bought=1)", r"- buys.py:25: bought: expected one of 'no', 'yes', got 1"),
        ("rows.assign(bought='no')", r"- buys.py:25: the .* rows to train on have no bought of yes"),
        ("rows.iloc[:0]", r"buys.py:34: load\(\) returned no rows"),
        ("5", r"buys.py:\d+: load returned int"),
        ("rows.assign(pages=None)", r"visits.py:\d+: pages: expected a number .*nullable=True"),
    ],
)
def test_what_is_wrong_with_the_rows_is_said_with_the_line_of_the_field(recipes, tmp_path, change, words):
    """Of the file that declares it: the recipe, or one that it imports."""
    more = f"\nwhole = load\ndef load(start, end):\n    rows = whole(start, end)\n    return {change}\n"
    recipe = altered(recipes, tmp_path, more, name="buys.py")

    with pytest.raises((ContractError, DataError), match=words):
        train(recipe, TODAY)


@pytest.mark.parametrize(("splitter", "fits", "changes"), [("best", 3, False), ("random", 4, True)])
def test_where_no_seed_matters_nothing_is_trained_twice(splitter, fits, changes):
    """A few rows show it; where it does matter, the second model is trained on all rows."""
    values = pd.Series(range(3 * PROBE))
    at = pd.Timestamp("2026-01-01", tz="UTC") + pd.to_timedelta(values, unit="min")
    sizes = []

    class Tree(DecisionTreeClassifier):
        """Says how many rows it is given."""

        def fit(self, rows, truth):
            sizes.append(len(rows))
            return super().fit(rows, truth)

    rows = pd.DataFrame(
        {
            "k": "k",
            "t": at,
            "a": (values * 7919 % 1009).astype(float),
            "b": (values * 104_729 % 997).astype(float),
            "y": (values * 31 % 101 + values * 7919 % 1009 / 10) > 100,
        }
    )
    recipe = SimpleNamespace(
        CONTRACT=Contract(
            "toy",
            "binary",
            (Feature("a", "number"), Feature("b", "number")),
            Target("y", (False, True)),
            key="k",
            time="t",
        ),
        window=lambda _: (at.iloc[0], at.iloc[-1] + pd.Timedelta("1D")),
        load=lambda *_: rows,
        estimator=lambda: Tree(splitter=splitter, max_depth=4),
        __file__="recipe.py",
    )
    unstable = train(recipe, TODAY, refit=False).unstable

    assert sizes[1:3] == [PROBE, PROBE]
    assert len(sizes) == fits
    assert (unstable > 0) == changes


@pytest.mark.parametrize(
    ("returned", "words"),
    [
        ("None", "returned None"),
        ("('2026-01-01', '2026-02-01')", "returned str and str"),
        ("(today, today)", "returned date and date"),
        ("(datetime(2026, 1, 1), datetime(2026, 2, 1))", "datetimes without a zone"),
        ("(datetime(2026, 2, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC))", "not before the end"),
        ("(today, today, today)", "returned a tuple of 3"),
        ("today", "returned a date"),
        (
            "(datetime.fromisoformat('0001-01-01T00:00+09:00'), datetime(2026, 1, 1, tzinfo=UTC))",
            "times that UTC cannot express",
        ),
    ],
)
def test_a_window_that_is_no_stretch_of_time_is_refused_with_its_line(recipes, tmp_path, returned, words):
    """What came back, where window() is, and what to write."""
    with pytest.raises(RecipeError, match=words + r".*\(altered.py:\d+\); expected two datetimes"):
        train(altered(recipes, tmp_path, f"\ndef window(today): return {returned}\n"), TODAY)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ("\ndef load(start, end: pass\n", r"SyntaxError.*\(altered.py:\d+\)"),
        ("\nimport nothing_here\n", r"ModuleNotFoundError.*\(altered.py:\d+\)"),
        ("\nraise SystemExit(3)\n", r"SystemExit: 3 \(altered.py:\d+\)"),
        (
            "\nfrom model.contract import Feature\nFeature('a', 'number', minimun=0)\n",
            "Feature takes name, kind, .*minimum",
        ),
        ("\nfrom model.contract import Feature\nFeature('a')\n", "kind is number, category or boolean"),
        ("\nHOLDOUT = 14\n", r"HOLDOUT is 14; expected a time such as timedelta\(days=14\)"),
        (
            "\ndef load(start, end): return visits(start, end)['at'].dt.tz_localize(None) >= start\n",
            r"\(altered.py:\d+\); start and end are times in UTC.*utc=True",
        ),
        ("\ndef estimator():\n    from sklearn.svm import LinearSVC\n    return LinearSVC()\n", "fit"),
    ],
)
def test_a_mistake_of_the_recipe_is_said_with_its_line_and_what_to_write(recipes, tmp_path, more, words):
    """Whatever it raises, and wherever in a library."""
    with pytest.raises(RecipeError, match=words):
        train(altered(recipes, tmp_path, more), TODAY)


@pytest.mark.parametrize("value", [0.3, 49.99, 1e9 + 0.1])
def test_r2_of_a_constant_outcome_is_0(value):
    """Its variance as computed is float noise, which would make a number with twenty digits of R²."""
    contract = Contract("x", "regression", (Feature("a", "number"),), Target("y"), key="k", time="t")
    truth = np.where(np.arange(600) % 3 == 0, np.nextafter(value, np.inf), value)

    assert measure(contract, truth, np.arange(600.0))["r2"] == 0.0


def test_rows_are_trained_on_with_their_weights_and_evaluated_plainly(recipes, tmp_path):
    """Twice the weight is twice the row; metrics count each row once; the report says so."""
    plain = train(altered(recipes, tmp_path, ""), TODAY, second_fit=False)
    heavy = "\ndef weights(rows):\n    return (rows['pages'] > 5) * 9.0 + 1\n"
    weighted = train(altered(recipes, tmp_path, heavy), TODAY, second_fit=False)
    constant = train(
        altered(recipes, tmp_path, "\ndef weights(rows):\n    return [1] * len(rows)\n"), TODAY, second_fit=False
    )

    assert constant.metrics == plain.metrics
    assert weighted.metrics["log_loss"] > plain.metrics["log_loss"]
    holdout, scores = weighted.split.holdout, predict(weighted.estimator, weighted.split, weighted.contract)
    assert measure(weighted.contract, encoded_target(holdout, weighted.contract), scores) == weighted.metrics
    assert any("weights(rows), from 1 to 10:" in line and "count each row once" in line for line in weighted.remarks)
    assert weighted.release is not None


@pytest.mark.parametrize(
    ("returned", "said"),
    [
        ("None", "weights() returned the shape ()"),
        ("[1.0]", "weights() returned the shape (1,)"),
        ("rows[['pages', 'age']]", "weights() returned the shape (4"),
        ("['much'] * len(rows)", "weights() returned list, which is no array of numbers"),
        ("-rows['pages'] - 1", "weights() returned -"),
        ("rows['pages'] * float('nan')", "weights() returned nan"),
        ("rows['pages'] * 0", "weights() returned 0 for all"),
        ("rows['nothing']", "weights() failed"),
    ],
)
def test_wrong_weights_are_refused_with_their_place(recipes, tmp_path, returned, said):
    """As one sentence, with what was expected."""
    recipe = altered(recipes, tmp_path, f"\ndef weights(rows):\n    return {returned}\n")
    with pytest.raises((RecipeError, DataError)) as caught:
        train(recipe, TODAY, second_fit=False)

    assert said in str(caught.value)
    assert "altered.py:" in str(caught.value)


@pytest.mark.parametrize(
    ("made", "said"),
    [
        ("neighbors.KNeighborsClassifier()", "the fit of KNeighborsClassifier takes none"),
        (
            "calibration.CalibratedClassifierCV(linear_model.LogisticRegression())",
            "the fit of CalibratedClassifierCV may not hand them on",
        ),
    ],
)
def test_weights_that_would_not_be_used_are_refused(recipes, tmp_path, made, said):
    """With what to write instead."""
    module, name = made.split("(")[0].split(".")
    code = made.replace(f"{module}.", "", 1).replace("linear_model.", "")
    more = f"""
from sklearn.{module} import {name}
from sklearn.linear_model import LogisticRegression

def estimator():
    return {code}

def weights(rows):
    return rows["pages"] + 1
"""
    with pytest.raises(DataError, match="class_weight in the estimator") as caught:
        train(altered(recipes, tmp_path, more), TODAY, second_fit=False)

    assert said in str(caught.value)

"""`python -m model init`: from a table to a recipe that is trained on; what is refused is said in words."""

import ast
import sqlite3
from contextlib import closing
from datetime import date, timedelta

import duckdb
import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import log_loss
from sklearn.tree import DecisionTreeClassifier

from contracts.thresholds import read_rules
from model import init
from model.__main__ import NO_MODEL, OK, USAGE, main
from model.data import check
from model.declarations import declared
from model.new_recipe.column_roles import known_afterwards, labels, times
from model.new_recipe.field_names import field_names
from model.new_recipe.questions import asking, guessed
from model.new_recipe.recipe_draft import HOLDOUT_ROWS, Asked, draft
from model.new_recipe.recipe_text import described, plain_name, recipe_text
from model.new_recipe.source_table import SourceError, SourceTable, read_query, read_table
from model.train import load_rows, read_recipe

pytestmark = pytest.mark.slow

DAYS = pd.date_range("2026-01-01", periods=90, freq="D")


@pytest.fixture
def here(tmp_path, monkeypatch, root):
    """A folder in which commands are typed."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def rentals():
    """A row an hour, as bicycle hire publishes them: days and hours apart, and a target that is the sum of two columns."""
    random = np.random.default_rng(3)
    rows = pd.DataFrame([(day, hour) for day in DAYS for hour in range(24)], columns=["dteday", "hr"])
    rows.insert(0, "instant", range(1, len(rows) + 1))
    rows["sky"] = random.choice(["clear", "mist", "rain"], len(rows))
    rows["temp"] = random.random(len(rows)).round(2)
    rows["casual"] = random.poisson(10 + 20 * rows["temp"])
    rows["registered"] = random.poisson(40 + rows["hr"])
    return rows.assign(cnt=rows["casual"] + rows["registered"], dteday=rows["dteday"].dt.strftime("%Y-%m-%d"))


def loans():
    """Local times in German, names that are no identifiers, several loans a customer, a fee that only defaults have."""
    random = np.random.default_rng(4)
    n = 3_000
    at = pd.Timestamp("2026-01-01") + pd.to_timedelta(np.sort(random.integers(0, 90 * 86_400, n)), "s")
    rows = pd.DataFrame(
        {
            "Loan ID": [f"L{number:05d}" for number in range(n)],
            "Customer-Nr": random.integers(1_000, 1_900, n),
            "Applied at": at.strftime("%d.%m.%Y %H:%M"),
            "Amount (EUR)": random.lognormal(8, 1, n).round(2),
            "Region": random.choice(["Nord", "Süd", "Ost"], n),
            "score": random.normal(600, 80, n).round(),
            "income": np.where(random.random(n) < 0.1, np.nan, random.lognormal(10, 0.5, n).round()),
            "remarks": [f"another text, number {number}" for number in range(n)],
            "defaulted": random.choice(["no", "yes"], n, p=[0.8, 0.2]),
        }
    )
    return rows.assign(recovery_fee=np.where(rows["defaulted"] == "yes", rows["score"], 0.0))


def drafted(rows, table=None, **asked):
    return draft("table", table or SourceTable(rows, "t.csv", (), "rows"), Asked(**asked), guessed)


def test_a_csv_becomes_a_recipe_that_is_trained_on(here, root, capsys):
    """Written, tried, and then trained, with the commands that it names."""
    loans().to_csv("loans.csv", index=False)
    rules = ["--rules", str(root / "checks/thresholds.toml")]
    found = main(["init", "loans.csv", "--zone", "Europe/Berlin", "--recipe", "recipe.py", *rules])
    said = capsys.readouterr().out

    assert found == OK, said
    assert "key: customer_nr" in said
    assert "left out: recovery_fee: alone it predicts the target almost exactly" in said
    assert " rows fit the contract" in said
    assert "next: RECIPE=recipe.py TODAY=2026-04-01 make retrain gate land" in said
    assert main(["train", "--recipe", "recipe.py", "--today", "2026-04-01", "--out", "out", *rules]) == OK
    assert "estimator and ONNX agree" in capsys.readouterr().out


@pytest.mark.parametrize("kind", ["a folder of Parquet", "an SQL table", "an SQL query", "a DuckDB file"])
def test_every_kind_of_source_gives_a_recipe_that_can_be_tried(kind, here, root, capsys):
    """The password of a database is not in the recipe."""
    words = ["--target", "defaulted", "--recipe", "recipe.py", "--rules", str(root / "checks/thresholds.toml")]
    if kind == "a folder of Parquet":
        (here / "parts").mkdir()
        for number, part in enumerate((loans()[:1500], loans()[1500:])):
            part.to_parquet(f"parts/{number}.parquet")
        words = ["parts", *words]
    elif kind == "a DuckDB file":
        rows = loans()  # noqa: F841 -- DuckDB reads it by its name
        with duckdb.connect("shop.db") as database:
            database.execute("CREATE TABLE loans AS FROM rows")
        words = ["loans", "--sql", "shop.db", *words]
    else:
        with sqlite3.connect("shop.db") as database:
            loans().to_sql("loans", database, index=False)
        query = "loans" if kind == "an SQL table" else "SELECT * FROM loans WHERE \"Region\" <> 'Ost'"
        words = [query, "--sql", "sqlite:///shop.db", *words]

    assert main(["init", *words]) == OK, capsys.readouterr().err
    assert "shop.db" not in (here / "recipe.py").read_text()


def test_days_and_hours_apart_are_one_time_and_parts_of_the_target_no_features():
    """What a table of rentals has: before, the sum of two features was predicted without an error."""
    found = drafted(rentals())

    assert (found.task, found.target, found.key) == ("regression", "cnt", "")
    assert (
        found.time_reading == 'pd.to_datetime(rows["dteday"], format="ISO8601") + pd.to_timedelta(rows["hr"], unit="h")'
    )
    assert [each.name for each in found.features] == ["hr", "sky", "temp"]
    assert found.left["casual"] == "with registered it adds up to the target"
    assert found.left["instant"] == "a running number"


def test_what_is_decided_of_a_table_with_odd_names():
    """Each name becomes an identifier; a reserved one is changed; ids and texts are no features."""
    found = drafted(loans(), zone="Europe/Berlin")

    assert found.classes == ("no", "yes")
    assert (found.key, found.time, found.local, found.zone) == ("customer_nr", "applied_at", True, "Europe/Berlin")
    assert [each.name for each in found.features] == ["amount_eur", "Region", "given_score", "income"]
    assert [each.name for each in found.features if each.nullable] == ["income"]
    assert found.left == {
        "recovery_fee": found.left["recovery_fee"],
        "Loan ID": "an id",
        "remarks": "3,000 different texts: an id, or words",
    }
    assert found.window.days == 90
    assert found.holdout.days == 21  # 14 days would have fewer rows than the gate compares models on


def test_a_later_time_may_be_when_the_outcome_is_known():
    """It is no feature, and what to write is said."""
    at = pd.to_datetime(loans()["Applied at"], format="%d.%m.%Y %H:%M")
    found = drafted(loans().assign(**{"decided on": at + pd.Timedelta(days=3)}), time="Applied at")

    assert found.left["decided on"].endswith("type --known-at 'decided on'")


def late(form="%Y-%m-%d %H:%M:%S"):
    """Loans whose outcome is known after twenty days, and not yet for the newest."""
    rows = loans()
    at = pd.to_datetime(rows["Applied at"], format="%d.%m.%Y %H:%M")
    known = (at + pd.Timedelta(days=20)).where(at < "2026-03-10")
    rows["defaulted"] = rows["defaulted"].where(known.notna(), None)
    rows = rows.drop(columns="recovery_fee")
    return rows.assign(decided=known.dt.strftime(form) if form else known.dt.tz_localize("UTC"))


@pytest.mark.parametrize("form", ["%Y-%m-%d %H:%M:%S", "%d.%m.%Y", None])
def test_when_an_outcome_is_known_becomes_part_of_the_contract(form, tmp_path):
    """A column that is empty where the outcome is needs no question; rows without an outcome are loaded."""
    rows = late(form)
    rows.to_parquet(tmp_path / "t.parquet")
    text = recipe_text(
        drafted(rows, read_table(str(tmp_path / "t.parquet")), time="Applied at", zone="Europe/Berlin" if form else "")
    )
    (tmp_path / "recipe.py").write_text(text, encoding="utf-8")
    recipe = read_recipe(tmp_path / "recipe.py")
    found, start, end = load_rows(recipe, date(2026, 4, 1))

    assert recipe.CONTRACT.target.known_at == "decided"
    assert "decided" not in recipe.CONTRACT.feature_names
    checked = check(found, recipe.CONTRACT, start, end, declared(recipe))
    assert checked["defaulted"].isna().any()
    assert len(checked) > 2_900


def test_an_outcome_known_after_days_is_its_maturity(tmp_path):
    """Old rows without an outcome are left out."""
    rows = late().drop(columns="decided")
    rows.loc[:9, "defaulted"] = None
    rows.to_parquet(tmp_path / "t.parquet")
    text = recipe_text(drafted(rows, read_table(str(tmp_path / "t.parquet")), known_at="30d"))
    (tmp_path / "recipe.py").write_text(text, encoding="utf-8")
    recipe = read_recipe(tmp_path / "recipe.py")
    found, start, end = load_rows(recipe, date(2026, 4, 1))

    assert recipe.CONTRACT.target.maturity == timedelta(days=30)
    assert len(check(found, recipe.CONTRACT, start, end, declared(recipe))) == len(rows) - 10


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        (["Gerät", "Straße", "Ångström"], ["gerat", "strasse", "angstrom"]),
        (["Возраст (лет)", "年齢", "ηλικία"], ["возраст_лет", "年齢", "ηλικία"]),
        (["class", "2nd", "", "%", "$"], ["field_class", "field_2nd", "field", "field_", "field__"]),
        (["score", "score_2", "Rate", "rate"], ["given_score", "given_score_2", "Rate", "rate_"]),
    ],
)
def test_names_of_fields_can_be_read(columns, expected):
    """Marks are taken off letters; other scripts stay; names differ by more than upper and lower case."""
    found = field_names(columns)

    assert [*found.values()] == expected
    assert all(name.isidentifier() for name in expected)


def test_a_feature_called_row_is_not_written_over(tmp_path):
    """A table without a key has its rows numbered, under another name."""
    rows = rentals().assign(row=lambda table: table["hr"] % 5)
    rows.to_csv(tmp_path / "t.csv", index=False)
    text = recipe_text(drafted(rows, read_table(str(tmp_path / "t.csv"))))
    (tmp_path / "recipe.py").write_text(text)

    loaded = load_rows(read_recipe(tmp_path / "recipe.py"), date(2026, 4, 1))[0]
    assert sorted(loaded["row"].unique()) == [0, 1, 2, 3, 4]
    assert loaded["row_number"].is_unique


@pytest.mark.parametrize(
    ("rows", "days", "window", "holdout"),
    [
        (30_000, 100, 100, 14),
        (100_000, 100, 60, 14),
        (3_000, 200, 200, 42),
        (3_000, 1_500, 903, 301),
        (120, 200, 200, 66),
        (40, 20, 20, 6),
        (5_000, 20, 20, 4),
    ],
)
def test_a_holdout_has_the_rows_that_the_gate_compares_models_on(rows, days, window, holdout, root):
    """Or a third of the window, and then it is said what the gate will do."""
    at = pd.Timestamp("2022-01-01") + pd.to_timedelta(np.linspace(0, days * 86_400 - 1, rows), "s")
    random = np.random.default_rng(6)
    frame = pd.DataFrame({"at": at, "x": random.normal(size=rows), "label": random.choice(["a", "b"], rows)})
    found = drafted(frame)
    limit = read_rules(root / "checks/thresholds.toml").gate.min_fresh_rows

    assert (found.window.days, found.holdout.days) == (window, holdout)
    assert limit < HOLDOUT_ROWS
    assert (found.holdout_rows >= limit) == (rows >= 3 * limit)
    assert any("min_fresh_rows" in line for line in described(found)) == (rows < 3 * limit)


@pytest.mark.parametrize(("rows", "leaves"), [(700, 8), (3_000, 8), (40_000, 15)])
def test_boosting_suits_the_size_of_the_table(rows, leaves):
    """With few rows, many large trees are worse than the one that the gate compares with."""
    random = np.random.default_rng(7)
    x = random.normal(size=(2 * rows, 4))
    late = random.random(2 * rows) < 1 / (1 + np.exp(-0.7 * (x[:, 0] + x[:, 1] * x[:, 2])))
    at = pd.Timestamp("2026-01-01") + pd.to_timedelta(np.linspace(0, 90 * 86_400, 2 * rows), "s")
    frame = pd.DataFrame(x, columns=list("abcd")).assign(at=at, label=late)
    text = recipe_text(drafted(frame[:rows]))
    module = {}
    exec(compile(text, "recipe", "exec"), module)
    inputs, half = frame[list("abcd")], slice(None, rows)
    losses = [
        log_loss(late[rows:], each.fit(inputs[half], late[half]).predict_proba(inputs[rows:]))
        for each in (module["estimator"](), DecisionTreeClassifier(max_depth=3, min_samples_leaf=20))
    ]

    assert f"max_leaf_nodes={leaves}," in text
    assert losses[0] < losses[1]


def test_a_feature_that_alone_predicts_much_is_to_be_looked_over():
    """The gate would hold the first model, which a newcomer cannot know."""
    rows = loans()
    random = np.random.default_rng(5)
    rows["risk"] = np.where(rows["defaulted"] == "yes", 1, 0) + random.normal(0, 0.5, len(rows))
    found = drafted(rows)

    (risk,) = (each for each in found.features if each.name == "risk")
    assert "is it known when the event happens? (leak.solo)" in risk.remark
    assert any(line.startswith("look over: risk:") for line in described(found))


def test_a_table_that_ended_is_checked_as_of_its_last_day(here, root, capsys):
    """A newcomer types the command without a day."""
    loans().to_csv("loans.csv", index=False)
    text = recipe_text(drafted(loans(), read_table("loans.csv")))
    (here / "recipe.py").write_text(text, encoding="utf-8")

    rules = ["--rules", str(root / "checks/thresholds.toml")]
    assert main(["check", "--recipe", "recipe.py", "--today", "2027-01-01", *rules]) == NO_MODEL
    assert "the newest row is of 2026-03-31; type --today 2026-04-01" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0, 1, 1, 0], (0, 1)),
        ([1.0, 0.0, None, 1.0], (0, 1)),
        ([True, False, True], (False, True)),
        (["yes", "no", "yes"], ("no", "yes")),
        (["stayed", "left", "stayed"], ("stayed", "left")),
        (["b", "c", "a"], ("a", "b", "c")),
        ([3, 1, 2, 2], (1, 2, 3)),
        ([0, 10, 20, 30], ()),
        (list(range(50)), ()),
        ([0.5, 1.5, 2.5], ()),
    ],
)
def test_which_labels_a_target_has(values, expected):
    """The positive one is last: what its name says, else the rarer one."""
    assert labels(pd.Series(values)) == expected


@pytest.mark.parametrize(
    ("values", "local", "first"),
    [
        (["2026-03-01T08:00:00Z"], False, "2026-03-01T08:00"),
        (["2026-03-01 08:00:00+02:00"], False, "2026-03-01T06:00"),
        (["2026-03-01 08:00"], True, "2026-03-01T07:00"),
        (["31.03.2026 08:00"], True, "2026-03-31T06:00"),
        (["31/12/2026"], True, "2026-12-30T23:00"),
        (["2026-10-25 02:30"], True, "2026-10-25T01:30"),
        (["2026-03-29 02:30"], True, "2026-03-29T01:00"),
        ([pd.Timestamp("2026-03-01 08:00")], True, "2026-03-01T07:00"),
        ([pd.Timestamp("2026-03-01 08:00", tz="Asia/Tokyo")], False, "2026-02-28T23:00"),
    ],
)
def test_times_are_read_as_they_are_written(values, local, first):
    """Those without a zone are the zone's, also in the hours that occur twice or never."""
    found = times(pd.DataFrame({"at": values}), "at", "Europe/Berlin")

    assert (found.local, found.utc.iloc[0].strftime("%Y-%m-%dT%H:%M")) == (local, first)


@pytest.mark.parametrize("values", [["soon", "later"], [1.5, 2.5], [True, False]])
def test_what_is_no_time_is_none(values):
    """A number may be a time, or anything."""
    assert times(pd.DataFrame({"at": values}), "at") is None


def test_a_column_that_is_the_target_in_other_words_is_found():
    """By its order alone, whatever its scale; not one that is merely good."""
    random = np.random.default_rng(0)
    truth = pd.Series(random.random(4_000) < 0.3)
    rows = pd.DataFrame({"after": truth * -7.0, "good": truth + random.normal(0, 1, 4_000), "sort": truth.map(str)})

    assert [*known_afterwards(rows, ["after", "good", "sort"], truth)] == ["after", "sort"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nothing.csv"], "there is no nothing.csv; expected a CSV or Parquet file"),
        (["loans.csv", "--target", "foo", "--key", "bar"], "--key: there is no column 'bar'"),
        (["loans.csv", "--time", "Region"], "--time: Region has no times"),
        (["empty.csv"], "expected a table with a row for each event"),
        (["notes.docx"], "convert it to CSV or Parquet"),
        (["bad.parquet"], "bad.parquet cannot be read as parquet"),
        (["x", "--sql", "mongo://shop"], "expected a SQLAlchemy URL such as sqlite:///shop.db"),
        (["x", "--sql", "sqlite:///shop.db"], "there is no file shop.db"),
        (["x", "--sql", "duckdb:///shop.duckdb"], "there is no file shop.duckdb"),
        (["x", "--sql", "loans.csv"], "loans.csv is no SQLite or DuckDB database"),
        (["x", "--sql", "empty.db"], "no such table: x"),
        (["loans.csv", "--known-at", "soon"], "expected a column with times, or days such as 30d"),
        (["loans.csv", "--known-at", "Region"], "--known-at: Region has no times"),
    ],
)
def test_what_cannot_be_read_or_guessed_is_said(words, said, here, capsys):
    """And nothing is written."""
    loans().to_csv("loans.csv", index=False)
    (here / "empty.csv").write_text("a,b\n")
    (here / "notes.docx").write_text("x")
    with closing(sqlite3.connect("empty.db")) as database:
        database.execute("CREATE TABLE other (n)")
    (here / "bad.parquet").write_text("x")

    assert main(["init", *words, "--recipe", "recipe.py"]) == USAGE
    assert said in capsys.readouterr().err
    assert not (here / "recipe.py").exists()


def test_without_a_terminal_an_ambiguous_target_is_asked_for_by_name(here, capsys):
    """All columns are listed."""
    loans().assign(churn=1).to_csv("loans.csv", index=False)

    assert main(["init", "loans.csv", "--recipe", "recipe.py"]) == USAGE
    assert "which column is the target cannot be guessed; type --target COLUMN" in capsys.readouterr().err


def test_a_recipe_that_git_does_not_have_is_not_written_over(here, capsys):
    """Unless that is asked for."""
    loans().to_csv("loans.csv", index=False)
    (here / "recipe.py").write_text("mine")

    assert main(["init", "loans.csv", "--recipe", "recipe.py"]) == USAGE
    assert "type --replace" in capsys.readouterr().err
    assert (here / "recipe.py").read_text() == "mine"


def test_in_a_terminal_a_person_is_asked():
    """Nothing typed is the likeliest column; a name that does not exist is asked for again; a table may have no key."""
    typed = iter(["", "nothing", "defaulted", "-"])
    said = []
    choose = asking(["a", "defaulted"], lambda prompt: next(typed), said.append)

    assert choose("time", ["at"]) == "at"
    assert choose("target", []) == "defaulted"
    assert said[-1] == "there is no column 'nothing'"
    assert choose("key", ["a"]) == ""


@pytest.mark.parametrize(
    ("table", "name"),
    [("data/Bike Rentals.csv", "bike-rentals"), ("s3://b/x/loans.parquet", "loans"), ("a.csv.gz", "a"), ("/", "model")],
)
def test_a_model_is_called_as_its_table(table, name):
    """As a name that can be read."""
    assert plain_name(table) == name


def test_no_text_of_a_table_can_leave_its_quotes():
    """Names and values are data, also where they look like code."""
    odd = 'a"b\'c\\n{{x}}#\nimport os; os.abort()\n"""'
    rows = loans().rename(
        columns={"Region": odd, "Applied at": f"at {odd}", "defaulted": f"y {odd}", "remarks": f"r {odd}"}
    )
    rows[f"more {odd}"] = np.where(rows[odd] == "Ost", odd, "b")
    found = drafted(rows, time=f"at {odd}", target=f"y {odd}")
    tree = ast.parse(recipe_text(found))

    assert not any(isinstance(node, ast.Attribute) and node.attr == "abort" for node in ast.walk(tree))
    assert all(each.name.isidentifier() for each in found.features)


def test_a_wrong_recipe_is_refused_by_the_check_as_at_night(recipes, here, capsys):
    """In seconds, with all that is wrong."""
    source = (recipes / "buys.py").read_text().replace("Path(__file__).parent", f"Path({str(recipes)!r})")
    more = "\nwhole = load\ndef load(start, end):\n    return whole(start, end).assign(age=500, pages=-1)\n"
    (here / "recipe.py").write_text(source + more)

    rules = recipes.parents[1] / "checks/thresholds.toml"
    assert main(["check", "--recipe", "recipe.py", "--today", "2026-02-20", "--rules", str(rules)]) == NO_MODEL
    said = capsys.readouterr().err
    assert "6,000 rows do not fit the contract" in said
    assert all(f"{name}: expected a number" in said for name in ("age", "pages"))


def test_a_large_table_is_looked_at_in_part(here):
    """At random, the same rows each time."""
    pd.DataFrame({"n": range(250_000)}).to_parquet("large.parquet")

    assert len(read_table("large.parquet").rows) == 200_000
    assert read_table("large.parquet").rows["n"].sum() == read_table("large.parquet").rows["n"].sum()


def test_two_columns_of_one_name_are_refused():
    """DuckDB renames them in a file; a query may return them."""
    with pytest.raises(SourceError, match="two columns called n"):
        read_query("sqlite://", "SELECT 1 AS n, 2 AS n UNION ALL SELECT 3, 4")


def _arrow(frame):
    return duckdb.sql("FROM frame").to_arrow_table()


@pytest.mark.parametrize("kind", ["pandas", "Arrow"])
def test_a_data_frame_in_a_notebook_becomes_a_recipe(kind, tmp_path, root):
    """Its index of times is a column; the rows are stored where the repository's git does not look."""
    (tmp_path / "checks").mkdir()
    (tmp_path / "checks/thresholds.toml").write_text((root / "checks/thresholds.toml").read_text())
    frame = loans().drop(columns="recovery_fee")
    frame["Applied at"] = pd.to_datetime(frame["Applied at"], format="%d.%m.%Y %H:%M")
    frame = frame.set_index("Applied at").rename_axis(None)
    said = []
    rows = frame if kind == "pandas" else _arrow(frame.rename_axis("at").reset_index())
    found = init(rows, "My Loans", target="defaulted", time="at", root=tmp_path, say=said.append)

    assert found == tmp_path / "model/recipe.py"
    assert 'TABLE = "data/my-loans.parquet"' in found.read_text()
    assert any("3,000 rows fit the contract" in line for line in said)
    assert len(pd.read_parquet(tmp_path / "data/my-loans.parquet")) == 3_000
    with pytest.raises(SourceError, match="replace=True"):
        init(rows, "My Loans", root=tmp_path)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([1, 2], "list cannot be stored as Parquet"),
        (pd.DataFrame({"a": [1, "x", None]}), "DataFrame cannot be stored as Parquet"),
        (pd.DataFrame([[1, 2]], columns=pd.MultiIndex.from_tuples([("a", 1), ("a", 2)])), "several levels"),
    ],
)
def test_what_is_no_table_in_a_notebook_is_refused(rows, said, tmp_path):
    """In a sentence, before anything is written."""
    with pytest.raises(SourceError, match=said):
        init(rows, "x", root=tmp_path)

    assert not (tmp_path / "model").exists()

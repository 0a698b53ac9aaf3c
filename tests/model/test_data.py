"""Rows are checked against the contract and split by time before a model is trained."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from contracts.row_contract import Contract, ContractError, Feature, Target
from model.data import DataError, check, fingerprint, model_inputs, split_by_time
from model.declarations import Declared
from model.loaded_columns import plain
from model.notices import remarks

START = datetime(2026, 1, 1, tzinfo=UTC)
END = START + timedelta(days=10)
CONTRACT = Contract(
    "x",
    "binary",
    (
        Feature("size", "number", minimum=0, nullable=True),
        Feature("city", "category", nullable=True),
        Feature("new", "boolean"),
    ),
    Target("y", (False, True)),
    key="who",
    time="at",
)


def rows(n=100):
    numbers = np.arange(n)
    return pd.DataFrame(
        {
            "who": [f"w{i}" for i in numbers],
            "at": START + pd.to_timedelta(numbers * 2, unit="h"),
            "size": numbers * 1.5,
            "city": np.where(numbers % 7 == 0, None, "Graz"),
            "new": numbers % 2 == 0,
            "y": numbers % 3 == 0,
            "spare": 1,
        }
    )


def test_rows_come_out_sorted_with_just_the_contracts_columns():
    """Whatever order the source gives them in, and whatever else it gives."""
    found = check(rows().sample(frac=1, random_state=1), CONTRACT, START, END)

    assert list(found) == ["who", "at", "size", "city", "new", "y"]
    assert found["at"].is_monotonic_increasing


def test_an_empty_window_is_said_in_a_sentence():
    """It names the window and where to look."""
    with pytest.raises(DataError, match="no rows from 2026-01-01 to 2026-01-11"):
        check(rows().iloc[:0], CONTRACT, START, END)


def test_something_that_is_no_table_is_refused():
    """A recipe's load must return a data frame."""
    with pytest.raises(DataError, match="load returned list"):
        check([1], CONTRACT, START, END)


def test_every_column_that_is_gone_is_named_with_what_it_may_be_called_now():
    """Renaming a column upstream is the most ordinary accident."""
    with pytest.raises(DataError) as caught:
        check(rows().rename(columns={"city": "city_name", "y": "label"}), CONTRACT, START, END)

    assert "city is missing; is it called 'city_name' now?" in str(caught.value)
    assert "y is missing" in str(caught.value)


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("size", -1.0, "size: expected a number of at least 0 or null, got -1.0 (1 rows"),
        ("size", "big", "size: expected a number of at least 0 or null, got 'big' (1 rows"),
        ("city", 8010, "city: expected a string or null, got 8010 (1 rows"),
        ("new", None, "new: expected true or false, got nothing (1 rows"),
        ("y", None, "y: expected one of false, true, got nothing (1 rows"),
        ("y", np.nan, "y: expected one of false, true, got nothing (1 rows"),
        ("y", 1, "y: expected one of false, true, got 1 (1 rows"),
        ("at", None, "at: the times of 1 rows cannot be read"),
        ("at", START - timedelta(days=1), "at: 1 rows lie outside the window"),
        ("who", None, "who: 1 rows have no key"),
        ("who", 5, "who: expected a string, got 5 (int) (1 rows of this kind)"),
        ("who", 2**53 + 1, 'got 9007199254740993 (int) (1 rows of this kind); write rows["who"].astype'),
        ("size", np.inf, "replace([np.inf, -np.inf], np.nan)"),
        ("size", pd.Timestamp("2026-01-01"), 'such as (rows["at"] - rows["size"]).dt.days'),
        ("size", pd.Timedelta(days=1), 'rows["size"].dt.total_seconds()'),
        ("size", True, 'kind="boolean"'),
        ("size", b"1", "(bytes)"),
        ("city", 8010, 'rows["city"].astype(str)'),
        (
            "new",
            2,
            'new: expected true or false, got 2 (1 rows of this kind, the first is row 17); write rows["new"] > 0',
        ),
        ("new", START, "rows[\"new\"] == 'yes', with your word for true"),
        ("size", -1.0, "write another minimum or maximum in the contract"),
        ("size", 1e300, "float32 holds numbers up to 3.4e+38"),
        ("city", "", 'write rows["city"].replace("", None)'),
        ("city", "x" * 2000, "at most 1,000 characters"),
        ("city", "\ud800", "characters that no file can hold"),
        ("y", "maybe", "add it to classes in the contract"),
        (
            "at",
            None,
            "they are missing; expected times with a zone, such as 2026-11-23T03:17:00Z: leave rows without a time out",
        ),
        ("new", "yes", "rows[\"new\"] == 'yes'"),
        ("y", None, "leave rows whose outcome is not known yet out of load()"),
        ("at", "tomorrow", "the times of 1 rows cannot be read, such as 'tomorrow'"),
    ],
)
def test_a_value_that_breaks_the_contract_is_named_with_its_row(column, value, words):
    """The same checks as for a request, with the count of rows."""
    broken = rows().astype({column: object})
    broken.loc[17, column] = value

    with pytest.raises(ContractError) as caught:
        check(broken, CONTRACT, START, END)

    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("column", "values", "expected"),
    [
        ("size", [Decimal("1.5"), Decimal("NaN"), None, 2], [1.5, None, None, 2.0]),
        ("size", pd.array([1, None, 3, 4], dtype="Int64"), [1.0, None, 3.0, 4.0]),
        ("size", [np.float32(1.5), pd.NA, pd.NaT, np.int64(2)], [1.5, None, None, 2.0]),
        ("new", [np.True_, np.False_, True, False], [True, False, True, False]),
        ("new", [1, 0, 1, 0], [True, False, True, False]),
        ("new", [1.0, 0.0, 1.0, 0.0], [True, False, True, False]),
        ("new", pd.array([True, False, True, False], dtype="boolean"), [True, False, True, False]),
        ("city", pd.Categorical(["a", "b", None, "a"]), ["a", "b", None, "a"]),
        ("city", pd.array(["a", None, "b", "a"], dtype="string"), ["a", None, "b", "a"]),
        ("city", [np.str_("a"), pd.NA, None, np.nan], ["a", None, None, None]),
        ("y", [np.True_, np.False_, np.True_, False], [True, False, True, False]),
    ],
)
def test_what_means_the_same_without_loss_is_taken_for_it(column, values, expected):
    """The types of database drivers, of NumPy and of pandas."""
    found = check(rows(4).assign(**{column: values}), CONTRACT, START, END)

    assert plain(found[column]) == expected
    model_inputs(found, CONTRACT)


@pytest.mark.parametrize("values", [[0.0, 1.0, 0.0], [0, 1, 0], np.array([0, 1, 0], "int8")])
def test_a_float_label_is_the_class_of_the_same_value(values):
    """A left join makes floats of integers."""
    contract = replace(CONTRACT, target=Target("y", (0, 1)))

    assert plain(check(rows(3).assign(y=values), contract, START, END)["y"]) == [0, 1, 0]


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (
            lambda rows: pd.concat([rows, rows[["size"]]], axis=1),
            "size: load() returned the column 2 times; drop all but one",
        ),
        (lambda rows: rows.set_index("who"), "who is missing; it is the index: write rows.reset_index()"),
        (lambda rows: rows.assign(at=range(len(rows))), 'pd.to_datetime(rows["at"], unit="s", utc=True)'),
        (lambda rows: rows.assign(at=True), "at: expected times, got true"),
        (
            lambda rows: rows.assign(
                at=rows["at"].dt.tz_convert("Europe/Vienna").dt.tz_localize(None) + pd.Timedelta(days=9)
            ),
            "the times have no zone and are read as UTC",
        ),
    ],
)
def test_what_is_wrong_with_a_table_is_said_with_what_to_write(broken, words):
    """A column twice, a key in the index, numbers for times, times without a zone."""
    with pytest.raises((DataError, ContractError)) as caught:
        check(broken(rows()), CONTRACT, START, END)

    assert words in str(caught.value)


def test_integers_that_become_equal_in_float32_are_remarked_on():
    """With the field's name and how many; those that differ still are not."""
    codes = 2**24 + np.arange(100) % 6

    (remark,) = remarks(rows().assign(size=codes), CONTRACT)

    assert remark.startswith("size: 2 of 5 different whole numbers above 16,777,216")
    assert remarks(rows().assign(size=np.arange(100) * 2**24), CONTRACT) == ()
    assert remarks(rows().assign(size=np.arange(100) + 0.5), CONTRACT) == ()


def test_times_without_a_zone_are_remarked_on():
    """They are read as UTC, and what the change of clocks does is said."""
    (remark,) = remarks(rows().assign(at=rows()["at"].dt.tz_localize(None)), CONTRACT)

    assert "read as UTC" in remark
    assert "clocks change" in remark


def test_all_problems_of_a_table_are_reported_at_once():
    """Two columns are wrong, two lines say so."""
    broken = rows().assign(size=-1.0, new="yes")

    with pytest.raises(ContractError) as caught:
        check(broken, CONTRACT, START, END)

    assert len(caught.value.problems) == 2
    assert "100 rows of this kind, the first is row 0" in caught.value.problems[0]


def test_values_of_one_type_with_different_cures_are_problems_of_their_own():
    """Out of bounds and infinite are both floats."""
    broken = rows()
    broken.loc[[3, 4, 5], "size"] = [-1.0, np.inf, -2.0]

    with pytest.raises(ContractError) as caught:
        check(broken, CONTRACT, START, END)

    one, other = caught.value.problems
    assert "got -1.0 (2 rows of this kind, the first is row 3); write another minimum" in one
    assert "got Infinity (1 rows of this kind, the first is row 4); write rows" in other


def test_no_rows_and_no_column_are_said_together():
    """A source that renamed a column and gives nothing."""
    where = Declared({"window()": "shop.py:9", "city": "shop.py:3"})

    with pytest.raises(DataError) as caught:
        check(rows().iloc[:0].drop(columns="city"), CONTRACT, START, END, where)

    assert str(caught.value).startswith("shop.py:9: load() returned no rows from 2026-01-01")
    assert "\n  - shop.py:3: city is missing" in str(caught.value)


def test_columns_and_values_are_reported_together_each_with_its_place():
    """So that one run is enough to repair them."""
    broken = rows().assign(size=-1.0, who=5, at="today or so").drop(columns="city")
    broken = pd.concat([broken, broken[["new"]]], axis=1)
    where = Declared({name: f"shop.py:{n}" for n, name in enumerate(["who", "at", "size", "city", "new", "y"])})

    with pytest.raises(DataError) as caught:
        check(broken, CONTRACT, START, END, where)

    first, *lines = str(caught.value).split("\n")
    assert first == "100 rows do not fit the contract 'x':"
    assert [line[: line.index(" ", 5)] for line in lines] == [
        "  - shop.py:3:",
        "  - shop.py:4:",
        "  - shop.py:0:",
        "  - shop.py:1:",
        "  - shop.py:2:",
    ]
    assert "city is missing; load() must return it: the other columns are spare" in lines[0]
    assert "new: load() returned the column 2 times; drop all but one: rows.loc[" in lines[1]
    assert 'who: expected a string, got 5 (int) (100 rows of this kind); write rows["who"]' in lines[2]
    assert "at: the times of 100 rows cannot be read, such as 'today or so'" in lines[3]
    assert "size: expected a number of at least 0 or null, got -1.0" in lines[4]


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (
            lambda rows: rows.assign(y=rows["size"]).drop(columns=["who", "at"]),
            ["who is missing", "at is missing", "y: expected one of false, true"],
        ),
        (lambda rows: rows.set_index(["who"]).assign(new="yes"), ["it is the index", "new: expected true or false"]),
        (
            lambda rows: pd.DataFrame(index=range(3)),
            [f"{name} is missing" for name in ("who", "at", "size", "city", "new", "y")],
        ),
        (
            lambda rows: pd.concat([rows] * 2, axis=1),
            [f"{name}: load() returned the column 2 times" for name in ("who", "at", "size", "city", "new", "y")],
        ),
        (lambda rows: rows[["y"]].T.T, ["who is missing; load() must return it: it returned no other column"]),
        (
            lambda rows: rows.rename(columns=dict.fromkeys(["size"], 5)).assign(city=3),
            ["size is missing", "city: expected a string or null, got 3"],
        ),
    ],
)
def test_whatever_is_wrong_with_columns_the_values_of_the_others_are_checked(broken, words):
    """Missing, there twice, in the index, not named by text."""
    with pytest.raises(DataError) as caught:
        check(broken(rows()), CONTRACT, START, END)

    for each in words:
        assert each in str(caught.value)


@pytest.mark.parametrize("holdout", [None, timedelta(days=2), timedelta(hours=30)])
def test_every_holdout_row_is_later_than_every_training_row(holdout):
    """No row of the holdout was trained on."""
    checked = check(rows(), CONTRACT, START, END)
    split = split_by_time(checked, CONTRACT, holdout)

    assert split.train["at"].max() < split.holdout["at"].min()
    assert len(split.train) + len(split.holdout) == len(checked)


def test_a_target_with_one_class_is_refused():
    """There are no two classes."""
    checked = check(rows().assign(y=True), CONTRACT, START, END)

    with pytest.raises(DataError, match="have no y of False"):
        split_by_time(checked, CONTRACT, None)


def test_a_holdout_longer_than_the_data_is_refused():
    """There is nothing to train on."""
    checked = check(rows(), CONTRACT, START, END)

    with pytest.raises(DataError, match="no rows to train on"):
        split_by_time(checked, CONTRACT, timedelta(days=30))


def test_model_inputs_are_float32_and_strings_without_a_null():
    """What the estimator sees is what the exported graph will see."""
    inputs = model_inputs(check(rows(), CONTRACT, START, END), CONTRACT)

    assert inputs["size"].dtype == inputs["new"].dtype == np.float32
    assert set(inputs["city"]) == {"", "Graz"}


def test_the_fingerprint_shows_one_changed_value():
    """And is the same for the same rows."""
    one, other = rows(), rows()
    assert fingerprint(one) == fingerprint(other)

    other.loc[50, "size"] += 1e-9
    assert fingerprint(one) != fingerprint(other)

"""Rows are checked against the contract and split by time before anything learns from them."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from model.contract import Contract, ContractError, Feature, Target
from model.data import DataError, check, fingerprint, model_inputs, split_by_time

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
    with pytest.raises(DataError, match="not one row from 2026-01-01 to 2026-01-11"):
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
        ("at", None, "at: 1 rows have no time that can be read"),
        ("at", START - timedelta(days=1), "at: 1 rows lie outside the window"),
        ("who", None, "who: 1 rows have no key"),
        ("who", 5, "who: 1 rows have no key"),
    ],
)
def test_a_value_that_breaks_the_contract_is_named_with_its_row(column, value, words):
    """The same checks as for a request, with the count of rows."""
    broken = rows().astype({column: object})
    broken.loc[17, column] = value

    with pytest.raises(ContractError) as caught:
        check(broken, CONTRACT, START, END)

    assert words in str(caught.value)


def test_all_problems_of_a_table_are_reported_at_once():
    """Two columns are wrong, two lines say so."""
    broken = rows().assign(size=-1.0, new="yes")

    with pytest.raises(ContractError) as caught:
        check(broken, CONTRACT, START, END)

    assert len(caught.value.problems) == 2
    assert "100 rows of this kind, the first is row 0" in caught.value.problems[0]


@pytest.mark.parametrize("holdout", [None, timedelta(days=2), timedelta(hours=30)])
def test_every_holdout_row_is_later_than_every_training_row(holdout):
    """What is judged with was never learnt from."""
    checked = check(rows(), CONTRACT, START, END)
    split = split_by_time(checked, CONTRACT, holdout)

    assert split.train["at"].max() < split.holdout["at"].min()
    assert len(split.train) + len(split.holdout) == len(checked)


def test_a_target_with_one_class_is_refused():
    """There is nothing to tell apart."""
    checked = check(rows().assign(y=True), CONTRACT, START, END)

    with pytest.raises(DataError, match="have no y of False"):
        split_by_time(checked, CONTRACT, None)


def test_a_holdout_longer_than_the_data_is_refused():
    """There is nothing to learn from."""
    checked = check(rows(), CONTRACT, START, END)

    with pytest.raises(DataError, match="no rows to learn from"):
        split_by_time(checked, CONTRACT, timedelta(days=30))


def test_model_inputs_are_float32_and_strings_without_a_null():
    """What the estimator sees is what the exported graph will see."""
    inputs = model_inputs(check(rows(), CONTRACT, START, END), CONTRACT)

    assert inputs["size"].dtype == inputs["new"].dtype == np.float32
    assert set(inputs["city"]) == {"", "Graz"}


def test_the_fingerprint_tells_one_changed_value():
    """And is the same for the same rows."""
    one, other = rows(), rows()
    assert fingerprint(one) == fingerprint(other)

    other.loc[50, "size"] += 1e-9
    assert fingerprint(one) != fingerprint(other)

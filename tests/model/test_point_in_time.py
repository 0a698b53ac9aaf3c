"""Features of the same rows, loaded with two ends of the window."""

import json
from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest

from contracts.row_contract import Feature
from model.data import check, split_by_time
from model.point_in_time import differing, replay
from model.train import read_recipe, training_window

TODAY = date(2026, 2, 20)


@pytest.fixture(scope="module")
def recipe(recipes):
    """A recipe whose load gives the rows up to a time of day."""
    found = read_recipe(recipes / "buys.py")
    rows = found.load(*training_window(found, TODAY))
    found.load = lambda start, end: rows[(rows["at"] >= start) & (rows["at"] < end)].reset_index(drop=True)
    return found


def loading(recipe, value, kind="number", **settings):
    """The recipe's contract and load, with a feature `added` of *value*, a function of the loaded rows."""
    contract = recipe.CONTRACT
    features = (*contract.features, Feature("added", kind, nullable=True))
    contract = replace(contract, features=features, **settings)

    def load(start, end):
        rows = recipe.load(start, end)
        return rows.assign(added=value(rows))

    return contract, load


def replayed(recipe, contract, load):
    start, end = training_window(recipe, TODAY)
    rows = check(load(start, end), contract, start, end)
    return replay(load, split_by_time(rows, contract, timedelta(days=10)), contract, (start, end))


def bought(rows):
    return (rows["bought"] == "yes").astype(float)


def by_day(rows):
    return rows.groupby(rows["at"].dt.floor("D"))


def counted(rows, column):
    return rows[column].map(rows[column].value_counts()).astype(float)


#: feature -> the causes that may be named
FROM_LATER_ROWS = {
    "the mean outcome of a category": (
        lambda rows: bought(rows).groupby(rows["campaign"]).transform("mean"),
        {"spread"},
    ),
    "the mean outcome of the other rows": (
        lambda rows: bought(rows).groupby(rows["device"]).transform(lambda y: (y.sum() - y) / (len(y) - 1)),
        {"spread", "scaled"},
    ),
    "a standardised number": (lambda rows: (rows["pages"] - rows["pages"].mean()) / rows["pages"].std(), {"scaled"}),
    "a number scaled by its range": (
        lambda rows: rows["appeal"] / (rows["appeal"].max() - rows["appeal"].min()),
        {"scaled"},
    ),
    "a rank": (lambda rows: rows["appeal"].rank(pct=True), {"ranked"}),
    "a quantile": (lambda rows: pd.qcut(rows["appeal"], 50, labels=False).astype(float), {"ranked"}),
    "missing values replaced by the mean": (lambda rows: rows["age"].fillna(rows["age"].mean()), {"spread"}),
    "a frequency": (lambda rows: counted(rows, "country") / len(rows), {"spread", "scaled"}),
    "a total": (lambda rows: counted(rows, "country"), {"counted", "scaled"}),
    "days before the newest row": (lambda rows: (rows["at"].max() - rows["at"]).dt.days.astype(float), {"counted"}),
    "a window that looks ahead": (lambda rows: bought(rows)[::-1].rolling(200, min_periods=1).mean()[::-1], {"end"}),
    "a centred window": (lambda rows: rows["pages"].rolling(51, center=True, min_periods=1).mean(), {"end"}),
    "the total of the day": (lambda rows: by_day(rows)["pages"].transform("sum").astype(float), {"end"}),
    "the next row": (lambda rows: rows["pages"].shift(-1), {"filled"}),
    "random numbers": (lambda rows: np.random.default_rng().normal(size=len(rows)), {"random"}),
    "random noise": (lambda rows: rows["appeal"] + np.random.default_rng().normal(0, 0.2, len(rows)), {"spread"}),
}
FROM_EARLIER_ROWS = {
    "a function of the row": lambda rows: np.log1p(rows["pages"]),
    "a window that looks back": lambda rows: rows["pages"].rolling(50, min_periods=1).mean(),
    "the mean so far": lambda rows: rows["pages"].expanding().mean(),
    "the row before": lambda rows: rows["pages"].shift(1),
    "a count so far": lambda rows: rows.groupby("country").cumcount().astype(float),
    "a last known value": lambda rows: rows["age"].ffill(),
    "the mean outcome so far": lambda rows: bought(rows).shift(1).expanding().mean(),
    "rounding": lambda rows: rows["appeal"] * (1 + 1e-9 * len(rows) / 6000),
    "nothing": lambda rows: np.nan,
}


@pytest.mark.parametrize("name", FROM_LATER_ROWS)
def test_a_value_of_later_rows_differs_with_an_earlier_end(recipe, name):
    """Only that feature, and with a likely cause."""
    value, causes = FROM_LATER_ROWS[name]
    loads = replayed(recipe, *loading(recipe, value))["loads"]

    assert {each for load in loads for each in load["features"]} == {"added"}
    found = next(load["features"]["added"] for load in loads if load["features"])
    assert found["cause"] in causes
    assert found["examples"][0]["earlier"] != found["examples"][0]["later"]
    assert "key" not in found["examples"][0]


@pytest.mark.parametrize("name", FROM_EARLIER_ROWS)
def test_a_value_of_earlier_rows_is_the_same_with_an_earlier_end(recipe, name):
    """Whatever it is computed from."""
    loads = replayed(recipe, *loading(recipe, FROM_EARLIER_ROWS[name]))["loads"]

    assert [load["features"] for load in loads] == [{}, {}]
    assert all(sum(load["rows"]) > 1_000 and sum(load["only_earlier"]) == 0 for load in loads)


@pytest.mark.parametrize("way", ["bfill", "interpolate"])
def test_values_filled_from_later_rows_differ(recipe, way):
    """Here of the hours around noon, where the earlier end is."""

    def filled(rows):
        return getattr(rows["appeal"].mask(rows["at"].dt.hour.between(8, 16)), way)()

    loads = replayed(recipe, *loading(recipe, filled))["loads"]
    assert [load["features"]["added"]["cause"] for load in loads] == ["filled" if way == "bfill" else "end"] * 2


def test_a_category_of_later_rows_differs(recipe):
    """Here: rare values replaced, by the counts of all rows."""

    def common(rows):
        return rows["campaign"].where(counted(rows, "campaign") > 900, "other").astype(object)

    loads = replayed(recipe, *loading(recipe, common, "category"))["loads"]
    assert any(load["features"].keys() == {"added"} for load in loads)


def test_the_days_of_a_difference_are_counted(recipe):
    """A window of two days ahead differs in the last two days before the end, and in none before."""

    def ahead(rows):
        at = rows.set_index("at")["pages"]
        return at[::-1].rolling("2D").sum()[::-1].to_numpy()

    (load, _) = replayed(recipe, *loading(recipe, ahead))["loads"]
    found = load["features"]["added"]
    assert found["rows"][0] == load["rows"][0] > 0
    assert 0 < found["rows"][1] < load["rows"][1]
    assert found["rows"][2:] == [0, 0]
    assert 1.8 < found["oldest"] <= 2.0


def test_the_end_is_within_a_day_before_the_holdout(recipe):
    """At the end of a day, its total would have no later rows."""
    (load, _) = replayed(recipe, *loading(recipe, FROM_EARLIER_ROWS["nothing"]))["loads"]

    assert load["end"].startswith("2026-02-09T")
    assert "T06:" < load["end"][10:] < "T18:"


def test_rows_without_an_outcome_yet_are_no_difference(recipe):
    """They are counted; so are outcomes that change."""
    contract, load = loading(recipe, FROM_EARLIER_ROWS["nothing"])

    def known(start, end):
        rows = load(start, end)
        rows = rows[rows["at"] + pd.to_timedelta(rows["pages"], "D") < end]
        return rows.assign(bought=rows["bought"].mask(rows["at"] > end - timedelta(days=5), "no"))

    (found, _) = replayed(recipe, contract, known)["loads"]
    assert found["features"] == {}
    assert sum(found["only_later"]) > 100
    assert sum(found["only_earlier"]) == 0
    assert sum(found["labels"]) > 0


def test_only_the_newest_rows_are_compared_where_load_returns_only_those(recipe):
    """The earlier load begins earlier then."""
    contract, load = loading(recipe, FROM_EARLIER_ROWS["nothing"])

    (found, *_) = replayed(recipe, contract, lambda start, end: load(start, end).tail(4_000))["loads"]
    assert sum(found["rows"]) > 2_000
    assert sum(found["only_earlier"]) == sum(found["only_later"]) == 0


def test_a_sample_drawn_for_each_load_loses_rows(recipe):
    """The rows of one load are not those of the other, even with a seed."""
    contract, load = loading(recipe, FROM_EARLIER_ROWS["nothing"])

    (found, _) = replayed(recipe, contract, lambda *window: load(*window).sample(frac=0.5, random_state=0))["loads"]
    assert sum(found["only_earlier"]) > 500


@pytest.mark.parametrize("faulty", [False, True])
def test_rows_with_the_same_key_and_time_are_compared_in_any_order(recipe, faulty):
    """A contract's key need not identify a row."""
    contract, load = loading(recipe, lambda rows: rows["pages"] - (rows["pages"].mean() if faulty else 0.0))

    def shuffled(start, end):
        rows = load(start, end).sample(frac=1, random_state=end.toordinal())
        return rows.assign(visitor="v", at=rows["at"].dt.floor("D"))

    (found, _) = replayed(recipe, contract, shuffled)["loads"]
    assert sum(found["rows"]) > 3_000
    assert found["features"].keys() == ({"added"} if faulty else set())


def test_a_load_that_refuses_the_earlier_end_is_recorded(recipe):
    """With its reason, and said by training."""
    contract, load = loading(recipe, FROM_EARLIER_ROWS["nothing"])
    last = training_window(recipe, TODAY)[1]

    def fixed(start, end):
        if end != last:
            raise ValueError("only the whole window is stored")
        return load(start, end)

    found = replayed(recipe, contract, fixed)
    (only,) = found["loads"]
    assert only["failed"] == "ValueError: only the whole window is stored"
    assert differing(found, contract) == [
        f"load() with the earlier end {only['end']} gave no rows to compare: {only['failed']}"
    ]


@pytest.mark.parametrize("answer", [None, pd.DataFrame(), pd.DataFrame({"at": [1]})])
def test_an_earlier_load_without_usable_rows_is_recorded(recipe, answer):
    """It is no error of training."""
    contract, load = loading(recipe, FROM_EARLIER_ROWS["nothing"])
    last = training_window(recipe, TODAY)[1]

    (only,) = replayed(recipe, contract, lambda s, e: load(s, e) if e == last else answer)["loads"]
    assert "failed" in only


def test_a_load_of_whole_days_only_is_asked_for_whole_days(recipe):
    """It may refuse an end within a day."""
    contract, load = loading(recipe, FROM_LATER_ROWS["a total"][0])

    def daily(start, end):
        if end.hour or end.minute:
            raise ValueError("whole days")
        return load(start, end)

    (found,) = (each for each in replayed(recipe, contract, daily)["loads"] if "failed" not in each)
    assert found["end"] == "2026-02-09T00:00:00Z"
    assert found["features"].keys() == {"added"}


def test_nothing_of_a_private_field_is_stored(recipe):
    """Neither its values nor a private key."""
    value = FROM_LATER_ROWS["a total"][0]
    (found, _) = replayed(recipe, *loading(recipe, value, private=("visitor",)))["loads"]
    assert "key" not in found["features"]["added"]["examples"][0]

    (found, _) = replayed(recipe, *loading(recipe, value, private=("added",)))["loads"]
    assert found["features"]["added"]["examples"] == []


def test_the_result_is_plain_json_and_the_same_each_time(recipe):
    """It is part of the bundle's digest."""
    one, other = (replayed(recipe, *loading(recipe, FROM_LATER_ROWS["a rank"][0])) for _ in range(2))

    assert json.loads(json.dumps(one, allow_nan=False)) == one == other


def test_training_names_the_features_that_differ(recipe):
    """But not one that is revised by design."""
    contract, load = loading(recipe, FROM_LATER_ROWS["a total"][0])
    found = replayed(recipe, contract, load)
    (said,) = differing(found, contract)
    assert said.endswith("gives the same rows other values: added in 100.0%")

    features = tuple(replace(each, revised=True) for each in contract.features)
    assert differing(found, replace(contract, features=features)) == []

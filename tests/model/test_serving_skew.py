"""Rows of `load` beside the rows in the scorer's journal."""

import json
from dataclasses import replace
from datetime import date, timedelta

import msgspec
import numpy as np
import pandas as pd
import pytest

from bundles.manifest import read_manifest
from contracts.journal_format import Folder
from model.__main__ import OK, main
from model.data import check
from model.serving_skew import remarks, skew
from model.source_profile.remote_journal import place_at
from model.train import read_recipe, training_window
from serve.journal.private_fields import PrivateFields

TODAY = date(2026, 2, 20)


@pytest.fixture(scope="module")
def recipe(recipes):
    """With fields that are all public."""
    found = read_recipe(recipes / "buys.py")
    found.CONTRACT = replace(found.CONTRACT, private=())
    return found


@pytest.fixture(scope="module")
def rows(recipe):
    window = training_window(recipe, TODAY)
    return check(recipe.load(*window), recipe.CONTRACT, *window)


def journal(folder, rows, contract):
    """A segment with an answer to each of *rows*; fields that are not in them were not sent."""
    names = [name for name in contract.feature_names if name in rows and name not in contract.private]
    lines = [
        json.dumps(
            {
                "id": f"{n}",
                "at": f"{row[contract.time]:%Y-%m-%dT%H:%M:%S.5Z}",
                "version": "some",
                "key": row[contract.key],
                "time": f"{row[contract.time]:%Y-%m-%dT%H:%M:%SZ}",
                "row": {name: None if pd.isna(row[name]) else row[name] for name in names},
                "score": 0.5,
            }
        )
        for n, row in enumerate(rows.astype(object).to_dict("records"))
    ]
    (folder / "answers-20260220T000000-0.jsonl").write_text("\n".join(lines) + '\n{"torn')
    return Folder(folder)


@pytest.fixture
def compared(tmp_path, recipe, rows):
    """The comparison of rows that were sent as *change* makes them."""

    def compare(change, loaded=lambda rows: rows, contract=recipe.CONTRACT):
        return skew(journal(tmp_path, change(rows.tail(3_000)), recipe.CONTRACT), loaded(rows), contract)

    return compare


def test_rows_as_they_were_sent_do_not_differ(compared):
    """Booleans, missing values and rounding to float32 included."""
    found = compared(lambda rows: rows.assign(age=rows["age"].astype("float32").astype(float)))

    assert found["features"] == {}
    assert found["rows"] > 1_900
    assert "hours" not in found
    assert remarks(found) == []


def other(rows, name, change, share=1.0):
    few = np.arange(len(rows)) % 100 < 100 * share
    return rows.assign(**{name: rows[name].where(~few, change(rows[name]))})


def previous_day(rows):
    return rows.assign(pages=rows["pages"].shift(1))


SKEWED = {
    "another unit": (lambda rows: other(rows, "age", lambda age: age * 12), "age", "factor", 1 / 12),
    "net for gross": (lambda rows: other(rows, "pages", lambda pages: pages / 1.2), "pages", "factor", 1.2),
    "an hour off": (lambda rows: other(rows, "pages", lambda pages: pages - 1), "pages", "offset", 1.0),
    "not sent by one client": (lambda rows: other(rows, "age", lambda _: np.nan, 0.1), "age", "missing_sent", None),
    "sent as null": (lambda rows: other(rows, "campaign", lambda _: None, 0.3), "campaign", "missing_sent", None),
    "another name": (lambda rows: other(rows, "campaign", lambda each: each.str.upper()), "campaign", "other", None),
    "a boolean turned": (lambda rows: rows.assign(returning=rows["returning"] == False), "returning", "other", None),  # noqa: E712
}


@pytest.mark.parametrize("name", SKEWED)
def test_values_that_were_sent_otherwise_are_counted_with_their_cause(compared, name):
    """Only of the feature that differs."""
    change, feature, cause, by = SKEWED[name]
    found = compared(change)["features"]

    assert found.keys() == {feature}
    assert found[feature]["cause"] == cause
    assert found[feature].get("by") == (pytest.approx(by, rel=1e-5) if by else None)
    assert found[feature]["examples"][0]["sent"] != found[feature]["examples"][0]["loaded"]
    assert "key" not in found[feature]["examples"][0]


def test_the_newest_days_are_counted_one_by_one(compared, recipe):
    """Each with the share of its worst feature; one that is revised by design is left out."""

    def change(rows):
        last = rows["at"] >= "2026-02-19"
        return rows.assign(pages=rows["pages"] + last, age=rows["age"] * 2)

    features = tuple(replace(each, revised=each.name == "age") for each in recipe.CONTRACT.features)
    days = compared(change, contract=replace(recipe.CONTRACT, features=features))["days"]
    assert [each["day"] for each in days] == [f"2026-02-{day}" for day in range(13, 20)]
    assert [each["worst"] for each in days] == [0, 0, 0, 0, 0, 0, 1]
    assert all(each["rows"] > 100 for each in days)


def test_values_lost_in_load_are_counted(compared):
    """The reverse of what is filled upstream."""
    found = compared(lambda rows: rows, lambda rows: other(rows, "age", lambda _: np.nan, 0.2))["features"]

    assert found["age"]["cause"] == "missing_loaded"
    assert found["age"]["rows"] / found["age"]["of"] == pytest.approx(0.2 * 0.92, abs=0.03)


def test_a_value_of_the_day_before_is_stale(tmp_path, recipe, rows):
    """A value that is one per day, as rates of exchange are; and one of the same key's row before."""
    days = rows["at"].dt.day_of_year
    daily = rows.assign(age=20.0 + (days * days * 7) % 50)
    sent = daily.assign(age=20.0 + ((days - 1) ** 2 * 7) % 50)
    found = skew(journal(tmp_path, sent.tail(3_000), recipe.CONTRACT), daily, recipe.CONTRACT)
    assert found["features"]["age"]["cause"] == "stale"

    keyed = rows.assign(visitor="v" + (rows.index % 97).astype(str))
    before = keyed.assign(pages=keyed.groupby("visitor")["pages"].shift(1).fillna(0).astype(int))
    found = skew(journal(tmp_path, before.tail(3_000), recipe.CONTRACT), keyed, recipe.CONTRACT)
    assert found["features"]["pages"]["cause"] == "stale"


@pytest.mark.parametrize("hours", [-1, 2, 5.5])
def test_times_of_another_zone_are_found(compared, hours):
    """And the features are compared all the same."""
    found = compared(lambda rows: rows.assign(at=rows["at"] - timedelta(hours=hours), pages=rows["pages"] * 2))

    assert found["hours"] == hours
    assert found["features"].keys() == {"pages"}
    assert remarks(found)[0] == f"the times of sent rows are {hours:+g} hours from those of load()"


def test_a_feature_that_is_not_sent_is_named_and_not_compared(compared):
    """A feature that clients began to send is compared from then on."""
    found = compared(lambda rows: rows.drop(columns="age"))
    assert found["not_sent"] == ["age"]
    assert found["features"] == {}

    found = compared(lambda rows: rows.assign(age=rows["age"].where(rows["at"] > rows["at"].iloc[2_000])))
    assert found["features"] == {}


def test_the_newest_answer_for_a_key_and_time_counts(tmp_path, recipe, rows):
    """A page may be opened again."""
    sent = rows.tail(3_000)
    twice = pd.concat([sent.assign(pages=99), sent], ignore_index=True)

    assert skew(journal(tmp_path, twice, recipe.CONTRACT), rows, recipe.CONTRACT)["features"] == {}


def test_a_private_key_is_joined_by_its_hash(compared, recipe, tmp_path):
    """As the scorer writes it, with the journal's salt; private features are not in the journal."""
    contract = replace(recipe.CONTRACT, private=("visitor", "age"))
    assert "is private" in compared(lambda rows: rows, contract=contract)["unjoined"]

    hidden, line = PrivateFields(tmp_path), msgspec.defstruct("Line", ["row", "key"])

    def hashed(rows):
        lines = [line(row={}, key=key) for key in rows["visitor"]]
        lines = hidden.without(lines, frozenset({"visitor"}), "visitor")
        rows = rows.assign(visitor=[line.key for line in lines], pages=rows["pages"] * 2)
        return other(rows, "age", lambda age: age * 2)

    found = compared(hashed, contract=contract)
    assert found["rows"] > 1_900
    assert found["features"].keys() == {"pages"}
    assert "key" not in found["features"]["pages"]["examples"][0]


def test_other_rows_are_no_skew(compared):
    """Nothing is compared where nothing matches, or the journal is empty."""
    assert compared(lambda rows: rows.assign(visitor=rows["visitor"] + "x"))["rows"] == 0
    assert compared(lambda rows: rows.head(0))["sent"] == 0


def test_training_stores_the_comparison(recipes, tmp_path, recipe, rows, capsys):
    """A journal that is not there yet, as before the first model serves, stops no training, and is recorded."""
    sent = tmp_path / "journal"
    sent.mkdir()
    journal(sent, other(rows.tail(3_000), "pages", lambda pages: pages * 12), recipe.CONTRACT)
    file = tmp_path / "public.py"
    source = (recipes / "buys.py").read_text().replace("Path(__file__).parent", f"Path({str(recipes)!r})")
    file.write_text(source.replace('private=("visitor", "age")', "private=()"))
    words = ["train", "--recipe", str(file), "--today", "2026-02-20", "--out"]

    assert main([*words, str(tmp_path / "one"), "--journal", str(sent)]) == OK
    (made,) = (tmp_path / "one").iterdir()
    assert read_manifest(made)["sent"]["features"]["pages"]["cause"] == "factor"
    assert "rows that were sent to the scorer, load() gives other values: pages in" in capsys.readouterr().out

    assert main([*words, str(tmp_path / "two"), "--journal", str(tmp_path / "gone")]) == OK
    (made,) = (tmp_path / "two").iterdir()
    assert "there is no journal at" in read_manifest(made)["sent"]["unjoined"]


def test_a_journal_behind_a_url_is_a_place(tmp_path):
    """As monitoring reads it."""
    with pytest.raises(OSError, match="cannot be read"):
        place_at("nonsense://bucket")
    assert place_at(f"file://{tmp_path}").days() == []

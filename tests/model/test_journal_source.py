"""`model.sources.journal`: rows that were answered and outcomes that were reported, as a recipe's `load`."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from archive.parquet import convert
from bundles.manifest import read_manifest
from contracts.row_contract import Contract, Feature, Target
from model.__main__ import OK, main
from model.data import DataError, check
from model.sources import journal
from model.train import read_recipe

START, END = datetime(2026, 2, 1, tzinfo=UTC), datetime(2026, 2, 3, tzinfo=UTC)
TODAY = date(2026, 5, 10)
CONTRACT = Contract(
    name="shop",
    task="binary",
    features=(Feature("pages", "number"), Feature("kind", "category", nullable=True)),
    target=Target("bought", (False, True), known_at="reported"),
    key="visitor",
    time="at",
)
AT = "2026-02-01T10:00:00.000000Z"


def answer(id_, at=AT, time="2026-02-01T10:00:00Z", arm="champion", **row):
    row = {"pages": 3, "kind": "a"} | row
    return {
        "id": id_,
        "at": at,
        "version": "v1",
        "arm": arm,
        "key": f"k{id_}",
        "time": time,
        "row": {name: value for name, value in row.items() if value != "absent"},
        "score": 0.25,
    }


def outcome(id_, value, at="2026-02-01T12:00:00.000000Z"):
    return {"id": id_, "outcome": value, "at": at}


@pytest.fixture
def kept(tmp_path):
    """Writes a journal of segments, and returns its folder."""

    def keep(answers=(), outcomes=(), torn=""):
        for kind, lines in (("answers", answers), ("outcomes", outcomes)):
            text = "".join(json.dumps(line) + "\n" for line in lines)
            (tmp_path / f"{kind}-20260201T000000-0.jsonl").write_text(text + torn)
        return str(tmp_path)

    return keep


def rows(where, contract=CONTRACT, **more):
    return journal.rows(contract, START, END, where, **more)


def test_answers_and_their_outcomes_are_rows_by_time(kept):
    """With when each outcome was reported; a row without one yet is there, too."""
    place = kept([answer("1"), answer("2", pages=5), answer("3", kind=None)], [outcome("2", True), outcome("1", False)])
    found = rows(place)

    assert found["bought"].tolist() == [False, True, None]
    assert found["pages"].tolist() == [3.0, 5.0, 3.0]
    assert found["visitor"].tolist() == ["k1", "k2", "k3"]
    assert found["reported"].isna().tolist() == [False, False, True]
    assert found["reported"][0] == pd.Timestamp("2026-02-01T12:00Z")
    assert found[[journal.ID, journal.ARM, journal.VERSION, journal.SCORE]].iloc[0].tolist() == [
        "1",
        "champion",
        "v1",
        0.25,
    ]
    assert len(check(found, CONTRACT, START, END)) == 3


def test_segments_and_their_parquet_files_give_the_same_rows(kept, tmp_path):
    """Open segments included."""
    answers = [answer(str(n), pages=n, kind="a" if n % 2 else None) for n in range(50)]
    place = kept(answers, [outcome(str(n), n % 3 == 0) for n in range(0, 50, 2)])
    before = rows(place)
    for segment in sorted(tmp_path.glob("*.jsonl")):
        assert convert(segment)

    pd.testing.assert_frame_equal(rows(place), before)
    assert before["bought"].notna().sum() == 25


def test_the_first_answer_and_the_first_outcome_of_an_id_count(kept):
    """By when they were given, not by their place in the files."""
    late, early = "2026-02-02T12:00:00.000000Z", "2026-02-01T11:00:00.000000Z"
    answers = [answer("1", at=late, pages=9), answer("1", at=early, pages=4)]
    found = rows(kept(answers, [outcome("1", False, late), outcome("1", True, early)]))

    assert [*zip(found["pages"], found["bought"], strict=True)] == [(4.0, True)]


def test_the_window_is_of_the_rows_time(kept):
    """A flight of tomorrow is scored today, and reported the day after."""
    times = ["2026-01-31T23:59:59Z", "2026-02-01T00:00:00Z", "2026-02-02T23:59:59Z", "2026-02-03T00:00:00Z", "soon"]
    asked = "2026-01-20T10:00:00.000000Z"
    place = kept([answer(str(n), at=asked, time=time) for n, time in enumerate(times)], [outcome("2", True)])

    assert rows(place)["visitor"].tolist() == ["k1", "k2"]


def test_an_outcome_that_was_reported_before_its_row_is_known_at_the_rows_time(kept):
    """A cancellation; training refuses an outcome that is older than its row."""
    place = kept([answer("1", time="2026-02-02T10:00:00Z")], [outcome("1", False)])
    found = rows(place)

    assert found["reported"].tolist() == found["at"].tolist()
    assert len(check(found, CONTRACT, START, END)) == 1


@pytest.mark.parametrize("value", [None, "yes", 3, 0.5, [True], {"a": 1}])
def test_an_outcome_that_does_not_fit_is_none(kept, value):
    """Nor is a torn line, or one without an id."""
    place = kept(
        [answer("1")], [outcome("1", value), outcome(7, True), {"outcome": True, "at": AT}], torn='{"id": "1", "out'
    )
    assert rows(place)["bought"].tolist() == [None]


def test_without_a_delay_in_the_contract_rows_without_an_outcome_are_left_out(kept):
    """With a maturity, only those that are older than it."""
    place = kept([answer("1"), answer("2"), answer("3", time="2026-02-02T20:00:00Z")], [outcome("1", True)])
    plain = replace(CONTRACT, target=Target("bought", (False, True)))
    mature = replace(CONTRACT, target=Target("bought", (False, True), maturity=timedelta(hours=12)))

    assert rows(place, plain)["visitor"].tolist() == ["k1"]
    assert rows(place, mature)["visitor"].tolist() == ["k1", "k3"]


def test_rows_from_before_a_feature_are_left_out(kept):
    """One that may be missing is missing in them."""
    place = kept([answer("1", pages="absent"), answer("2", kind="absent")])
    found = rows(place)

    assert found["visitor"].tolist() == ["k2"]
    assert found["kind"].isna().all()


def test_the_holdback_alone_can_be_had(kept):
    """Rows that no later model decided on."""
    place = kept([answer("1"), answer("2", arm="anchor"), answer("3", arm="challenger")])

    assert rows(place, arms=["anchor"])[journal.ARM].tolist() == ["anchor"]
    assert len(rows(place)) == 3


@pytest.mark.parametrize("task", ["regression", "multiclass"])
def test_outcomes_have_the_types_of_the_task(kept, task):
    """Numbers, and classes of numbers that Parquet may have read as fractions."""
    classes = (1, 2, 3) if task == "multiclass" else ()
    contract = replace(CONTRACT, task=task, target=Target("bought", classes, known_at="reported"))
    place = kept([answer("1"), answer("2")], [outcome("1", 2)])
    found = rows(place, contract)

    assert found["bought"].tolist()[0] == 2
    assert pd.isna(found["bought"][1])
    assert len(check(found, contract, START, END)) == 2


def test_an_empty_journal_has_no_rows_and_all_columns(kept):
    """Training says what is missing."""
    found = rows(kept())
    with pytest.raises(DataError, match="returned no rows"):
        check(found, CONTRACT, START, END)
    assert {"visitor", "at", "pages", "kind", "bought", "reported"} <= {*found.columns}


def test_what_the_journal_cannot_have_is_said(tmp_path, monkeypatch):
    """All at once, with what to do."""
    monkeypatch.delenv("JOURNAL", raising=False)
    with pytest.raises(DataError) as error:
        journal.rows(replace(CONTRACT, private=("pages",)), START, END)
    assert "no journal is named; pass its folder or URL, or set JOURNAL" in str(error.value)
    assert "the journal has no pages, which the contract declares private" in str(error.value)
    with pytest.raises(OSError, match="there is no journal at"):
        rows(str(tmp_path / "elsewhere"))


@pytest.mark.slow
def test_a_night_is_trained_on_the_journal_alone(tmp_path, recipes, monkeypatch):
    """Four months of a shop: outcomes of buyers come within the hour, of others within days."""
    visits = read_recipe(recipes / "buys.py")
    contract = read_recipe(recipes / "served.py").CONTRACT
    random = np.random.default_rng(4)
    table = visits.load(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 5, 10, tzinfo=UTC))
    table = table.astype(object).where(table.notna(), None)
    answers, outcomes = [], []
    for number, row in enumerate(table.to_dict("records")):
        took = timedelta(hours=random.random()) if row["bought"] == "yes" else timedelta(days=random.exponential(2))
        line = answer(str(number), at=f"{row['at']:%Y-%m-%dT%H:%M:%S.%fZ}", time=f"{row['at']:%Y-%m-%dT%H:%M:%SZ}")
        features = {name: row[name] for name in contract.feature_names}
        answers.append(line | {"key": f"sha256:{row['visitor']}", "row": features})
        if row["at"] + took < datetime(2026, 5, 10, tzinfo=UTC):
            outcomes.append(outcome(str(number), row["bought"], f"{row['at'] + took:%Y-%m-%dT%H:%M:%S.%fZ}"))
    for kind, lines in (("answers", answers), ("outcomes", outcomes)):
        (tmp_path / f"{kind}-20260101T000000-0.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    monkeypatch.setenv("JOURNAL", str(tmp_path))
    words = ["train", "--recipe", str(recipes / "served.py"), "--today", f"{TODAY}", "--forge", str(tmp_path / "forge")]

    assert main([*words, "--out", str(tmp_path / "made")]) == OK

    (bundle,) = (path.parent for path in (tmp_path / "made").rglob("manifest.json"))
    found = read_manifest(bundle)
    assert found["label_delay"]["release"]["unknown"] > 100
    assert found["label_delay"]["release"]["method"] != "matured"
    share = table["bought"][table["at"] >= pd.Timestamp("2026-03-31", tz=UTC)].eq("yes").mean()
    golden = np.mean(found["golden"]["scores"])
    assert abs(golden - share) < 0.1

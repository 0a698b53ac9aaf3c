"""Outcomes that become known later: what a contract and its rows must say, and what is used as of a time."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.row_contract import Contract, ContractError, Feature, Target
from model.data import DataError, check
from model.label_delay.known_outcomes import as_of, delays, known
from model.notices import remarks

START = datetime(2026, 1, 1, tzinfo=UTC)
END = START + timedelta(days=20)
CONTRACT = Contract(
    "x", "binary", (Feature("size", "number"),), Target("y", (False, True), known_at="seen"), key="who", time="at"
)
RIPE = replace(CONTRACT, target=Target("y", (False, True), maturity=timedelta(days=5)))


def rows(n=40):
    """Two rows a day; every third outcome takes a day, the others take a week."""
    numbers = np.arange(n)
    at = pd.Series(START + pd.to_timedelta(numbers * 12, unit="h"))
    took = pd.to_timedelta(np.where(numbers % 3 == 0, 1, 7), unit="D")
    table = {"who": [f"w{i}" for i in numbers], "at": at, "size": numbers * 1.0, "y": numbers % 3 == 0}
    return pd.DataFrame(table | {"seen": at + took})


def test_rows_without_an_outcome_yet_are_no_error():
    """The outcome and its time are empty in both, or in neither."""
    given = rows().astype({"y": object})
    given.loc[given["seen"] > END, ["y", "seen"]] = None

    found = check(given, CONTRACT, START, END)

    assert list(found) == ["who", "at", "size", "y", "seen"]
    assert known(found, CONTRACT).sum() == (rows()["seen"] <= END).sum() < len(found)


@given(day=st.integers(1, 19), later=st.integers(0, 10))
@settings(max_examples=30, deadline=None)
def test_as_of_a_day_nothing_is_used_that_became_known_later(day, later):
    """The same rows with all later outcomes changed, and with later rows, are the same as of the day."""
    moment = START + timedelta(days=day)
    before = rows()[lambda r: r["at"] < moment]
    changed = before.assign(y=np.where(before["seen"] > moment, ~before["y"], before["y"]))
    changed["seen"] = changed["seen"].where(before["seen"] <= moment, moment + timedelta(days=later, seconds=1))

    pd.testing.assert_frame_equal(check(before, CONTRACT, START, moment), check(changed, CONTRACT, START, moment))


@pytest.mark.parametrize("contract", [CONTRACT, RIPE])
def test_more_is_known_as_time_goes_by(contract):
    """What was known stays known; with a maturity, the rows older than it."""
    whole = check(rows(), contract, START, END, known_by=END + timedelta(days=30))
    counts = [known(as_of(whole, contract, START + timedelta(days=d)), contract).sum() for d in range(0, 40, 4)]

    assert counts == sorted(counts)
    assert (counts[0], counts[-1]) == (0, len(whole))


def test_a_maturity_is_a_delay_that_is_the_same_for_all():
    """Younger rows have no outcome, whatever load() returns for them."""
    found = check(rows(), RIPE, START, END)

    assert (known(found, RIPE) == (found["at"] <= END - timedelta(days=5))).all()
    assert set(delays(found, RIPE, END)[known(found, RIPE)]) == {5.0}


def test_a_delay_is_the_time_until_known_or_the_age():
    """Days, with fractions."""
    found = check(rows(), CONTRACT, START, END)

    assert delays(found, CONTRACT, END)[:2].tolist() == [1.0, 7.0]
    assert delays(found, CONTRACT, END)[-1] == 0.5


def half(r, way, odd):
    """Every other time without its zone, in a type *way*: the *odd* ones, or the even ones."""
    times = [at.tz_localize(None) if number % 2 == odd else at for number, at in enumerate(r["seen"])]
    return r.assign(seen=pd.Series([way(at) for at in times], dtype=object))


@pytest.mark.parametrize("way", [lambda at: at, str, lambda at: at.isoformat(), lambda at: at.to_pydatetime()])
def test_times_of_several_zones_are_the_same_moments(way):
    """In one column, as databases and logs have them."""
    zones = [timezone(timedelta(hours=number % 5 - 2)) for number in range(40)]
    given = rows().assign(seen=[way(at.tz_convert(zone)) for at, zone in zip(rows()["seen"], zones, strict=True)])

    pd.testing.assert_frame_equal(check(given, CONTRACT, START, END), check(rows(), CONTRACT, START, END))


@pytest.mark.parametrize("column", ["seen", "at"])
@pytest.mark.parametrize("way", [lambda at: at, str, lambda at: at.to_pydatetime()])
@pytest.mark.parametrize("odd", [0, 1])
def test_times_of_which_some_have_no_zone_are_refused(column, way, odd):
    """Whichever comes first: such a time would be read as UTC silently."""
    given = half(rows(), way, odd)
    given = given.assign(at=half(rows().assign(seen=rows()["at"]), way, odd)["seen"]) if column == "at" else given

    with pytest.raises(ContractError, match=f"{column}: 20 of 40 times have no time zone, such as 2026"):
        check(given, CONTRACT, START, END)


@pytest.mark.parametrize("part", ["features", "retired"])
def test_the_time_at_which_an_outcome_is_known_is_no_feature(part):
    with pytest.raises(ContractError, match="seen: the name is used 2 times, and known_at is no feature"):
        replace(CONTRACT, **{part: (*getattr(CONTRACT, part), Feature("seen", "number"))})


def at_midnight(r):
    return r.assign(seen=r["at"].dt.floor("D"))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda r: r.drop(columns="seen"), "seen is missing; load() must return it"),
        (lambda r: r.assign(seen=5), 'seen: expected times, got 5; write pd.to_datetime(rows["seen"], unit="s"'),
        (lambda r: r.assign(seen="soon"), "seen: the times of 40 rows cannot be read, such as 'soon'"),
        (lambda r: r.assign(seen=r["at"] - timedelta(days=2)), "40 rows have an outcome that is known before their at"),
        (at_midnight, 'it has days only: write rows["seen"] + pd.Timedelta(days=1)'),
        (lambda r: r.assign(seen=r["seen"].dt.tz_localize(None)), "seen: seen has no time zone, and at has one"),
        (lambda r: r.assign(at=r["at"].dt.tz_localize(None)), "seen: at has no time zone, and seen has one"),
        (lambda r: r.assign(seen=pd.Timestamp("2226-01-01T00:00Z")), "becomes known in the future"),
        (lambda r: r.assign(seen=None), "40 rows have a y and no time at which it became known"),
        (
            lambda r: r.assign(seen=""),
            "the times of 40 rows cannot be read, such as ''; write rows[\"seen\"].replace('', None)",
        ),
        (lambda r: r.assign(seen=r["seen"].where(r.index != 3, r["at"] - timedelta(days=1))), "1 rows have"),
        (lambda r: r.assign(seen=r["seen"].where(r.index != 3, pd.Timestamp(0, tz="UTC"))), "is it another column"),
        (lambda r: r.assign(seen=r["seen"].astype("int64") // 10**9), 'write pd.to_datetime(rows["seen"], unit="s"'),
        (lambda r: r.assign(y=None), "have a time and no y; leave the time empty"),
    ],
)
def test_a_wrong_column_of_times_is_refused_with_what_to_write(change, words):
    """Each is a mistake that would train on the wrong outcomes."""
    with pytest.raises((ContractError, DataError)) as caught:
        check(change(rows()), CONTRACT, START, END)

    assert words in str(caught.value)


def test_all_problems_are_reported_at_once():
    """The time of the outcome beside the outcome and a feature."""
    with pytest.raises(ContractError) as caught:
        check(rows().assign(seen=5, y="maybe", size="big"), CONTRACT, START, END)

    assert [line.split(":")[0] for line in caught.value.problems] == ["size", "y", "seen"]


def test_a_row_older_than_the_maturity_has_an_outcome():
    """A younger one may have none."""
    given = rows().astype({"y": object})
    given.loc[given["at"] > END - timedelta(days=5), "y"] = None
    assert known(check(given, RIPE, START, END), RIPE).sum() == 31

    given.loc[0, "y"] = None
    with pytest.raises(ContractError, match="y: 1 rows are older than the maturity of 5 days"):
        check(given, RIPE, START, END)


def test_times_without_a_zone_are_remarked_upon_in_both_columns():
    """They are read as UTC."""
    naive = rows().assign(**{name: rows()[name].dt.tz_localize(None) for name in ("at", "seen")})

    assert [line.split(":")[0] for line in remarks(naive, CONTRACT)] == ["at", "seen"]


def test_without_a_word_on_delay_a_missing_outcome_is_an_error_as_ever():
    """And the message names the way out."""
    plain = replace(CONTRACT, target=Target("y", (False, True)))

    with pytest.raises(ContractError, match="known_at="):
        check(rows().assign(y=None), plain, START, END)

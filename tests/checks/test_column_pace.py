"""Columns with one value a day, month or quarter: clean nights pass, and faults are found beside them."""

import functools
import importlib.util
from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from checks.earlier_rows import Past
from checks.rules.rows import column_values
from checks.rules.rows.column_pace import pace_of, runs_of_days
from checks.rules.rows.source_changes import upstream
from model.source_profile.fingerprint import source_of

CHAMPION, HOLDOUT = timedelta(days=7), timedelta(days=14)
pytestmark = pytest.mark.slow
NIGHTS = [date(2024, 6, 20) + timedelta(days=33 * night) for night in range(12)]


@functools.cache
def bank(root):
    """The recipe, whose estimator this environment cannot make."""
    spec = importlib.util.spec_from_file_location("bank", root / "tests/recipes/bank.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def night(root, rules):
    """The rules' findings as of a day, with a fault that changes the rows from some days before it on."""
    recipe = bank(root)

    def judged(today, spoil=None, days=8):
        since = pd.Timestamp(datetime(today.year, today.month, today.day, tzinfo=UTC)) - timedelta(days=days)

        def load(day):
            start, end = recipe.window(day)
            rows = recipe.load(start, end)
            late = rows["at"] >= since
            if spoil:
                rows = pd.concat([rows[~late], spoil(rows[late].copy(), rows[~late])], ignore_index=True)
            return rows, start, end

        (rows, start, end), (old, _, before) = load(today), load((since - timedelta(days=1)).date())
        late = rows["at"] >= pd.Timestamp(end - HOLDOUT)
        old = old[old["at"] < pd.Timestamp(before)]
        evidence = SimpleNamespace(
            contract=recipe.CONTRACT,
            train=rows[~late].reset_index(drop=True),
            holdout=rows[late].reset_index(drop=True),
            past=Past({}, (str(start), str(end)), old),
        )
        candidate, champion = (
            {"contract": recipe.CONTRACT.to_json(), "data": {"source": source_of(each, recipe.CONTRACT, until)}}
            for each, until in ((rows, end), (old, before))
        )
        limits = rules.gate.rows
        return {
            finding.rule: finding
            for finding in (
                *(rule(evidence, limits) for rule in (column_values.sentinels, column_values.frozen)),
                column_values.missing_jump(evidence, limits),
                *upstream(candidate, champion, rules.gate, lambda: rows)[0],
            )
        }

    return judged


@pytest.mark.parametrize("today", NIGHTS)
def test_no_clean_night_is_rejected(night, today):
    """Over a year in which figures cross zero, fall to a third, and stay for three months."""
    found = night(today)

    assert [each for each in found.values() if each.outcome != "PASS" and each.severity != "warn"] == []


def where(share, value):
    """A share of the late rows gets a value."""

    def spoil(late, _):
        which = np.random.default_rng(0).random(len(late)) < share
        return late.assign(**{name: late[name].mask(which, each) for name, each in value.items()})

    return spoil


def times(name, factor):
    return lambda late, _: late.assign(**{name: late[name] * factor})


FAULTS = {
    "a sentinel in every row of a figure a day": (where(1, {"rate": -999}), "data.sentinels", "rate = -999"),
    "a sentinel in some rows of a figure a day": (where(0.1, {"rate": -999}), "data.sentinels", "rate = -999"),
    "a sentinel in every row of a figure a month": (where(1, {"prices": -999}), "data.sentinels", "prices = -999"),
    "a sentinel in some rows of a figure a quarter": (where(0.2, {"employed": -1}), "data.sentinels", "employed = -1"),
    "a sentinel in some rows of a column of the caller": (where(0.05, {"age": -999}), "data.sentinels", "age = -999"),
    "zero where a figure a day is missing": (where(0.1, {"rate": 0.0}), "data.sentinels", "rate = 0"),
    "miles for kilometres, a figure a day": (times("rate", 1 / 1.609), "upstream.units", "`rate` is about 1.6 times"),
    "inches for centimetres, a figure a day": (times("rate", 2.54), "upstream.units", "`rate` is about 2.5 times"),
    "per cent for shares, a figure a day": (times("rate", 100), "upstream.units", "`rate` is about 100 times larger"),
    "per cent for shares, a figure a month": (times("prices", 100), "upstream.units", "`prices` is about 100 times"),
    "months for years, a column of the caller": (times("age", 12), "upstream.units", "`age` is about 12 times larger"),
    "another sign, a figure a day": (times("rate", -1), "upstream.units", "`rate` changed its sign"),
    "columns of the caller swapped": (
        lambda late, _: late.rename(columns={"age": "since_last", "since_last": "age"}),
        "upstream.units",
        "swapped",
    ),
    "a figure a day no longer changes": (
        lambda late, before: late.assign(rate=before["rate"].iloc[-1]),
        "data.frozen",
        "rate has had the value",
    ),
    "a column of the caller no longer changes": (lambda late, _: late.assign(age=37.0), "data.frozen", "age has had"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_found(night, fault):
    """By the rule that names it, although most columns have few values."""
    spoil, rule, words = FAULTS[fault]
    found = night(NIGHTS[2 + len(fault) % 6], spoil, 11)[rule]

    assert found.outcome == "FAIL", found.observed
    assert words in found.observed


@pytest.mark.parametrize(
    ("values", "slow", "looks"),
    [
        (lambda day, i: day, True, 90),
        (lambda day, i: day // 7, True, 13),
        (lambda day, i: day // 30, True, 3),
        (lambda day, i: day // 45 % 2, True, 2),
        (lambda day, i: (day // 30) * 10 + i % 3, True, 9),  # a figure a month for each of three countries
        (lambda day, i: 7, True, 1),
        (lambda day, i: i % 10, False, 3600),
        (lambda day, i: (day * 40 + i) * 0.01, False, 3600),
        (lambda day, i: day if i % 2 else i, False, 3600),
    ],
)
def test_the_pace_of_a_column(values, slow, looks):
    """It has as many looks as its values had runs of days; a column that varies within days, as many as rows."""
    day, i = np.repeat(np.arange(90), 40), np.tile(np.arange(40), 90)
    at = pd.Series(pd.Timestamp("2026-01-01", tz=UTC) + pd.to_timedelta(day, "D") + pd.to_timedelta(i, "h") / 2)
    pace = pace_of(pd.Series([float(values(d, n)) for d, n in zip(day, i, strict=True)]), at)

    assert (pace.slow, pace.looks) == (slow, looks)


def test_runs_of_days():
    """A day with other values ends a run; one with too few rows is left out."""
    day = np.repeat(np.arange(6), 4)
    values = pd.Series([1.0] * 8 + [1, 1, 2, 2] + [3.0] * 12)
    at = pd.Series(pd.Timestamp("2026-01-01", tz=UTC) + pd.to_timedelta(day, "D"))

    assert runs_of_days(values, at, 0.9, 1) == [(1.0, 2), (None, 1), (3.0, 3)]
    assert runs_of_days(values, at, 0.9, 5) == []

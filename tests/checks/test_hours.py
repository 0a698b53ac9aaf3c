"""data.clock: shifted clocks are found, the change to and from summer time is not one."""

import functools
from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

from checks.rules.rows import hours
from checks.rules.rows.hours import Shift, may_be_one_hour
from contracts.row_contract import Contract, Feature, Target

CONTRACT = Contract(
    name="visits",
    task="binary",
    key="visitor",
    time="at",
    features=(Feature("country", "category"), Feature("age", "number")),
    target=Target("bought", (False, True)),
)
LIMITS = SimpleNamespace(max_clock=0.3, severity="block")
HOLDOUT = 14


@functools.cache
def visits(last, zones, rows=300, days=90, seed=0, later=lambda day: 0.0):
    """The visits of people who live by the clocks of *zones*, up to the day *last*; times are UTC.

    More come in the evening than in the morning, fewer at weekends. *later(day)* is a slow movement in hours.
    """
    random = np.random.default_rng(seed)
    found = []
    for back in range(days, 0, -1):
        day = last - timedelta(days=back)
        many = random.poisson(rows * (0.7 if day.weekday() > 4 else 1.0))
        morning = random.random(many) < (0.2 if day.weekday() > 4 else 0.35)
        hour = np.where(morning, random.normal(9, 1.5, many), random.normal(19, 2.0, many)) + later(days - back)
        zone = random.choice(len(zones), many)
        offset = [datetime(day.year, day.month, day.day, 12, tzinfo=ZoneInfo(each)).utcoffset() for each in zones]
        at = pd.Timestamp(day, tz=UTC) + pd.to_timedelta(hour % 24, "h") - pd.to_timedelta(offset)[zone]
        found.append(pd.DataFrame({"at": at, "country": np.array(zones)[zone], "age": 30.0}))
    rows = pd.concat(found, ignore_index=True)
    return rows[rows["at"] < pd.Timestamp(last, tz=UTC)].reset_index(drop=True)


def judged(rows, last, end=""):
    """The finding on *rows*, of which the last two weeks are the holdout, queried up to *end* (else midnight)."""
    end = end or f"{last}T00:00:00Z"
    late = rows["at"] >= pd.Timestamp(last, tz=UTC) - timedelta(days=HOLDOUT)
    evidence = SimpleNamespace(
        contract=CONTRACT, train=rows[~late], holdout=rows[late], past=SimpleNamespace(before=None, window=("", end))
    )
    return hours.clock(evidence, LIMITS)


def shifted(rows, since, by, share=1.0, country=None):
    random = np.random.default_rng(1)
    which = (rows["at"] >= pd.Timestamp(since, tz=UTC)) & (random.random(len(rows)) < share)
    if country:
        which &= rows["country"] == country
    return rows.assign(at=rows["at"].mask(which, rows["at"] + timedelta(hours=by)))


@pytest.mark.parametrize(
    ("zone", "changed"),
    [
        ("America/New_York", date(2026, 3, 8)),
        ("America/New_York", date(2026, 11, 1)),
        ("Europe/Vienna", date(2026, 3, 29)),
        ("Europe/Vienna", date(2026, 10, 25)),
        ("Australia/Sydney", date(2026, 4, 5)),
        ("Australia/Sydney", date(2026, 10, 4)),
        ("Africa/Cairo", date(2026, 4, 24)),
        ("America/Santiago", date(2026, 9, 6)),
    ],
)
def test_the_change_to_or_from_summer_time_is_no_shifted_clock(zone, changed):
    """On each night of the five weeks after it; while it is in the holdout, the report mentions it."""
    found = {
        night: judged(visits(changed + timedelta(days=night), (zone,), seed=night), changed + timedelta(days=night))
        for night in (2, 9, 15, 24)
    }

    assert {night: each.outcome for night, each in found.items()} == dict.fromkeys(found, "PASS")
    assert "summer time" in found[9].observed
    assert "1 hour" in found[9].observed


@pytest.mark.parametrize("by", [-5, -2, -1, 1, 2, 5, 8])
@pytest.mark.parametrize("part", ["all", "half of the rows", "one country"])
def test_a_shifted_clock_is_found(by, part):
    """In a month without a change of any clock, from a day within the holdout on."""
    last = date(2026, 7, 20)
    rows = visits(last, ("Europe/Vienna", "Europe/Madrid"))
    share, country = (0.5, None) if part == "half of the rows" else (1.0, None if part == "all" else "Europe/Madrid")

    found = judged(shifted(rows, last - timedelta(days=8), by, share, country), last)

    assert found.outcome == "FAIL"
    assert "2026-07-1" in found.observed
    assert f"{abs(by)} hour" in found.observed
    assert ("later" if by > 0 else "earlier") in found.observed
    assert ("country = Europe/Madrid" in found.observed) == bool(country)


def test_two_hours_on_the_day_of_summer_time_are_a_shifted_clock():
    """Only an hour, in the direction of the change, is expected then."""
    last = date(2026, 4, 5)
    rows = visits(last, ("Africa/Lagos",))  # without summer time

    assert judged(shifted(rows, date(2026, 3, 29), -2), last).outcome == "FAIL"
    assert judged(shifted(rows, date(2026, 3, 29), 1), last).outcome == "FAIL"
    assert judged(shifted(rows, date(2026, 3, 29), -1), last).outcome == "PASS"


@pytest.mark.parametrize(
    ("since", "hours", "share", "held"),
    [
        (date(2026, 3, 29), -2, 0.53, True),
        (date(2026, 3, 29), -2, 0.9, False),
        (date(2026, 3, 29), 2, 0.53, False),
        (date(2026, 6, 1), -2, 0.53, False),
        (date(2026, 6, 1), 1, 0.9, True),
    ],
)
def test_two_hours_of_half_of_the_rows_may_be_one_of_all_where_clocks_change(since, hours, share, held):
    """The candidate is held then, and not rejected."""
    assert may_be_one_hour(Shift(since, hours, share, 9.0)) == held


@pytest.mark.parametrize("minutes_a_day", [-4, -2, 2, 4])
def test_a_stream_that_follows_daylight_moves_slowly(minutes_a_day):
    """Sunset moves by two minutes a day in the middle of Europe, by four in the north."""
    last = date(2026, 9, 20)
    rows = visits(last, ("UTC",), later=lambda day: (day - 45) * minutes_a_day / 60)

    assert judged(rows, last).outcome == "PASS"


def test_few_days_or_rows_give_no_finding():
    """A stream of a few rows a day has no distribution over the hours."""
    last = date(2026, 7, 20)

    assert judged(visits(last, ("UTC",), rows=3), last).outcome == "PASS"
    assert judged(visits(last, ("UTC",), days=17), last).outcome == "PASS"


def test_a_day_that_is_not_over_is_left_out():
    """A query that ends in the morning has the mornings of its last day only."""
    last = date(2026, 7, 20)
    rows = visits(last, ("UTC",))
    rows = rows[rows["at"] < pd.Timestamp("2026-07-19T10:00Z")]

    assert judged(rows, last, "2026-07-19T10:00:00Z").outcome == "PASS"


def test_clean_windows_are_seldom_rejected():
    """None of twelve in a summer, at 30 to 300 rows a day; the limit is six deviations, of the best of 23 shifts."""
    last = date(2026, 8, 1)
    found = [
        judged(visits(last, ("UTC", "Asia/Tokyo"), rows=30 + 7 * seed, days=60, seed=seed), last) for seed in range(12)
    ]

    assert [each.observed for each in found if each.outcome != "PASS"] == []


def test_the_changes_of_a_year_are_known():
    """Clocks that go forward make local events an hour earlier in UTC."""
    year = hours.clock_changes(2026)

    assert -1 in year[date(2026, 3, 29)]
    assert 1 in year[date(2026, 10, 25)]
    assert date(2026, 7, 1) not in year

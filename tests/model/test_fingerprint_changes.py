"""What changed upstream is named; what is as usual is not. Each fault is done to one made-up source."""

import functools
import json
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from contracts.row_contract import Contract, Feature, Target
from model.source_profile.drift_projection import kendall_z, projected, sen_slope
from model.source_profile.fingerprint import source_of
from model.source_profile.fingerprint_changes import changes, outlook
from model.source_profile.source_change import Limits
from model.source_profile.unit_changes import Day, jump, sentinel

pytestmark = pytest.mark.slow

CONTRACT = Contract(
    name="sales",
    task="binary",
    key="visitor",
    time="at",
    features=(
        Feature("price", "number", unit="EUR", minimum=0, maximum=60),
        Feature("distance", "number", unit="miles", minimum=0),
        Feature("temp", "number", unit="°F", nullable=True),
        Feature("channel", "category"),
        Feature("secret", "number", nullable=True),
        Feature("member", "boolean"),
    ),
    target=Target("bought", (False, True)),
    private=("secret",),
)
LIMITS = Limits(missing_rise=0.1, category_share=0.01, sentinel_share=0.005, max_missing=0.5, horizon=30)
DAY = timedelta(days=1)
START, CHAMPION, CANDIDATE = (datetime(2026, 2, day, tzinfo=UTC) for day in (1, 22, 28))


@functools.cache
def rows(seed=0):
    """Four weeks of a shop: some 190 rows a day, of which few come at night."""
    random = np.random.default_rng(seed)
    hour = np.repeat(np.arange(24), [1] * 6 + [10] * 18)
    found = pd.DataFrame({"hour": np.tile(hour, 27), "day": np.repeat(np.arange(27), len(hour))})
    many = len(found)
    minutes = pd.to_timedelta(random.integers(0, 60, many), unit="min")
    weather = 45 + 4 * np.sin(np.arange(27) / 3) + random.normal(0, 2, 27)
    return pd.DataFrame(
        {
            "visitor": [f"v{n}" for n in range(many)],
            "at": pd.Timestamp(START)
            + pd.to_timedelta(found["day"], unit="D")
            + pd.to_timedelta(found["hour"], unit="h")
            + minutes,
            "price": random.lognormal(2.5, 0.4, many),
            "distance": random.gamma(3, 200, many),
            "temp": weather[found["day"]] + random.normal(0, 5, many),
            "channel": random.choice(["web", "shop", "phone"], many, p=[0.5, 0.3, 0.2]),
            "secret": random.normal(5, 1, many),
            "member": random.random(many) < 0.4,
        }
    ).sort_values("at", ignore_index=True)


def since(day):
    """Whether a row is from that day of February on."""
    return lambda frame: frame["at"] >= pd.Timestamp(datetime(2026, 2, day, tzinfo=UTC))


def spoilt(column, how, day=24):
    def done(frame):
        late = since(day)(frame)
        return frame.assign(**{column: frame[column].where(~late, how(frame[column]))})

    return done


@functools.cache
def before(seed=0):
    """The champion's fingerprint."""
    frame = rows(seed)
    return source_of(frame[frame["at"] < pd.Timestamp(CHAMPION)], CONTRACT, CHAMPION)


def changes_of(spoil, old=True):
    """What the candidate's fingerprint says against the champion's, which is six days older."""
    after = source_of(spoil(rows()), CONTRACT, CANDIDATE)
    return [
        (change.kind, change.since, str(change))
        for change in changes(before() if old else None, after, f"{CHAMPION:%Y-%m-%d}", LIMITS)
    ]


FAULTS = {
    "cents": (
        spoilt("price", lambda x: x * 100),
        "units",
        "2026-02-24",
        "`price` is about 100 times larger: cents, or per cent? (since 2026-02-24)",
    ),
    "kilometres": (spoilt("distance", lambda x: x * 1.609), "units", "2026-02-24", "kilometres in place of miles?"),
    "another unit": (
        spoilt("price", lambda x: x / 9),
        "units",
        "2026-02-24",
        "`price` is about 9 times smaller: another unit?",
    ),
    "celsius": (spoilt("temp", lambda x: (x - 32) / 1.8), "units", "2026-02-24", "Celsius in place of Fahrenheit?"),
    "sign": (spoilt("price", lambda x: -x), "units", "2026-02-24", "`price` changed its sign"),
    "sentinel": (
        spoilt("temp", lambda x: x.where(np.arange(len(x)) % 20 > 0, -999)),
        "units",
        "2026-02-24",
        "`temp` is -999 in 5",
    ),
    "rename": (
        spoilt("channel", lambda x: x.replace("web", "www")),
        "renamed",
        "2026-02-24",
        "`channel` renamed? 'web' is gone, 'www' with",
    ),
    "case": (
        spoilt("channel", lambda x: x.replace("web", "WEB ")),
        "renamed",
        "2026-02-24",
        "; only case or white space differ",
    ),
    "gone": (
        lambda f: f[~since(24)(f) | (f["channel"] != "phone")],
        "categories",
        "2026-02-24",
        "`channel` has no 'phone' since 2026-02-24, which was 20% of rows",
    ),
    "new": (
        spoilt("channel", lambda x: x.where(np.arange(len(x)) % 10 > 0, "app")),
        "categories",
        "2026-02-24",
        "`channel` has a new value 'app' since 2026-02-24, in 10% of rows",
    ),
    "an id": (
        spoilt("channel", lambda x: [f"c{n}" for n in range(len(x))]),
        "categories",
        "2026-02-24",
        "values a day since 2026-02-24 that never came before: an id?",
    ),
    "nulls": (
        spoilt("temp", lambda x: x.where(np.arange(len(x)) % 2 > 0)),
        "missing",
        "2026-02-24",
        "`temp` is missing in 50% of rows since 2026-02-24",
    ),
    "private nulls": (spoilt("secret", lambda x: x * np.nan), "missing", "2026-02-24", "`secret` is missing in 100%"),
    "stopped": (
        lambda f: f[f["at"] < pd.Timestamp(CANDIDATE - timedelta(hours=10))],
        "stopped",
        "2026-02-27",
        "UTC on 2026-02-27, where about 100 are usual until 2026-02-28 00:00",
    ),
    "stopped for days": (
        lambda f: f[f["at"] < pd.Timestamp(CANDIDATE - 2.5 * DAY)],
        "stopped",
        "2026-02-25",
        "on 2026-02-25, where about 4",
    ),
    "hours": (
        lambda f: f[~since(24)(f) | (f["at"].dt.hour < 20)],
        "stopped",
        "2026-02-24",
        "no rows in the hours from 20:00, 21:00, 22:00, … UTC since 2026-02-24",
    ),
    "cut": (
        lambda f: f[~since(24)(f) | (np.arange(len(f)) % 2 > 0)],
        "rows",
        "2026-02-24",
        "of the usual rows a day since 2026-02-24: is the export cut?",
    ),
    "twice": (
        lambda f: pd.concat([f, f[since(24)(f)]]),
        "rows",
        "2026-02-24",
        "2.0 times as many rows a day since 2026-02-24",
    ),
    "clock": (
        lambda f: f.assign(at=f["at"].where(~since(22)(f), f["at"] - timedelta(hours=5))),
        "rows",
        "2026-02-22",
        "the hours of the day moved by -5",
    ),
    "swap": (
        lambda f: f.assign(
            price=f["price"].where(~since(22)(f), f["distance"]),
            distance=f["distance"].where(~since(22)(f), f["price"]),
        ),
        "units",
        "2026-02-22",
        "two columns swapped",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_change_upstream_is_named_with_its_day(fault):
    """In the words of who has to look there; and no other field is accused."""
    spoil, kind, day, words = FAULTS[fault]
    found = changes_of(spoil)
    accused = {each[2].split("`")[1] for each in found if each[2].startswith("`")}

    assert [each for each in found if each[:2] == (kind, day) and words in each[2]], found
    assert len(accused) <= 1


@pytest.mark.parametrize("seed", range(3))
def test_a_week_like_any_other_is_not_accused(seed):
    """Noise is no fault, whatever the seed."""
    new = source_of(rows(seed), CONTRACT, CANDIDATE)

    assert changes(before(seed), new, f"{CHAMPION:%Y-%m-%d}", LIMITS) == []
    assert changes(None, new, f"{CHAMPION:%Y-%m-%d}", LIMITS) == []


def test_a_day_of_fog_is_no_other_unit():
    """A number may be a few times smaller for a day or two; a hundred times is reported at once."""
    assert changes_of(spoilt("price", lambda x: x / 9, day=26)) == []
    assert [each[0] for each in changes_of(spoilt("price", lambda x: x * 100, day=27))] == ["units"]


def test_rows_that_come_an_hour_late_have_not_stopped():
    """In summer time the first hour of the day stays empty."""

    def by_day(frame, late):
        hour = frame["at"].dt.hour % 12 + 6 + (since(24)(frame) & late)
        return frame.assign(at=frame["at"].dt.floor("D") + pd.to_timedelta(hour, "h"))

    usual = by_day(rows(), late=False)
    old = source_of(usual[usual["at"] < pd.Timestamp(CHAMPION)], CONTRACT, CHAMPION)
    new = source_of(by_day(rows(), late=True), CONTRACT, CANDIDATE)

    found = changes(old, new, f"{CHAMPION:%Y-%m-%d}", LIMITS)
    assert [each.kind for each in found if each.kind == "stopped"] == []


def test_without_an_older_fingerprint_its_own_days_show_it():
    """The first of all, or an older bundle."""
    assert ("units", "2026-02-24") in {each[:2] for each in changes_of(FAULTS["cents"][0], old=False)}


def test_a_change_of_the_last_training_is_not_reported_again():
    """The champion knows it."""
    assert changes_of(spoilt("channel", lambda x: x.replace("web", "www"), day=18)) == []


def test_an_empty_fingerprint_is_compared_with_nothing():
    """A bundle that has none, or one of another make."""
    assert changes(None, {}, "2026-02-22", LIMITS) == []
    assert changes({}, {"format": 9}, "2026-02-22", LIMITS) == []
    assert outlook({}, CONTRACT, LIMITS) == []


def test_fields_that_came_went_or_are_of_another_kind_are_named():
    """The schema, as far as the contract reads it."""
    frame = rows()
    old = source_of(frame[["at", "price", "member", "channel"]], CONTRACT, CANDIDATE)
    new = source_of(frame[["at", "price", "temp"]], CONTRACT, CANDIDATE)
    new["fields"]["price"]["kind"] = "category"

    assert [(c.field, c.words) for c in changes(old, new, "2026-02-28", LIMITS)] == [
        ("channel", "is no longer read from the source"),
        ("member", "is no longer read from the source"),
        ("temp", "is read from the source for the first time"),
        ("price", "is a category now, and was a number"),
    ]


def test_of_a_private_field_no_value_is_shown():
    """Only what kind it is, and how much of it is missing."""
    found = source_of(rows(), CONTRACT, CANDIDATE)["fields"]["secret"]

    assert set(found) == {"kind", "missing", "daily"}
    assert set(found["daily"]) == {"missing"}


def test_a_fingerprint_is_json_and_the_same_for_the_same_rows():
    """It is part of a bundle's digest."""
    one, other = (source_of(rows(), CONTRACT, CANDIDATE) for _ in range(2))

    assert json.dumps(one, allow_nan=False) == json.dumps(other)
    assert len(json.dumps(one)) < 40_000


def test_the_day_a_limit_breaks_is_projected():
    """Missing values that rise, a number that grows towards its maximum."""
    day = (rows()["at"].dt.normalize() - pd.Timestamp(START)).dt.days
    random = np.random.default_rng(3)
    frame = rows().assign(price=lambda f: f["price"] * 0.4 + 1.2 * day)
    frame["temp"] = frame["temp"].where(random.random(len(frame)) > 0.01 * day)
    found = outlook(source_of(frame, CONTRACT, CANDIDATE), CONTRACT, LIMITS)

    assert [change.field for change in found] == ["price", "temp"]
    assert "(the 95th percentile) changes by +1.2" in found[0].words
    assert "if the trend continues, it passes 60 EUR about 2026-03-" in found[0].words
    assert "(missing values) changes by +1.0" in found[1].words
    assert "it passes 50% about 2026-03-" in found[1].words
    assert outlook(source_of(rows(), CONTRACT, CANDIDATE), CONTRACT, LIMITS) == []


def test_a_trend_is_as_published():
    """Gilbert 1987, example 16.2 (Mann and Kendall's S) and Sen's median slope, by hand."""
    assert sen_slope([0, 1, 2, 3], [1, 2, 4, 3]) == 0.8333333333333333
    # S = 6 - 0 of four rising values: (6 - 1) / sqrt(4 * 3 * 13 / 18)
    assert kendall_z([1, 2, 3, 4]) == pytest.approx(5 / np.sqrt(156 / 18))
    assert kendall_z([1, 1, 1, 1]) == 0


@pytest.mark.parametrize(
    ("values", "limit", "rising", "day"),
    [
        (range(20), 25, True, date(2026, 1, 26)),
        (range(20), 19, True, None),
        (range(20), 500, True, None),
        (range(20), -5, True, None),
        (range(20, 0, -1), -4, False, date(2026, 1, 25)),
        (range(20, 0, -1), 30, True, None),
        ([1, 5] * 10, 9, True, None),
        (range(9), 12, True, None),
        ([1] * 20 + [0] * 10, -4, False, None),  # a step: the test is clear, the median of the slopes is 0
        ([0] * 20 + [1] * 10, 4, True, None),
    ],
)
def test_a_limit_breaks_only_where_a_clear_line_leads(values, limit, rising, day):
    """Days ahead, not behind; not for a few days, and not for noise."""
    series = {date(2026, 1, 1) + DAY * n: float(value) for n, value in enumerate(values)}
    found = projected(series, limit, 60, rising=rising)

    assert (found and found.day) == day


def a_day(number, low, middle, high, end=0.02):
    return Day(f"2026-01-{number + 1:02d}", (low, low, middle, middle, middle, high, high), abs(middle), (end, end))


def winter(lowest):
    return [a_day(n, lowest[n], 12, 20) for n in range(len(lowest))]


@pytest.mark.parametrize(
    ("lowest", "found"),
    [
        ([3, 2, 4, 0, 1, 2, -1], None),  # the first frost
        ([3, 2, 4, 0, 1, -1, -1], None),
        ([3, 2, 4, 0, -1, -1, -1], "2026-01-05"),  # the very same lowest value for days
        ([3, 2, 4, 0, 1, 2, -999], "2026-01-07"),
        ([30, 31, 30, 32, 30, 31, -1], "2026-01-07"),  # far from all values before
    ],
)
def test_a_value_that_is_just_below_those_before_is_no_sentinel_at_once(lowest, found):
    """A new extreme comes and goes; a code for "missing" stays, or is far away."""
    days = winter(lowest)
    said = sentinel(days[:4], days[4:], 0.005)

    assert (said and said[0]) == found


@pytest.mark.parametrize(
    ("middles", "found"),
    [
        ([48, 47, 49, 48, 47, 48, 118], None),  # one day: the end of a month
        ([48, 118, 49, 48, 47, 48, 118, 118, 118], None),  # as at the end of the month before
        ([48, 47, 49, 48, 47, 48, 118, 119, 48], None),
        ([48, 47, 49, 48, 47, 48, 118, 119, 117], "2026-01-07"),
    ],
)
def test_fahrenheit_stays(middles, found):
    """It is no day of large amounts."""
    days = [Day(f"2026-01-{n + 1:02d}", (m - 9, m - 9 * s, m, m, m, m + 9 * s, m + 9), m, (0.02, 0.02))
            for n, m in enumerate(middles) for s in [1.8 if m > 100 else 1.0]]  # fmt: skip
    said = jump(days[:6], days[6:])

    assert (said and "Fahrenheit" in said[1] and said[0]) == found

"""How many rows and outcomes arrive: every whole day is judged, and outcomes are compared at equal age."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from monitoring.charts.charting import charts, signals_of
from monitoring.journal.arrival_times import Triangle, arrivals, complete_until, day_of, number_of
from monitoring.journal.window import Window, read_window
from monitoring.metrics.volume import delay_text, rates, settled, volume
from tests.monitoring.conftest import answered, reading, write

pytestmark = pytest.mark.slow

FIRST = date(2026, 1, 1)
UNTIL = "2026-02-06"
DAYS = 36


def stream(sizes, delays, until=UNTIL, seed=1):
    """A window of days with *sizes* rows; *delays* gives the days until each outcome, NaN for none."""
    random = np.random.default_rng(seed)
    first = number_of(until) - len(sizes)
    day = np.repeat(np.arange(first, first + len(sizes)), sizes)
    at = day + random.random(len(day))
    seen = at + delays(day - first, random)
    age = np.where(seen < number_of(until), np.floor(seen) - day, np.nan)
    found = pd.DataFrame({"day": day, "late": (at - day - 1) * 86_400, "age": age})
    traffic = pd.Series(sizes, [day_of(first + n) for n in range(len(sizes))])
    return Window(pd.DataFrame(), (), until=until, traffic=traffic[traffic > 0], arrivals=found)


def alarms(window, rules, kind):
    """The days on which a kind is beyond its limits, and what is wanting."""
    before, now, unknown = volume(window, rules)
    signals = [signal for chart in charts([(before, now)], {}, rules) for signal in signals_of(chart, rules)]
    return [s.day for s in signals if s.kind == kind and s.breached], unknown


def poisson(usual, *last, seed=3):
    return [*np.random.default_rng(seed).poisson(usual, DAYS - len(last)), *last]


def half_a_day(day, random):
    return np.full(len(day), 0.5)


def exponential(mean):
    return lambda day, random: random.exponential(mean, len(day))


def week_late(day, random):
    return 7 + random.random(len(day))


def mondays(day, random):
    """All outcomes of a week come together, on the next Monday."""
    return 7 - (day + FIRST.weekday()) % 7.0


@pytest.mark.parametrize(
    ("last", "expected"),
    [
        ((60, 60, 60, 60, 60), 5),  # far below min_rows
        ((150, 150, 150, 150, 150), 5),
        ((0, 0, 0), 3),  # nothing, up to yesterday
        ((0,), 1),
        ((1000, 0, 1000, 1000), 1),  # a day in the middle
        ((1000, 1000, 600), 1),
        ((1000, 1000, 800), 0),  # less than min_rate is no news
        ((1000,), 0),
    ],
)
def test_a_fall_in_traffic_is_seen_whatever_is_left_of_it(rules, last, expected):
    """`min_rows` excuses distances, and never the count itself; a day without a row is 0 rows."""
    found, _ = alarms(stream(poisson(1000, *last), half_a_day), rules, "row_rate")

    assert len(found) == expected
    assert all(day >= day_of(number_of(UNTIL) - len(last)) for day in found)


def test_zeros_are_among_the_usual_days_where_a_stream_rests(rules):
    """A shop that is shut on Sundays raises no alarm each Sunday."""
    sizes = [0 if (FIRST + timedelta(days=n)).weekday() == 6 else size for n, size in enumerate(poisson(1000))]
    found, _ = alarms(stream(sizes, half_a_day), rules, "row_rate")

    assert found == []


def test_a_stream_begins_with_its_first_usual_day():
    """A call that somebody made by hand weeks before is not followed by weeks without rows."""
    window = stream([3, *[0] * 15, *[1000] * 20], half_a_day)

    assert next(m.day for m in rates(window)) == "2026-01-18"
    assert {m.value for m in rates(window)} == {1000}


DELAYS = {
    "half a day": (half_a_day, {1}),
    "a mean of 1.5 days": (exponential(1.5), {4, 5}),
    "a mean of 3 days": (exponential(3), {8, 9, 10}),
    "a week": (week_late, {8}),
    "on Mondays": (mondays, {7}),
    "one in five never": (lambda day, r: np.where(r.random(len(day)) < 0.2, np.nan, 1.0), {1}),
}


@pytest.mark.parametrize("name", DELAYS)
@pytest.mark.parametrize("seed", range(3))
def test_outcomes_that_are_late_as_ever_are_no_loss(rules, name, seed):
    """Whatever the delay is, so long as it is the same; and it is known when they are in."""
    delays, days = DELAYS[name]
    window = stream(poisson(500, seed=seed), delays, seed=seed)
    found, unknown = alarms(window, rules, "label_coverage")

    assert (found, unknown) == ([], [])
    assert settled(window, rules) in days


@pytest.mark.parametrize("name", DELAYS)
def test_outcomes_that_stop_are_seen(rules, name):
    """Where none has come for a while; with weekly batches, once one is missing."""
    delays, _ = DELAYS[name]
    silent = 8 if name == "on Mondays" else 4

    def stopped(day, random):
        late = delays(day, random)
        return np.where(day + 0.5 + late >= DAYS - silent, np.nan, late)

    found, _ = alarms(stream(poisson(500), stopped), rules, "label_coverage")

    assert found


def test_outcomes_that_slow_down_are_seen(rules):
    """From half a day to four days, in the last week."""
    slower = lambda day, random: np.where(day >= DAYS - 8, 4.0, 0.5)  # noqa: E731
    found, _ = alarms(stream(poisson(500), slower), rules, "label_coverage")

    assert found


def test_without_a_history_of_delays_it_is_said(rules):
    """No outcome yet, or too few days; what no waiting cures says what does."""
    never = lambda day, random: np.full(len(day), np.nan)  # noqa: E731
    _, (none,) = alarms(stream(poisson(500), never), rules, "label_coverage")
    _, young = alarms(stream([500] * 12, half_a_day), rules, "label_coverage")
    late = stream(poisson(500), lambda day, random: np.full(len(day), 20.0))
    _, (long,) = alarms(late, rules, "label_coverage")

    assert none.yet
    assert none.why.startswith("the label delay is not known yet")
    assert {each.kind for each in young if each.yet} == {"row_rate", "label_coverage"}
    assert not long.yet
    assert "window_days must be 39 or more; it is 35" in long.why


def test_when_outcomes_are_in_is_said(rules):
    """Beside the setting, which the estimate may exceed."""
    window = stream(poisson(500), exponential(1.5))

    assert delay_text(window, rules) == (
        "label delay: 95% of outcomes are known after 4 days; maturity_days is 2, so a day's outcomes are evaluated after 4 days"
    )
    assert delay_text(window, replace(rules, maturity_days=9)).endswith("maturity_days is 9")
    assert delay_text(Window(pd.DataFrame(), ()), rules) == ""


def test_coverage_is_what_was_known_at_an_age():
    """Of days that have reached it; what came later does not count."""
    found = pd.DataFrame({"day": [0, 0, 0, 0, 1, 1], "age": [0, 1, 3, np.nan, 0, 1]})
    triangle = Triangle.of(found, 2)

    assert [(m.day, m.value) for m in triangle.coverage(1)] == [("1970-01-01", 0.5), ("1970-01-02", 1.0)]
    assert [(m.day, m.value) for m in triangle.coverage(2)] == [("1970-01-01", 0.5)]


def answers(at, late_hours=0.0, zone=""):
    """What `arrivals` finds of rows at times, answered so many hours later, with outcomes a day later."""
    times = pd.Series(pd.to_datetime(at, utc=True))
    rows = pd.DataFrame({"id": [str(n) for n in range(len(times))], "time": times})
    given = times + pd.Timedelta(hours=late_hours)
    rows["at"] = given.map(lambda t: t.isoformat())
    found = pd.DataFrame({"id": rows["id"], "at": (given + pd.Timedelta(days=1)).map(lambda t: t.isoformat())})
    return arrivals(rows, found, zone)


@pytest.mark.parametrize(
    ("now", "zone", "until"),
    [
        ("2026-03-29T00:00:00+00:00", "", "2026-03-29"),  # midnight: the day is over
        ("2026-03-28T22:59:00+00:00", "Europe/Zurich", "2026-03-28"),
        ("2026-03-28T23:00:00+00:00", "Europe/Zurich", "2026-03-29"),
        ("2026-03-29T21:59:00+00:00", "Europe/Zurich", "2026-03-29"),  # a day of 23 hours
        ("2026-03-29T22:00:00+00:00", "Europe/Zurich", "2026-03-30"),
        ("2026-10-25T22:59:00+00:00", "Europe/Zurich", "2026-10-25"),  # one of 25
        ("2026-10-25T23:00:00+00:00", "Europe/Zurich", "2026-10-26"),
    ],
)
def test_a_day_is_whole_when_it_is_over_where_the_contract_counts_days(now, zone, until):
    """Also where the clock changes."""
    moment = datetime.fromisoformat(now)
    hours = pd.date_range(moment - timedelta(days=20), moment, freq="h")

    assert complete_until("2026-12-31", answers(hours, zone=zone), moment, zone) == until


def test_a_day_whose_rows_are_answered_at_night_is_whole_once_they_are():
    """A job that scores yesterday's rows at three: before, yesterday has none, and that is no stop."""
    rows = pd.date_range("2026-01-01", "2026-01-20T23:00", freq="h", tz="UTC")
    found = answers(rows.normalize() + pd.Timedelta(hours=12), late_hours=15)

    for now, until in (("02:30", "2026-01-20"), ("03:30", "2026-01-21")):
        moment = datetime.fromisoformat(f"2026-01-21T{now}+00:00")
        assert complete_until("2026-01-21", found, moment, "") == until


def test_a_replay_is_as_old_as_its_answers():
    """Rows of years ago that are answered now: their outcomes cannot have come earlier."""
    found = answers(pd.date_range("2013-01-01", periods=48, freq="h"), late_hours=24 * 4700)

    assert found["age"].unique().tolist() == [1]


@pytest.fixture
def buys(made):
    return made("binary")


def test_the_window_has_the_days_without_rows_and_those_of_other_versions(buys, journal):
    """And of today what is known, which is not judged."""
    lines, outcomes = answered(buys, date(2026, 1, 5), 10)
    for line in lines[: 5 * 150]:
        line["version"] = "20260101T0000-aaaaaaa"
    until = pd.Timestamp("2026-01-18", tz="UTC")
    today = [{**line, "id": f"t{n}", "time": f"2026-01-18T0{n}:00:00Z"} for n, line in enumerate(lines[-3:])]
    write(journal, [*lines, *today], outcomes)
    window = read_window(journal, reading(buys), 35, until, 100, datetime(2026, 1, 18, 12, tzinfo=UTC))

    assert [m.value for m in rates(window)] == [150.0] * 9 + [0.0] * 3
    assert window.counts["rows"].tolist() == [150] * 5
    assert window.other_versions == ("20260101T0000-aaaaaaa",)
    assert "3 rows of 2026-01-18, which is not over" in window.oddities


@pytest.mark.parametrize("zone", ["", "Asia/Tokyo", "Asia/Kathmandu", "America/Los_Angeles"])
def test_days_are_those_of_the_contracts_zone(buys, journal, zone):
    """Counts and rows alike."""
    made = type(buys)(**{**vars(buys), "contract": replace(buys.contract, zone=zone)})
    lines, outcomes = answered(buys, date(2026, 1, 5), 3)
    window = read_window(write(journal, lines, outcomes), reading(made), 35)
    times = pd.to_datetime([line["time"] for line in lines], utc=True).tz_convert(zone or "UTC")
    expected = pd.Series(times.strftime("%Y-%m-%d")).value_counts().sort_index()

    assert window.counts["rows"].to_dict() == expected.to_dict()
    assert window.traffic.to_dict() == expected.to_dict()
    assert window.rows["at"].dt.strftime("%Y-%m-%d").value_counts().to_dict() == expected.to_dict()

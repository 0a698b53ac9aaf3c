"""The periods of streams with few rows: long enough, whole, and the same in every run."""

import pandas as pd
import pytest

from monitoring.journal.window import days_of
from monitoring.periods import counts_in_periods, in_periods, last_day, length_of, longest, period_days, usual_rows

FIRST = pd.Timestamp("2026-03-02", tz="Europe/Zurich")  # a Monday; clocks change on 29 March


def rows(days, a_day=2):
    """Rows at the first and the last minute of each day."""
    at = [FIRST + pd.DateOffset(days=n, minutes=m) for n in range(days) for m in (1, 1438)[:a_day]]
    return pd.DataFrame({"at": pd.DatetimeIndex(at), "n": range(len(at))})


@pytest.mark.parametrize(
    ("a_day", "least", "days", "name"),
    [
        (330, 100, 1, "a day"),
        (99, 100, 2, "2 days"),
        (48, 100, 3, "3 days"),
        (24, 100, 7, "a week"),
        (5, 100, 7, "a week"),
    ],
)
def test_the_length_follows_from_the_rows_a_day(a_day, least, days, name):
    """The shortest that has enough rows."""
    assert period_days(a_day, least) == days
    assert length_of(days) == name


def test_a_reference_that_is_too_short_for_weeks_has_shorter_periods():
    """Five periods of 14 days are of two days."""
    assert [longest(days, 5) for days in (3, 5, 14, 15, 90)] == [1, 1, 2, 3, 7]


@pytest.mark.parametrize(("now", "expected"), [(49, 50.0), (51, 50.0), (20, 20.0), (200, 200.0)])
def test_the_length_does_not_change_with_a_row_more_or_less(now, expected):
    """The reference decides, unless the traffic is another one."""
    assert usual_rows(pd.Series([now] * 5), pd.Series([50] * 14)) == expected


def test_weeks_run_from_monday_to_sunday_and_are_whole():
    """17 days from a Monday on, of which the last three are the beginning of a week."""
    found = in_periods(rows(17), "at", 7, until="2026-03-19")

    assert days_of(found, "at").value_counts().to_dict() == {"2026-03-08": 14, "2026-03-15": 14}
    assert last_day("2026-03-08", 7) == "2026-03-08"


def test_a_run_of_tomorrow_has_the_same_periods():
    """Those that were over today."""
    today, tomorrow = (in_periods(rows(days), "at", 3, until=f"2026-03-{days + 2:02}") for days in (20, 21))

    assert {*days_of(today, "at")} <= {*days_of(tomorrow, "at")}


def test_the_periods_of_a_reference_end_with_its_last_day():
    """Also across the change to summer time: a day more or less would be an error."""
    found = in_periods(rows(35), "at", 2)

    assert days_of(found, "at").max() == "2026-04-05"
    assert set(days_of(found, "at").value_counts()) == {4}


def test_counts_are_summed_over_whole_periods():
    """As the rows are."""
    counts = pd.DataFrame({"rows": [10] * 9, "asked": ["x"] * 9}, index=[f"2026-03-{day:02}" for day in range(2, 11)])

    assert counts_in_periods(counts, 7, "2026-03-11")["rows"].to_dict() == {"2026-03-08": 70}
    assert counts_in_periods(counts, 1, "2026-03-11") is counts

"""Rows that come and can be judged on no day: the watch says so in its own issue, with what to do."""

import pandas as pd
import pytest

from monitoring.charts.signals import Signal, Unknown
from monitoring.journal.window import Window
from monitoring.metrics.unjudged_rows import days_fault

UNTIL = "2026-02-06"
LIVE = "20260101T0000-bbbbbbb"


def days(rows, count=36, last="2026-02-05"):
    index = pd.date_range(end=last, periods=count, freq="D").strftime("%Y-%m-%d")
    return pd.Series([rows] * count, index)


def window(mine=0, every=None, count=36, **more):
    """A window of *count* days of so many rows of the live version, and of every version."""
    counts = pd.DataFrame({"rows": days(mine, count)}) if mine else pd.DataFrame({"rows": []})
    traffic = days(mine if every is None else every, count)
    return Window(pd.DataFrame(), (), "2026-02-05T20:00:00Z", counts, until=UNTIL, traffic=traffic[traffic > 0], **more)


def said(window, kind="row_rate", unknown=(), history=LIVE):
    signal = Signal(kind, "rows", "", "2026-02-05", 12.0, 12.0, None, None, 12)
    found = days_fault(window, [signal], unknown, history, 100, 2)
    return " / ".join(words for each in found for words in each.details)


FEW = Unknown("score_drift", "no day has 100 rows", yet=True)
SHORT = Unknown("score_drift", "the reference has 3 full days; 5 are needed for limits")


@pytest.mark.parametrize(
    ("seen", "unknown", "expected"),
    [
        (window(12), [FEW], "no day has 100 rows / the median day has 12 rows, the largest 12"),
        (window(12, count=3), [], "the median day has 12 rows"),
        (window(1000), [SHORT], "the reference has 3 full days; 5 are needed for limits"),
        (window(every=1000), [], "none of 36,000 responses fits the contract"),
        (
            window(every=10, other_versions=("x-1", "x-2")),
            [],
            "all 360 responses are of versions that were never live: x-1, x-2",
        ),
        (window(ahead=50, began="2026-02-01T00:00:00Z"), [], "all 50 rows are of days after 2026-02-06"),
        (window(ahead=9, began="2026-02-05T23:00:00Z"), [], ""),  # who books weeks ahead has begun
    ],
)
def test_rows_without_an_evaluated_day_are_a_fault(seen, unknown, expected):
    """With the reason, and the remedy."""
    assert said(seen, unknown=unknown).startswith(expected)
    assert bool(said(seen, unknown=unknown)) is bool(expected)


def test_responses_of_the_future_are_a_fault_at_once():
    """Clocks that differ do not correct themselves."""
    seen = Window(pd.DataFrame(), (), "2026-03-01T00:00:00Z", until=UNTIL, ahead=9, began="2026-02-20T00:00:00Z")

    assert said(seen).startswith("all 9 rows are of days after 2026-02-06")


@pytest.mark.parametrize(
    "seen",
    [
        window(12, count=2),  # it has just begun
        window(every=1000, other_versions=(LIVE,)),  # a landing: until now another version answered
        window(),  # that no row comes is said elsewhere
    ],
)
def test_the_first_days_are_no_fault(seen):
    """Of the stream, or of a release."""
    assert said(seen, unknown=[FEW]) == ""


def test_one_evaluated_day_is_enough():
    """Of a kind that assesses the model."""
    assert said(window(12), kind="score_drift") == ""
    assert said(window(12), kind="latency") != ""

"""The weekly digest: series outside their limits that raise no incident."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from monitoring.charts.signals import Signal
from monitoring.incidents.digest import digest

MODEL = ("buys", "v")


def moved(feature, first, marks, severity="digest"):
    """A day per mark, # outside its limit."""
    return [
        Signal(
            "univariate_drift",
            "mean",
            feature,
            f"{date.fromisoformat(first) + timedelta(days=n)}",
            2.0 if mark == "#" else 0.1,
            0.0,
            -1.0,
            1.0,
            100,
            severity=severity,
        )
        for n, mark in enumerate(marks)
    ]


def test_features_are_ranked_by_their_influence_on_the_score():
    """Not by the size of the drift."""
    signals = moved("age", "2026-03-02", "#......") + moved("pages", "2026-03-02", "..##...")
    title, body = digest(signals, {"age": 0.02, "pages": 0.6}, *MODEL)

    assert title == "buys: pages, age outside control limits in the week of 2026-03-02"
    assert body.index("| pages | univariate drift mean | 60% | 2 of 7 |") < body.index("| age |")


@pytest.mark.parametrize(
    ("marks", "week"),
    [
        ("......", None),  # Monday to Saturday: not over
        ("#......", "2026-03-02"),
        ("#......#", "2026-03-02"),  # the new week is not over
        ("#......#......", "2026-03-09"),
    ],
)
def test_it_is_about_whole_weeks(marks, week):
    """So it changes once a week."""
    found = digest(moved("age", "2026-03-02", marks), {}, *MODEL)

    assert (found and found[0].rpartition(" ")[2]) == week


def test_a_week_within_limits_resolves_it():
    """With a sentence."""
    assert digest(moved("age", "2026-03-02", "......."), {}, *MODEL) == (
        "",
        "In the week of 2026-03-02 all series were within their control limits.",
    )


def test_other_severities_are_not_in_the_digest():
    """A page is an incident."""
    assert digest(moved("age", "2026-03-02", "#######", severity="page"), {}, *MODEL) is None


def test_a_signal_of_no_feature_is_named_by_its_kind_in_its_unit():
    """If latency is configured for the digest."""
    signals = [replace(each, kind="latency", metric="p99", value=120.4) for each in moved("", "2026-03-02", "..##...")]
    title, body = digest(signals, {}, *MODEL)

    assert title == "buys: latency outside control limits in the week of 2026-03-02"
    assert "| latency p99 | 0% | 7 of 7 | 120 ms | 0 ms |" in body


def test_names_from_data_do_not_break_out():
    """Of a feature, in the title and in the table."""
    title, body = digest(moved("a | b @everyone", "2026-03-02", "#######"), {}, *MODEL)

    assert "@everyone" not in title + body
    assert "a | b" not in body

"""The digest: one a week, of what moved and woke nobody."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from monitoring.charts.signals import Signal
from monitoring.incidents.digest import digest

TOLD = ("buys", "v")


def moved(feature, first, marks, tier="digest"):
    """A day per mark, # beyond its limit."""
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
            tier=tier,
        )
        for n, mark in enumerate(marks)
    ]


def test_features_are_ranked_by_what_the_score_owes_them():
    """Not by how far they went."""
    signals = moved("age", "2026-03-02", "#......") + moved("pages", "2026-03-02", "..##...")
    heading, words = digest(signals, {"age": 0.02, "pages": 0.6}, *TOLD)

    assert heading == "buys: pages, age moved in the week of 2026-03-02"
    assert words.index("| pages | univariate drift mean | 60% | 2 of 7 |") < words.index("| age |")


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
    """So it changes once a week, however often it is asked."""
    found = digest(moved("age", "2026-03-02", marks), {}, *TOLD)

    assert (found and found[0].rpartition(" ")[2]) == week


def test_a_quiet_week_ends_it():
    """With a word."""
    assert digest(moved("age", "2026-03-02", "......."), {}, *TOLD) == (
        "",
        "In the week of 2026-03-02 nothing was beyond its limits.",
    )


def test_what_is_for_others_is_not_told_here():
    """A page is a page."""
    assert digest(moved("age", "2026-03-02", "#######", tier="page"), {}, *TOLD) is None


def test_what_is_about_no_feature_is_told_by_its_kind_and_in_its_unit():
    """Of who wants to hear of latency once a week."""
    signals = [replace(each, kind="latency", metric="p99", value=120.4) for each in moved("", "2026-03-02", "..##...")]
    heading, words = digest(signals, {}, *TOLD)

    assert heading == "buys: latency moved in the week of 2026-03-02"
    assert "| latency p99 | 0% | 7 of 7 | 120 ms | 0 ms |" in words


def test_names_from_data_do_not_break_out():
    """Of a feature, in the title and in the table."""
    heading, words = digest(moved("a | b @everyone", "2026-03-02", "#######"), {}, *TOLD)

    assert "@everyone" not in heading + words
    assert "a | b" not in words

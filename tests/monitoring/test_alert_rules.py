"""Signals and limits amount to an alarm, to quiet, or to neither."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring.charts.signals import Signal, Unknown, by_series
from monitoring.incidents.alert_rules import assess, breach_start, drifted_features


def series(marks, kind="multivariate_drift", feature="", metric="reconstruction_error", severity="issue"):
    """A day per mark: # beyond the limit, . within."""
    return [
        Signal(
            kind,
            metric,
            feature,
            f"2026-01-{n:02}",
            2.0 if mark == "#" else 0.5,
            0.4,
            None,
            1.0,
            100,
            level=0.5,
            level_upper=1.0,
            severity=severity,
            run_length=730.0,
        )
        for n, mark in enumerate(marks, 1)
    ]


@pytest.mark.parametrize(
    ("marks", "state"),
    [
        ("", "undecided"),
        (".", "undecided"),
        ("..", "undecided"),
        ("...", "quiet"),
        ("#...", "quiet"),
        ("..#", "undecided"),
        ("#..#..#", "undecided"),
        ("####", "raised"),
        ("##.", "raised"),
        ("#.#", "raised"),
        ("####..", "undecided"),
        ("####...", "quiet"),
        ("#.####", "raised"),
        (".....#..", "undecided"),
    ],
)
def test_an_alert_opens_late_enough_and_closes_late_enough(marks, state, rules):
    """Two of the last three days open it, three quiet days in a row close it."""
    assert (rules.lasting, rules.of, rules.quiet) == (2, 3, 3)
    assert assess(series(marks), [], rules).state == state


@given(st.text("#.", min_size=1, max_size=12))
def test_one_odd_day_of_drift_never_opens_an_alert(rules, marks):
    """Nor does it close one."""
    situation = assess(series(marks), [], rules)

    if marks.count("#") == 1:
        assert situation.state != "raised"
    if marks.endswith("#"):
        assert situation.state != "quiet"


@pytest.mark.parametrize(("marks", "state"), [("#", "raised"), ("#..", "raised"), ("#...", "quiet")])
def test_a_page_needs_one_day(rules, marks, state):
    """A loss of performance, or broken data."""
    situation = assess(series(marks, "missing_values", "wind", "share", severity="page"), [], rules)

    assert (situation.state, situation.severity) == (state, "page" if state == "raised" else "")


def test_pages_come_before_what_lasts(rules):
    """Of all that is beyond its limits."""
    signals = series("####") + series("####", "estimated_performance", metric="accuracy", severity="page")

    assert assess(signals, [], rules).breaching[0].startswith("estimated")


def test_what_cannot_be_evaluated_yet_keeps_nothing_open(rules):
    """Nothing is broken: there are not enough days."""
    assert assess(series("..."), [Unknown("row_rate", "later", yet=True)], rules).state == "quiet"


def test_a_kind_that_does_not_open_an_alert_is_only_reported(rules):
    """One feature that moves need not harm."""
    only = series("#####", "univariate_drift", "wind", severity="digest")

    assert assess(only, [], rules).state == "undecided"
    assert assess(only + series("....."), [], rules).state == "quiet"


@pytest.mark.parametrize("kind", ["estimated_performance", "univariate_drift wind"])
def test_what_could_not_be_watched_keeps_an_open_alert_open(rules, kind):
    """If it is of a kind that opens one."""
    state = assess(series("....."), [Unknown(kind, "it crashed")], rules).state

    assert state == ("undecided" if kind.startswith("estimated") else "quiet")


def test_what_is_raised_is_raised_whatever_else_could_not_be_watched(rules):
    """A crash hides nothing."""
    assert assess(series("#####"), [Unknown("score_drift", "crash")], rules).state == "raised"


def test_outcomes_that_come_late_do_not_keep_an_alert_open(rules):
    """Realised performance is quiet as far as it is known."""
    late = series(".", "realised_performance", metric="accuracy")

    assert assess(series(".....") + late, [], rules).state == "quiet"


def test_every_opening_series_must_be_quiet(rules):
    """Not just the one that raised it."""
    both = series(".....") + series("....#", "score_drift", metric="jensen_shannon")

    assert assess(both, [], rules).state == "undecided"


@pytest.mark.parametrize(
    ("marks", "since"),
    [("..####", "2026-01-03"), ("##..####", "2026-01-05"), ("#.####", "2026-01-01"), ("#####", "2026-01-01")],
)
def test_a_spell_has_a_first_day(marks, since):
    """One quiet day in between does not begin it again."""
    assert breach_start(series(marks)) == since


def test_the_features_that_moved_are_named_the_farthest_first():
    """Those beyond their limits on most days."""
    signals = series("#####")
    for number, name in enumerate("abcd"):
        signals += [replace(s, value=2.0 + number) for s in series("#####", "univariate_drift", name, "jensen_shannon")]
    signals += series("#....", "univariate_drift", "calm", "jensen_shannon")

    assert drifted_features(signals, "2026-01-01") == ["d", "c", "b", "a"]


def test_series_are_in_order_of_days():
    """Whatever the order they were found in."""
    signals = series("#.#")

    assert by_series(signals[::-1]) == {signals[0].name: signals}

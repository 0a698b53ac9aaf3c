"""Uses of the fresh rows, counted from release notes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.comparison.compare import Compared
from checks.rules.holdout_reuse import Use, count_earlier, earlier_uses, recorded_uses, use_line

TEXT = st.text(st.characters(codec="utf-8"))
DAYS = [f"2026-01-{day:02}" for day in range(5, 9)]


@given(st.builds(Use, TEXT, TEXT, TEXT, TEXT), TEXT)
def test_a_line_is_read_back_whatever_it_holds(use, words):
    """And nothing in it ends the comment."""
    hidden = use_line(use)

    assert hidden.count("-->") == 1
    assert "\n" not in hidden
    assert recorded_uses([f"words\n\n{hidden}\n"]) == [use]


@pytest.mark.parametrize(
    "notes", ["", "<!-- looked {} -->", "<!-- looked {x} -->", '<!-- looked {"a": 1} -->', "a <!-- looked"]
)
def test_broken_lines_are_skipped(notes):
    """Release notes can be edited."""
    assert recorded_uses([notes]) == []


def test_each_day_counts_the_other_candidates_that_were_compared_on_it():
    """The newest days were not used before."""
    now = Use("shop", DAYS[0], DAYS[-1], "c9")
    earlier = [
        Use("shop", "2026-01-01", "2026-01-05", "c1"),
        Use("shop", "2026-01-02", "2026-01-06", "c2"),
        Use("shop", "2026-01-02", "2026-01-06", "c2"),
        Use("shop", "2026-01-05", "2026-01-08", "c9"),
        Use("other", "2026-01-05", "2026-01-08", "c3"),
    ]
    times = count_earlier(now, DAYS, earlier)

    assert times == [2, 1, 0, 0]
    by_day = dict(zip(DAYS, times, strict=True))
    found = earlier_uses(now, by_day, 2)
    assert (found.outcome, found.severity) == ("PASS", "warn")
    assert "2 of 4 days were not used before, the others by at most 2 candidates" in found.observed
    assert earlier_uses(now, by_day, 1).outcome == "FAIL"


@pytest.mark.parametrize(
    ("gain", "half", "others", "outcome", "severity"),
    [
        (0.004, 0.008, 5, "PASS", "warn"),  # few candidates: no correction
        (0.004, 0.008, 60, "FAIL", "hold"),  # passes with 95 %, and not as the best of 61
        (0.030, 0.008, 60, "FAIL", "warn"),  # better whatever was tried
        (0.000, 0.002, 60, "FAIL", "warn"),  # as good as the champion, and certain of it
    ],
)
def test_the_best_of_many_candidates_is_held_where_chance_explains_its_gain(gain, half, others, outcome, severity):
    """A candidate that was chosen on the holdout: the release notes show how many were compared there."""
    row = Compared("log_loss", 0.35, 0.5, 0.36, gain, gain - half, gain + half, 0.005, outcome="PASS")
    found = earlier_uses(Use("shop", DAYS[0], DAYS[-1], "c9"), dict.fromkeys(DAYS, others), 30, row)

    assert (found.outcome, found.severity) == (outcome, severity)
    assert ("the best of 61 candidates may have a gain" in found.observed) == (severity == "hold")


def test_without_an_interval_the_uses_are_only_reported():
    """No champion, or too few days."""
    use, times = Use("shop", DAYS[0], DAYS[-1], "c9"), dict.fromkeys(DAYS, 60)
    for row in (None, Compared("log_loss", 0.35, 0.5), Compared("log_loss", 0.35, 0.5, 0.36, 0.1, outcome="PASS")):
        assert earlier_uses(use, times, 30, row).severity == "warn"

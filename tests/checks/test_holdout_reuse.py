"""How often the fresh rows were looked at, counted from release notes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.rules.holdout_reuse import Look, line, looked, looks_in, times_looked

TEXT = st.text(st.characters(codec="utf-8"))
DAYS = [f"2026-01-{day:02}" for day in range(5, 9)]


@given(st.builds(Look, TEXT, TEXT, TEXT, TEXT), TEXT)
def test_a_line_is_read_back_whatever_it_holds(look, words):
    """And nothing in it ends the comment."""
    hidden = line(look)

    assert hidden.count("-->") == 1
    assert "\n" not in hidden
    assert looks_in([f"words\n\n{hidden}\n"]) == [look]


@pytest.mark.parametrize(
    "notes", ["", "<!-- looked {} -->", "<!-- looked {x} -->", '<!-- looked {"a": 1} -->', "a <!-- looked"]
)
def test_what_somebody_edited_is_passed_over(notes):
    """It is a count, not a lock."""
    assert looks_in([notes]) == []


def test_each_day_is_counted_by_the_other_candidates_that_were_judged_on_it():
    """The rows roll on: the newest were never looked at."""
    now = Look("shop", DAYS[0], DAYS[-1], "c9")
    earlier = [
        Look("shop", "2026-01-01", "2026-01-05", "c1"),
        Look("shop", "2026-01-02", "2026-01-06", "c2"),
        Look("shop", "2026-01-02", "2026-01-06", "c2"),
        Look("shop", "2026-01-05", "2026-01-08", "c9"),
        Look("other", "2026-01-05", "2026-01-08", "c3"),
    ]
    times = times_looked(now, DAYS, earlier)

    assert times == [2, 1, 0, 0]
    found = looked(now, times, 2)
    assert (found.outcome, found.severity) == ("PASS", "warn")
    assert "2 of 4 days were never looked at before, the others by at most 2" in found.observed
    assert looked(now, times, 1).outcome == "FAIL"

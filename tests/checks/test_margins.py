"""Combinations of metrics: a tiny syntax, and logic of three values."""

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.comparison.bootstrap import Gap
from checks.decision.gain_text import missing, more_rows
from checks.decision.proven_findings import combined, finding
from checks.verdict import Finding
from contracts.comparison_limits import Combination, Margins, parse_combination

KNOWN = ["log_loss", "roc_auc", "brier"]


@pytest.mark.parametrize(
    ("words", "least", "name"),
    [
        ("any of roc_auc, brier", 1, "any_of.roc_auc.brier"),
        ("2 of log_loss, roc_auc, brier", 2, "2_of.log_loss.roc_auc.brier"),
        ("all of log_loss, roc_auc", 2, "all_of.log_loss.roc_auc"),
    ],
)
def test_a_combination_says_what_it_needs(words, least, name):
    """In words that anybody reads."""
    found = parse_combination(words)

    assert (found.least, found.name) == (least, name)
    assert found.is_loose == (not words.startswith("all"))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("some of roc_auc", "expected for example"),
        ("any of brier, brier", "named twice"),
        ("3 of roc_auc, brier", "it has only 2 metrics"),
        ("0 of roc_auc, brier", "expected for example"),
        (7, "7; expected for example"),
    ],
)
def test_a_mistake_is_reported(words, message):
    """With an example."""
    with pytest.raises(ValueError, match=re.escape(message)):
        parse_combination(words)


@given(st.integers(1, 4), st.lists(st.sampled_from(["PASS", "FAIL", "INCONCLUSIVE"]), min_size=4, max_size=4))
def test_the_logic_is_that_of_what_may_still_come(least, outcomes):
    """PASS and FAIL only where no way of settling the open ones changes it."""
    found = Combination(least, ("a", "b", "c", "d")).outcome(outcomes)
    best = sum(each != "FAIL" for each in outcomes) >= least
    worst = sum(each == "PASS" for each in outcomes) >= least

    assert found == ("PASS" if worst else "INCONCLUSIVE" if best else "FAIL")


def test_what_a_combination_takes_in_does_not_block_by_itself():
    """The combination does."""
    margins = Margins("log_loss", dict.fromkeys(KNOWN, 0.01), {}, (), (parse_combination("any of roc_auc, brier"),))
    outcomes = {"log_loss": "PASS", "roc_auc": "FAIL", "brier": "INCONCLUSIVE"}
    found = combined(
        [
            Finding(f"compare.{m}", o, "", "", "", more_rows=70 if o == "INCONCLUSIVE" else None)
            for m, o in outcomes.items()
        ],
        margins,
        "compare.",
    )

    assert {f.rule: (f.outcome, f.severity) for f in found} == {
        "compare.log_loss": ("PASS", "block"),
        "compare.roc_auc": ("FAIL", "warn"),
        "compare.brier": ("INCONCLUSIVE", "warn"),
        "compare.any_of.roc_auc.brier": ("INCONCLUSIVE", "block"),
    }
    assert found[-1].observed == "roc_auc fails; brier is inconclusive"
    assert found[-1].more_rows == 70


def gap(value, low, high, **more):
    sizes = {"freedom": 13.0, "rows": 10_850, "days": 14} | more
    return Gap("roc_auc", 0.7, 0.7 - value, value, low, high, 0.003, confidence=0.95, **sizes)


@pytest.mark.parametrize(
    ("measured", "superior", "outcome", "limit"),
    [
        (gap(-0.002, -0.004, 0.001), False, "PASS", "at least -0.0050"),
        (gap(-0.002, -0.004, 0.001), True, "INCONCLUSIVE", "above 0"),
        (gap(0.004, 0.001, 0.007), True, "PASS", "above 0"),
        (gap(-0.004, -0.007, -0.001), True, "FAIL", "above 0"),
        (gap(-0.002, -0.008, 0.004), False, "INCONCLUSIVE", "at least -0.0050"),
        (gap(-0.012, -0.018, -0.006), False, "FAIL", "at least -0.0050"),
    ],
)
def test_a_difference_is_settled_on_one_side_or_not_at_all(measured, superior, outcome, limit):
    """Not worse by more than the margin; or, where it is asked for, better."""
    found = finding("compare.roc_auc", measured, 0.005, "the champion", superior)

    assert (found.outcome, found.limit) == (outcome, limit)


@pytest.mark.parametrize(
    ("measured", "expected"),
    [
        (gap(-0.002, -0.0058, 0.0018), "Needs about 6,200 more labelled rows, eight days at this rate."),
        (
            gap(-0.006, -0.0096, -0.0024),
            "The estimate is below the limit; confirming it needs about 110,000 more labelled rows, 138 days at this rate.",
        ),
        (
            gap(-0.00501, -0.009, -0.001),
            "The gain is so close to the limit that no realistic number of rows settles it.",
        ),
        (gap(-0.002, None, None, days=1), "The rows cover one day; a confidence interval needs more."),
    ],
)
def test_what_is_not_settled_says_what_is_missing(measured, expected):
    """In rows and in days."""
    assert missing(measured, -0.005) == expected


@pytest.mark.parametrize(
    ("days", "value", "words"),
    [
        (14, -0.002, "Needs about 6,200 more labelled rows, eight days at this rate."),  # of a holdout of 28 days
        (28, -0.002, "Not attainable with this holdout of 28 days; what is attainable: a gain above +"),
        (28, -0.002, "; or this one with a holdout of"),
        (28, -0.00501, "is settled."),  # no realistic holdout
    ],
)
def test_no_more_rows_are_promised_than_the_holdout_gets(days, value, words):
    """The next candidate has a holdout of the same length."""
    measured = replace(gap(value, value - 0.0038, value + 0.0038), days=days, holdout_days=28)

    assert words in missing(measured, -0.005)
    assert (more_rows(measured, -0.005) is None) == ("Needs" not in words)

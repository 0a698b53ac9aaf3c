"""Intervals become a state: as a table."""

import math

import numpy as np
import pandas as pd
import pytest

from contracts.release_policy import Experiment, Measures
from monitoring.experiment.aggregates import Tally
from monitoring.experiment.confidence_sequences import Band
from monitoring.experiment.decision import Reading, faults, judge
from monitoring.experiment.experiment_units import Units
from tests.monitoring.experiment.conftest import CONTRACT, SINCE, Split, a_split

MARGINS = Measures("log_loss", {"log_loss": 0.01, "brier": 0.01})
RULES = Experiment("propose", 0.05, 2, 1, 100, "good", MARGINS, MARGINS, MARGINS)


def reading(low, high, margin=0.01, name="log_loss", days=20):
    ends = [np.full(days, end) for end in ((low + high) / 2, low, high)]
    units = np.arange(1.0, days + 1) * 1000
    return Reading(name, Band(units, *ends, 1.0, 0.05, 0.01), 0.5, 0.5, margin)


@pytest.mark.parametrize(
    ("days", "primary", "guardrail", "state", "why"),
    [
        (14, (0.001, 0.03), (-0.005, 0.02), "wins", "log_loss: better; brier: no worse"),
        (13, (0.001, 0.03), (-0.005, 0.02), "running", "2 whole weeks are the least"),
        (14, (0.001, 0.03), (-0.02, 0.02), "running", "better; brier: not yet sure"),
        (14, (0.001, 0.03), (-0.03, -0.011), "loses", "brier: worse by more than the margin"),
        (3, (-0.03, -0.011), (0, 0.02), "loses", "log_loss: worse by more than the margin"),
        (3, (-0.009, -0.001), (0, 0.02), "running", "2 whole weeks are the least"),
        (14, (-0.03, -0.001), (0, 0.02), "loses", "log_loss: worse than the champion"),
        (14, (-0.009, 0.009), (-1, 1), "equivalent", "within the margin"),
        (14, (-0.009, 0.011), (0, 0.02), "running", "not decided yet"),
        (14, (-0.011, 0.009), (0, 0.02), "running", "not decided yet"),
        (13, (-0.009, 0.009), (0, 0.02), "running", "2 whole weeks are the least"),
        (0, (-math.inf, math.inf), (-math.inf, math.inf), "running", "2 whole weeks are the least"),
    ],
)
def test_an_interval_is_a_state(days, primary, guardrail, state, why):
    """The first measure decides, the guardrails may forbid; harm waits for no week."""
    readings = [reading(*primary), reading(*guardrail, name="brier")]
    judgement = judge(readings, days, [], RULES)

    assert judgement.state == state
    assert why in judgement.why


def test_what_is_broken_decides_nothing():
    """However good it looks."""
    judgement = judge([reading(1, 2)], 99, ["sample ratio", "both arms"], RULES)

    assert (judgement.state, judgement.why) == ("broken", "sample ratio; both arms")


def test_the_days_needed_are_until_the_first_that_would_decide():
    """The nearer of a difference and of none; at least the whole weeks."""
    clear, close, between = reading(-0.01, 0.05), reading(-0.03, 0.03), reading(-0.05, 0.06)

    assert judge([clear], 20, [], RULES).needs < judge([close], 20, [], RULES).needs
    assert judge([reading(0.3, 0.5)], 3, [], RULES).needs == 11
    # Half way between nothing and the margin is the longest.
    assert judge([between], 20, [], RULES).needs > judge([close], 20, [], RULES).needs
    at_the_margin = reading(-0.0901, 0.11, margin=1e-9)
    assert judge([at_the_margin], 20, [], RULES).needs is not None
    assert judge([reading(-1e-6, 1e-6, margin=1e-6)], 13, [], RULES).needs is None


def units(first, challengers, labelled=1.0, days=10, **more):
    """*first* units a day, so many of them the challenger's, of which a share is labelled."""
    one = [False] * (first - challengers) + [True] * challengers
    known = [True] * (first - challengers) + [n < labelled * challengers for n in range(challengers)]
    frame = pd.DataFrame({"day": np.repeat(np.arange(days), first), "challenger": one * days, "labelled": known * days})
    return Units(frame, days, **more)


def tallied(seen, split):
    found = Tally(split, CONTRACT, ())
    found.add(seen)
    return found


@pytest.mark.parametrize(
    ("seen", "split", "words"),
    [
        (units(1000, 500), a_split(0.5), None),
        (units(1000, 100), a_split(0.1), None),
        (units(1000, 125), a_split(0.1, held=0.2), None),
        (units(1000, 430), a_split(0.5), "sample ratio: 4,300 of 10,000 units are the challenger's"),
        (units(200, 0, days=2), a_split(0.3), "sample ratio: 0 of 400"),
        (units(1000, 500, misdealt=1), a_split(), "1 units were answered by another arm"),
        (units(1000, 500, crossed=10), a_split(), None),
        (units(1000, 500, crossed=11), a_split(), "11 units were in both arms"),
        (units(1000, 500, labelled=0.8), a_split(), "for 100.0% of the champion's units and for 80.0%"),
        (units(10, 5), a_split(1.0), "one arm has all the rows"),
        (units(0, 0), a_split(), None),
        (units(100, 0, unscored=400), Split("a", "b", SINCE, shadow=True), None),
        (units(100, 0, unscored=501), Split("a", "b", SINCE, shadow=True), "scored 499 of 1,000"),
        (units(0, 0), Split("a", "b", SINCE, shadow=True), None),
    ],
)
def test_what_must_not_be_believed_is_said(seen, split, words):
    """Before any figure is."""
    found = faults(tallied(seen, split), split, 200)

    assert bool(found) == bool(words)
    assert not words or words in found[0]

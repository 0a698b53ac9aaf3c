"""The state that intervals lead to: a table."""

import math

import numpy as np
import pandas as pd
import pytest

from contracts.release_policy import Experiment, Measures
from monitoring.experiment.aggregates import ExperimentSums
from monitoring.experiment.confidence_sequences import ConfidenceSequence
from monitoring.experiment.decision import MeasureResult, decide, validity_problems
from monitoring.experiment.experiment_units import Units
from tests.monitoring.experiment.conftest import CONTRACT, SINCE, Split, a_split

MARGINS = Measures("log_loss", {"log_loss": 0.01, "brier": 0.01})
RULES = Experiment("propose", 0.05, 2, 1, 100, "good", MARGINS, MARGINS, MARGINS)


def reading(low, high, margin=0.01, name="log_loss", days=20):
    ends = [np.full(days, end) for end in ((low + high) / 2, low, high)]
    units = np.arange(1.0, days + 1) * 1000
    return MeasureResult(name, ConfidenceSequence(units, *ends, 1.0, 0.05, 0.01), 0.5, 0.5, margin)


@pytest.mark.parametrize(
    ("days", "primary", "guardrail", "state", "why"),
    [
        (14, (0.001, 0.03), (-0.005, 0.02), "wins", "log_loss: superior; brier: non-inferior"),
        (13, (0.001, 0.03), (-0.005, 0.02), "running", "the minimum is 2 whole weeks"),
        (14, (0.001, 0.03), (-0.02, 0.02), "running", "superior; brier: non-inferiority not shown yet"),
        (14, (0.001, 0.03), (-0.03, -0.011), "loses", "brier: worse than the margin allows"),
        (3, (-0.03, -0.011), (0, 0.02), "loses", "log_loss: worse than the margin allows"),
        (3, (-0.009, -0.001), (0, 0.02), "running", "the minimum is 2 whole weeks"),
        (14, (-0.03, -0.001), (0, 0.02), "loses", "log_loss: worse than the champion"),
        (14, (-0.009, 0.009), (-1, 1), "equivalent", "within the margin"),
        (14, (-0.009, 0.011), (0, 0.02), "running", "not decided yet"),
        (14, (-0.011, 0.009), (0, 0.02), "running", "not decided yet"),
        (13, (-0.009, 0.009), (0, 0.02), "running", "the minimum is 2 whole weeks"),
        (0, (-math.inf, math.inf), (-math.inf, math.inf), "running", "the minimum is 2 whole weeks"),
    ],
)
def test_intervals_decide_the_state(days, primary, guardrail, state, why):
    """The first measure decides, guardrails can prevent it; harm is decided at once."""
    readings = [reading(*primary), reading(*guardrail, name="brier")]
    decision = decide(readings, days, [], RULES)

    assert decision.state == state
    assert why in decision.why


def test_an_invalid_experiment_decides_nothing():
    """However large the gain."""
    decision = decide([reading(1, 2)], 99, ["sample ratio", "both variants"], RULES)

    assert (decision.state, decision.why) == ("broken", "sample ratio; both variants")


def test_the_days_needed_are_until_the_first_possible_decision():
    """Of a difference or of equivalence; at least the whole weeks."""
    clear, close, between = reading(-0.01, 0.05), reading(-0.03, 0.03), reading(-0.05, 0.06)

    assert decide([clear], 20, [], RULES).needs < decide([close], 20, [], RULES).needs
    assert decide([reading(0.3, 0.5)], 3, [], RULES).needs == 11
    # Half way between 0 and the margin takes longest.
    assert decide([between], 20, [], RULES).needs > decide([close], 20, [], RULES).needs
    at_the_margin = reading(-0.0901, 0.11, margin=1e-9)
    assert decide([at_the_margin], 20, [], RULES).needs is not None
    assert decide([reading(-1e-6, 1e-6, margin=1e-6)], 13, [], RULES).needs is None


def units(first, challengers, labelled=1.0, days=10, **more):
    """*first* units a day, *challengers* of them the challenger's, of which the share *labelled* has outcomes."""
    one = [False] * (first - challengers) + [True] * challengers
    known = [True] * (first - challengers) + [n < labelled * challengers for n in range(challengers)]
    frame = pd.DataFrame({"day": np.repeat(np.arange(days), first), "challenger": one * days, "labelled": known * days})
    return Units(frame, days, **more)


def summed(seen, split):
    sums = ExperimentSums(split, CONTRACT, ())
    sums.add(seen)
    return sums


@pytest.mark.parametrize(
    ("seen", "split", "words"),
    [
        (units(1000, 500), a_split(0.5), None),
        (units(1000, 100), a_split(0.1), None),
        (units(1000, 125), a_split(0.1, holdback=0.2), None),
        (units(1000, 430), a_split(0.5), "sample ratio mismatch: 4,300 of 10,000 units are the challenger's"),
        (units(200, 0, days=2), a_split(0.3), "sample ratio mismatch: 0 of 400"),
        (units(1000, 500, misassigned=1), a_split(), "1 units were answered by another variant"),
        (units(1000, 500, in_both=10), a_split(), None),
        (units(1000, 500, in_both=11), a_split(), "11 units were in both variants"),
        (units(1000, 500, labelled=0.8), a_split(), "100.0% of the champion's units and 80.0%"),
        (units(10, 5), a_split(1.0), "one variant has all the rows"),
        (units(0, 0), a_split(), None),
        (units(100, 0, unscored=400), Split("a", "b", SINCE, shadow=True), None),
        (units(100, 0, unscored=501), Split("a", "b", SINCE, shadow=True), "scored only 499 of 1,000"),
        (units(0, 0), Split("a", "b", SINCE, shadow=True), None),
    ],
)
def test_an_invalid_experiment_has_problems(seen, split, words):
    """The first thing that the report says."""
    found = validity_problems(summed(seen, split), split, 200)

    assert bool(found) == bool(words)
    assert not words or words in found[0]

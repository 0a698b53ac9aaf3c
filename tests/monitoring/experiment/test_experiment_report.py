"""The issue of an experiment: two in full, and properties of all."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from monitoring.experiment.confidence_sequences import ConfidenceSequence
from monitoring.experiment.decision import Decision, MeasureResult
from monitoring.experiment.experiment_report import MAX_DAYS_KEPT, NEXT, POINTS, marker, memory, report, title
from monitoring.experiment.variant_comparison import Result
from tests.monitoring.experiment.conftest import SINCE, a_split

GOLDEN = Path(__file__).parent / "golden"


def reading(name, low, high, days=4, saved=0.0):
    widths = np.array([np.inf, *np.linspace(3, 1, days - 1)])
    middle = np.full(days, (low + high) / 2)
    half = (high - low) / 2 * widths
    band = ConfidenceSequence(np.arange(1, days + 1) * 500.0, middle, middle - half, middle + half, 1, 0.05, 0.01)
    return MeasureResult(name, band, 0.4512, 0.4402, 0.005, saved)


WON = Result(
    a_split(0.1),
    16,
    (7200, 800),
    7900,
    (reading("log_loss", 0.002, 0.02, saved=0.21), reading("brier", -0.001, 0.004)),
    (reading("origin = JFK", -0.09, -0.01), reading("origin = <b>@all</b>", -0.1, 0.1)),
    (reading("first week", 0.05, 0.06), reading("later", -0.01, 0.02)),
    Decision("wins", "log_loss: superior; brier: non-inferior"),
    ("3 rows under another traffic split, ignored",),
)
RUNNING = replace(
    WON,
    split=replace(a_split(0), shadow=True),
    days=3,
    units=(400, 390),
    labelled=380,
    slices=(),
    measures=(reading("log_loss", -0.01, 0.02),),
    novelty=(),
    ignored=(),
    decision=Decision("running", "the minimum is 2 whole weeks", 11),
)


@pytest.mark.parametrize(("name", "result"), [("won", WON), ("running", RUNNING)])
def test_the_whole_text(name, result):
    """As it is posted."""
    assert report(result) == (GOLDEN / f"{name}.md").read_text()


def test_the_title_has_challenger_and_state():
    """For the list of issues."""
    assert title(WON) == "Experiment: challenger 20260301T0000-bbbbbbb: wins"
    assert title(RUNNING) == "Experiment: shadow 20260301T0000-bbbbbbb: running"
    assert marker(WON) == f"experiment:20260301T0000-bbbbbbb:{SINCE}"


@pytest.mark.parametrize("state", ["running", "wins", "loses", "equivalent", "broken"])
def test_every_state_says_what_to_do(state):
    """Or what was done."""
    result = replace(WON, decision=Decision(state, "because"))

    assert NEXT[state] in report(result)
    assert "**What to do:** Pull request 3 is open." in report(result, "Pull request 3 is open.")


def test_a_long_run_is_drawn_with_few_points():
    """The newest day among them."""
    long = replace(WON, measures=(reading("log_loss", 0.002, 0.02, days=90),))
    (axis,) = re.findall(r"x-axis .*\[(.*)\]", report(long))

    assert len(axis.split(", ")) <= POINTS
    assert axis.endswith('"90"')
    assert "Infinity" not in report(long)
    assert "inf" not in re.sub("information|non-inferior", "", report(long))


def test_the_memory_has_what_the_dashboard_draws():
    """State, days needed and the sequence, as JSON of limited size."""
    long = replace(WON, measures=(reading("log_loss", 0.002, 0.02, days=200),))
    state = json.loads(json.dumps(memory(long)))

    assert (state["state"], state["measure"]) == ("wins", "log_loss")
    assert len(state["gain"]) <= MAX_DAYS_KEPT
    assert state["gain"][-1][0] == 200
    assert all(low <= mean <= high for _, mean, low, high in state["gain"])
    assert "gain" not in memory(replace(WON, measures=()))


def test_without_an_interval_nothing_is_drawn():
    """And no figure is shown."""
    young = MeasureResult("log_loss", ConfidenceSequence(*[np.zeros(0)] * 4, np.nan, 0.05, 0.01), np.nan, np.nan, 0.005)
    words = report(replace(RUNNING, measures=(young,), decision=Decision("running", "young")))

    assert "mermaid" not in words
    assert "nan" not in words
    assert "too few units" in words
    assert "The days needed cannot be estimated yet." in words

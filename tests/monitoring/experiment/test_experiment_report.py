"""What a person reads about an experiment: whole texts, and what must be in any."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from monitoring.experiment.confidence_sequences import Band
from monitoring.experiment.decision import Judgement, Reading
from monitoring.experiment.experiment_report import NEXT, POINTS, REMEMBERED, bulletin, marker, memory, title
from monitoring.experiment.variant_comparison import Result
from tests.monitoring.experiment.conftest import SINCE, a_split

GOLDEN = Path(__file__).parent / "golden"


def reading(name, low, high, days=4, saved=0.0):
    widths = np.array([np.inf, *np.linspace(3, 1, days - 1)])
    middle = np.full(days, (low + high) / 2)
    half = (high - low) / 2 * widths
    band = Band(np.arange(1, days + 1) * 500.0, middle, middle - half, middle + half, 1, 0.05, 0.01)
    return Reading(name, band, 0.4512, 0.4402, 0.005, saved)


WON = Result(
    a_split(0.1),
    16,
    (7200, 800),
    7900,
    (reading("log_loss", 0.002, 0.02, saved=0.21), reading("brier", -0.001, 0.004)),
    (reading("origin = JFK", -0.09, -0.01), reading("origin = <b>@all</b>", -0.1, 0.1)),
    (reading("the first week", 0.05, 0.06), reading("since then", -0.01, 0.02)),
    Judgement("wins", "log_loss: better; brier: no worse than the margin"),
    ("3 rows that were answered under other shares, left out",),
)
RUNNING = replace(
    WON,
    split=replace(a_split(0), shadow=True),
    days=3,
    units=(400, 390),
    labelled=380,
    slices=(),
    readings=(reading("log_loss", -0.01, 0.02),),
    novelty=(),
    odd=(),
    judgement=Judgement("running", "2 whole weeks are the least", 11),
)


@pytest.mark.parametrize(("name", "result"), [("won", WON), ("running", RUNNING)])
def test_the_whole_text(name, result):
    """As it is posted; a change of words is a change of the file beside this test."""
    assert bulletin(result) == (GOLDEN / f"{name}.md").read_text()


def test_a_title_says_who_and_how():
    """The list of issues is read more often than an issue."""
    assert title(WON) == "Experiment: challenger 20260301T0000-bbbbbbb: wins"
    assert title(RUNNING) == "Experiment: shadow 20260301T0000-bbbbbbb: running"
    assert marker(WON) == f"experiment:20260301T0000-bbbbbbb:{SINCE}"


@pytest.mark.parametrize("state", ["running", "wins", "loses", "equivalent", "broken"])
def test_every_state_says_what_to_do(state):
    """Or what was done."""
    result = replace(WON, judgement=Judgement(state, "because"))

    assert NEXT[state] in bulletin(result)
    assert "**What to do.** Pull request 3 is open." in bulletin(result, "Pull request 3 is open.")


def test_a_long_run_is_drawn_with_few_points():
    """The newest day among them."""
    long = replace(WON, readings=(reading("log_loss", 0.002, 0.02, days=90),))
    (axis,) = re.findall(r"x-axis .*\[(.*)\]", bulletin(long))

    assert len(axis.split(", ")) <= POINTS
    assert axis.endswith('"90"')
    assert "Infinity" not in bulletin(long)
    assert "inf" not in re.sub("information", "", bulletin(long))


def test_the_issue_remembers_what_a_chart_of_it_needs():
    """State, days needed and the sequence, as plain values, and not more than an issue can hold."""
    long = replace(WON, readings=(reading("log_loss", 0.002, 0.02, days=200),))
    told = json.loads(json.dumps(memory(long)))

    assert (told["state"], told["measure"]) == ("wins", "log_loss")
    assert len(told["gain"]) <= REMEMBERED
    assert told["gain"][-1][0] == 200
    assert all(low <= mean <= high for _, mean, low, high in told["gain"])
    assert "gain" not in memory(replace(WON, readings=()))


def test_before_the_first_interval_nothing_is_drawn():
    """And no figure is told that is none."""
    young = Reading("log_loss", Band(*[np.zeros(0)] * 4, np.nan, 0.05, 0.01), np.nan, np.nan, 0.005)
    words = bulletin(replace(RUNNING, readings=(young,), judgement=Judgement("running", "young")))

    assert "mermaid" not in words
    assert "nan" not in words
    assert "too few units" in words
    assert "How long it will take cannot be said yet." in words

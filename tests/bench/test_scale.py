"""What measures cost: an experiment of any length is run with nothing kept, and again a day later."""

from datetime import date

import pandas as pd
import pytest

from bench.scale.command_cost import Run, cost
from bench.scale.experiment_cost import SHARE, lines
from bench.scale.large_journal import Source
from contracts.journal_format import Folder, frames, parts
from tests.monitoring.experiment.conftest import CONTRACT, NEW, OLD


class Trial:
    """Remembers what it was asked for; a look costs as many seconds as there are days."""

    rows = 1000

    def __init__(self, kept):
        self.kept, self.asked = kept, []

    def add(self, day):
        self.asked.append(f"add {day}")

    def look(self, day):
        self.asked.append(f"look {day}{'' if self.kept.exists() else ', nothing kept'}")
        self.kept.mkdir(exist_ok=True)
        (self.kept / f"{day}.json").write_text("1" * 1000)
        return Run(day, 2.0, 0.5, "running")


def test_each_length_is_measured_again_and_a_day_later(tmp_path):
    """So what is kept is never older than the run before."""
    trial = Trial(tmp_path / "kept")
    found = [*lines(trial, [2, 4])]

    assert trial.asked == [
        "add 0",
        "add 1",
        "look 1, nothing kept",
        "add 2",
        "look 2",
        "look 2",
        "add 3",
        "look 3, nothing kept",
        "add 4",
        "look 4",
        "look 4",
    ]
    assert found[0].startswith("**The experiment.** `python -m monitoring experiment` on 1,000 answers")
    assert found[-2:] == [
        "| 2 | 1.0 s | 0.50 GB | **2.0 s** | 2.0 s | **0.50 GB** | 2.0 s |",
        "| 4 | 3.0 s | 0.50 GB | **4.0 s** | 2.0 s | **0.50 GB** | 4.0 s |",
    ]


def test_a_drawn_row_is_answered_by_the_arm_that_its_point_says(tmp_path):
    """Else the experiment would be broken, and cheap."""
    rows = pd.DataFrame({"pages": [1.0, 2.0], "device": ["a", "b"], "score": [0.1, 0.9], "bought": [0, 1]})
    Source(CONTRACT, (OLD, NEW), rows).day(tmp_path, date(2026, 3, 2), 3000, seed=1, share=SHARE)
    place = Folder(tmp_path)
    names = ["version", "arm", "share", "split"]
    seen = pd.concat([found for found, _ in frames(place, parts(place, "answers"), names)])
    challenger = seen["split"] > 1 - SHARE

    assert len(seen) == 3000
    assert (seen["version"] == challenger.map({True: NEW, False: OLD})).all()
    assert (seen["arm"] == challenger.map({True: "challenger", False: "champion"})).all()
    assert sorted(set(seen["share"])) == [SHARE, 1 - SHARE]


def test_a_command_that_fails_is_no_measurement():
    """With its last words."""
    with pytest.raises(RuntimeError, match="it failed"):
        cost(["false"])

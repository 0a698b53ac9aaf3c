"""Charts that Mermaid can read, whatever the numbers. Its grammar is kept here, as far as we use it."""

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import strategies as st

from checks.evidence import gather, load_bundle
from checks.reports.evidence_charts import charts

NUMBER = r"-?\d+(?:\.\d+)?"
LIST = rf"\[{NUMBER}(?:, {NUMBER})*\]"
QUOTED = r'"[A-Za-z0-9_ .,%=-]*"'
CHART = re.compile(
    rf"```mermaid\nxychart-beta\n    title {QUOTED}\n    x-axis \[({QUOTED}(?:, {QUOTED})*)\]\n"
    rf"    y-axis {QUOTED} 0 --> {NUMBER}\n    bar ({LIST})\n(?:    line ({LIST})\n)?```"
)
SHARES = st.floats(0, 1e6)


def drawn(words):
    """The charts in *words*: labels, bars, line; nothing fenced may be anything else."""
    found = [match.groups() for match in CHART.finditer(words)]
    assert words.count("```") == 2 * len(found)
    return [tuple((each or "").count(", ") + bool(each) for each in groups[:2]) for groups in found]


def test_a_probability_has_days_scores_and_two_calibrations(evidence):
    """A label for each bar."""
    words = charts(evidence, "log_loss")

    assert [labels for labels, _ in drawn(words)] == [4, 10, 10, 10]
    assert all(labels == bars for labels, bars in drawn(words))
    assert words.count("    line ") == 4


def test_without_a_champion_there_are_bars_alone(evidence):
    """But for the calibration, whose line is what was predicted."""
    words = charts(replace(evidence, champion=None), "log_loss")

    assert len(drawn(words)) == 3
    assert words.count("    line ") == 1
    assert "Line: champion" not in words


@pytest.mark.parametrize(("task", "metric", "count"), [("multiclass", "accuracy", 3), ("regression", "mae", 2)])
def test_every_task_is_drawn(by_task, task, metric, count):
    """A number has no calibration."""
    assert len(drawn(charts(gather(load_bundle(by_task[task]), None), metric))) == count


def test_a_day_of_one_class_is_left_out(evidence):
    """It has no AUC; of one day alone nothing is drawn."""
    days = evidence.days
    late = evidence.holdout.copy()
    name = evidence.contract.target.name
    late.loc[days == days.min(), name] = 0
    assert drawn(charts(replace(evidence, holdout=late), "roc_auc"))[0][0] == 3

    late[name] = 0
    assert len(drawn(charts(replace(evidence, holdout=late), "roc_auc"))) == 3


def test_predictions_that_are_all_the_same_have_no_distribution(by_task):
    """Nothing to draw, and no crash."""
    found = gather(load_bundle(by_task["regression"]), None)
    flat = replace(found, holdout_scores=np.full(len(found.holdout), 3.0))

    assert len(drawn(charts(flat, "mae"))) == 1

"""The report quotes the last drill, if there was one."""

import json

from checks.insights.drill_score import drill_sentence


def test_the_score_is_a_line(tmp_path):
    """With its day."""
    path = tmp_path / "drill.json"
    path.write_text(json.dumps({"when": "2026-11-24", "sentence": "3 of 3 faults caught"}))

    assert drill_sentence(path) == "Drill of this gate on 2026-11-24: 3 of 3 faults caught."


def test_no_drill_is_no_line_and_a_broken_one_is_said(tmp_path):
    """A broken file is reported, a missing one is not."""
    (tmp_path / "broken.json").write_text("{")

    assert drill_sentence(tmp_path / "gone.json") == ""
    assert "cannot be read" in drill_sentence(tmp_path / "broken.json")

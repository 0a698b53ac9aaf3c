"""The section of BENCHMARKS.md on policies, from the results of several backtests."""

import json

import pytest

from backtest.__main__ import main
from backtest.reports.policy_section import policy_section


def result(metric="log_loss", **losses):
    """What backtest.json holds of policies with these losses."""
    policies = {
        name: {
            "loss": {"value": loss, "error": 0.01, "count": 3},
            "better": {"value": 0.0, "error": 0.0012, "count": 3},
            "decisions": {"PROMOTE": 2, "HOLD": 1},
        }
        for name, loss in losses.items()
    }
    nights = ["2026-01-01", "2026-01-08", "2026-01-15", "2026-01-22"]
    return {"metric": metric, "every": 7, "nights": nights, "made": "2026-02-01", "policies": policies}


def test_each_stream_has_a_row_with_errors_decisions_and_the_goals():
    """A policy that was not run is named as such."""
    found = result(never=0.6, always=0.5, proven=0.51, expected=0.5)
    section = policy_section({"flights": found, "bike": result("mae", proven=50.0)}, ["on a day"], ["hotel: no data"])

    row = "| flights | 3, every 7 days from 2026-01-01 | log_loss | 0.6000 (0.0012) | 0.5000 (0.0012) | 0.5100 |"
    assert f"{row} 0.5000 (0.0012) | 2 / 1 / 0 | 2 / 1 / 0 |" in section
    assert "| not run | not run | 50.00 | not run | 2 / 1 / 0 | not run |" in section
    assert section.rstrip().endswith("- not run: hotel: no data")


@pytest.mark.parametrize(
    ("expected", "met"), [(0.5, "met"), (0.504, "met"), (0.506, "missed"), (0.52, "missed"), (0.45, "met")]
)
def test_the_goals_are_compared_with_what_was_realised(expected, met):
    """At most 1 % more loss than the best of the others, and never more than `proven`."""
    section = policy_section({"flights": result(never=0.6, always=0.5, proven=0.51, expected=expected)}, [], [])

    assert section.rstrip().endswith(f": {met}")


def test_the_section_is_written_from_the_folders_that_are_there(tmp_path, capsys):
    """Without any the command says what to type."""
    document, folders = tmp_path / "B.md", [str(tmp_path / name) for name in ("backtest", "bike")]
    asked = ["bench", *folders, "--document", str(document)]

    assert main(asked) == 5
    assert "make backtest" in capsys.readouterr().err
    (tmp_path / "backtest").mkdir()
    (tmp_path / "backtest/backtest.json").write_text(json.dumps(result(never=0.6, proven=0.5)))
    assert main(asked) == 0
    text = document.read_text()
    assert "| flights |" in text
    assert "- not run: bike, of which there is no backtest.json" in text

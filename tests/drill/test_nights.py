"""The error rates of the gate's rules on clean nights: counting, intervals, tables; and one night through the gate."""

import json
import os
import subprocess
from datetime import date

import pytest

from drill.nights.__main__ import main
from drill.nights.night_bundles import Made, days_until, pairs
from drill.nights.rates_report import markdown, summary
from drill.nights.rule_rates import Rate, rates, shown, wilson


def verdict(decision, today="2026-01-01", **findings):
    """A verdict with findings: rule=(outcome, severity), with __ for a dot."""
    found = [
        {"rule": rule.replace("__", "."), "outcome": outcome, "severity": severity, "observed": ""}
        for rule, (outcome, severity) in findings.items()
    ]
    return {"today": today, "decision": decision, "summary": f"{decision}.", "findings": found}


NIGHTS = [
    verdict("REJECT", "2026-01-01", data__clock=("FAIL", "block"), drift__label=("FAIL", "warn")),
    verdict("HOLD", "2026-01-09", data__clock=("PASS", "block"), drift__label=("PASS", "warn")),
    verdict("HOLD", "2026-01-17", data__clock=("FAIL", "hold"), compare__log_loss=("INCONCLUSIVE", "block")),
    verdict("REJECT", "2026-01-25", data__clock=("NOT_RUN", "block"), serving__latency=("FAIL", "block")),
]


def test_each_rule_is_counted_by_what_it_does_to_the_candidate():
    """What could not be checked rejects; the load test depends on the machine, and is left out."""
    assert rates(NIGHTS) == [
        Rate("data.clock", 4, reject=2, hold=1),
        Rate("compare.log_loss", 1, hold=1),
        Rate("drift.label", 2, warn=1),
    ]


def test_slices_count_as_one_rule_by_the_worst_of_them():
    """A night has as many findings on slices as the contract has slices."""
    night = verdict("HOLD", **{"slice.origin = A": ("PASS", "block"), "slice.origin = B": ("INCONCLUSIVE", "block")})

    assert rates([night]) == [Rate("slice.*", 1, hold=1)]


@pytest.mark.parametrize(
    ("count", "total", "low", "high"),
    [(0, 52, 0.0, 0.0688), (1, 52, 0.0034, 0.1012), (26, 52, 0.3689, 0.6311), (52, 52, 0.9312, 1.0), (0, 0, 0.0, 1.0)],
)
def test_the_interval_of_a_share_is_wilsons(count, total, low, high):
    """Its values are those of statsmodels' proportion_confint(method="wilson")."""
    assert wilson(count, total) == pytest.approx((low, high), abs=1e-4)


def test_no_rejection_still_has_an_upper_limit():
    """None of 52 is compatible with a rate of 7 %."""
    assert shown(0, 52) == "0 (up to 7 %)"
    assert shown(1, 52) == "1 (2 %, 0 % to 10 %)"


def test_the_nights_are_spread_over_a_year_and_every_weekday():
    """Each night's champion is the model of the night before."""
    days = days_until(date(2026, 11, 28), 52, 8)

    assert (days[0], days[-1], len(days)) == (date(2025, 10, 8), date(2026, 11, 28), 53)
    assert {day.weekday() for day in days} == set(range(7))


def test_a_night_whose_bundle_is_missing_is_left_out():
    """And the next, which has no champion."""
    made = [Made("1", "a"), Made("2", left_out="no rows"), Made("3", "c"), Made("4", "d")]

    assert [(champion.today, candidate.today) for champion, candidate in pairs(made)] == [("3", "4")]


def test_the_tables_have_every_rule_that_did_not_always_pass():
    """With counts and intervals; those that passed are listed below."""
    nights = {"recipe": "model/recipe.py", "every": 8, "verdicts": NIGHTS}
    text = markdown([nights])

    assert "| `model/recipe.py` | 4 | 2026-01-01 to 2026-01-25, every 8 days | 0 | 2 (50 %, 15 % to 85 %) |" in text
    assert (
        "| `model/recipe.py` | `data.clock` | 2 (50 %, 15 % to 85 %) | 1 (25 %, 5 % to 70 %) | 0 (up to 49 %) |" in text
    )
    assert "Rules that passed on every night: none." in text
    assert "REJECTED though clean: 2026-01-01: REJECT." in summary(nights)


def test_nights_that_were_not_made_are_asked_for(tmp_path, capsys):
    """With the command to type."""
    assert main(["judge", "--out", str(tmp_path)]) == 5
    assert "python -m drill.nights make" in capsys.readouterr().err
    assert main(["report", str(tmp_path), "--document", str(tmp_path / "B.md")]) == 5
    assert "python -m drill.nights judge" in capsys.readouterr().err


@pytest.mark.slow
def test_the_rules_on_rows_alone_need_no_bundle(root, tmp_path, capsys):
    """Two nights of the shop, one with the champion of two weeks before; the table says which rules they are."""
    out, document = tmp_path / "nights", tmp_path / "BENCHMARKS.md"
    command = ["rows", "--recipe", str(root / "drill/streams/shop.py"), "--today", "2025-03-15"]

    assert main([*command, "--nights", "2", "--every", "14", "--out", str(out)]) == 0
    assert main(["report", str(out), "--document", str(document)]) == 0
    verdicts = json.loads((out / "nights.json").read_text())["verdicts"]
    assert [each["today"] for each in verdicts] == ["2025-03-01", "2025-03-15"]
    rules = {each["rule"] for each in verdicts[0]["findings"]}
    assert {"data.clock", "data.pile_ups", "leak.solo", "labels.balance", "upstream.units"} <= rules
    assert "NOT_RUN" not in {each["outcome"] for verdict in verdicts for each in verdict["findings"]}
    assert "every 14 days, rules on rows alone" in document.read_text()
    assert "[  2 of 2]" in capsys.readouterr().out


@pytest.mark.slow
def test_a_clean_night_goes_through_the_gate(root, tmp_path):
    """Two bundles, one verdict, one table."""
    out, document = tmp_path / "nights", tmp_path / "BENCHMARKS.md"
    recipe = root / "tests/recipes/buys.py"
    made = main(["make", "--recipe", str(recipe), "--today", "2026-03-24", "--nights", "1", "--out", str(out)])
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [root / ".venv/checks/bin/python", "-m", "drill.nights", "judge", "--out", out]
    subprocess.run(command, cwd=root, env=environment, check=True, capture_output=True)

    assert made == 0
    assert main(["report", str(out), "--document", str(document)]) == 0
    (night,) = json.loads((out / "nights.json").read_text())["verdicts"]
    assert night["today"] == "2026-03-24"
    assert {"data.clock", "compare.log_loss", "drift.label"} <= {each["rule"] for each in night["findings"]}
    assert document.read_text().count("<!-- nights -->") == 1

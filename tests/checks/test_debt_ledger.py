"""The debt ledger: what can be removed, by which command, and how much has been."""

import json
from datetime import date, timedelta

import pytest

from checks.debt.debt_inputs import debts_of
from checks.debt.debt_items import (
    EXPIRED,
    NO_BENEFIT,
    OLD,
    UNSENT,
    Debt,
    expired,
    long_experiments,
    never_sent,
    old_pins,
    removed,
    rules,
    without_benefit,
)
from checks.debt.debt_page import debt_page
from checks.ml_test_score.recorded_runs import RuleRuns
from contracts.live_config import LIVE, Live, Slot
from forge.local.folder_forge import LocalForge

TODAY = date(2026, 11, 29)


def ago(days):
    return TODAY - timedelta(days=days)


def test_a_feature_whose_interval_has_zero_is_a_debt():
    verdict = {
        "candidate": {"version": "v2"},
        "features": [{"name": "a", "shown": True}, {"name": "b", "shown": False}],
    }

    assert [(each.name, each.cure) for each in without_benefit(verdict)] == [("b", "python -m model feature drop b")]
    assert [*without_benefit({"features": None})] == []


@pytest.mark.parametrize(("answers", "found"), [(999, []), (1000, ["b"])])
def test_a_field_that_nobody_sends_is_a_debt_once_enough_was_answered(answers, found):
    assert [each.name for each in never_sent(["a", "b"], {"a": 1}, answers)] == found


@pytest.mark.parametrize(
    ("runs", "found"),
    [
        ([RuleRuns("d", failed=("a",), waived=("a",))] * 5, ["a"]),
        ([RuleRuns("d", failed=("a",), waived=("a",))] * 4, []),
        ([RuleRuns("d", failed=("a",), waived=("a",))] * 5 + [RuleRuns("d", failed=("a",))], []),
        ([RuleRuns("d", passed=("a", "b"))] * 30, ["2 rules"]),
        ([RuleRuns("d", passed=("a", "b"))] * 29, []),
        ([RuleRuns("d", passed=("a", "b"))] * 29 + [RuleRuns("d", ("a",), ("b",))], ["1 rules"]),
    ],
)
def test_rules_that_are_always_waived_or_never_fire(runs, found):
    assert [each.name for each in rules(runs)] == found


def test_what_is_past_its_day():
    waivers = [("w.toml", "old", ago(1)), ("w.toml", "today", TODAY), ("w.toml", "text", "2020-01-01")]

    assert [each.name for each in expired(waivers, TODAY)] == ["old"]
    assert [each.name for each in long_experiments([("v1", ago(57)), ("v2", ago(56))], TODAY)] == ["v1"]
    assert [each.name for each in old_pins({"x": ("1.0", ago(366)), "y": ("2.0", ago(365))}, TODAY)] == ["x"]


def test_what_was_removed_is_counted_over_all_ledgers():
    one, other = (
        Debt("waiver past its day", "a", "why", "delete it"),
        Debt("waiver past its day", "b", "why", "delete it"),
    )
    first = debt_page([one, other], {}, "", TODAY)
    second = debt_page([other], {}, first, TODAY)
    third = debt_page([], {}, second, TODAY)

    assert "2 open, 0 removed so far" in first
    assert "1 open, 1 removed so far" in second
    assert "- waiver past its day: a" in second
    assert "0 open, 2 removed so far" in third


def test_what_could_not_be_looked_at_is_not_removed():
    """A journal that cannot be read for a month does not make its debts vanish, nor count them twice."""
    sent, waiver = Debt(UNSENT, "a", "why", "drop it"), Debt(EXPIRED, "b", "why", "delete it")
    blind = debt_page([], {UNSENT: "no journal"}, debt_page([sent, waiver], {}, "", TODAY), TODAY)

    assert "1 removed so far" in blind
    assert "## Could not be looked at" in blind
    assert "2 removed so far" in debt_page([], {}, blind, TODAY)


def test_text_of_others_stays_text():
    page = debt_page([Debt("k", "a | b --> <script>", "@everyone", "x")], {}, "", TODAY)

    assert "<script>" not in page
    assert "@everyone" not in page
    assert removed(["k: a | b --> <script>"], []) == ["k: a | b --> <script>"]


def test_everything_is_read_or_named(tmp_path):
    """A forge and a checkout with one debt of some kinds; what is missing is said, and not taken for good."""
    (tmp_path / "checks").mkdir()
    (tmp_path / "checks/waivers.toml").write_text('[[waiver]]\nrule = "data.lost"\nuntil = 2026-01-31\n')
    forge = LocalForge(tmp_path / "forge")
    slot = Slot("20260101T0000-aaaaaaa", "sha256:" + "0" * 64)
    rival = Slot("20260102T0000-bbbbbbb", "sha256:" + "1" * 64, share=0.1)
    forge.propose("retrain", "t", "", {LIVE: Live(slot, challenger=rival, salt="s").to_toml()})
    forge.status("retrain", True, "good")
    forge.merge("retrain", "t")

    found, unseen = debts_of(forge, tmp_path / "none.json", None, tmp_path, TODAY + timedelta(days=365 * 20))

    assert [each.name for each in found] == ["20260102T0000-bbbbbbb", "data.lost"]
    assert [*unseen] == [NO_BENEFIT, UNSENT, OLD]
    (tmp_path / "verdict.json").write_text(json.dumps({"features": [{"name": "x", "shown": False}]}))
    assert "x" in [each.name for each in debts_of(forge, tmp_path / "verdict.json", None, tmp_path, TODAY)[0]]

"""Harm on truth, and what counts as found."""

import numpy as np
import pytest

from contracts.row_contract import Contract, Feature, Target
from drill.drill_section import markdown
from drill.harm_score import harm_score, harm_sentence, harm_table, held_beyond, missed_lines, result_of, summed
from drill.next_month import loss_of


def outcome(decision="PROMOTE", harm=0.01, name="f", **more):
    fields = {"own": [], "also": [], "open": [], "named": False, "said": "", "what": "w", "needs": "", "caught": False}
    return {"name": name, "decision": decision, "harm": harm, **fields, **more}


@pytest.mark.parametrize(
    ("each", "result"),
    [
        (outcome("REJECT", own=["leak.solo"]), "own"),
        (outcome("REJECT", also=["compare.log_loss"]), "other"),
        (outcome("REFUSED", own=["train.contract"]), "own"),
        (outcome("REJECT"), "held"),  # only what rejects the unchanged candidate, too
        (outcome("HOLD", named=True), "named"),
        (outcome("HOLD", own=["champion.now"]), "held"),  # the first sentence names another rule
        (outcome("PROMOTE", named=True), "promoted"),
    ],
)
def test_a_result_is_by_decision_and_named_rule(each, result):
    assert result_of(each) == result


def test_the_score_counts_harmful_faults_only():
    """0.002 is the limit; a harm that was not measured counts for neither."""
    faults = [
        outcome("REJECT", 0.3, own=["a"]),
        outcome("HOLD", 0.002, named=True),
        outcome("HOLD", 0.01),
        outcome("PROMOTE", 0.4, name="worst", said="better"),
        outcome("PROMOTE", 0.0019),
        outcome("REJECT", None),
    ]
    clean = [outcome("REJECT"), outcome("HOLD", open=["compare.log_loss"]), outcome("HOLD", own=["data.rate"])]
    drill = {"faults": faults, "clean": clean, "unchanged": [outcome()]}
    found = harm_score(drill)

    assert found == {
        "measured": 5, "harmful": 4, "own": 1, "other": 0, "named": 1, "held": 1, "promoted": 1,
        "nights": 4, "rejected": 1, "held_beyond": 1,
    }  # fmt: skip
    assert "2 of them (50%; the goal is 90%) are rejected, or held with the reason" in harm_sentence(found)
    assert missed_lines(drill)[0].startswith("MISSED  worst: w: loss worse by 0.400; PROMOTE: better")
    assert summed([found, found])["harmful"] == 8
    assert [line.count("|") for line in harm_table({"a": drill, "b": drill})] == [13] * 5
    assert harm_table({"a": drill})[-1] == "| a | 5 | 4 | 1 | 0 | 1 | 1 | 1 | 50% | 4 | 1 | 1 |"


@pytest.mark.parametrize(
    ("rules", "beyond"),
    [(["data.rate"], True), (["data.rate", "compare.log_loss"], False), (["slice.country=CH"], False), ([], True)],
)
def test_a_night_is_held_beyond_the_comparison_if_that_alone_would_not_hold(rules, beyond):
    assert held_beyond(outcome("HOLD", open=rules)) is beyond
    assert not held_beyond(outcome("PROMOTE", open=rules))


def _contract(task, target):
    return Contract("c", task, (Feature("x", "number"),), target, key="k", time="t")


def test_the_loss_is_the_log_loss_or_the_share_of_the_medians_error():
    binary = _contract("binary", Target("y", (False, True)))
    three = _contract("multiclass", Target("y", ("a", "b", "c")))
    amount = _contract("regression", Target("y"))
    truth = np.array([0.0, 1.0, 1.0])

    assert loss_of(binary, truth, np.array([0.5, 0.5, 0.5])) == pytest.approx(np.log(2))
    assert loss_of(binary, truth, np.array([0.0, 1.0, 1.0])) == 0
    assert loss_of(three, truth, np.full((3, 3), 1 / 3)) == pytest.approx(np.log(3))
    assert loss_of(amount, np.array([1.0, 2, 3]), np.array([2.0, 2, 2])) == pytest.approx(1)
    assert loss_of(amount, np.array([1.0, 2, 3]), np.array([1.0, 2, 3])) == 0


def test_the_section_shows_the_peers_beside_the_gate():
    """A fault is found by a peer if anything fails that holds for the unchanged candidate."""
    faults = [
        outcome("REJECT", 0.3, "found", own=["leak.solo"], caught=True),
        outcome("PROMOTE", 0.2, "missed", needs="the rows that were really sent: the journal"),
        outcome("PROMOTE", 0.0, "harmless"),
        outcome("REJECT", 0.001, "as without it"),
    ]
    drill = {
        "faults": faults, "clean": [outcome(name="one")], "unchanged": [outcome()], "usual": [], "seed": 7,
        "today": "2026-01-01", "rows": 12_000, "when": "2026-02-01", "machine": "2 cores",
        "score": {"faults": 3, "caught": 1, "precisely": 1, "clean": 1, "rejected": 0, "left_out": 0},
    }  # fmt: skip
    peer = {"title": "X 1.0", "usual": ["Drift"], "clean": {"one": ["Nulls"]}, "by": {"missed": ["Rows: 3"]}}
    words = markdown({"shop": drill}, {"shop": {"peers": {"x": peer}, "notes": ["Of the peers."]}})

    assert "shop: seed 7, as of 2026-01-01" in words
    assert "| **the gate** | **1 of 2** | **0 of 1** | up to 0 |" in words
    assert "| X 1.0 | 1 of 2 | 1 of 1 | up to 1 |" in words
    assert "| found: w | +0.300 | REJECT: leak.solo | missed |" in words
    assert "| missed: w | +0.200 | PROMOTE, missed | Rows: 3 |" in words
    assert "| as without it: w | +0.001 | REJECT like the unchanged candidate (below 0.002) | missed |" in words
    assert "| harmless: w | +0.000 | PROMOTE (below 0.002) | missed |" in words
    assert "Not to be seen in what the gate has, but in the rows that were really sent: the journal: missed." in words

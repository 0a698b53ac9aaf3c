"""A hold that repeats says so, and does not come back after a person's answer."""

from dataclasses import replace

import pytest

from checks.rules.repeated_holds import Hold, accept, held_line, recorded_holds, repeats
from checks.verdict import Finding, judge
from forge.releases.landing import overridden

RULES = ("anchor.log_loss", "champion.log_loss", "data.pile_ups")
HOLD = Hold("2026-03-10", "flights", "c1", "champion", "anchor", RULES)
TONIGHT = Hold("2026-03-12", "flights", "c3", "champion", "anchor", RULES)


def report(hold):
    return f"## ⏸️ HOLD\n\n**It holds.**\n\n{held_line(hold)}\n"


def held(rule, severity="hold"):
    return Finding(rule, "FAIL", "seen", "limit", "why", severity)


def test_it_says_since_when_and_what_ends_it():
    """Each night's candidate is another one; the same candidate judged again is not another night."""
    earlier = [replace(HOLD, day="2026-03-11", candidate="c2"), HOLD, replace(HOLD, candidate="c3", day="2026-03-01")]

    said = repeats(TONIGHT, earlier)

    assert said.startswith(
        "anchor.log_loss has held since 2026-03-10 (2 earlier candidates), and repeats until a person"
    )
    assert 'python -m forge merge --override "WHY"' in said


@pytest.mark.parametrize(
    "other", [{"champion": "another"}, {"contract": "another"}, {"rules": ("data.clock",)}, {"day": "2026-04-01"}]
)
def test_another_cause_is_no_repetition(other):
    """Another champion, stream or rule."""
    assert repeats(TONIGHT, [replace(HOLD, **other)]) == ""


def test_what_a_report_records_is_read_from_the_notes():
    """With whether a person overrode it; a broken line is skipped, and nothing ends the comment."""
    odd = replace(HOLD, contract="--> <b>")
    notes = [report(odd), overridden(report(HOLD), "why"), "<!-- held {} -->", "<!-- held [1] -->"]

    assert recorded_holds(notes) == sorted([odd, replace(HOLD, accepted=True)])
    assert held_line(odd).count("-->") == 1


@pytest.mark.parametrize(
    ("rule", "severity", "now", "decision"),
    [
        ("anchor.log_loss", "hold", TONIGHT, "PROMOTE"),
        ("anchor.log_loss", "hold", replace(TONIGHT, champion="the merged one"), "PROMOTE"),
        ("anchor.roc_auc", "hold", TONIGHT, "HOLD"),  # another cause
        ("champion.log_loss", "hold", TONIGHT, "HOLD"),  # of a champion that was evaluated later
        ("data.pile_ups", "hold", TONIGHT, "HOLD"),
        ("anchor.log_loss", "block", TONIGHT, "REJECT"),
        ("anchor.log_loss", "hold", replace(TONIGHT, anchor="moved"), "HOLD"),
        ("anchor.log_loss", "hold", replace(TONIGHT, contract="another"), "HOLD"),
    ],
)
def test_after_an_override_the_anchor_does_not_hold_for_the_same_cause(rule, severity, now, decision):
    """What a merge ends by itself holds again if it is new."""
    accepted = recorded_holds([overridden(report(HOLD), "why")])

    for notes, expected in ((accepted, decision), ([HOLD], "REJECT" if severity == "block" else "HOLD")):
        assert judge(accept([held(rule, severity)], now, notes), [], True, "").decision == expected

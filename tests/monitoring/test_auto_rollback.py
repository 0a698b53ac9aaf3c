"""Alarms soon after a release start a rollback, or have a reason not to: a table."""

from datetime import UTC, datetime, timedelta

import pytest

from contracts.release_policy import Rollback
from monitoring.incidents.auto_rollback import KINDS, MAX_REASON_LENGTH, Alarm, decide

NOW = datetime(2026, 3, 3, 12, tzinfo=UTC)
ON = Rollback("on", 48, 0.01, 250)
OFF = Rollback("off", 48, 0.01, 250)
OLD, NEW = "20260201T0000-aaaaaaa", "20260303T0000-bbbbbbb"


def ago(hours):
    return (NOW - timedelta(hours=hours)).isoformat()


def alarm(kind="realised_performance", version=NEW, details="roc_auc 0.610 on 2026-03-03, usual 0.740"):
    return Alarm(kind, version, details)


@pytest.mark.parametrize(
    ("alarms", "moves", "rules", "goes", "why"),
    [
        ([alarm()], [(900, OLD), (5, NEW)], ON, True, "automatic, 5.0 hours after"),
        ([alarm("errors")], [(900, OLD), (48, NEW)], ON, True, "errors: roc_auc"),
        ([alarm("latency")], [(900, OLD), (5, NEW)], ON, True, "latency: "),
        ([alarm()], [(900, OLD), (49, NEW)], ON, False, "live for 49.0 hours, longer than baking_hours (48)"),
        # A challenger came, and the champion stayed: it is as old as it is.
        ([alarm()], [(900, OLD), (49, NEW), (1, NEW)], ON, False, "live for 49.0 hours"),
        ([alarm()], [(900, OLD), (5, NEW)], OFF, False, 'rollback.automatic is "off"; "on" would'),
        ([], [(900, OLD), (5, NEW)], ON, False, "no alarm that the live version can be responsible for"),
        ([alarm("score_drift")], [(900, OLD), (5, NEW)], ON, False, "no alarm"),
        ([alarm("estimated_performance")], [(900, OLD), (5, NEW)], ON, False, "no alarm"),
        ([alarm(version=OLD)], [(900, OLD), (5, NEW)], ON, False, "no alarm"),
        (
            [alarm(version=OLD)],
            [(900, OLD), (5, NEW), (1, OLD)],
            ON,
            False,
            "restored by a rollback; going further back needs a person",
        ),
        ([alarm()], [(5, NEW)], ON, False, "nothing to roll back to"),
        ([alarm()], [(9, ""), (5, NEW)], ON, False, "nothing to roll back to"),
        ([alarm(version="")], [(9, NEW), (5, "")], ON, False, "no alarm"),
        ([alarm()], [], ON, False, "no alarm"),
    ],
)
def test_an_alarm_on_a_new_champion_rolls_back(alarms, moves, rules, goes, why):
    """New, of a kind that a release can be at fault for, and only once."""
    decision = decide(alarms, [(ago(hours), version) for hours, version in moves], NOW, rules)

    assert decision.roll_back == goes
    assert why in decision.why
    assert decision.bad == (NEW if goes else "")


def test_the_reason_has_the_evidence_and_fits_a_message():
    """It is the evidence in the incident."""
    moves = [(ago(900), OLD), (ago(5), NEW)]
    why = decide([alarm(), alarm("errors", details="9 of 100")], moves, NOW, ON).why
    long = decide([alarm(kind, details="x" * 300) for kind in KINDS], moves, NOW, ON).why

    assert why == (
        f"automatic, 5.0 hours after {NEW} became champion: realised performance: roc_auc 0.610 on"
        " 2026-03-03, usual 0.740; errors: 9 of 100"
    )
    assert len(long) == MAX_REASON_LENGTH

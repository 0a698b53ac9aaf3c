"""Whether alarms soon after a release start an automatic rollback. Pure.

A new champion is observed for `baking_hours`. A version that was restored by a rollback is not new, so a second
alarm goes no further back, and a repeated run changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from contracts.release_policy import Rollback

#: Signals that a release can be responsible for. Drift is not: it would affect the previous model as well.
KINDS = ("errors", "latency", "realised_performance")
#: The reason becomes the rollback's commit message and the evidence in its incident.
MAX_REASON_LENGTH = 600


@dataclass(frozen=True)
class Alarm:
    """An alarm of severity page: its kind, the *version* it is about, and its figures as text."""

    kind: str
    version: str
    details: str


@dataclass(frozen=True)
class Decision:
    """Whether to roll back, and why (not); *bad* is the version to roll back from."""

    roll_back: bool
    why: str
    bad: str = ""


def decide(alarms: Iterable[Alarm], moves: Sequence[tuple[str, str]], now: datetime, rules: Rollback) -> Decision:
    """Whether *alarms* roll back the champion.

    *moves* are (time, champion), oldest first, from live.toml's history; a change that left the champion
    alone repeats it.
    """
    live = moves[-1][1] if moves else ""
    attributable = [each for each in alarms if each.kind in KINDS and each.version == live]
    if not (live and attributable):
        return Decision(False, "no alarm that the live version can be responsible for")
    began = len(moves)
    while began and moves[began - 1][1] == live:
        began -= 1
    since, before = moves[began][0], [version for _, version in moves[:began]]
    age = now - datetime.fromisoformat(since)
    if live in before:
        return Decision(False, f"{live} was itself restored by a rollback; going further back needs a person")
    if not any(before):
        return Decision(False, f"{live} is the first champion: there is nothing to roll back to")
    if age > timedelta(hours=rules.baking_hours):
        return Decision(
            False, f"{live} has been live for {_hours(age)}, longer than baking_hours ({rules.baking_hours:g})"
        )
    evidence = "; ".join(f"{each.kind.replace('_', ' ')}: {each.details}" for each in attributable)
    why = f"automatic, {_hours(age)} after {live} became champion: {evidence}"
    if rules.automatic == "off":
        return Decision(False, f'rollback.automatic is "off"; "on" would roll back: {why}')
    return Decision(True, why if len(why) <= MAX_REASON_LENGTH else why[: MAX_REASON_LENGTH - 1] + "…", live)


def _hours(age: timedelta) -> str:
    return f"{age.total_seconds() / 3600:.1f} hours"

"""Does an alarm so soon after a release put the champion before it back? Pure.

A version bakes for so many hours after it became champion. It goes back once: what a rollback
put back is not new, so a second alarm goes no further, and a run that is repeated does nothing more.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from contracts.release_policy import Rollback

#: What a release can be at fault for at once. Drift is not: the old model would see it, too.
KINDS = ("errors", "latency", "realised_performance")
#: The reason becomes the rollback's message, and the evidence in its incident.
LONGEST = 600


@dataclass(frozen=True)
class Alarm:
    """A page-tier alarm: what kind, on which *version*, and its figures in words."""

    kind: str
    version: str
    details: str


@dataclass(frozen=True)
class Decision:
    """Whether to roll back, and why, or why not; *bad* is the version that it is about."""

    roll_back: bool
    why: str
    bad: str = ""


def decide(alarms: Iterable[Alarm], moves: Sequence[tuple[str, str]], now: datetime, rules: Rollback) -> Decision:
    """Whether *alarms* put back what was live before.

    *moves* are when which version was champion, oldest first, as live.toml's history tells them; a
    change that left the champion alone is one that names it again.
    """
    live = moves[-1][1] if moves else ""
    found = [each for each in alarms if each.kind in KINDS and each.version == live]
    if not (live and found):
        return Decision(False, "no alarm that a new version answers for")
    began = len(moves)
    while began and moves[began - 1][1] == live:
        began -= 1
    since, before = moves[began][0], [version for _, version in moves[:began]]
    age = now - datetime.fromisoformat(since)
    if live in before:
        return Decision(False, f"{live} was put back itself, and goes no further by itself")
    if not any(before):
        return Decision(False, f"{live} is the first: there is nothing to go back to")
    if age > timedelta(hours=rules.baking_hours):
        return Decision(False, f"{live} is {_hours(age)} old, longer than it bakes ({rules.baking_hours:g} hours)")
    told = "; ".join(f"{each.kind.replace('_', ' ')}: {each.details}" for each in found)
    why = f"by itself, {_hours(age)} after {live} became champion: {told}"
    if rules.automatic == "off":
        return Decision(False, f'rollback.automatic is "off"; else it would go back, {why}')
    return Decision(True, why if len(why) <= LONGEST else why[: LONGEST - 1] + "…", live)


def _hours(age: timedelta) -> str:
    return f"{age.total_seconds() / 3600:.1f} hours"

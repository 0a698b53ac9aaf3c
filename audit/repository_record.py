"""What the repository has about the past: live.toml's history, verdicts, proposals, and rollbacks. Pure functions of it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from contracts.live_config import Change, Live, Slot, champions_of, readable, withdrawn_by
from contracts.live_tables import ROLES
from contracts.row_contract import read_time
from forge.interface import Alert, Proposal, Release
from forge.releases.landing import INCIDENT
from forge.releases.rollback import backs

_DECISION = re.compile(r"^## \S+ (PROMOTE|HOLD|REJECT)\s*$", re.MULTILINE)
_SENTENCE = re.compile(r"^\*\*(.+?)\*\*\s*$", re.MULTILINE)
_NUMBER = re.compile(r"\(#(\d+)\)")


@dataclass(frozen=True)
class Record:
    """What is at hand: the *history* of live.toml and of the gate's *limits*, newest first; releases, proposals, alerts.

    *notes* say what is not at hand.
    """

    history: Sequence[Change] = ()
    limits: Sequence[Change] = ()
    releases: Sequence[Release] = ()
    proposals: Sequence[Proposal] = ()
    alerts: Sequence[Alert] = ()
    notes: tuple[str, ...] = ()


class Held(NamedTuple):
    """A role that *slot* had: since the change *since*, until the change *until* (None: it still has it)."""

    role: str
    slot: Slot
    since: Change
    until: Change | None


def live_at(record: Record, when: datetime) -> tuple[Change, Live] | None:
    """The change of live.toml that applied at *when*, and what it says; None before the first."""
    return next((each for each in reversed(readable(record.history)) if _time(each[0]) <= when), None)


def held(record: Record) -> list[Held]:
    """Every role that a version had, by live.toml, sorted by time. A slot with another share or mode is another."""
    found: list[Held] = []
    open_: dict[str, tuple[Slot, Change]] = {}
    for change, live in readable(record.history):
        for role in ROLES:
            slot: Slot | None = getattr(live, role)
            before = open_.get(role)
            if before and before[0] != slot:
                found.append(Held(role, *open_.pop(role), change))
            if slot and role not in open_:
                open_[role] = (slot, change)
    found += [Held(role, slot, since, None) for role, (slot, since) in open_.items()]
    return sorted(found, key=lambda each: (_time(each.since), ROLES.index(each.role)))


def roles_at(record: Record, when: datetime) -> list[Held]:
    """The roles at a time."""
    return [
        each for each in held(record) if _time(each.since) <= when and not (each.until and _time(each.until) <= when)
    ]


def withdrawn_at(record: Record, when: datetime) -> Iterator[tuple[str, str]]:
    """The versions that a rollback had withdrawn by then, each with the rollback in words."""
    history = [change for change in record.history if _time(change) <= when]
    rollbacks = {back.bad: back for back in backs(history)}
    for version, bad in withdrawn_by(champions_of(history)).items():
        if back := rollbacks.get(bad):
            words = f"withdrawn {back.change.at}, rolled back to {back.good or 'nothing'}: {back.reason}"
            alert = next((each for each in record.alerts if each.marker == f"{INCIDENT}{bad}"), None)
            yield version, words + (f" (incident {alert.link or alert.number})" if alert else "")


def others_withdrawn(record: Record, when: datetime) -> list[str]:
    """Versions whose release is withdrawn now, and was made by then, for another reason than a rollback until then."""
    known = {version for version, _ in withdrawn_at(record, when)}
    made = [each for each in record.releases if each.state == "withdrawn" and _before(each.at, when)]
    return [each.version for each in made if each.version not in known]


def verdict_on(record: Record, version: str) -> str:
    """The gate's decision on *version* in a sentence, from its release's notes; "" if they are not at hand."""
    notes = next((each.notes for each in record.releases if each.version == version), "")
    decision = _DECISION.search(notes)
    if decision is None:
        return ""
    sentence = _SENTENCE.search(notes, decision.end())
    remark = "; merged by a person against it" if notes.lstrip().startswith("> **Override:**") else ""
    return decision[1] + (f": {sentence[1]}" if sentence else "") + remark


def proposal_of(record: Record, version: str, change: Change) -> str:
    """The pull request that made *version* live, in words; "" if it is not at hand."""
    about = [each for each in record.proposals if version in each.title and each.state == "merged"]
    # Several are about a version that was live twice.
    if found := next((each for each in about if change.message.startswith(each.title)), (*about, None)[0]):
        return f"{found.link or f'proposal {found.number}'} ({found.title})"
    number = _NUMBER.search(change.message)
    return f"#{number[1]}" if number else ""


def limits_at(record: Record, when: datetime) -> Change | None:
    """The change of the gate's limits that applied at *when*."""
    return next((each for each in record.limits if _time(each) <= when), None)


def _time(change: Change) -> datetime:
    found = read_time(change.at)
    if found is None:
        raise ValueError(f"the commit {change.commit} has the time {change.at!r}")
    return found


def _before(at: str, when: datetime) -> bool:
    found = read_time(at)
    return found is not None and found <= when

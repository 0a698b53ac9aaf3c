"""The history of live.toml -> which version had which role when, and whether answers were corrected online."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from contracts.live_config import usable, withdrawals
from contracts.live_tables import NOTHING, ROLES, Online

#: The lane of online corrections, whose spans have the mode in place of a version.
CORRECTIONS = "corrections"


@dataclass(frozen=True)
class Span:
    """A role that *version* had from *since* until *until* ("": it still has it); *how* is its traffic, as text.

    *rolled_back* is the message of the rollback that ended it; "" without one.
    """

    role: str
    version: str
    since: str
    until: str
    how: str = ""
    rolled_back: str = ""


def served(history: Iterable[Any]) -> list[Span]:
    """Which version each role had when, by role and time; *history* is newest first."""
    changes = [*history]
    ended = _rollbacks(changes)
    spans = [
        replace(span, rolled_back=ended.get(span.until, "")) if span.role == "champion" else span
        for span in _spans(changes)
    ]
    return sorted(spans, key=lambda span: (ROLES.index(span.role), span.since))


def corrections(history: Iterable[Any]) -> list[Span]:
    """When online corrections had which mode; none where the mode never was another one than that of a new repository."""
    found: list[Span] = []
    for change, _ in _read(history):
        mode = usable(change.text)[0].online.mode
        if not found or found[-1].version != mode:
            found[-1:] = [replace(each, until=change.at) for each in found[-1:]]
            found.append(Span(CORRECTIONS, mode, change.at, ""))
    return found if {span.version for span in found} - {Online().mode} else []


def _read(history: Iterable[Any]) -> Iterator[tuple[Any, dict[str, dict[str, Any]]]]:
    """The changes that can be read, with the roles in each, oldest first. Other texts changed nothing."""
    for change in reversed([*history]):
        roles = roles_in(change.text)
        if roles is not None:
            yield change, roles


def _rollbacks(history: Iterable[Any]) -> dict[str, str]:
    """The times of rollbacks, each with the commit's message."""
    steps = [*_read(history)]
    champions = [str(roles.get("champion", {}).get("version", "")) for _, roles in steps]
    return {change.at: change.message for (change, _), gone in zip(steps, withdrawals(champions), strict=True) if gone}


def _spans(history: Iterable[Any]) -> Iterator[Span]:
    open_: dict[str, Span] = {}
    for change, roles in _read(history):
        try:
            now = {role: (str(slot["version"]), _how(slot)) for role, slot in roles.items()}
        except (KeyError, TypeError, ValueError):
            continue
        for role in ROLES:
            before, after = open_.get(role), now.get(role)
            if before and (before.version, before.how) != after:
                yield replace(open_.pop(role), until=change.at)
                before = None
            if after and before is None:
                open_[role] = Span(role, after[0], change.at, "", after[1])
    yield from open_.values()


def _how(slot: Mapping[str, Any]) -> str:
    if slot.get("mode"):
        return "shadow mode"
    return f"{float(slot['share']):.0%} of keys" if slot.get("share") else ""


def roles_in(text: str) -> dict[str, dict[str, Any]] | None:
    """The tables of the roles; {} if nothing is to be served, None if *text* cannot be read."""
    try:
        tables = tomllib.loads(text)
    except (ValueError, RecursionError):
        return None
    if tables.get("champion") == NOTHING:
        return {}
    found = {role: tables[role] for role in ROLES if isinstance(tables.get(role), dict)}
    return found if "champion" in found else None

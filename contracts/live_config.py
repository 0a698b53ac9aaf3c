"""`live.toml`: which bundles are live, as values, and their history. Pure functions.

The challenger has a share of the traffic or `mode = "shadow"`, the anchor may have a share (holdback), and the champion
gets the rest. `champion = "none"` stops serving; a file without a champion changes nothing. `[online]` says whether
answers are corrected between two trainings, and by how much at most.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from contracts.live_tables import (
    NOTHING,
    OFF,
    ONLINE,
    ROLES,
    SHADOW,
    SPLIT,
    Online,
    too_much,
    wrong_names,
    wrong_online,
    wrong_slot,
    wrong_split,
)

HEADER = """\
# What is live. This file changes by pull request only; reverting the change rolls back.
"""
#: The path of the file in a repository.
LIVE = "serve/live.toml"
#: First and last line of the copy in a store, to recognise one that is incomplete.
BEGINS, ENDS = "# Written by forge sync. The last line is: # end", "# end"
#: The file in a store with the result of the last sync.
STATUS = "sync.json"
#: Most characters of each of these files.
MAX_BYTES = 64 * 2**10
#: Folders of a store, by version: bundles, and files of online corrections.
BUNDLES, CORRECTIONS = "bundles", "online"


class LiveError(ValueError):
    """live.toml cannot be read. The message lists every mistake."""


@dataclass(frozen=True)
class Change:
    """A file after a commit on the default branch; *by* is the commit's author, "" if unknown."""

    commit: str
    at: str
    message: str
    text: str
    by: str = ""


@dataclass(frozen=True)
class Slot:
    """A bundle in a role: version, required digest, and share of the traffic or mode."""

    version: str
    digest: str
    share: float | None = None
    mode: str | None = None

    @property
    def shadow(self) -> bool:
        """Whether it scores every row and answers none (shadow mode)."""
        return self.mode == SHADOW

    @property
    def scores(self) -> bool:
        """Whether it has a share of the rows, or scores all as the shadow."""
        return self.shadow or bool(self.share)


@dataclass(frozen=True)
class Live:
    """Which bundle has which role, the salt of the traffic split, and whether answers are corrected online.

    Without a champion, *nothing* means that serving stops; else, as before the first release, it is undecided.
    """

    champion: Slot | None = None
    challenger: Slot | None = None
    anchor: Slot | None = None
    salt: str | None = None
    nothing: bool = False
    online: Online = field(default_factory=Online)

    @property
    def says(self) -> bool:
        """Whether it decides what is served."""
        return self.nothing or self.champion is not None

    def to_toml(self) -> str:
        """The file's text; `parse_live` gives back an equal value."""
        tables = [HEADER]
        if self.nothing:
            tables.append(f"\nchampion = {json.dumps(NOTHING)}\n")
        for role in ROLES:
            slot: Slot | None = getattr(self, role)
            if slot:
                share = "" if slot.share is None else f"share = {slot.share}\n"
                mode = "" if slot.mode is None else f"mode = {json.dumps(slot.mode)}\n"
                tables.append(
                    f"\n[{role}]\nversion = {json.dumps(slot.version)}\n"
                    f"digest = {json.dumps(slot.digest)}\n{share}{mode}"
                )
        if self.salt is not None:
            tables.append(f"\n[{SPLIT}]\nsalt = {json.dumps(self.salt)}\n")
        if self.online != Online():
            tables.append(f"\n[{ONLINE}]\n{self.online.to_toml()}")
        return "".join(tables)


def parse_live(text: str) -> Live:
    """The roles in *text*. Raises `LiveError` with every mistake."""
    live, problems = usable(text)
    if problems:
        raise LiveError("live.toml: " + "; ".join(problems))
    return live


def usable(text: str) -> tuple[Live, list[str]]:
    """The slots in *text* that can be used, and the mistakes in the others.

    Only the champion, if the traffic split is not valid. Raises `LiveError` if *text* is not TOML.
    """
    if len(text) > MAX_BYTES:
        raise LiveError(f"live.toml is not read: it is longer than {MAX_BYTES:,} characters")
    try:
        return _usable(tomllib.loads(text))
    except (ValueError, RecursionError) as error:  # ValueError also for a number of too many digits to print
        raise LiveError(f"live.toml is not TOML: {error}") from error


def served(text: str, history: Iterable[Change]) -> tuple[Live, list[str]]:
    """What scorers serve while *text* is live.toml, and its mistakes.

    As the scorers do, it omits slots that cannot be used, and keeps what was live before, by the *history* (newest
    first), if *text* is undecided. Raises `LiveError` if nothing was.
    """
    try:
        live, problems = usable(text)
    except LiveError as error:
        live, problems = Live(), [str(error).removeprefix("live.toml ")]
    if live.says:
        return live, problems
    before = next((each for _, each in reversed(readable(history)) if each.says), None)
    if before is None:
        if problems:
            raise LiveError("live.toml: " + "; ".join(problems))
        return live, []
    if before.nothing and not problems:
        return live, []
    return before, problems or ["it names no champion"]


def champion_of(text: str) -> str:
    """The champion's version in *text*; "" without one. Raises `LiveError`."""
    champion = parse_live(text).champion
    return champion.version if champion else ""


def readable(history: Iterable[Change]) -> list[tuple[Change, Live]]:
    """The changes with what each made live, oldest first; *history* is newest first.

    A file whose champion cannot be read changed nothing, nor did an undecided one after a champion: scorers kept what
    they had. Other slots that cannot be read are omitted.
    """
    found: list[tuple[Change, Live]] = []
    for change in reversed([*history]):
        try:
            live, problems = usable(change.text)
        except LiveError:
            continue
        if live.says or (not problems and (not found or not found[-1][1].champion)):
            found.append((change, live))
    return found


def moves(history: Iterable[Change]) -> list[tuple[str, Slot | None]]:
    """Times and bundles of every champion (None: serving stopped), oldest first; *history* is newest first."""
    return [(change.at, live.champion) for change, live in readable(history)]


def champions_of(history: Iterable[Change]) -> list[str]:
    """The versions that became champion ("": serving stopped), oldest first."""
    return [slot.version if slot else "" for _, slot in moves(history)]


def champion_at(history: Iterable[Change], when: datetime) -> str:
    """The version that was champion just before *when*; "" without one."""
    before = [slot for at, slot in moves(history) if datetime.fromisoformat(at) < when]
    return before[-1].version if before and before[-1] else ""


def digests_of(history: Iterable[Change]) -> dict[str, set[str]]:
    """The digests of each version on the default branch, in any role: the only trusted ones."""
    found: dict[str, set[str]] = {}
    for _, live in readable(history):
        for role in ROLES:
            slot: Slot | None = getattr(live, role)
            if slot:
                found.setdefault(slot.version, set()).add(slot.digest)
    return found


def with_champion(live: Live, version: str, digest: str) -> Live:
    """*live* with another champion.

    A challenger that becomes champion is no longer challenger. The first champion becomes the anchor, too, which later
    champions do not change.
    """
    rest = live.challenger
    if rest and rest.version == version:
        rest = None
    champion = Slot(version, digest)
    first = live.champion is None and live.anchor is None
    return replace(live, champion=champion, challenger=rest, anchor=champion if first else live.anchor, nothing=False)


def age(champions: Sequence[str]) -> Callable[[str], int]:
    """A key that sorts versions, the oldest first; *champions* are all champions, oldest first.

    A version's age is that of its first time as champion; a version that never was champion is the newest.
    """
    return lambda version: champions.index(version) if version in champions else len(champions)


def withdrawals(champions: Sequence[str]) -> list[tuple[str, ...]]:
    """The versions that each change of champion withdraws, in the order of *champions* (oldest first).

    A change to a version whose first time as champion was before that of the replaced one is a rollback: it withdraws
    every version that became champion between. Stopping ("") withdraws the live version. A version that was never
    champion is a landing, whatever its age.
    """
    found, seen, before = [], [""], ""
    for now in champions:
        gone: list[str] = []
        if before and not now:
            gone = [before]
        elif now in seen:
            gone = seen[seen.index(now) + 1 :] if seen.index(now) < seen.index(before) else []
        else:
            seen.append(now)
        found.append(tuple(gone) if before else ())
        before = now
    return found


def withdrawn_by(champions: Sequence[str]) -> dict[str, str]:
    """The withdrawn versions, each with the bad version of that rollback; *champions* are oldest first."""
    return {version: bad for version, bad in _fates(champions).items() if bad}


def restored_by(champions: Sequence[str]) -> set[str]:
    """The versions that were withdrawn by a rollback that has been undone."""
    return {version for version, bad in _fates(champions).items() if not bad}


def _fates(champions: Sequence[str]) -> dict[str, str]:
    """Every version that was ever withdrawn, with the bad version of that rollback; "" once it is undone.

    A version that becomes champion again is restored, with the versions that its rollback withdrew.
    """
    found: dict[str, str] = {}
    before = ""
    for now, gone in zip(champions, withdrawals(champions), strict=True):
        found |= {version: before for version in gone if not found.get(version)}
        found |= {version: "" for version, bad in found.items() if now and now in (version, bad)}
        before = now
    return found


def _usable(tables: Mapping[str, Any]) -> tuple[Live, list[str]]:
    problems = wrong_names(tables)
    slots = {}
    for role in ROLES:
        if role in tables:
            wrong = list(wrong_slot(role, tables[role]))
            problems += wrong
            if not wrong and isinstance(tables[role], dict):
                slots[role] = Slot(**tables[role])
    wrong = list(wrong_online(tables[ONLINE])) if ONLINE in tables else []
    # A table that cannot be read corrects no answer.
    online = Online(OFF) if wrong else Online(**tables.get(ONLINE, {}))
    problems += wrong
    beside = list(wrong_split(tables[SPLIT])) if SPLIT in tables else []
    beside += too_much(tables.get("challenger"), tables.get("anchor"))
    nothing = tables.get("champion") == NOTHING
    if beside:
        return Live(slots.get("champion"), nothing=nothing, online=online), problems + beside
    return Live(**slots, salt=tables.get(SPLIT, {}).get("salt"), nothing=nothing, online=online), problems

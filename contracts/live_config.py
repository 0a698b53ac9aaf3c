"""`live.toml`: which bundles are live, on one screen.

The champion answers what the others leave; the challenger has a share or `mode = "shadow"`, the
anchor perhaps a share that is held back. `champion = "none"` says that nothing is to be served; a
text without a champion does not say what is live. Pure: text to values and back. The scorer reads
its copy with this module, too.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from contracts.live_tables import NOTHING, ROLES, SHADOW, SPLIT, too_much, wrong_names, wrong_slot, wrong_split

HEADER = """\
# What is live. This file changes by pull request only; reverting the change rolls back.
"""
#: Where the file is kept, in a repository.
LIVE = "serve/live.toml"
#: Characters of the longest text that is read.
LARGEST = 64 * 2**10


class LiveError(ValueError):
    """live.toml cannot be understood. The message lists every mistake."""


@dataclass(frozen=True)
class Change:
    """A file as one commit on the default branch left it."""

    commit: str
    at: str
    message: str
    text: str


@dataclass(frozen=True)
class Slot:
    """A bundle in a role: its version, the digest it must have, and the share or mode it gets."""

    version: str
    digest: str
    share: float | None = None
    mode: str | None = None

    @property
    def shadow(self) -> bool:
        """Whether it scores every row and answers none."""
        return self.mode == SHADOW

    @property
    def scores(self) -> bool:
        """Whether it gets rows: a share of them, or all as the shadow. The champion gets the rest."""
        return self.shadow or bool(self.share)


@dataclass(frozen=True)
class Live:
    """Which bundle has which role, and the salt of the split.

    Without a champion it says *nothing* is to be served, or, as before the first release, it does
    not say what is.
    """

    champion: Slot | None = None
    challenger: Slot | None = None
    anchor: Slot | None = None
    salt: str | None = None
    nothing: bool = False

    @property
    def says(self) -> bool:
        """Whether it says what is to be served."""
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
        return "".join(tables)


def parse_live(text: str) -> Live:
    """The roles that *text* gives. Raises `LiveError` with everything that is wrong."""
    live, problems = usable(text)
    if problems:
        raise LiveError("live.toml: " + "; ".join(problems))
    return live


def usable(text: str) -> tuple[Live, list[str]]:
    """What of *text* can be followed, and what is wrong with the rest.

    The champion alone, where who answers beside it cannot be known. Raises `LiveError` if *text* is
    not TOML.
    """
    if len(text) > LARGEST:
        raise LiveError(f"live.toml is not read: it is longer than {LARGEST:,} characters")
    try:
        return _usable(tomllib.loads(text))
    except (ValueError, RecursionError) as error:  # also a number too long to be shown
        raise LiveError(f"live.toml is not TOML: {error}") from error


def served(text: str, history: Iterable[Change]) -> tuple[Live, list[str]]:
    """What scorers serve while *text* is live.toml, and what is wrong with it.

    As they do, it leaves out a slot that cannot be used, and keeps what the *history* (newest first) made
    live last where *text* does not say what is live. Raises `LiveError` if nothing did.
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
    """The version of the champion that *text* names, "" if none. Raises `LiveError`."""
    champion = parse_live(text).champion
    return champion.version if champion else ""


def readable(history: Iterable[Change]) -> list[tuple[Change, Live]]:
    """The changes with what each made live, oldest first; *history* is newest first.

    A text whose champion could not be read changed nothing, nor did one that, after a champion, does not say
    what is live: scorers went on with what they had. Another slot that could not be read is left out.
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
    """When which bundle became champion (None: none), oldest first; *history* is newest first."""
    return [(change.at, live.champion) for change, live in readable(history)]


def champions_of(history: Iterable[Change]) -> list[str]:
    """The versions that became champion, "" for none, oldest first."""
    return [slot.version if slot else "" for _, slot in moves(history)]


def champion_at(history: Iterable[Change], when: datetime) -> str:
    """The version that was champion just before *when*; "" if none was."""
    before = [slot for at, slot in moves(history) if datetime.fromisoformat(at) < when]
    return before[-1].version if before and before[-1] else ""


def digests_of(history: Iterable[Change]) -> dict[str, set[str]]:
    """The digests that main has given each version, in whatever role: the only ones to be trusted."""
    found: dict[str, set[str]] = {}
    for _, live in readable(history):
        for role in ROLES:
            slot: Slot | None = getattr(live, role)
            if slot:
                found.setdefault(slot.version, set()).add(slot.digest)
    return found


def with_champion(live: Live, version: str, digest: str) -> Live:
    """*live* with another champion, and all else as it was.

    A challenger that becomes champion leaves its own place: nobody challenges itself. The first
    champion of all becomes the anchor as well, which stays when champions come and go.
    """
    rest = live.challenger
    if rest and rest.version == version:
        rest = None
    champion = Slot(version, digest)
    first = live.champion is None and live.anchor is None
    return replace(live, champion=champion, challenger=rest, anchor=champion if first else live.anchor, nothing=False)


def age(champions: Sequence[str]) -> Callable[[str], int]:
    """What to sort versions by, the oldest first; *champions* are those there were, oldest first.

    A version is as old as the first time that it became champion; one that never did is the newest.
    """
    first = {version: number for number, version in reversed([*enumerate(champions)])}
    return lambda version: first.get(version, len(champions))


def withdrawals(champions: Sequence[str]) -> list[tuple[str, ...]]:
    """What each move of the champion withdraws, as long as *champions*; oldest first.

    A move to a version that was champion before, and for the first time earlier than the one it
    replaces, is a rollback. It withdraws every version that came after the one it goes back to: who
    goes back by two does not trust the one in the middle either. A move to none ("") withdraws the
    one that was live. A version that was never champion before is a landing, however old it is.
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
    """The versions that are withdrawn, each with the one whose rollback withdrew it.

    *champions* are those there were, oldest first.
    """
    return {version: bad for version, bad in _fates(champions).items() if bad}


def restored_by(champions: Sequence[str]) -> set[str]:
    """The versions that a rollback withdrew which was undone since."""
    return {version for version, bad in _fates(champions).items() if not bad}


def _fates(champions: Sequence[str]) -> dict[str, str]:
    """Each version that was ever withdrawn, with the bad one of that rollback; "" once it is undone.

    A version that becomes champion again is withdrawn no more, and neither is what its own rollback
    withdrew with it.
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
    beside = list(wrong_split(tables[SPLIT])) if SPLIT in tables else []
    beside += too_much(tables.get("challenger"), tables.get("anchor"))
    nothing = tables.get("champion") == NOTHING
    if beside:
        return Live(slots.get("champion"), nothing=nothing), problems + beside
    return Live(**slots, salt=tables.get(SPLIT, {}).get("salt"), nothing=nothing), problems

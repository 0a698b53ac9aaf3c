"""`live.toml`: which bundles are live, on one screen.

Pure: text to values and back. The scorer has a reader of its own, as small; packages do not share
code that is as short as this.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from forge import Change

HEADER = """\
# What is live. This file changes by pull request only; reverting the change rolls back.
"""
#: Where the file is kept, in a repository.
LIVE = "serve/live.toml"
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
ROLES = ("champion", "challenger", "anchor")


class LiveError(ValueError):
    """live.toml cannot be understood. The message lists every mistake."""


@dataclass(frozen=True)
class Slot:
    """A bundle in a role: its version, the digest it must have, and the share it gets."""

    version: str
    digest: str
    share: float | None = None


@dataclass(frozen=True)
class Live:
    """Which bundle has which role; none at all before the first release."""

    champion: Slot | None = None
    challenger: Slot | None = None
    anchor: Slot | None = None

    def to_toml(self) -> str:
        """The file's text; `parse_live` gives back an equal value."""
        tables = [HEADER]
        for role in ROLES:
            slot: Slot | None = getattr(self, role)
            if slot:
                share = "" if slot.share is None else f"share = {slot.share}\n"
                tables.append(
                    f"\n[{role}]\nversion = {json.dumps(slot.version)}\n"
                    f"digest = {json.dumps(slot.digest)}\n{share}"
                )
        return "".join(tables)


def parse_live(text: str) -> Live:
    """The roles that *text* gives. Raises `LiveError` with everything that is wrong."""
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise LiveError(f"live.toml is not TOML: {error}") from error
    problems = [
        f"[{name}] is not a role; roles are {', '.join(ROLES)}"
        for name in tables
        if name not in ROLES
    ]
    slots = {}
    for role in ROLES:
        if role in tables:
            wrong = list(_wrong(role, tables[role]))
            problems += wrong
            if not wrong:
                slots[role] = Slot(**tables[role])
    if problems:
        raise LiveError("live.toml: " + "; ".join(problems))
    return Live(**slots)


def champion_of(text: str) -> str:
    """The version of the champion that *text* names, "" if none. Raises `LiveError`."""
    champion = parse_live(text).champion
    return champion.version if champion else ""


def moves(history: Iterable[Change]) -> list[tuple[str, Slot | None]]:
    """When which bundle became champion (None: none), oldest first; *history* is newest first.

    A text that could not be read changed nothing: scorers went on with what they had.
    """
    found = []
    for change in reversed([*history]):
        try:
            found.append((change.at, parse_live(change.text).champion))
        except LiveError:
            continue
    return found


def champions_of(history: Iterable[Change]) -> list[str]:
    """The versions that became champion, "" for none, oldest first."""
    return [slot.version if slot else "" for _, slot in moves(history)]


def with_champion(live: Live, version: str, digest: str) -> Live:
    """*live* with another champion, and all else as it was."""
    return replace(live, champion=Slot(version, digest))


def age(champions: Sequence[str]) -> Callable[[str], tuple[str, int]]:
    """What to sort versions by, the oldest first; *champions* are those there were, oldest first.

    A version begins with the minute it was made in; of two from one minute, the one that was live
    first is the older.
    """
    first = {version: number for number, version in reversed([*enumerate(champions)])}
    return lambda version: (version.partition("-")[0], first.get(version, len(champions)))


def withdrawn_by(champions: Sequence[str]) -> set[str]:
    """The versions that were rolled back; *champions* are those there were, oldest first.

    A move from a champion to an older one, or to none (""), withdraws the newer; one that becomes
    champion again is withdrawn no more.
    """
    withdrawn: set[str] = set()
    before, key = "", age(champions)
    for now in champions:
        if key(now) < key(before):
            withdrawn.add(before)
        withdrawn.discard(now)
        before = now
    return withdrawn


def _wrong(role: str, table: Any) -> Iterable[str]:
    if not isinstance(table, dict):
        yield f"{role} is {table!r}; expected a table [{role}]"
        return
    for key in sorted(table.keys() - {"version", "digest", "share"}):
        yield f"{role}.{key} is not known; keys are version, digest, share"
    version, digest, share = (table.get(key) for key in ("version", "digest", "share"))
    if not (isinstance(version, str) and re.fullmatch(r"[0-9A-Za-z][0-9A-Za-z.-]{0,63}", version)):
        yield f"{role}.version is {version!r}; expected one such as 20261123T0317-a1b2c3d"
    if not (isinstance(digest, str) and DIGEST.fullmatch(digest)):
        yield f"{role}.digest is {digest!r}; expected sha256: and 64 hexadecimal digits"
    if "share" in table and not (isinstance(share, (int, float)) and 0 <= share <= 1):
        yield f"{role}.share is {share!r}; expected a number from 0 to 1"

"""`live.toml` as the scorer reads it: which bundle has which role, and whose rows it answers.

The champion answers what the others leave. The challenger has a `share` from 0 to 1, or `mode =
"shadow"`; the anchor's `share`, if it has one, is held back from every experiment. `[split]` may
say the `salt` that decides which keys fall to whom. The forge writes the file and has a reader of
its own, as small; a test holds the two together.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from serve.regular import read_regular

SHADOW = "shadow"
#: The champion where nothing is to be served.
NOTHING = "none"
#: First and last line of a file that `forge sync` wrote.
BEGINS, ENDS = "# Written by forge sync. The last line is: # end", "# end"
#: Bytes of the largest file that is read.
LARGEST = 64 * 2**10
#: What each role may say.
KEYS = {
    "champion": ("version", "digest"),
    "challenger": ("version", "digest", "share", "mode"),
    "anchor": ("version", "digest", "share"),
}
SPLIT = "split"
_VERSION = re.compile(r"[0-9A-Za-z][0-9A-Za-z-]{0,63}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_SALT = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,63}")


class LiveFileError(Exception):
    """live.toml does not say what is live. The message lists everything that is wrong."""


class Slot(NamedTuple):
    """A bundle in a role: its version, the digest it must have, and what it gets to see."""

    version: str
    digest: str
    share: float = 0.0
    shadow: bool = False

    @property
    def scores(self) -> bool:
        """Whether it has rows to score; a bundle without any need not be in memory."""
        return self.shadow or self.share > 0


class Named(NamedTuple):
    """What live.toml names; without a salt one is derived.

    Without a champion it says *nothing* is to be served, or it does not say what is. It is *whole*
    where it ends with the line that says so.
    """

    champion: Slot | None = None
    challenger: Slot | None = None
    anchor: Slot | None = None
    salt: str | None = None
    nothing: bool = False
    whole: bool = False

    @property
    def needed(self) -> dict[str, Slot]:
        """The slots whose bundles must be in memory, by role, the champion's first."""
        roles = {"champion": self.champion, "challenger": self.challenger, "anchor": self.anchor}
        return {
            role: slot
            for role, slot in roles.items()
            if slot and (role == "champion" or slot.scores)
        }


def read_live(path: Path) -> Named:
    """What live.toml at *path* names. Raises `LiveFileError`."""
    try:
        text = read_regular(path, LARGEST).decode()
        tables = tomllib.loads(text)
    except FileNotFoundError as error:
        raise LiveFileError(
            f"there is no {path}: nothing is live yet, or the store is elsewhere"
        ) from error
    except (OSError, ValueError, RecursionError) as error:
        raise LiveFileError(f"{path} cannot be read: {error}") from error
    whole = text.endswith(f"\n{ENDS}\n")
    if text.startswith(BEGINS) and not whole:
        raise LiveFileError(f"{path} is not whole: it does not end with the line {ENDS!r}")
    try:
        problems = list(_problems(tables))
    except ValueError as error:  # a number too long to be shown
        raise LiveFileError(f"{path} cannot be read: {error}") from error
    if problems:
        raise LiveFileError(f"{path}: {'; '.join(problems)}")
    slots = {role: _slot(tables[role]) for role in KEYS if isinstance(tables.get(role), dict)}
    return Named(
        **slots,
        salt=tables.get(SPLIT, {}).get("salt"),
        nothing=tables.get("champion") == NOTHING,
        whole=whole,
    )


def _slot(table: Mapping[str, Any]) -> Slot:
    share, shadow = float(table.get("share", 0)), table.get("mode") == SHADOW
    return Slot(table["version"], table["digest"], share, shadow)


def _problems(tables: Mapping[str, Any]) -> Iterator[str]:
    for name in tables:
        if name not in KEYS and name != SPLIT:
            # Not to be passed over: under a misspelt [champion] nothing would be live.
            yield f"[{name}] is not a role; roles are {', '.join(KEYS)}; [{SPLIT}] has the salt"
    for role in KEYS:
        if role in tables:
            yield from _wrong_slot(role, tables[role])
    if SPLIT in tables:
        yield from _wrong_split(tables[SPLIT])
    yield from _too_much(*(tables.get(role) for role in ("challenger", "anchor")))


def _wrong_slot(role: str, table: Any) -> Iterator[str]:
    if (role, table) == ("champion", NOTHING):
        return
    if not isinstance(table, dict):
        yield f"{role} is {table!r}; expected a table [{role}]"
        return
    for key in table:
        if (role, key) == ("champion", "share"):
            yield "champion.share is not for you to say; the champion gets what the others leave"
        elif key not in KEYS[role]:
            yield f"{role}.{key} is not known; keys are {', '.join(KEYS[role])}"
    version, digest = table.get("version"), table.get("digest")
    if not (isinstance(version, str) and _VERSION.fullmatch(version)):
        yield f"{role}.version is {version!r}; expected one such as 20261123T0317-a1b2c3d4e5f6"
    if not (isinstance(digest, str) and _DIGEST.fullmatch(digest)):
        yield f"{role}.digest is {digest!r}; expected sha256: and 64 hexadecimal digits"
    yield from _wrong_part(role, table)


def _wrong_part(role: str, table: dict[str, Any]) -> Iterator[str]:
    if role != "champion" and "share" in table and not _is_share(table["share"]):
        yield f"{role}.share is {table['share']!r}; expected a number from 0 to 1"
    if role == "challenger" and "mode" in table:
        if table["mode"] != SHADOW:
            yield f'challenger.mode is {table["mode"]!r}; expected "shadow", or a share instead'
        elif "share" in table:
            yield "challenger has a share and a mode; a shadow answers nobody, so take one out"


def _wrong_split(table: Any) -> Iterator[str]:
    if not isinstance(table, dict):
        yield f"{SPLIT} is {table!r}; expected a table [{SPLIT}]"
        return
    for key in table:
        if key != "salt":
            yield f"{SPLIT}.{key} is not known; the only key is salt"
    salt = table.get("salt", "none")
    if not (isinstance(salt, str) and _SALT.fullmatch(salt)):
        yield f"{SPLIT}.salt is {salt!r}; expected at most 64 letters, digits, '.', '_' and '-'"


def _too_much(challenger: Any, anchor: Any) -> Iterator[str]:
    shares = [
        table["share"]
        for table in (challenger, anchor)
        if isinstance(table, dict) and _is_share(table.get("share"))
    ]
    if sum(shares) > 1:
        first, second = shares
        yield (
            f"the shares of challenger ({first:g}) and anchor ({second:g}) sum to"
            f" {first + second:g}; expected at most 1, the champion gets the rest"
        )


def _is_share(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= 1

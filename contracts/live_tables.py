"""The mistakes in the tables of `live.toml`: names, digests, shares, the salt, online corrections. Pure functions."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any

DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
ROLES = ("champion", "challenger", "anchor")
SHADOW, SPLIT, ONLINE = "shadow", "split", "online"
#: Online corrections: none is computed; computed and measured, and no answer changes; applied while they earn.
OFF, ON = "off", "on"
MODES = (OFF, SHADOW, ON)
#: The champion that stops serving.
NOTHING = "none"
#: The keys of each role.
KEYS = {
    "champion": ("version", "digest"),
    "challenger": ("version", "digest", "share", "mode"),
    "anchor": ("version", "digest", "share"),
}
#: A bundle's name: the minute of the build, and the first digits of its digest: twelve, in old bundles seven.
VERSION = re.compile(r"\d{8}T\d{4}-([0-9a-f]{12}|[0-9a-f]{7})")
#: The limits of online corrections: above 0, and at most this.
MAX_ONLINE = {"max_shift": 10.0, "max_flips": 1.0, "half_life": 365.0}
_VERSION = re.compile(r"[0-9A-Za-z][0-9A-Za-z-]{0,63}")
_SALT = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,63}")


@dataclass(frozen=True)
class Online:
    """How answers are corrected between two trainings, by outcomes that are known since.

    No score moves by more than *max_shift* (on the logit; regression: of the target's deviations), and no more than
    *max_flips* of the decisions of an hour change. The weight of an outcome halves in *half_life* days.
    """

    mode: str = SHADOW
    max_shift: float = 1.0
    max_flips: float = 0.5
    half_life: float = 3.0

    def to_toml(self) -> str:
        """The lines of the table."""
        return f'mode = "{self.mode}"\n' + "".join(f"{name} = {getattr(self, name)}\n" for name in MAX_ONLINE)


def wrong_names(tables: Iterable[str]) -> list[str]:
    """Mistakes in the names of the tables."""
    return [
        f"[{name}] is not a role; roles are {', '.join(ROLES)}; [{SPLIT}] has the salt, [{ONLINE}] the mode"
        for name in tables
        if name not in (*ROLES, SPLIT, ONLINE)
    ]


def wrong_slot(role: str, table: Any) -> Iterable[str]:
    """Mistakes in the *table* of a *role*."""
    if (role, table) == ("champion", NOTHING):
        return
    if not isinstance(table, dict):
        yield f"{role} is {table!r}; expected a table [{role}]"
        return
    for key in table:
        if (role, key) == ("champion", "share"):
            yield "champion.share is not allowed; the champion gets the rest of the traffic"
        elif key not in KEYS[role]:
            yield f"{role}.{key} is not known; keys are {', '.join(KEYS[role])}"
    version, digest = table.get("version"), table.get("digest")
    if not (isinstance(version, str) and _VERSION.fullmatch(version)):
        yield f"{role}.version is {version!r}; expected one such as 20261123T0317-a1b2c3d4e5f6"
    if not (isinstance(digest, str) and DIGEST.fullmatch(digest)):
        yield f"{role}.digest is {digest!r}; expected sha256: and 64 hexadecimal digits"
    yield from _wrong_part(role, table)


def _wrong_part(role: str, table: dict[str, Any]) -> Iterable[str]:
    if role != "champion" and "share" in table and not _is_share(table["share"]):
        yield f"{role}.share is {table['share']!r}; expected a number from 0 to 1"
    if role == "challenger" and "mode" in table:
        if table["mode"] != SHADOW:
            yield f'challenger.mode is {table["mode"]!r}; expected "shadow", or a share instead'
        elif "share" in table:
            yield "challenger has a share and a mode; expected one of them, a shadow answers no request"


def wrong_split(table: Any) -> Iterable[str]:
    """Mistakes in the table of the traffic split."""
    if not isinstance(table, dict):
        yield f"{SPLIT} is {table!r}; expected a table [{SPLIT}]"
        return
    for key in table:
        if key != "salt":
            yield f"{SPLIT}.{key} is not known; the only key is salt"
    salt = table.get("salt", "none")
    if not (isinstance(salt, str) and _SALT.fullmatch(salt)):
        yield f"{SPLIT}.salt is {salt!r}; expected at most 64 letters, digits, '.', '_' and '-'"


def wrong_online(table: Any) -> Iterable[str]:
    """Mistakes in the table of online corrections."""
    if not isinstance(table, dict):
        yield f"{ONLINE} is {table!r}; expected a table [{ONLINE}]"
        return
    keys = [field.name for field in fields(Online)]
    for key in table:
        if key not in keys:
            yield f"{ONLINE}.{key} is not known; keys are {', '.join(keys)}"
    mode = table.get("mode", SHADOW)
    if mode not in MODES:
        yield f'{ONLINE}.mode is {mode!r}; expected "off", "shadow" or "on"'
    for name, most in MAX_ONLINE.items():
        value = table.get(name, most)
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not (number and math.isfinite(value) and 0 < value <= most):
            yield f"{ONLINE}.{name} is {value!r}; expected a number above 0, at most {most:g}"


def too_much(challenger: Any, anchor: Any) -> Iterable[str]:
    """Shares of more than 1 in sum."""
    tables = (challenger, anchor)
    shares = [t["share"] for t in tables if isinstance(t, dict) and _is_share(t.get("share"))]
    if sum(shares) > 1:
        first, second = shares
        yield (
            f"the shares of challenger ({first:g}) and anchor ({second:g}) sum to"
            f" {first + second:g}; expected at most 1, the champion gets the rest"
        )


def _is_share(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= 1

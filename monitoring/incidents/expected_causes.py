"""Waivers of monitoring: causes that raise no incident until a day. Pure.

`/expected until … because …` below an incident proposes one, in a pull request that a person merges.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

PATH = "monitoring/expected.toml"
HEAD = """\
# Waivers of monitoring: causes that raise no incident until a day, with a reason. `/expected until YYYY-MM-DD because …`
# below an incident proposes an entry; merging it is the review. Expired entries can be deleted.
"""
_KINDS: dict[str, Any] = {"causes": list, "until": date, "reason": str, "author": str, "incident": str}
_EXPECTED = {list: "a list of strings", date: "a day such as 2026-12-08", str: "a string"}


class ExpectedError(ValueError):
    """The file of waivers is invalid. The message lists every problem."""


@dataclass(frozen=True)
class ExpectedCause:
    """A waiver: *causes* (fingerprints of `Cause`) raise no incident up to and including *until*."""

    causes: tuple[str, ...]
    until: date
    reason: str
    author: str
    incident: str


def read_expected(text: str | None) -> list[ExpectedCause]:
    """The entries of the file. Raises `ExpectedError`, which lists every problem."""
    try:
        entries: Any = tomllib.loads(text or "").get("expected", [])
    except tomllib.TOMLDecodeError as error:
        raise ExpectedError(f"{PATH} is not TOML: {error}") from error
    if not isinstance(entries, list):
        raise ExpectedError(f"{PATH}: expected entries that begin with [[expected]]")
    problems = [
        f"  - entry {number}: {problem}" for number, entry in enumerate(entries, 1) for problem in _problems(entry)
    ]
    if problems:
        raise ExpectedError(f"{PATH}:\n" + "\n".join(problems))
    return [ExpectedCause(tuple(e["causes"]), e["until"], e["reason"], e["author"], e["incident"]) for e in entries]


def write_expected(entries: Iterable[ExpectedCause], today: date) -> str:
    """The file with *entries*; those that expired before *today* are left out."""
    parts = [
        "[[expected]]\n"
        f"causes = {json.dumps(entry.causes)}\n"
        f"until = {entry.until.isoformat()}\n"
        f"reason = {_string(entry.reason)}\n"
        f"author = {_string(entry.author)}\n"
        f"incident = {_string(entry.incident)}\n"
        for entry in entries
        if entry.until >= today
    ]
    return "\n".join([HEAD, *parts])


def active_waiver(entries: Sequence[ExpectedCause], cause: str, today: date) -> ExpectedCause | None:
    """The waiver of *cause* that is valid on the day *today*; of several the one that expires last."""
    found = [entry for entry in entries if cause in entry.causes and entry.until >= today]
    return max(found, key=lambda entry: entry.until, default=None)


def _problems(entry: Any) -> Iterable[str]:
    if not isinstance(entry, dict):
        yield f"{entry!r} is not a table"
        return
    for name, kind in _KINDS.items():
        value = entry.get(name)
        fits = type(value) is kind and (  # a datetime is a date, too, but cannot be compared with one
            name != "causes" or all(isinstance(each, str) for each in entry["causes"])
        )
        if not fits:
            yield f"{name} is {value!r}; expected {_EXPECTED[kind]}"
    for name in entry.keys() - _KINDS.keys():
        yield f"{name} is not a key; the keys are: {', '.join(_KINDS)}"


def _string(value: str) -> str:
    """A TOML basic string: JSON's escapes are valid in TOML, which also requires DEL to be escaped."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")

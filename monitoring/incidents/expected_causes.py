"""Waivers of the watch: what is expected until a day, and so no alarm. Pure.

They come by `/expected until … because …` below an incident, as a proposal that a person merges.
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
# What the watch expects, and so does not raise: causes of an incident, until a day, with a reason. `/expected until
# YYYY-MM-DD because …` below an incident proposes an entry; whoever merges it has reviewed it. What is over may go.
"""
_KINDS: dict[str, Any] = {"causes": list, "until": date, "reason": str, "author": str, "incident": str}
_WORDS = {list: "a list of strings", date: "a day such as 2026-12-08", str: "a string"}


class ExpectedError(ValueError):
    """The file of waivers cannot be used. The message lists every mistake."""


@dataclass(frozen=True)
class ExpectedCause:
    """*causes* (as `Cause.fingerprint` tells them) that are no alarm up to and with the day *until*."""

    causes: tuple[str, ...]
    until: date
    reason: str
    author: str
    incident: str


def read_expected(text: str | None) -> list[ExpectedCause]:
    """The entries of the file. Raises `ExpectedError`, with every mistake."""
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
    """The file of *entries*; those that were over before *today* are left out."""
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
    """The entry that expects *cause* on the day *today*: the one that does so the longest."""
    found = [entry for entry in entries if cause in entry.causes and entry.until >= today]
    return max(found, key=lambda entry: entry.until, default=None)


def _problems(entry: Any) -> Iterable[str]:
    if not isinstance(entry, dict):
        yield f"{entry!r} is no table"
        return
    for name, kind in _KINDS.items():
        value = entry.get(name)
        fits = type(value) is kind and (  # a time is a date, too, and cannot be compared with one
            name != "causes" or all(isinstance(each, str) for each in entry["causes"])
        )
        if not fits:
            yield f"{name} is {value!r}; expected {_WORDS[kind]}"
    for name in entry.keys() - _KINDS.keys():
        yield f"{name} is not known; there are: {', '.join(_KINDS)}"


def _string(words: str) -> str:
    """A TOML basic string: JSON's escapes are among TOML's, which also wants DEL escaped."""
    return json.dumps(words, ensure_ascii=False).replace("\x7f", "\\u007f")

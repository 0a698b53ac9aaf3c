"""Policies: when the candidate of a night replaces the champion."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Literal

from contracts.thresholds import ConfigurationError, Rules, rules_of

Kind = Literal["never", "always", "monthly", "gate"]
#: Those that need no verdict.
FIXED: Mapping[str, Kind] = {"never": "never", "always": "always", "monthly": "monthly"}
#: The two ways of the gate to decide, by `decide` in [gate.compare].
DECIDED = ("proven", "expected")
DEFAULT = ("never", "always", "monthly", *DECIDED)
_OWN = re.compile(r"([A-Za-z][\w-]{0,30}):(.+)")


@dataclass(frozen=True)
class Policy:
    """A policy by *name*. One of the kind "gate" lands what the gate promotes under its *rules*."""

    name: str
    kind: Kind
    words: str
    rules: Rules | None = None

    @property
    def limits(self) -> Rules:
        """The rules of a policy of the kind "gate"; ValueError for another."""
        if self.rules is None:
            raise ValueError(f"the policy {self.name} asks no gate")
        return self.rules


def policies(names: Sequence[str], tables: Mapping[str, Any], source: str) -> list[Policy]:
    """The policies of *names*, under the rules in *tables*, which errors call *source*.

    A name is "never", "always", "monthly", "proven", "expected", or NAME:key=value for the rules with other limits: a key
    without a dot is one of [gate.compare], such as `max_risk`; with dots it is a place in the file, such as
    `gate.rows.max_lost`. Several are joined by ";". Raises `ConfigurationError` with all problems.
    """
    found, problems = [], []
    for name in names:
        try:
            found.append(_policy(name.strip(), tables, source))
        except ConfigurationError as error:
            problems.append(str(error))
    twice = {each.name for each in found if [other.name for other in found].count(each.name) > 1}
    problems += [f"the policy {name} is named twice; give one of them another name" for name in sorted(twice)]
    if problems:
        raise ConfigurationError("\n".join(problems))
    return found


def of_rules(name: str, rules: Rules, words: str) -> Policy:
    """The policy of the gate with these *rules*."""
    return Policy(name, "gate", words, rules)


def _policy(name: str, tables: Mapping[str, Any], source: str) -> Policy:
    if name in FIXED:
        return Policy(name, FIXED[name], _WORDS[name])
    if name in DECIDED:
        return of_rules(name, rules_of(_with(tables, {"decide": name}), source), _WORDS[name])
    own = _OWN.fullmatch(name)
    if own is None:
        raise ConfigurationError(
            f"there is no policy {name!r}; expected one of {', '.join(DEFAULT)}, or NAME:key=value, such as"
            " cautious:max_risk=0.01"
        )
    changes: dict[str, Any] = {}
    for part in own[2].split(";"):
        key, equals, value = part.partition("=")
        if not equals or not key.strip():
            raise ConfigurationError(f"policy {own[1]}: {part!r}; expected key=value, such as max_risk=0.01")
        changes[key.strip()] = _value(value.strip())
    return of_rules(own[1], rules_of(_with(tables, changes), f"policy {own[1]}"), f"the gate, with {own[2]}")


_WORDS = {
    "never": "keeps the first model",
    "always": "lands every candidate, whatever the gate says",
    "monthly": "lands the first candidate of each month, whatever the gate says",
    "proven": "the gate: lands what is proven to be worse by less than the margin",
    "expected": "the gate: lands what is expected to earn",
}


def _with(tables: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = deepcopy(dict(tables))
    for key, value in changes.items():
        *place, name = key.split(".") if "." in key else ("gate", "compare", key)
        table = found
        for each in place:
            table = table.setdefault(each, {})
            if not isinstance(table, dict):
                raise ConfigurationError(f"{key}: {each} is not a table")
        table[name] = value
    return found


def _value(text: str) -> Any:
    """A value as TOML reads it; any other text is a string."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text

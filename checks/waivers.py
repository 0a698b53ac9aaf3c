"""A person takes responsibility for a rule that fails: which, why, who, until when.

waivers.toml is read from main, so no proposal waives its own rule. What could not be checked cannot
be waived. A waiver that is over, or that nothing needs, fails: nobody would take it out otherwise.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

from checks.verdict import Finding
from contracts.thresholds import ConfigurationError

LIMIT = "a waiver that is needed, and not over"


@dataclass(frozen=True)
class Waiver:
    """The *rule* may fail up to and on the day *until*, says the *author*, for this *reason*."""

    rule: str
    reason: str
    author: str
    until: date


_KEYS = tuple(field.name for field in fields(Waiver))


def read_waivers(path: Path) -> list[Waiver]:
    """The waivers in the file *path*, none if there is no file.

    Raises `ConfigurationError` with every mistake.
    """
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{path} cannot be read: {error}") from error
    problems = [f"{name} is not known; expected [[waiver]]" for name in tables if name != "waiver"]
    listed = tables.get("waiver", [])
    if not isinstance(listed, list):
        problems.append("waiver is one table; expected [[waiver]] for each")
        listed = []
    problems += [problem for n, each in enumerate(listed, 1) for problem in _wrong(n, each)]
    rules = [str(each.get("rule")) for each in listed if isinstance(each, dict)]
    problems += [f"{rule} is waived twice" for rule in sorted({r for r in rules if rules.count(r) > 1})]
    if problems:
        raise ConfigurationError(f"{path}:\n" + "\n".join(f"  - {problem}" for problem in problems))
    return [Waiver(**each) for each in listed]


def waive(findings: Sequence[Finding], waivers: Iterable[Waiver], today: date) -> list[Finding]:
    """The findings with those that are waived made mild, and a finding on each waiver."""
    found = list(findings)
    for waiver in waivers:
        hit = [f for f in found if f.rule == waiver.rule and f.severity == "block"]
        needs = [f for f in hit if f.outcome in ("FAIL", "INCONCLUSIVE")]
        told = _told(waiver)
        if today > waiver.until:
            found.append(_bad(waiver, "it is over", "Take it out, or put the rule right."))
        elif any(f.outcome == "NOT_RUN" for f in hit):
            found.append(_bad(waiver, "the rule could not be checked", "Could not tell is not a pass."))
        elif not needs:
            found.append(_bad(waiver, "nothing needs it", "Take it out of waivers.toml."))
        else:
            found = [replace(f, severity="warn", why=f"{told} {f.why}") if f in needs else f for f in found]
            found.append(Finding(f"waivers.{waiver.rule}", "PASS", told, LIMIT, "An override is kept on record."))
    return found


def waived(findings: Iterable[Finding]) -> list[str]:
    """The rules that a waiver covers."""
    return [f.rule.removeprefix("waivers.") for f in findings if f.rule.startswith("waivers.") and f.outcome == "PASS"]


def _told(waiver: Waiver) -> str:
    return f"Waived until {waiver.until} by {waiver.author}: {waiver.reason.rstrip('.')}."


def _bad(waiver: Waiver, what: str, todo: str) -> Finding:
    return Finding(f"waivers.{waiver.rule}", "FAIL", f"{what}. {_told(waiver)}", LIMIT, todo)


def _wrong(number: int, table: Any) -> Iterable[str]:
    if not isinstance(table, dict):
        yield f"waiver {number} is {table!r}; expected a table"
        return
    for name in table:
        if name not in _KEYS:
            yield f"waiver {number}: {name} is not known; keys are {', '.join(_KEYS)}"
    for name in ("rule", "reason", "author"):
        value = table.get(name)
        if not (isinstance(value, str) and value.strip()):
            yield f"waiver {number}: {name} is {value!r}; expected words"
    until = table.get("until")
    if not isinstance(until, date) or isinstance(until, datetime):
        yield f"waiver {number}: until is {until!r}; expected a day such as 2026-12-31, without quotes"

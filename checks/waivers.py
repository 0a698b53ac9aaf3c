"""Waivers: a person lets a rule fail until a date, with a reason.

waivers.toml is read from main, so that a proposal cannot waive its rules. A rule that could not be checked cannot be
waived. A waiver that expired or is not needed fails, so that it gets removed.
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

LIMIT = "a waiver that is needed and has not expired"


@dataclass(frozen=True)
class Waiver:
    """The *author* lets the *rule* fail up to and including the day *until*, for this *reason*."""

    rule: str
    reason: str
    author: str
    until: date


_KEYS = tuple(field.name for field in fields(Waiver))


def read_waivers(path: Path) -> list[Waiver]:
    """The waivers in the file *path*, [] without a file.

    Raises `ConfigurationError` with every mistake.
    """
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{path} cannot be read: {error}") from error
    problems = [f"{name} is unknown; expected [[waiver]]" for name in tables if name != "waiver"]
    listed = tables.get("waiver", [])
    if not isinstance(listed, list):
        problems.append("waiver is one table; expected a [[waiver]] for each")
        listed = []
    problems += [problem for n, each in enumerate(listed, 1) for problem in _mistakes(n, each)]
    rules = [str(each.get("rule")) for each in listed if isinstance(each, dict)]
    problems += [f"{rule} is waived twice" for rule in sorted({r for r in rules if rules.count(r) > 1})]
    if problems:
        raise ConfigurationError(f"{path}:\n" + "\n".join(f"  - {problem}" for problem in problems))
    return [Waiver(**each) for each in listed]


def waive(findings: Sequence[Finding], waivers: Iterable[Waiver], today: date) -> list[Finding]:
    """The findings, with severity warn for waived ones, and a finding on each waiver."""
    result = list(findings)
    for waiver in waivers:
        blocking = [f for f in result if f.rule == waiver.rule and f.severity != "warn"]
        needs = [f for f in blocking if f.outcome in ("FAIL", "INCONCLUSIVE")]
        note = _note(waiver)
        if today > waiver.until:
            result.append(_bad(waiver, "it expired", "Remove it from waivers.toml, or fix the cause."))
        elif any(f.outcome == "NOT_RUN" for f in blocking):
            result.append(_bad(waiver, "the rule could not be checked", "What could not be checked is not a pass."))
        elif not needs:
            result.append(_bad(waiver, "the rule does not fail", "Remove it from waivers.toml."))
        else:
            result = [replace(f, severity="warn", why=f"{note} {f.why}") if f in needs else f for f in result]
            result.append(Finding(f"waivers.{waiver.rule}", "PASS", note, LIMIT, "Every override is recorded."))
    return result


def waived(findings: Iterable[Finding]) -> list[str]:
    """The rules that a waiver covers."""
    return [f.rule.removeprefix("waivers.") for f in findings if f.rule.startswith("waivers.") and f.outcome == "PASS"]


def _note(waiver: Waiver) -> str:
    return f"Waived until {waiver.until} by {waiver.author}: {waiver.reason.rstrip('.')}."


def _bad(waiver: Waiver, what: str, todo: str) -> Finding:
    return Finding(f"waivers.{waiver.rule}", "FAIL", f"{what}. {_note(waiver)}", LIMIT, todo)


def _mistakes(number: int, table: Any) -> Iterable[str]:
    if not isinstance(table, dict):
        yield f"waiver {number} is {table!r}; expected a table"
        return
    for name in table:
        if name not in _KEYS:
            yield f"waiver {number}: {name} is unknown; keys are {', '.join(_KEYS)}"
    for name in ("rule", "reason", "author"):
        value = table.get(name)
        if not (isinstance(value, str) and value.strip()):
            yield f"waiver {number}: {name} is {value!r}; expected text"
    until = table.get("until")
    if not isinstance(until, date) or isinstance(until, datetime):
        yield f"waiver {number}: until is {until!r}; expected a day such as 2026-12-31, without quotes"

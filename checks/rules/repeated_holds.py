"""Holds that repeat: since when the same rules hold the candidates, and what a person has accepted.

Each report records in a hidden line what holds its candidate, which landing keeps as the release notes. A hold against the
champion ends with the next champion. One against the anchor would repeat after a person has merged a candidate that it held:
the anchor stays. So what such a person accepted is only reported, until the anchor moves.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from checks.verdict import Finding
from reporting.hidden_lines import hidden_line, recorded_values

_OVERRIDE = "> **Override:**"
#: Rules whose cause stays when a candidate is merged.
AGAINST_ANCHOR = ("anchor.", "compare.anchor.")
ANSWER = 'until a person merges a candidate (python -m forge merge --override "WHY") or waives the rule'


@dataclass(frozen=True, order=True)
class Hold:
    """The *rules* that hold a *candidate* beside *champion* and *anchor* (digests), by rows up to the *day*.

    *accepted*: a person merged it against the verdict.
    """

    day: str
    contract: str
    candidate: str
    champion: str
    anchor: str
    rules: tuple[str, ...]
    accepted: bool = False


def held_line(hold: Hold) -> str:
    """The hidden line of a report."""
    fields = asdict(hold)
    del fields["accepted"]
    return hidden_line("held", fields)


def recorded_holds(notes: Iterable[str]) -> list[Hold]:
    """The holds that release notes record, the earliest first; lines that a person edited are skipped."""
    found: set[Hold] = set()
    for text in notes:
        accepted = text.startswith(_OVERRIDE)
        found.update(replace(each, accepted=accepted) for each in recorded_values("held", [text], _read))
    return sorted(found)


def _read(fields: Mapping[str, Any]) -> Hold:
    day, contract, candidate, champion, anchor = (
        str(fields[name]) for name in ("day", "contract", "candidate", "champion", "anchor")
    )
    return Hold(day, contract, candidate, champion, anchor, tuple(str(each) for each in fields["rules"]))


def accept(findings: Sequence[Finding], now: Hold, earlier: Iterable[Hold]) -> list[Finding]:
    """The *findings*, where a hold against the anchor that a person has accepted is only reported."""
    accepted = {
        rule: each.day
        for each in earlier
        if each.accepted and each.anchor == now.anchor and each.contract == now.contract
        for rule in each.rules
        if rule.startswith(AGAINST_ANCHOR)
    }
    return [
        replace(f, severity="warn", why=f"A person merged a candidate that this held on {accepted[f.rule]}. {f.why}")
        if f.holds and f.rule in accepted
        else f
        for f in findings
    ]


def repeats(now: Hold, earlier: Iterable[Hold]) -> str:
    """A sentence on since when rules of *now* hold candidates beside the same champion; "" if they hold none before."""
    before = [
        (each.day, rule, each.candidate)
        for each in earlier
        if (each.contract, each.champion) == (now.contract, now.champion) and each.candidate != now.candidate
        for rule in each.rules
        if rule in now.rules and each.day <= now.day
    ]
    if not before:
        return ""
    day, rule, _ = min(before)
    count = len({candidate for _, _, candidate in before})
    return f"{rule} has held since {day} ({count} earlier candidate{'s' if count > 1 else ''}), and repeats {ANSWER}."

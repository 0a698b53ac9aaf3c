"""How often the rows that a candidate is judged on were looked at before.

Who looks at one holdout often enough finds a model that is good on it by accident (Dwork et al.
2015; Blum and Hardt 2015). Fresh rows roll with time, so each is looked at by a few candidates and
then no more. The ledger has no file of its own: each report carries a hidden line, a landing keeps
the report as the candidate's release notes, and whoever judges next reads them all.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

from checks.verdict import Finding
from contracts.thresholds import Severity

_LINE = re.compile(r"^<!-- looked (\{.*\}) -->\s*$", re.MULTILINE)


@dataclass(frozen=True)
class Look:
    """One *candidate* (a digest) judged on the days from *first* to *last* of a contract's rows."""

    contract: str
    first: str
    last: str
    candidate: str


def line(look: Look) -> str:
    """The hidden line of a report; nothing in it ends the comment."""
    words = json.dumps(asdict(look)).replace("<", "\\u003c").replace(">", "\\u003e")
    return f"<!-- looked {words} -->"


def looks_in(notes: Iterable[str]) -> list[Look]:
    """The looks that release notes tell of; what is no such line is passed over."""
    found = []
    for text in notes:
        for words in _LINE.findall(text):
            try:
                found.append(Look(**{k: str(v) for k, v in json.loads(words).items()}))
            except (ValueError, TypeError, AttributeError):
                continue  # somebody edited the notes
    return found


def times_looked(look: Look, days: Iterable[str], earlier: Iterable[Look]) -> list[int]:
    """How many other candidates were judged on each of the *days* before.

    The same candidate again on the same rows says nothing new, and does not count.
    """
    others = {each for each in earlier if each.contract == look.contract}
    spans = {(e.candidate, e.first, e.last) for e in others if e.candidate != look.candidate}
    return [len({candidate for candidate, first, last in spans if first <= day <= last}) for day in sorted(days)]


def looked(look: Look, times: Sequence[int], most: int, severity: Severity = "warn") -> Finding:
    """The finding on how often the fresh rows' days were looked at; *times* is per day."""
    new = sum(1 for each in times if each == 0)
    worst = max(times, default=0)
    return Finding(
        "data.looks",
        "PASS" if worst <= most else "FAIL",
        f"{look.first} to {look.last}: {new} of {len(times)} days were never looked at before,"
        f" the others by at most {worst} candidates",
        f"at most {most}",
        "Who looks often enough at the same rows finds a model that is good on them by accident.",
        severity,
    )

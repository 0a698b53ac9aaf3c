"""What an incident knows of itself from run to run: plain values in its alert's memory. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from datetime import date
from typing import Any

KEPT, LONGEST = (40, 200)  # lines of history and of actions, and the characters of one: GitHub's issues end
LARGEST = 1e9
_DAYS = ("since", "last", "peak_day", "ack", "called")


@dataclass(frozen=True)
class IncidentState:
    """What an incident knows of itself. *runs* and *actions* are pairs of a time and words.

    *held* says that a person opened it again: then a person closes it. *ack* is the day until which
    somebody knows of it. *announced* are the causes that people were notified of since it last opened.
    """

    causes: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    since: str = ""
    last: str = ""
    now: float = 0.0
    peak: float = 0.0
    peak_day: str = ""
    runs: tuple[tuple[str, str], ...] = ()
    actions: tuple[tuple[str, str], ...] = ()
    ack: str = ""
    ack_by: str = ""
    called: str = ""
    held: bool = False
    announced: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain values, what was never set left out."""
        known, empty = asdict(self), asdict(IncidentState())
        found = {name: value for name, value in known.items() if value != empty[name]}
        return dict(json.loads(json.dumps(found)))

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> IncidentState:
        """What `to_json` gave. A person may have edited it: what does not fit is forgotten."""
        found: dict[str, Any] = {}
        for each in fields(cls):
            value, empty = data.get(each.name), each.default
            if isinstance(empty, tuple) and isinstance(value, (list, tuple)):
                pairs = each.name in ("runs", "actions")
                found[each.name] = tuple(
                    tuple(map(str, item)) if pairs else str(item)
                    for item in value
                    if not pairs or (isinstance(item, (list, tuple)) and len(item) == 2)
                )
            elif isinstance(empty, float) and isinstance(value, (int, float)):
                if not abs(value) < LARGEST:  # nor is "not a number" one
                    continue
                found[each.name] = float(value)
            elif type(value) is type(empty) and (each.name not in _DAYS or _is_day(value)):
                found[each.name] = value
        return cls(**found)

    @property
    def tier(self) -> str:
        """The gravest tier it has had."""
        return "page" if any(cause.startswith("page/") for cause in self.causes) else "issue"

    @property
    def kinds(self) -> set[str]:
        """The kinds of its causes."""
        return {cause.split("/", 2)[1] for cause in self.causes if cause.count("/") >= 2}

    def with_action(self, at: str, words: str) -> IncidentState:
        """It, with something done about it; the same is noted once."""
        words = _short(words)
        if (at, words) in self.actions:
            return self
        return replace(self, actions=(*self.actions, (at, words))[-KEPT:])

    def with_run(self, at: str, words: str) -> IncidentState:
        """It, with a line of history more; what the last line says is not said again.

        Of a day that is over the last line stays: an hourly watch would soon have no room for weeks.
        """
        words, day = _short(words), at[:10]
        if self.runs and self.runs[-1][1] == words:
            return self
        earlier = {then[:10]: (then, said) for then, said in self.runs if then[:10] != day}
        today = [(then, said) for then, said in self.runs if then[:10] == day]
        return replace(self, runs=(*earlier.values(), *today, (at, words))[-KEPT:])

    def with_announced(self, causes: Iterable[str]) -> IncidentState:
        """It, with *causes* that people are notified of by this run."""
        return replace(self, announced=tuple(dict.fromkeys((*self.announced, *causes))))

    def acknowledged(self, day: str) -> bool:
        """Whether somebody knows of it on the *day*."""
        return bool(self.ack) and day <= self.ack


def _short(words: str) -> str:
    return words if len(words) <= LONGEST else words[: LONGEST - 1] + "…"


def _is_day(value: Any) -> bool:
    try:
        return bool(re.fullmatch(r"\d{4}-\d\d-\d\d", value) and date.fromisoformat(value))
    except ValueError:
        return False


def days_between(one: str, other: str) -> int:
    """How many days the day (or time) *one* is after *other*."""
    return (date.fromisoformat(one[:10]) - date.fromisoformat(other[:10])).days

"""The state of an incident between runs, stored as JSON in the hidden line of its issue. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from datetime import date
from typing import Any

#: Lines of history and of actions, and characters of a line: the size of a GitHub issue is limited.
MAX_LINES, MAX_LINE_LENGTH = 40, 200
MAX_NUMBER = 1e9
_DAYS = ("since", "last", "peak_day", "ack", "called")


@dataclass(frozen=True)
class IncidentState:
    """The state of an incident; the names of the fields are JSON keys in existing issues.

    *causes* are fingerprints, *words* describe them; *since* and *last* are the first and newest day of the breach;
    *now* and *peak* its size (see `Cause`). *runs* and *actions* are (time, text). *ack* is the day until which
    *ack_by* acknowledged it. *called* is the day of the last automatic retrain. With *held* a person
    reopened it, so only a person closes it. *announced* are the causes notified since it last opened.
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
        """The fields that differ from their defaults, as JSON values."""
        default = asdict(IncidentState())
        changed = {name: value for name, value in asdict(self).items() if value != default[name]}
        return dict(json.loads(json.dumps(changed)))

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> IncidentState:
        """From `to_json`. A person may have edited it: a value of the wrong type is dropped."""
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
                if abs(value) < MAX_NUMBER:  # false for NaN
                    found[each.name] = float(value)
            elif type(value) is type(empty) and (each.name not in _DAYS or _is_day(value)):
                found[each.name] = value
        return cls(**found)

    @property
    def severity(self) -> str:
        """The highest severity of its causes."""
        return "page" if any(cause.startswith("page/") for cause in self.causes) else "issue"

    @property
    def kinds(self) -> set[str]:
        """The kinds of its causes."""
        return {cause.split("/", 2)[1] for cause in self.causes if cause.count("/") >= 2}

    def with_action(self, at: str, action: str) -> IncidentState:
        """The state with an action added; an identical one is recorded once."""
        action = _short(action)
        if (at, action) in self.actions:
            return self
        return replace(self, actions=(*self.actions, (at, action))[-MAX_LINES:])

    def with_run(self, at: str, line: str) -> IncidentState:
        """The state with a line of history added, unless it repeats the last one.

        Of each earlier day only the last line is kept, so that hourly runs leave room for weeks.
        """
        line, day = _short(line), at[:10]
        if self.runs and self.runs[-1][1] == line:
            return self
        earlier = {run[0][:10]: run for run in self.runs if run[0][:10] != day}
        today = [run for run in self.runs if run[0][:10] == day]
        return replace(self, runs=(*earlier.values(), *today, (at, line))[-MAX_LINES:])

    def with_announced(self, causes: Iterable[str]) -> IncidentState:
        """The state after people were notified of *causes*."""
        return replace(self, announced=tuple(dict.fromkeys((*self.announced, *causes))))

    def acknowledged(self, day: str) -> bool:
        """Whether the incident is acknowledged on the *day*."""
        return bool(self.ack) and day <= self.ack


def _short(line: str) -> str:
    return line if len(line) <= MAX_LINE_LENGTH else line[: MAX_LINE_LENGTH - 1] + "…"


def _is_day(value: Any) -> bool:
    try:
        return bool(re.fullmatch(r"\d{4}-\d\d-\d\d", value) and date.fromisoformat(value))
    except ValueError:
        return False


def days_between(later: str, earlier: str) -> int:
    """Days from the day (or time) *earlier* to *later*; negative if it is the other way round."""
    return (date.fromisoformat(later[:10]) - date.fromisoformat(earlier[:10])).days

"""The lines of a journal, gathered by the hour until it is over."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

import numpy as np

from contracts.row_contract import Contract, read_time
from online import outcome_checks as checks
from online.corrector import Setting
from online.waiting_rows import AnsweredHour, AnsweredRow, hash_of

Line = Mapping[str, Any]
CHAMPION = "champion"
#: A segment file lasts a day at most; a line of a later hour is from the future.
SEGMENT_HOURS = 25
#: Outcomes of one hour that are kept until it is over.
MAX_OUTCOMES = 500_000


class Outcome(NamedTuple):
    """The hash of an id, the time at which the outcome came in, and its value as a number."""

    id: int
    at: str
    value: float


@dataclass
class ReceivedHour:
    """The outcomes of an hour that is not over, and how many lines there were."""

    lines: int = 0
    outcomes: list[Outcome] = field(default_factory=list)


class OpenHours:
    """The answers and outcomes of hours that are not over, of which at most *most* answers an hour are kept.

    *belated* counts lines of hours that were over when they were read: a run from the beginning would use them. *refused*
    are outcomes by reason.
    """

    def __init__(self, contract: Contract, setting: Setting, most: int, refused: Counter[str]) -> None:
        self._contract, self._setting, self._most, self._refused = contract, setting, most, refused
        self.closed, self.belated = 0, 0
        self._answered: dict[int, AnsweredHour] = {}
        self._received: dict[int, ReceivedHour] = {}
        self._hours: dict[str, int | None] = {}

    def add_answers(self, lines: Iterable[Line | None], begun: datetime) -> None:
        """Lines of answers, from a file *begun* then."""
        for line in lines:
            hour = self._hour(line, begun)
            if line is None or hour is None or (row := self._row(line)) is None:
                continue
            if hour < self.closed:
                self.belated += 1
                continue
            if hour not in self._answered:
                self._answered[hour] = AnsweredHour(self._most)
            self._answered[hour].add(row)

    def add_outcomes(self, lines: Iterable[Line | None], begun: datetime) -> None:
        """Lines of outcomes, from a file *begun* then."""
        target = self._contract.target
        for line in lines:
            if line is None:
                continue
            hour = self._hour(line, begun)
            if hour is None:
                self._refused[checks.FUTURE] += 1
                continue
            if hour < self.closed:
                self.belated += 1
                continue
            received = self._received.setdefault(hour, ReceivedHour())
            received.lines += 1
            value = line.get("outcome")
            if not isinstance(line.get("id"), str) or target.problem(value):
                self._refused[checks.NOT_AN_OUTCOME] += 1
            elif len(received.outcomes) < MAX_OUTCOMES:
                received.outcomes.append(Outcome(hash_of(line["id"]), line["at"], target.encode(value)))  # type: ignore[arg-type]

    def begin(self) -> None:
        """Take the earliest hour for the first one, where none was closed."""
        known = [*self._answered, *self._received]
        if not self.closed and known:
            self.closed = min(known)

    def take(self, hour: int) -> tuple[AnsweredHour, ReceivedHour]:
        """The lines of an *hour* that is over."""
        self.closed = hour + 1
        return self._answered.pop(hour, AnsweredHour(self._most)), self._received.pop(hour, ReceivedHour())

    def _hour(self, line: Line | None, begun: datetime) -> int | None:
        """The hour of a line; None without a time, or if it is of a later day than its file."""
        at = line.get("at") if line else None
        if not isinstance(at, str):
            return None
        key = at[:13] if at.endswith("Z") else at
        if key not in self._hours:
            if len(self._hours) > 10_000:
                self._hours.clear()
            moment = read_time(at)
            self._hours[key] = int(moment.timestamp() // 3600) if moment else None
        hour = self._hours[key]
        return None if hour is None or hour > begun.timestamp() // 3600 + SEGMENT_HOURS else hour

    def _row(self, line: Line) -> AnsweredRow | None:
        """The row of an answer; None if the line was edited."""
        id_, version, row = line.get("id"), line.get("version"), line.get("row")
        if not (isinstance(id_, str) and isinstance(version, str) and isinstance(row, Mapping)):
            return None
        scores: tuple[float, ...] = ()
        if line.get("arm", CHAMPION) == CHAMPION:
            plain = line.get("plain", line.get("score"))
            try:
                scores = tuple(map(float, plain if isinstance(plain, list) else [plain]))  # type: ignore[list-item]
            except (TypeError, ValueError, OverflowError):
                return None
            if len(scores) != self._setting.outputs or not np.isfinite(scores).all():
                return None
        key = line.get("key")
        values = tuple(row.get(name) for name in self._setting.fields)
        return AnsweredRow(
            hash_of(id_), line["at"], hash_of(key if isinstance(key, str) else id_), scores, version, values
        )

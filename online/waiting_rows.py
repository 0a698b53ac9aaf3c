"""Rows that were answered and wait for their outcome, by the hour of the answer, in little memory.

Of an hour with many rows those with the smallest hashes of their ids are kept: the same on every machine.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from online.portable_math import Array

#: Rows that wait at most, of all hours; and of one hour.
MAX_WAITING, MAX_SHARE_OF_HOUR = 2_000_000, 5_000
_LARGEST = 2**64 - 1


def hash_of(text: str) -> int:
    """64 bits of an id or a key."""
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")


class AnsweredRow(NamedTuple):
    """A row that was answered: hashes of id and key, time, score of the model alone, version, values of the slices.

    *scores* is empty for the answer of another arm: its outcome is known to be no mistake, and does not teach.
    """

    id: int
    at: str
    key: int
    scores: tuple[float, ...]
    version: str
    values: tuple[Any, ...]


@dataclass
class AnsweredHour:
    """The rows of an hour that is not over: at most twice *most*."""

    most: int
    total: int = 0
    rows: list[AnsweredRow] = field(default_factory=list)
    cut: int = _LARGEST
    newest: tuple[str, str] = ("", "")

    def add(self, row: AnsweredRow) -> None:
        """One more row."""
        self.total += 1
        if row.scores:
            self.newest = max(self.newest, (row.at, row.version))
        if row.id <= self.cut:
            self.rows.append(row)
            if len(self.rows) > 2 * self.most:
                self.rows = self._sample()

    def sample(self) -> list[AnsweredRow]:
        """The rows that are kept, by the hashes of their ids; of rows with one id the earliest."""
        self.rows = self._sample()
        return self.rows

    def _sample(self) -> list[AnsweredRow]:
        found: list[AnsweredRow] = []
        for row in sorted(self.rows, key=_order):
            if not found or found[-1].id != row.id:
                found.append(row)
        if len(found) > self.most:
            found = found[: self.most]
            self.cut = found[-1].id
        return found


@dataclass
class Cohort:
    """The rows of an *hour*, of *total* that were answered.

    Hashes of ids, ascending, and of keys (n,); scores of the model alone and corrected ones (n, outputs), NaN where they do
    not teach; codes of slice values (n, fields); outcomes (n,), NaN where unknown, and how many are *known*. *age* is that
    of the expectations with which they entered.
    """

    hour: int
    total: int
    cut: int
    ids: Array
    keys: Array
    plain: Array
    corrected: Array
    codes: Array
    outcomes: Array
    age: int = 0
    known: int = 0

    def note(self, row: int, outcome: float) -> None:
        """The *outcome* of a row became known."""
        self.known += 1
        self.outcomes[row] = outcome

    @property
    def teaches(self) -> Array:
        """Which rows teach: (n,)."""
        return np.asarray(~np.isnan(self.plain[:, 0]))


class Found(NamedTuple):
    """The rows of ids: the hours of their cohorts and their places in these, (n,) each; -1 for an id that none has."""

    hours: Array
    rows: Array


class _Index(NamedTuple):
    """The ids of some hours, ascending, with their places."""

    ids: Array
    hours: Array
    rows: Array


class WaitingRows:
    """Cohorts by their hour, the oldest first, for *horizon* hours."""

    def __init__(self, horizon: int) -> None:
        self.horizon = horizon
        self.most_of_hour = min(MAX_SHARE_OF_HOUR, max(MAX_WAITING // horizon, 1))
        self.cohorts: dict[int, Cohort] = {}
        #: Those of a day that is over are searched together.
        self._days: dict[int, _Index] = {}
        self._today: dict[int, _Index] = {}

    def add(self, cohort: Cohort) -> None:
        """One more hour; hours that are too old are forgotten."""
        oldest = cohort.hour - self.horizon
        for hour in [hour for hour in self.cohorts if hour <= oldest]:
            del self.cohorts[hour]
        for day in [day for day in self._days if (day + 1) * 24 <= oldest]:
            del self._days[day]
        day = cohort.hour // 24
        for past in sorted({hour // 24 for hour in self._today if hour // 24 < day}):
            self._days[past] = _merged([self._today.pop(hour) for hour in [*self._today] if hour // 24 == past])
        self.cohorts[cohort.hour] = cohort
        size = len(cohort.ids)
        self._today[cohort.hour] = _Index(cohort.ids, np.full(size, cohort.hour), np.arange(size))

    def find(self, ids: Array) -> Found:
        """The rows of *ids* (n,), of the earliest cohort that has each."""
        hours, rows = np.full(len(ids), -1), np.full(len(ids), -1)
        for index in [*self._days.values(), *self._today.values()]:
            left = np.flatnonzero(hours < 0)
            if not len(left):
                break
            if not len(index.ids):
                continue
            place = np.minimum(np.searchsorted(index.ids, ids[left]), len(index.ids) - 1)
            hit = index.ids[place] == ids[left]
            hit[hit] = [hour in self.cohorts for hour in index.hours[place[hit]].tolist()]
            hours[left[hit]], rows[left[hit]] = index.hours[place[hit]], index.rows[place[hit]]
        return Found(hours, rows)

    @property
    def unanswered(self) -> int:
        """Rows without an outcome, and those that are not in the sample."""
        return sum(each.total - each.known for each in self.cohorts.values())

    @property
    def whole_sample(self) -> int:
        """The largest hash of which every row is in the sample."""
        return min((each.cut for each in self.cohorts.values()), default=_LARGEST)


def _merged(parts: Sequence[_Index]) -> _Index:
    ids = np.concatenate([each.ids for each in parts])
    order = np.argsort(ids, kind="stable")
    hours, rows = (np.concatenate([getattr(each, name) for each in parts])[order] for name in ("hours", "rows"))
    return _Index(ids[order], hours, rows)


def columns_of(rows: Sequence[AnsweredRow], fields: Sequence[str]) -> Mapping[str, Sequence[Any]]:
    """The values of each field."""
    return {name: [row.values[place] for row in rows] for place, name in enumerate(fields)}


def _order(row: AnsweredRow) -> tuple[int, str, str, str]:
    return row.id, row.at, row.version, repr(row.scores)

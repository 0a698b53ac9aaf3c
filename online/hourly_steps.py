"""What is done when an hour is over: rows are scored both ways, outcomes are checked and measured, the weights take a step.

The state after an hour depends on the lines of the hours up to it, and neither on the order of lines nor on the portions
in which they were read: a run from the beginning gives the same bytes as one that went on. Outcomes of an hour are those
that the scorer received in it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np

from contracts.row_contract import Contract
from online import outcome_checks as checks
from online.correction import Correction
from online.corrector import Corrector, Setting, Taught
from online.earned import Standing
from online.linear_system import total
from online.open_hours import OpenHours, Outcome, ReceivedHour
from online.outcome_checks import Refusals
from online.outcome_delays import DelayCurves
from online.portable_math import Array, logs
from online.waiting_rows import AnsweredHour, Cohort, Found, WaitingRows, columns_of


class HourlySteps:
    """The corrector of a champion's *contract*, whose outcomes come by *delay*; it has seen nothing yet."""

    def __init__(self, contract: Contract, setting: Setting, delay: DelayCurves) -> None:
        self._setting, self.delay = setting, delay
        self._fields = () if setting.task == "multiclass" else setting.fields
        self.corrector = Corrector(setting)
        self.standing = Standing(setting.max_flips, lag=delay.whole / (24.0 * setting.half_life))
        self.refusals = Refusals(late=bool(delay.known or delay.wait))
        self.waiting = WaitingRows(delay.horizon)
        self.hours = OpenHours(contract, setting, self.waiting.most_of_hour, self.refusals.refused)
        self.version, self.taught = "", 0
        self._early: list[Outcome] = []
        self._ages = {*delay.ages}

    def close(self, until: datetime) -> bool:
        """Take the steps of all hours that are over at *until*; whether there was one."""
        end = int(until.timestamp() // 3600)
        self.hours.begin()
        if not self.hours.closed or end <= self.hours.closed:
            return False
        for hour in range(self.hours.closed, end):
            self._step(hour, *self.hours.take(hour))
        self.corrector.until = datetime.fromtimestamp(end * 3600, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return True

    def correction(self, version: str, made: str) -> Correction:
        """The present correction for the champion *version*, which may not have answered yet."""
        corrector, standing = self.corrector, self.standing
        if version != self.version and self.version:
            corrector, standing = corrector.copy(), replace(standing)
            corrector.succeed(reset=version < self.version)
            standing.succeed()
        why = "how long outcomes take is not known yet" if self.delay.wait is None else standing.why
        return corrector.correction(version, made, standing.state, why)

    def report(self) -> dict[str, Any]:
        """What was measured and refused, as JSON values."""
        return {
            "evidence": self.standing.to_json(),
            "taught": self.taught,
            "waiting": self.waiting.unanswered,
            "refused": self.refusals.to_json(),
        }

    def _step(self, hour: int, answered: AnsweredHour, received: ReceivedHour) -> None:
        if answered.total:
            self._take_answers(hour, answered)
        known = self._take_outcomes(received)
        if self.delay.wait is None:
            return
        measured = self._due(hour, known, self.delay.whole)
        self._measure(measured)
        teaching = measured if self.delay.wait == self.delay.whole else self._due(hour, known, self.delay.wait)
        self.taught += sum(len(places) for _, places in teaching)
        rows = [self._taught(cohort, places, cohort.outcomes[places], cohort.age) for cohort, places in teaching]
        for cohort in self._moved(hour):
            age = hour + 1 - cohort.hour
            places = np.flatnonzero(cohort.teaches & np.isnan(cohort.outcomes))
            rows.append(self._taught(cohort, places, cohort.outcomes[places], age))
            cohort.age = age
        if any(len(each.values) for each in rows):
            together = {name: np.concatenate([getattr(each, name) for each in rows]) for name in vars(rows[0])}
            self.corrector.update(Taught(**together))
        else:
            self.corrector.forget()

    def _take_answers(self, hour: int, answered: AnsweredHour) -> None:
        """Score the rows of an hour with the present correction; they wait for their outcomes."""
        rows = answered.sample()
        version = answered.newest[1]
        if version and version != self.version:
            if self.version:
                self.corrector.succeed(reset=version < self.version)
                self.standing.succeed()
            self.version = version
        outputs = self._setting.outputs
        plain = np.array([row.scores or (np.nan,) * outputs for row in rows], dtype=float).reshape(len(rows), outputs)
        mine = ~np.isnan(plain[:, 0])
        corrected, codes = plain.copy(), np.full((len(rows), len(self._fields)), -1, dtype=np.int16)
        own = [row for row, is_mine in zip(rows, mine.tolist(), strict=True) if is_mine]
        if own and self._fields:
            codes[mine] = self.corrector.see(columns_of(own, self._fields))
        if own:
            corrected[mine] = self.corrector.shifted(plain[mine], codes[mine])
            self.standing.decided(len(own), self._flips(plain[mine], corrected[mine]))
        ids = np.array([row.id for row in rows], dtype=np.uint64)
        keys = np.array([row.key for row in rows], dtype=np.uint64)
        unknown = np.full(len(rows), np.nan)
        self.waiting.add(Cohort(hour, answered.total, answered.cut, ids, keys, plain, corrected, codes, unknown))

    def _flips(self, plain: Array, corrected: Array) -> int:
        if self._setting.task == "regression":
            return 0
        if self._setting.task == "binary":
            return int(((plain >= 0.5) != (corrected >= 0.5)).sum())
        return int((plain.argmax(axis=1) != corrected.argmax(axis=1)).sum())

    def _take_outcomes(self, received: ReceivedHour) -> Found:
        """The rows whose outcome became known in the hour, without those that are refused."""
        again, self._early = self._early, []
        if self.refusals.is_flood(received.lines, self.waiting.unanswered):
            received = ReceivedHour()
        first: list[Outcome] = []
        for outcome in sorted([*received.outcomes, *again], key=_order):
            if first and first[-1].id == outcome.id:
                self._refuse_second(outcome.value, first[-1].value)
            else:
                first.append(outcome)
        ids = np.array([each.id for each in first], dtype=np.uint64)
        values = np.array([each.value for each in first])
        found = self.waiting.find(ids)
        old = {each.id for each in again}
        for place in np.flatnonzero(found.hours < 0).tolist():
            self._refuse_unknown(first[place], is_old=first[place].id in old)
        return self._accept(found, values, np.flatnonzero(found.hours >= 0))

    def _accept(self, found: Found, values: Array, places: Array) -> Found:
        """Note the *values* of the rows in *places*, if they pass the checks; the rows that may teach, by their order."""
        places = places[np.lexsort((found.rows[places], found.hours[places]))]
        hours, rows, values = found.hours[places], found.rows[places], values[places]
        pairs = [(self.waiting.cohorts[hour], row) for hour, row in zip(hours.tolist(), rows.tolist(), strict=True)]
        earlier = np.array([cohort.outcomes[row] for cohort, row in pairs])
        teaches = np.array([not np.isnan(cohort.plain[row, 0]) for cohort, row in pairs], dtype=bool)
        fresh = np.isnan(earlier) if pairs else teaches
        for value, before in zip(values[~fresh].tolist(), earlier[~fresh].tolist(), strict=True):
            self._refuse_second(value, before)
        for (cohort, row), value in zip(pairs, values.tolist(), strict=True):
            if np.isnan(cohort.outcomes[row]) and np.isnan(cohort.plain[row, 0]):
                cohort.note(row, value)  # another arm's
        count = np.flatnonzero(fresh & teaches)
        keys = np.array([pairs[n][0].keys[pairs[n][1]] for n in count.tolist()], dtype=np.uint64)
        count = count[self.refusals.by_key(keys)]
        expected = 0.0
        if len(count) and self._setting.task != "regression":
            scores = np.array([pairs[n][0].plain[pairs[n][1]] for n in count.tolist()])
            column = (
                scores[:, int(values[count[0]])] if scores.shape[1] > 1 else np.abs(1 - values[count[0]] - scores[:, 0])
            )
            expected = float(total(column)) / len(count)
        if self.refusals.is_one_value(values[count], expected):
            count = count[:0]
        for n in count.tolist():
            cohort, row = pairs[n]
            cohort.note(row, values[n])
        return Found(hours[count], rows[count])

    def _due(self, hour: int, known: Found, age: int) -> list[tuple[Cohort, Array]]:
        """Rows with outcomes whose cohort is of an *age*: those *known* since the last hour, or all when it reaches it."""
        cohorts, ripe = self.waiting.cohorts, hour - age
        due = [
            (cohorts[each], known.rows[known.hours == each]) for each in np.unique(known.hours).tolist() if each <= ripe
        ]
        if age and ripe in cohorts:
            cohort = cohorts[ripe]
            due = [each for each in due if each[0] is not cohort]
            due.append((cohort, np.flatnonzero(cohort.teaches & ~np.isnan(cohort.outcomes))))
        return [each for each in due if len(each[1])]

    def _moved(self, hour: int) -> list[Cohort]:
        """The cohorts whose expectations are to be brought up to date."""
        if not self.delay.known:
            return []
        hours = sorted(hour + 1 - age for age in self._ages)
        return [self.waiting.cohorts[each] for each in hours if each in self.waiting.cohorts]

    def _taught(self, cohort: Cohort, places: Array, outcomes: Array, age: int) -> Taught:
        offsets = np.tile([self.delay.offset(cohort.age), self.delay.offset(age)], (len(places), 1))
        return Taught(cohort.plain[places], cohort.codes[places], outcomes, offsets)

    def _measure(self, rows: Sequence[tuple[Cohort, Array]]) -> None:
        if not rows:
            return
        plain, corrected, outcomes = (
            np.concatenate([getattr(cohort, name)[places] for cohort, places in rows])
            for name in ("plain", "corrected", "outcomes")
        )
        without, with_it = self._losses(plain, outcomes), self._losses(corrected, outcomes)
        self.standing.measured(len(outcomes), float(total(without - with_it)), float(total(without)))

    def _losses(self, scores: Array, outcomes: Array) -> Array:
        """The loss of each row: log loss; of a regression Huber's, in deviations of the target."""
        if self._setting.task == "regression":
            corrector = self.corrector
            size = np.abs(outcomes - scores[:, 0]) / corrector.scale
            bend = max(corrector.spread, 1e-9) * 1.345
            return np.asarray(np.where(size <= bend, 0.5 * size * size, bend * (size - 0.5 * bend)))
        if self._setting.task == "binary":
            right = np.where(outcomes == 1.0, scores[:, 0], 1.0 - scores[:, 0])
        else:
            right = scores[np.arange(len(scores)), outcomes.astype(int)]
        return np.asarray(-logs(np.maximum(right, 1e-6)))

    def _refuse_second(self, value: float, before: float) -> None:
        self.refusals.refused[checks.REPEATED if value == before else checks.CORRECTED] += 1

    def _refuse_unknown(self, outcome: Outcome, *, is_old: bool) -> None:
        """Its answer may be a line of the next hour, from a clock that is ahead: it is tried again."""
        if not is_old:
            self._early.append(outcome)
        else:
            sampled = outcome.id <= self.waiting.whole_sample
            self.refusals.refused[checks.UNKNOWN if sampled else checks.NOT_SAMPLED] += 1


def _order(outcome: Outcome) -> tuple[int, str, float]:
    return outcome.id, outcome.at, outcome.value


def content(steps: HourlySteps, version: str, made: str) -> bytes:
    """The file with the correction of the champion *version*, and beside it what was measured and refused."""
    found = {**steps.correction(version, made).to_json(), **steps.report()}
    return (
        json.dumps(found, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode() + b"\n"
    )

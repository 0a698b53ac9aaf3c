"""The ledger of realised losses: what each release lost in the days after it, beside the release before it.

Every verdict records, on the rows that are later than the training of both, what the champion's served model lost by day
and what the release before it would have lost. It also records the gain that it expects of its candidate. So the gain
that a verdict expected of a release can be compared with the one that followed, and the days between two releases'
trainings with what they cost: the releases of a stream are its own backtest of ageing.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from checks.comparison.weighted_metrics import RELATIVE
from checks.decision.age_ledger import AgedGain
from checks.decision.gain_text import count, gain
from reporting.hidden_lines import recorded_values

#: The name of the hidden line.
NAME = "realised"
#: Fewest releases for a correlation, and fewest days for a standard error.
RELEASES, DAYS = 3, 3


@dataclass(frozen=True, order=True)
class DayLoss:
    """The mean loss of the *rows* of a *day*, by a *release* and by the release *before* it (digests).

    *loss* and *earlier* are in *metric*, smaller is better. *older* are the days by which the earlier one is older, by the
    ends of what the served models were trained on.
    """

    contract: str
    metric: str
    release: str
    before: str
    day: str
    rows: int
    loss: float = field(compare=False)
    earlier: float = field(compare=False)
    older: float = field(compare=False)


@dataclass(frozen=True)
class Promise:
    """The gain that a verdict *expected* of the release *version*, and the one that was *realised* on so many *days*.

    *error* is the standard error of the realised gain by days, NaN with fewer than `DAYS`.
    """

    version: str
    expected: float
    realised: float
    error: float
    days: int


@dataclass(frozen=True)
class TrackRecord:
    """What verdicts expected of *releases* in *metric*, and what followed; in the order of the days that followed."""

    metric: str = ""
    releases: tuple[Promise, ...] = ()

    @property
    def correlation(self) -> float | None:
        """Of expected and realised gains; None with fewer than `RELEASES`, or where either does not vary."""
        both = np.array([(each.expected, each.realised) for each in self.releases]).reshape(-1, 2)
        if len(both) < RELEASES or not (both.std(axis=0) > 0).all():
            return None
        return float(np.corrcoef(both.T)[0, 1])

    def sentence(self) -> str:
        """In words; "" without releases."""
        if not self.releases:
            return ""
        expected, realised = (
            gain(self.metric, float(np.mean([getattr(each, name) for each in self.releases])))
            for name in ("expected", "realised")
        )
        related = "" if self.correlation is None else f", correlation {self.correlation:.2f}"
        number = count(len(self.releases), "release")
        return (
            f"{number[0].upper()}{number[1:]} so far, in {self.metric}: verdicts expected {expected} on average, and the"
            f" days after realised {realised} beside the release before{related}."
        )


def recorded_days(notes: Iterable[str]) -> list[DayLoss]:
    """The days that release notes record, each once, with the most rows; lines that a person edited are skipped."""
    found: dict[tuple[str, ...], DayLoss] = {}
    for each in sorted(set().union(*recorded_values(NAME, notes, _days))):
        found[(each.contract, each.metric, each.release, each.before, each.day)] = each
    return [*found.values()]


def track_record(notes: Iterable[str], contract: str = "") -> TrackRecord:
    """The releases of which both the expected gain and days after them are recorded, of the newest metric.

    *contract* is the name of the rows' contract; "" means any.
    """
    notes = [*notes]
    promises = {
        (name, metric, release, before): (version, value)
        for each in recorded_values(NAME, notes, _promise)
        for (name, metric, release, before), version, value in each
        if contract in {"", name}
    }
    by_release = {
        pair: days for pair, days in _by_release(recorded_days(notes)).items() if pair in promises and _value(days)
    }
    if not by_release:
        return TrackRecord()
    newest = max(by_release, key=lambda pair: by_release[pair][-1].day)
    found = []
    for pair, days in sorted(by_release.items(), key=lambda item: item[1][0].day):
        value, error = _value(days) or (math.nan, math.nan)
        if pair[:2] == newest[:2]:
            found.append(Promise(*promises[pair], value, error, len(days)))
    return TrackRecord(newest[1], tuple(found))


def realised_gains(notes: Iterable[str], contract: str) -> list[AgedGain]:
    """The gain of each release over the one before it, by the difference in age of the served models."""
    found = []
    for (name, metric, release, _), days in _by_release(recorded_days(notes)).items():
        value, error = _value(days) or (math.nan, math.nan)
        if name == contract and error > 0:
            older = float(np.mean([each.older for each in days]))
            found.append(AgedGain(contract, metric, days[0].day, days[-1].day, release, older, value, error))
    return sorted(found)


def _by_release(days: Iterable[DayLoss]) -> dict[tuple[str, str, str, str], list[DayLoss]]:
    found: dict[tuple[str, str, str, str], list[DayLoss]] = {}
    for each in days:
        found.setdefault((each.contract, each.metric, each.release, each.before), []).append(each)
    return {pair: sorted(each, key=lambda one: one.day) for pair, each in found.items()}


def _value(days: list[DayLoss]) -> tuple[float, float] | None:
    """The gain of all rows and its standard error by days; None where it is undefined."""
    rows, loss, earlier = (np.array([getattr(each, name) for each in days]) for name in ("rows", "loss", "earlier"))
    scale = float(np.average(earlier, weights=rows)) if days[0].metric in RELATIVE else 1.0
    if not scale > 0:
        return None
    gains, share = (earlier - loss) / scale, rows / rows.sum()
    value = float(share @ gains)
    if len(days) < DAYS:
        return value, math.nan
    few = len(days) / (len(days) - 1)
    return value, math.sqrt(few * float((share**2 * (gains - value) ** 2).sum()))


def _days(fields: Mapping[str, Any]) -> set[DayLoss]:
    pair = (str(fields["contract"]), str(fields["metric"]), str(fields["release"]), str(fields["before"]))
    older, found = float(fields["older"]), set()
    for day, rows, loss, earlier in fields["days"]:
        np.datetime64(day, "D")
        each = DayLoss(*pair, str(day), int(rows), float(loss), float(earlier), older)
        if each.rows > 0 and all(map(math.isfinite, (each.loss, each.earlier, older))):
            found.add(each)
    return found


def _promise(fields: Mapping[str, Any]) -> list[tuple[tuple[str, str, str, str], str, float]]:
    of = fields["expected"]
    value = float(of["value"])
    if not math.isfinite(value):
        return []
    pair = (str(fields["contract"]), str(fields["metric"]), str(of["release"]), str(fields["release"]))
    return [(pair, str(of["version"]), value)]

"""The gains of earlier verdicts: each report records them in a hidden line, which landing keeps as release notes.

The gain of one model over another on successive periods shows how much it moves, which one period cannot.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from itertools import groupby

from checks.comparison.period_effect import Level
from checks.decision.age_ledger import KEY, AgedGain, to_json
from reporting.hidden_lines import hidden_line, recorded_values


@dataclass(frozen=True, order=True)
class EarlierGain:
    """The gain of *ours* over *theirs* (digests) in a *metric* on the days from *first* to *last*.

    *contract* is the name of the rows' contract, *error* the standard error by days, without an effect of the period, and
    *freedom* its degrees of freedom. A gain over the champion has the *procedure* that made the candidate
    (`checks.comparison.pooled_gain`), others "".
    """

    contract: str
    ours: str
    theirs: str
    metric: str
    first: str
    last: str
    value: float = field(compare=False)
    error: float = field(compare=False)
    procedure: str = ""
    freedom: float = field(compare=False, default=1.0)


def gains_line(gains: Iterable[EarlierGain], aged: Iterable[AgedGain] = ()) -> str:
    """The hidden line of a report, with the gains by age as well."""
    return hidden_line("gains", {"gains": [asdict(each) for each in gains], KEY: to_json(aged)})


def recorded_gains(notes: Iterable[str]) -> list[EarlierGain]:
    """The gains that release notes record; lines that a person edited are skipped."""
    lines = recorded_values("gains", notes, lambda fields: {_read(each) for each in fields["gains"]})
    return sorted(
        each
        for each in set().union(*lines)
        if math.isfinite(each.value) and 0 < each.error < math.inf and each.freedom > 0
    )


def successive(gains: Iterable[EarlierGain], contract: str) -> dict[str, list[list[Level]]]:
    """metric -> the levels of each pair of models in periods that do not overlap, the earliest first.

    The candidates of one procedure count as one model.
    """

    def pair(gain: EarlierGain) -> tuple[str, str, str]:
        return gain.procedure or gain.ours, gain.theirs, gain.metric

    found: dict[str, list[list[Level]]] = {}
    ours = sorted((each for each in gains if each.contract == contract), key=lambda gain: (pair(gain), gain))
    for (_, _, metric), group in groupby(ours, key=pair):
        levels, last = [], ""
        for each in sorted(group, key=lambda gain: (gain.first, gain.last)):
            if each.first > last:
                levels.append(Level(each.value, each.error, 0, 0))
                last = each.last
        if len(levels) > 1:
            found.setdefault(metric, []).append(levels)
    return found


def _read(fields: Mapping[str, object]) -> EarlierGain:
    contract, ours, theirs, metric, first, last = (
        str(fields[name]) for name in ("contract", "ours", "theirs", "metric", "first", "last")
    )
    value, error = (float(str(fields[name])) for name in ("value", "error"))
    procedure, freedom = str(fields.get("procedure", "")), float(str(fields.get("freedom", 1.0)))
    return EarlierGain(contract, ours, theirs, metric, first, last, value, error, procedure, freedom)

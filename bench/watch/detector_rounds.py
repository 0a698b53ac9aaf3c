"""The alarms of all detectors on the same streams, at one false alarm rate."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.watch.daily_streams import REFERENCE, ROWS_PER_DAY
from monitoring.charts.charted_series import Limits, Series
from monitoring.charts.charting import levels
from monitoring.charts.control_limits import QUARTER, Budget, Rule, alarms_begin, persistent, solve

Numbers = np.ndarray[Any, Any]
Statistics = dict[str, Numbers]
#: Outcomes are known so many days later, for everybody.
LABEL_DELAY = 2
RULES = {"page": Rule(1, 1, 3), "issue": Rule(2, 3, 3), "digest": Rule(1, 1, 3)}
WEIGHT = 0.2
NANNYML, HALF, ANY = "NannyML, mean ± k sd", "Evidently, half of columns", "Evidently, any column"


@dataclass(frozen=True)
class Ours:
    """The control charts of monitoring by severity, solved on one reference for a false alarm rate a quarter."""

    charts: dict[str, tuple[list[Series], list[Limits]]]

    @classmethod
    def solved(cls, found: Statistics, budget: float) -> Ours:
        """On the reference's days of *found*; the same shares, floors and rules as in the watch."""
        charts = {}
        for severity, (series, values) in _by_severity(found).items():
            known = values[:REFERENCE]
            each = Budget(budget / len(RULES), WEIGHT, 400, 7)
            charts[severity] = (series, solve(known, np.arange(REFERENCE) % 7, series, RULES[severity], each))
        return cls(charts)

    def alarms(self, found: Statistics) -> dict[str, Numbers]:
        """By severity: whether it alarms on each day after the reference."""
        days = {}
        for severity, (series, values) in _by_severity(found).items():
            beyond = np.zeros_like(values[REFERENCE:], dtype=bool)
            for n, (one, limit) in enumerate(zip(series, self.charts[severity][1], strict=True)):
                day = one.scaled(values[REFERENCE:, n])
                level = limit.mean + limit.deviation * levels(
                    (day - limit.mean)[:, None] / limit.deviation, one, limit, WEIGHT
                )
                for part, place in ((day, 0), (level, 1)):
                    upper, lower = one.above(limit)[place], one.below(limit)[place]
                    beyond[:, n] |= part > (math.inf if upper is None else one.scaled(upper))
                    beyond[:, n] |= part < (-math.inf if lower is None else one.scaled(lower))
            days[severity] = np.asarray(persistent(beyond, RULES[severity]).any(axis=1))
        return days


def _by_severity(found: Statistics) -> dict[str, tuple[list[Series], Numbers]]:
    """Series and values (days, series) of each severity, with the floors of thresholds.toml."""
    late = {name: _late(found[name]) for name in ("auc", "accuracy", "bias", "bias by score")}
    last = found["js"].shape[1] - 1
    share = max(0.01, 5 / ROWS_PER_DAY)
    error = 0.01 * float(np.nanmean(found["error"][:REFERENCE]))
    return {
        "page": (
            [
                Series("estimate", "lower", 0.01, arcsine=True, least=0.5, most=1.0),
                Series("auc", "lower", 0.01, arcsine=True, least=0.5, most=1.0, cumulative=True),
                Series("accuracy", "lower", 0.01, arcsine=True, least=0.0, most=1.0, cumulative=True),
                Series("bias", "both", 0.02, least=-1.0, most=1.0, cumulative=True),
                Series("bias by score", "both", 0.02, least=-1.0, most=1.0, cumulative=True),
                *(
                    Series(f"unseen {n}", "upper", share, absolute=True, arcsine=True, least=0.0, most=1.0)
                    for n in range(found["unseen"].shape[1])
                ),
            ],
            np.column_stack(
                [found["estimate"], late["auc"], late["accuracy"], late["bias"], late["bias by score"], found["unseen"]]
            ),
        ),
        "issue": (
            [
                Series("score", "upper", 0.1, absolute=True),
                Series("score mean", "both", 0.1),
                Series("error", "upper", error),
            ],
            np.column_stack([found["js"][:, last], found["mean"][:, -1], found["error"]]),
        ),
        "digest": (
            [Series(f"js {n}", "upper", 0.1, absolute=True) for n in range(last)]
            + [Series(f"mean {n}", "both", 0.1) for n in range(found["mean"].shape[1] - 1)],
            np.column_stack([found["js"][:, :last], found["mean"][:, :-1]]),
        ),
    }


def others(found: Statistics) -> dict[str, Numbers]:
    """How alarming each day after the reference is to each of the others; their limit is one number."""
    parts = np.column_stack([found["js within"], found["error within"], found["estimate within"], _late(found["auc"])])
    usual = parts[:REFERENCE]
    spread = np.maximum(np.nanstd(usual, axis=0), 1e-9)
    apart = np.abs(parts[REFERENCE:] - np.nanmean(usual, axis=0)) / spread
    columns = found["evidently"]
    half = math.ceil(columns.shape[1] / 2)
    return {NANNYML: np.nanmax(apart, axis=1), HALF: np.sort(columns, axis=1)[:, -half], ANY: columns.max(axis=1)}


#: What each of the others takes for a limit by itself.
DEFAULTS = {NANNYML: 3.0, HALF: 0.1, ANY: 0.1}


def rate(days: list[Numbers]) -> float:
    """Alarms a quarter over quiet streams of *days*; a lasting one counts again every fortnight."""
    alarms = sum(max(alarms_begin(each, 3).sum(), each.sum() / 14) for each in days)
    return float(alarms / sum(len(each) for each in days) * QUARTER)


def limit_at(quiet: list[Numbers], wanted: float) -> float:
    """The smallest limit at which quiet streams have no more than *wanted* alarms a quarter."""
    for value in np.unique(np.concatenate(quiet))[::-1]:
        if rate([each >= value for each in quiet]) > wanted:
            return float(np.nextafter(value, np.inf))
    return 0.0


def delay(days: Numbers, before: int) -> float:
    """Days from a change after *before* days to the first alarm on or after it; infinite for never."""
    late = np.flatnonzero(days[before:])
    return float(late[0] + 1) if len(late) else math.inf


def _late(values: Numbers) -> Numbers:
    return np.concatenate([np.full(LABEL_DELAY, np.nan), values[:-LABEL_DELAY]])

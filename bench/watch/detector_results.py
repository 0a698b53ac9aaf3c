"""The results of a pool's streams, and their Markdown."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bench.watch.daily_streams import AFTER

WATCH, WOKEN = "**the watch**", "the watch, page and issue only"


@dataclass(frozen=True)
class Result:
    """Of one pool: false alarms a quarter and delays in days, a value a seed, infinite for never.

    *rates* are those of monitoring by severity, *own* the others' by their defaults, *delays* by change and detector,
    *costs* the mean effect of a change on the ROC AUC; *remarks* are sentences.
    """

    pool: str
    features: int
    rates: Mapping[str, Sequence[float]]
    own: Mapping[str, float]
    equal: float
    delays: Mapping[str, Mapping[str, Sequence[float]]]
    costs: Mapping[str, float]
    remarks: Sequence[str]

    @property
    def total(self) -> list[float]:
        """False alarms a quarter of all severities, a value per seed."""
        return [sum(each) for each in zip(*self.rates.values(), strict=True)]


def median(delays: Sequence[float]) -> float:
    """The upper median: infinite as soon as half of the seeds never noticed."""
    return statistics.median_high(delays)


def text_of(delays: Sequence[float]) -> str:
    """The median, and the range where seeds differ."""
    first, last = _days(min(delays)), _days(max(delays))
    shown = _days(median(delays))
    return shown if first == last else f"{shown} ({first} to {last})"


def budgets(results: Iterable[Result], budget: float) -> list[str]:
    """The table of false alarms on quiet years."""
    lines = [
        f"| rows of | features | false alarms a quarter (budget {budget:g}) | ± | page | issue | digest | others by their own defaults |",
        "|---|---:|---:|---:|---:|---:|---:|---|",
    ]
    for each in results:
        total = each.total
        error = statistics.stdev(total) / math.sqrt(len(total)) if len(total) > 1 else math.nan
        by_severity = " | ".join(f"{statistics.mean(each.rates[t]):.2f}" for t in ("page", "issue", "digest"))
        own = ", ".join(f"{name}: {value:.1f}" for name, value in each.own.items())
        lines.append(
            f"| {each.pool} | {each.features} | **{statistics.mean(total):.2f}** | {error:.2f} | {by_severity} | {own} |"
        )
    return lines


def delays(result: Result) -> list[str]:
    """The table of one pool."""
    names = list(next(iter(result.delays.values())))
    lines = [
        f"### {result.pool}: {result.features} features",
        "",
        f"All have at most {result.equal:.2f} false alarms a quarter. {' '.join(result.remarks)}",
        "",
        f"| days until noticed | ROC AUC | {' | '.join(names)} |",
        "|---|---:|" + "---:|" * len(names),
    ]
    lines += [
        f"| {change} | {result.costs[change]:+.3f} | {' | '.join(text_of(of[name]) for name in names)} |"
        for change, of in result.delays.items()
    ]
    return [*lines, ""]


def later(results: Iterable[Result]) -> list[str]:
    """Where the watch's median is later than the best of the others', and by how much."""
    lines, among = [], 0
    for each in results:
        for change, of in each.delays.items():
            among += 1
            best = min((name for name in of if name not in (WATCH, WOKEN)), key=lambda name: median(of[name]))
            ours, theirs = median(of[WATCH]), median(of[best])
            if ours > theirs:
                lines.append(f"- {each.pool}, {change}: {_days(ours)}, {best} {_days(theirs)}")
    head = f"Of {among} changes the watch is later than the best of the others, by the median, on {len(lines)}" + (
        ":" if lines else "."
    )
    return [head, "", *lines] if lines else [head]


def _days(delay: float) -> str:
    return f"> {AFTER}" if math.isinf(delay) else f"{delay:.0f}"

"""Rows and late outcomes as they arrive, watched at odd hours: false alarms of row rate and label coverage, and delays.

Outcomes come after an exponential delay with a mean of 1.5 days. A run sees what had arrived by its own moment: half of a
day in progress, and of each day the outcomes of its age.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bench.watch.daily_streams import ROWS_PER_DAY
from bench.watch.detector_results import text_of
from bench.watch.detector_rounds import delay
from contracts.monitoring_limits import Monitoring
from contracts.thresholds import read_rules
from monitoring.charts.charting import charts, signals_of
from monitoring.charts.control_limits import QUARTER, alarms_begin
from monitoring.journal.arrival_times import day_of
from monitoring.journal.window import Window
from monitoring.metrics.volume import volume

Numbers = np.ndarray[Any, Any]

#: Mean days until an outcome; days of the stream before the first run; days before a change, and after it.
MEAN_LABEL_DELAY, BEFORE, STABLE_DAYS, AFTER = 1.5, 36, 3, 14
KINDS = ("row_rate", "label_coverage")
NO_CHANGE = "nothing changes"
CHANGES = ("94 % fewer rows", "no more rows", "no more outcomes", "outcomes take three days longer")


def arriving(change: str, days: int, seed: int) -> tuple[Numbers, Numbers]:
    """When rows and their outcomes arrive, in days; the *change* comes after `BEFORE` + `STABLE_DAYS` days."""
    random = np.random.default_rng(seed)
    sizes = random.poisson(ROWS_PER_DAY, days)
    start = BEFORE + STABLE_DAYS
    if "rows" in change:
        sizes[start:] = random.poisson(0.06 * ROWS_PER_DAY if "fewer" in change else 0.0, days - start)
    rows = np.repeat(np.arange(days), sizes) + random.random(sizes.sum())
    outcomes = rows + random.exponential(MEAN_LABEL_DELAY, len(rows))
    if change == "no more outcomes":
        outcomes[outcomes >= start] = np.inf
    if "longer" in change:
        outcomes[outcomes >= start] += 3
    return rows, outcomes


def window(rows: Numbers, outcomes: Numbers, now: float, rules: Monitoring) -> Window:
    """What a run sees at the moment *now*, of the whole days that it looks at."""
    today = int(now)
    seen = (rows < today) & (rows >= today - rules.window_days - 1)
    day = np.floor(rows[seen]).astype(int)
    came = outcomes[seen]
    age = np.where(came < now, np.floor(np.minimum(came, now)) - day, np.nan)
    traffic = pd.Series(day).map(day_of).value_counts().sort_index()
    found = pd.DataFrame({"day": day, "late": 0.0, "age": age})
    return Window(pd.DataFrame(), (), until=day_of(today), traffic=traffic, arrivals=found)


def alarms(change: str, days: int, seed: int, rules: Monitoring) -> dict[str, Numbers]:
    """By kind, on which days after `BEFORE` a run at an odd hour saw that the newest day was beyond its limits."""
    rows, outcomes = arriving(change, days, seed)
    hours = np.random.default_rng(seed + 1000).random(days)
    found = {kind: np.zeros(days - BEFORE, dtype=bool) for kind in KINDS}
    for n in range(BEFORE, days):
        before, now, _ = volume(window(rows, outcomes, n + hours[n], rules), rules)
        signals = [signal for chart in charts([(before, now)], {}, rules) for signal in signals_of(chart, rules)]
        for kind in KINDS:
            newest = max((s.day for s in signals if s.kind == kind), default="")
            found[kind][n - BEFORE] = any(s.breached for s in signals if s.kind == kind and s.day == newest)
    return found


def section(seeds: Sequence[int], thresholds: Path) -> list[str]:
    """The section of BENCHMARKS.md."""
    rules = replace(read_rules(thresholds).monitoring, draws=200)
    return ["## The watch at odd hours, with late outcomes", "", *_lines(seeds, rules)]


def _lines(seeds: Sequence[int], rules: Monitoring) -> Iterable[str]:
    quiet = [alarms(NO_CHANGE, BEFORE + QUARTER, seed, rules) for seed in seeds]
    yield (
        f"Written by `make bench-watch POOLS=arrivals SEEDS={len(seeds)}`. {ROWS_PER_DAY} rows a day on average; outcomes are late by {MEAN_LABEL_DELAY} days"
        " on average (exponential). The watch runs once a day, at an hour of chance. False alarms a quarter are of row rate and label"
        f" coverage alone, out of a budget of {rules.false_alarms_per_quarter:g} for all signals; delays are runs until the first"
        " alarm, the median of the seeds, in brackets the first and the last."
    )
    yield ""
    yield "| | row rate | label coverage |"
    yield "|---|---:|---:|"
    rates = [np.mean([alarms_begin(each[kind], 3).sum() for each in quiet]) for kind in KINDS]
    yield f"| {NO_CHANGE}: false alarms a quarter | {rates[0]:.2f} | {rates[1]:.2f} |"
    for change in CHANGES:
        days = BEFORE + STABLE_DAYS + AFTER
        found = [alarms(change, days, seed, rules) for seed in seeds]
        # A run on the day of the change sees the day before it: it is counted from the next one.
        late = {kind: [delay(each[kind], STABLE_DAYS + 1) for each in found] for kind in KINDS}
        words = ["none" if math.isinf(min(late[kind])) else text_of(late[kind]) for kind in KINDS]
        yield f"| {change}: runs until an alarm | {words[0]} | {words[1]} |"

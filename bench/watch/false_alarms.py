"""False alarms of monitoring on streams in which nothing is wrong, and its delays where something is.

The rows of `bench.watch.generated_streams` go through monitoring's own measuring and charting. Signals of rows are
measured over the whole quarter at once, or until the reference is renewed; row rate and label coverage once a week, in
the windows that a run reads.
"""

from __future__ import annotations

import json
import math
import os
import statistics
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bench.watch.detector_results import text_of
from bench.watch.detector_rounds import RULES, delay, rate
from bench.watch.generated_streams import (
    CONTRACT,
    FAULTS,
    KINDS,
    MEAN_LABEL_DELAY,
    QUARTER,
    ROWS_PER_DAY,
    TRAINING,
    YEAR,
    Stream,
    generated,
)
from bench.watch.kept_measures import KeptMeasures
from contracts.monitoring_limits import Monitoring
from contracts.thresholds import read_rules
from monitoring.charts.control_limits import persistent
from monitoring.charts.signals import Signal, by_series
from monitoring.earlier_days import Measuring
from monitoring.journal.arrival_times import day_of
from monitoring.journal.sample_correction import counts_of
from monitoring.journal.window import Window, days_of
from monitoring.measure import measure_window

Numbers = np.ndarray[Any, Any]

#: Of monitoring's charts, those of row rate and label coverage have this share of the budget (one severity of four).
VOLUME_SHARE = 0.25
#: Days between two readings of row rate and label coverage.
WEEK = 7
#: Simulated quarters for the limits; the days of the quarter before a change, and the kind of stream that it is in.
DRAWS, STABLE_DAYS, CHANGED_STREAM = 200, 30, "growing features"
#: Figures of the same command at an earlier state of the code.
EARLIER = Path(__file__).with_name("earlier_figures.json")


def watched(stream: Stream, measuring: Measuring, rules: Monitoring) -> dict[str, Numbers]:
    """By severity: whether there is an alarm on each day of the quarter."""
    start = stream.first_watched
    signals = [*_of_rows(stream, measuring, rules), *_of_volume(stream, rules)]
    found = {severity: np.zeros(QUARTER, dtype=bool) for severity in RULES}
    for days in by_series(signals).values():
        beyond = np.zeros((QUARTER, 1), dtype=bool)
        for signal in days:
            beyond[_number(signal.day) - start, 0] |= signal.breached
        severity = days[0].severity
        found[severity] |= persistent(beyond, RULES[severity])[:, 0]
    return found


def _of_rows(stream: Stream, measuring: Measuring, rules: Monitoring) -> Iterable[Signal]:
    """The signals of all days, by the reference that each had."""
    start, kind = stream.first_watched, stream.kind
    length = kind.renewed or QUARTER
    share = replace(rules, false_alarms_per_quarter=(1 - VOLUME_SHARE) * rules.false_alarms_per_quarter)
    for first in range(start, start + QUARTER, length):
        last = min(first + length, start + QUARTER) - 1
        if last - first < WEEK:
            continue
        reference = stream.between(first - kind.reference, first - 1)
        training = stream.between(first - kind.reference - TRAINING, first - kind.reference - 1)
        seen = {name: sorted(training[name].unique()) for name in ("country", "device")}
        window = _window(stream, first, last)
        past = _last_year(stream, first - kind.reference, last)
        yield from measure_window(
            window, reference, CONTRACT, seen, share, measuring=measuring, train=training, last_year=past
        )[0]


def _window(stream: Stream, first: int, last: int) -> Window:
    """The rows of some days, with the outcomes that were known a day later, as a run reads them."""
    inside = (stream.days >= first) & (stream.days <= last)
    rows, arrives, day = stream.rows[inside].reset_index(drop=True), stream.arrives[inside], stream.days[inside]
    known = arrives < last + 1
    target = CONTRACT.target.name
    rows[target] = rows[target].where(known)
    counts = counts_of(rows, CONTRACT, {"country": [*rows["country"].unique()], "device": [*rows["device"].unique()]})
    of_day = days_of(rows, CONTRACT.time)
    for name in (*(f.name for f in CONTRACT.features if f.kind == "number"), "score"):
        counts[f"sum {name}"] = rows[name].groupby(of_day).sum()
    age = np.where(known, np.floor(arrives) - day, np.nan)
    came = pd.DataFrame({"day": day, "late": 0.0, "age": age})
    return Window(rows, (), until=day_of(last + 1), counts=counts, arrivals=came)


def _last_year(stream: Stream, first: int, last: int) -> Window | None:
    """The days a year before those from *first* to *last*, and some around them."""
    if not stream.kind.history:
        return None
    first, last = first - YEAR - WEEK, last - YEAR + WEEK
    traffic = pd.Series(stream.days[(stream.days >= first) & (stream.days <= last)]).map(day_of).value_counts()
    return replace(_window(stream, first, last), traffic=traffic.sort_index(), answered=day_of(last))


def _of_volume(stream: Stream, rules: Monitoring) -> Iterable[Signal]:
    """Row rate and label coverage of each week, in the window that a run on its last day reads."""
    share = replace(rules, false_alarms_per_quarter=VOLUME_SHARE * rules.false_alarms_per_quarter)
    start, days = stream.first_watched, stream.days
    reference = stream.between(start - stream.kind.reference, start - 1)
    for until in range(start + WEEK, start + QUARTER + 1, WEEK):
        inside = (days >= until - rules.window_days - 1) & (days < until)
        day, arrives = days[inside], stream.arrives[inside]
        age = np.where(arrives < until, np.floor(arrives) - day, np.nan)
        traffic = pd.Series(day).map(day_of).value_counts().sort_index()
        came = pd.DataFrame({"day": day, "late": 0.0, "age": age})
        seen = Window(pd.DataFrame(), (), until=day_of(until), traffic=traffic, arrivals=came)
        past = _last_year(stream, until - rules.window_days - 1, until - 1)
        signals, _, _ = measure_window(seen, reference, CONTRACT, {}, share, last_year=past)
        for series in by_series(signals).values():
            yield from (s for s in series[-WEEK:] if start <= _number(s.day) < start + QUARTER)


def section(seeds: Sequence[int], thresholds: Path, folder: Path) -> list[str]:
    """The section of BENCHMARKS.md. Measures are kept in *folder*; two streams are measured at a time."""
    rules = replace(read_rules(thresholds).monitoring, draws=DRAWS)
    measuring = KeptMeasures(folder)
    quiet = [(kind, seed) for kind in KINDS for seed in seeds]
    wrong = [(fault, seed) for fault in FAULTS for seed in seeds]
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        rates = [*pool.map(partial(false_alarms, measuring=measuring, rules=rules), *zip(*quiet, strict=True))]
        late = [*pool.map(partial(days_until_noticed, measuring=measuring, rules=rules), *zip(*wrong, strict=True))]
    earlier = json.loads(EARLIER.read_text(encoding="utf-8"))
    budget = rules.false_alarms_per_quarter
    return [
        "## The watch on generated streams",
        "",
        (
            f"Written by `make bench-watch POOLS=generated SEEDS={len(seeds)}` on {datetime.now(UTC):%Y-%m-%d}. Rows with numbers,"
            f" categories, scores and outcomes that are late by {MEAN_LABEL_DELAY} days on average (exponential), {ROWS_PER_DAY} a day on average. They"
            " go through monitoring's own code. The score is the true probability of the outcome and stays so: every alarm is"
            f" a false one. {TRAINING} days of training rows, then the reference ({KINDS['stationary'].reference} days where"
            f" the line does not say otherwise), then {QUARTER} days are watched. *Before* is {earlier['of']}."
        ),
        "",
        *_budgets({kind: rates[n * len(seeds) :][: len(seeds)] for n, kind in enumerate(KINDS)}, budget, earlier),
        "",
        (
            "A change on day 31 of the quarter, in a stream with growing features: days until it is noticed, the median of"
            " the seeds, in brackets the first and the last. All severities count, and an alarm that stood already does, too."
        ),
        "",
        *_delays({fault: late[n * len(seeds) :][: len(seeds)] for n, fault in enumerate(FAULTS)}, earlier),
    ]


def false_alarms(kind: str, seed: int, measuring: Measuring, rules: Monitoring) -> dict[str, float]:
    """False alarms a quarter of one stream, by severity."""
    days = watched(generated(KINDS[kind], seed), measuring, rules)
    return {severity: rate([each]) for severity, each in days.items()}


def days_until_noticed(fault: str, seed: int, measuring: Measuring, rules: Monitoring) -> float:
    """Days until the first alarm after a *fault*; infinite without one."""
    days = watched(generated(KINDS[CHANGED_STREAM], seed, fault, STABLE_DAYS), measuring, rules)
    return delay(np.any([*days.values()], axis=0), STABLE_DAYS)


def _budgets(rates: Mapping[str, Sequence[Mapping[str, float]]], budget: float, earlier: Any) -> Iterable[str]:
    """The table of false alarms; *rates* have a value by severity for each seed."""
    yield (
        f"| nothing is wrong | false alarms a quarter (budget {budget:g}) | ± | before | within {budget:g} + 2 ± | page"
        " | issue | digest |"
    )
    yield "|---|---:|---:|---:|---|---:|---:|---:|"
    for kind, seeds in rates.items():
        total = [sum(each.values()) for each in seeds]
        mean = statistics.mean(total)
        error = statistics.stdev(total) / math.sqrt(len(total)) if len(total) > 1 else math.nan
        kept = "yes" if mean <= budget + 2 * error else "**no**"
        parts = " | ".join(f"{statistics.mean(each[severity] for each in seeds):.2f}" for severity in RULES)
        yield f"| {kind} | **{mean:.2f}** | {error:.2f} | {earlier['alarms'].get(kind, '')} | {kept} | {parts} |"


def _delays(late: Mapping[str, Sequence[float]], earlier: Any) -> Iterable[str]:
    """The table of delays in days."""
    yield "| change | days until noticed | before |"
    yield "|---|---:|---:|"
    for fault, days in late.items():
        yield f"| {fault} | {text_of(days)} | {earlier['delays'].get(fault, '')} |"


def _number(day: str) -> int:
    return int(np.datetime64(day, "D").astype(int))

"""Measure the days of a window and place them on control charts, with limits from the reference period.

The reference's days are measured by calculators that were not fitted to them (in a few folds), as the window's days
are, and with no more rows a day than the window has: a distance is larger where rows are few. Row rate, label coverage
and the service metrics are compared with earlier days of the journal. A day with few rows has no distances and no
estimates; its counts are evaluated like those of any other day. Where a usual day has few rows, periods of several days
are evaluated (`monitoring.periods`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pandas as pd

from contracts.monitoring_limits import Monitoring
from contracts.row_contract import Contract
from monitoring.charts.expected_charts import Part, chart_expected
from monitoring.charts.holiday_calendar import calendar
from monitoring.charts.signals import COUNTS, SERVICE, SKEW, Measure, Signal, Unknown
from monitoring.charts.watchability import unwatched
from monitoring.earlier_days import Measuring, as_many_rows, by_folds, of_last_year, series_trends
from monitoring.journal.arrival_times import day_of, number_of
from monitoring.journal.sample_correction import counted, counts_of, shares
from monitoring.journal.window import Window, days_of, full_days
from monitoring.metrics.feature_influence import influence
from monitoring.metrics.label_delay import bias, mature
from monitoring.metrics.row_trends import RowTrend, row_trends, training_distances, without_trends
from monitoring.metrics.spread import deviation
from monitoring.metrics.volume import rates, volume, waiting
from monitoring.periods import (
    OUTCOMES,
    counts_in_periods,
    for_few_rows,
    in_periods,
    length_of,
    longest,
    over,
    period_days,
    usual_rows,
)
from monitoring.training_days import training_days

#: Kinds that are compared with earlier days of the journal instead of the reference.
COMPARED_WITH_EARLIER_DAYS = ("row_rate", "label_coverage", *SERVICE)
#: Kinds that are not measured on the window's rows.
NOT_OF_ROWS = (*COMPARED_WITH_EARLIER_DAYS, SKEW)


@dataclass(frozen=True)
class _Job:
    """Rows to evaluate against a *reference*, in periods of *days* days; *only* and *trends* are as in `measure_days`."""

    reference: pd.DataFrame
    rows: pd.DataFrame
    rules: Monitoring
    days: int
    only: str = ""
    trends: Mapping[str, RowTrend] = field(default_factory=dict)

    @property
    def more(self) -> dict[str, Any]:
        """What `measure_days` needs besides the rows."""
        only = {"only": self.only} if self.only else {}
        return only | ({"trends": self.trends} if self.trends else {})


def measure_window(
    window: Window,
    reference: pd.DataFrame,
    contract: Contract,
    seen: Mapping[str, list[str]],
    rules: Monitoring,
    say: Callable[[str], object] = len,
    served: tuple[list[Measure], list[Measure]] = ([], []),
    measuring: Measuring | None = None,
    train: pd.DataFrame | None = None,
    last_year: Window | None = None,
) -> tuple[list[Signal], list[Unknown], list[str]]:
    """The signals of the window, what could not be measured, and the days with too few rows.

    *seen* are the categories of training, by feature. *served* are service metrics of earlier days, and of the days to
    evaluate; they need no rows. *measuring* replaces `measure_days`. *train* are the training rows in the evidence, and
    *last_year* are the days a year before the reference and the window: what they show of trends and seasons is no alarm.
    """
    measuring = measuring or measure_days
    train = pd.DataFrame() if train is None else train
    earlier, recent, unknown = volume(window, rules)
    rows, unjudged = full_days(window.rows, contract.time, rules.min_rows)
    kinds = [kind for kind in (*rules.page, *rules.issue) if kind not in NOT_OF_ROWS]
    past_rates = [] if last_year is None or last_year.traffic.empty else rates(last_year)
    parts = [Part(earlier, recent, past_rates), Part(*served)]
    holidays = calendar(rules.country, past_rates, _days(reference[contract.time], window), rules.min_rate)
    if window.rows.empty:
        drawn = chart_expected(parts, {}, rules, holidays)
        if drawn.signals:  # they say nothing about the model
            unknown += [Unknown(kind, "this version has no rows yet", yet=True) for kind in kinds]
        return drawn.signals, unknown, unjudged
    sizes = days_of(reference, contract.time).value_counts() if len(reference) else pd.Series(dtype=int)
    usual = usual_rows(window.counts["rows"], sizes)
    days = period_days(usual, rules.min_rows)
    jobs = [_Job(_as_many_rows(reference, rows, contract.time), rows, rules, 1)]
    if days > 1:
        jobs, unjudged = [*_small(window, reference, train, contract, rules, usual)], []
    past = of_last_year(last_year, jobs[0].reference, contract, seen, rules, measuring) if days == 1 else []
    trends = {} if past else row_trends(train, reference, contract)
    found = _Found()
    for job in jobs:
        found.add(_measured(replace(job, trends=trends), window, contract, seen, kinds, measuring, say))
    say("solving the limits ...")
    distances = [] if past else training_distances(train, reference, contract)
    of_rows = Part(found.before, found.now, past, distances, series_trends(trends, reference))
    trained = _past(jobs[-1], train, reference, contract, outcomes_only=days > 1)
    drawn = chart_expected([of_rows, *parts], influence(reference, contract), rules, holidays, trained)
    return drawn.signals, [*unknown, *found.unknown, *drawn.unknown, *unwatched(drawn.charts)], unjudged


@dataclass(frozen=True)
class _Found:
    """Measures of the reference's days, measures of the days to evaluate, and what could not be measured."""

    before: list[Measure] = field(default_factory=list)
    now: list[Measure] = field(default_factory=list)
    unknown: list[Unknown] = field(default_factory=list)

    def add(self, other: _Found) -> None:
        """What another job found."""
        self.before.extend(other.before)
        self.now.extend(other.now)
        self.unknown.extend(other.unknown)


def _measured(
    job: _Job,
    window: Window,
    contract: Contract,
    seen: Mapping[str, list[str]],
    kinds: Iterable[str],
    measuring: Measuring,
    say: Callable[[str], object],
) -> _Found:
    """The measures of a *job*; *kinds* are those that are to be measured."""
    time, rules, found = contract.time, job.rules, _Found()
    kinds = [kind for kind in kinds if _belongs(kind, job.only)]
    thinned = _as_many_rows(in_periods(job.reference, time, job.days), job.rows, time)
    known, _ = full_days(thinned, time, rules.min_rows)
    there = days_of(known, time).nunique() if len(known) else 0
    if there < rules.min_reference_days:
        what = "full days" if job.days == 1 else f"full periods of {length_of(job.days)}"
        why = f"the reference has {there} {what}; {rules.min_reference_days} are needed for limits"
        found.unknown.extend(Unknown(kind, why) for kind in kinds)
        return found
    if len(job.rows):
        say("loading NannyML ...")
        late = (waiting(window, rules), window.until)
        now, unknown = measuring(known, job.rows, contract, seen, rules, late, **job.more)
        now = counted(now, window.counts, window.weight, known) if job.days == 1 else now
        before, more = by_folds(known, contract, seen, rules, measuring, **job.more)
        found.add(_Found(before, now, [*unknown, *(each for each in more if each not in unknown)]))
    else:
        why = f"no day has {rules.min_rows} rows, as [monitoring] min_rows asks for"
        if job.days > 1:
            why = f"no period of {length_of(job.days)} is over and has {rules.min_rows} rows"
        found.unknown.extend(Unknown(kind, why, yet=True) for kind in kinds if kind not in COUNTS)
    if job.only != "outcomes":
        names = [f.name for f in contract.features if f.name in window.rows and f.name in known]
        counts = counts_in_periods(window.counts, job.days, window.until)
        seen_days = {*days_of(job.rows, time)} if len(job.rows) else set()
        found.now.extend(shares(counts, contract, names, seen_days))
        if job.rows.empty:
            found.before.extend(shares(counts_of(known, contract, seen), contract, names))
    return _Found(over(found.before, job.days), over(found.now, job.days), found.unknown)


def _small(
    window: Window, reference: pd.DataFrame, train: pd.DataFrame, contract: Contract, rules: Monitoring, usual: float
) -> Iterable[_Job]:
    """What is measured of a stream of *usual* rows a day: features by longer periods, scores and outcomes sooner.

    A holdout has few such periods, so features are compared with the training rows as well. Scores and losses are not:
    a model scores the rows that it was fitted to differently.
    """
    time = contract.time
    every = pd.concat([train, reference], ignore_index=True) if len(train) else reference
    days = min(period_days(usual, rules.min_rows), longest(days_of(every, time).nunique(), rules.min_reference_days))
    rows, _ = full_days(in_periods(window.rows, time, days, window.until), time, rules.min_rows)
    yield _Job(every, rows, rules, days, "features")
    few = for_few_rows(rules)
    short = period_days(usual, OUTCOMES)
    rows, _ = full_days(in_periods(window.rows, time, short, window.until), time, few.min_rows)
    yield _Job(reference, rows, few, short, "outcomes")


def _belongs(kind: str, only: str) -> bool:
    """Whether a kind is measured by a job for *only* features, or *only* outcomes."""
    of_features = kind in ("univariate_drift", "multivariate_drift", "missing_values", "unseen_categories")
    return not only or of_features == (only == "features")


def measure_days(
    reference: pd.DataFrame,
    rows: pd.DataFrame,
    contract: Contract,
    seen: Mapping[str, list[str]],
    rules: Monitoring,
    late: tuple[int, str] | None = None,
    only: str = "",
    trends: Mapping[str, RowTrend] | None = None,
) -> tuple[list[Measure], list[Unknown]]:
    """The measures of each day of *rows*, and what could not be measured.

    *late* is the label delay in days, and the day from which it is counted back; without it every outcome has come.
    *only* is "features", or "outcomes" for scores, performance and bias. Distances are of rows without their *trends*.
    """
    # Importing NannyML takes ten seconds, which a window without rows does not need.
    from monitoring.metrics.drift import drift  # noqa: PLC0415
    from monitoring.metrics.performance import performance  # noqa: PLC0415

    flat = [without_trends(each, trends, contract.time) for each in (reference, rows)] if trends else [reference, rows]
    measures, unknown = drift(flat[0], flat[1], contract, seen, only)
    if only == "features":
        return measures, unknown
    target = contract.target.name
    due = rows
    if late is not None:
        due = mature(rows, contract, late[0], f"{pd.Timestamp(late[1]) - pd.Timedelta(days=1)}")
    known, _ = full_days(due.dropna(subset=[target]), contract.time, rules.min_rows)
    more, more_unknown = performance(reference, rows, known, contract)
    spread = deviation(reference[target])
    return (
        [*measures, *more, *(bias(known, contract, spread, rules.min_rows) if len(known) else [])],
        unknown + more_unknown,
    )


def _past(
    job: _Job, train: pd.DataFrame, reference: pd.DataFrame, contract: Contract, *, outcomes_only: bool
) -> list[Measure]:
    """The measures of the training rows, in the periods of a *job* and with as many rows."""
    if train.empty:
        return []
    rows = _as_many_rows(in_periods(train, contract.time, job.days), job.rows, contract.time)
    return training_days(rows, reference, contract, job.rules, outcomes_only=outcomes_only)


def _as_many_rows(reference: pd.DataFrame, rows: pd.DataFrame, time: str) -> pd.DataFrame:
    """The reference, with at most as many rows a day as the median day of *rows*; all of them if there are none."""
    if rows.empty or reference.empty:
        return reference
    return as_many_rows(reference, int(rows.groupby(days_of(rows, time)).size().median()), time)


def _days(times: pd.Series, window: Window) -> list[str]:
    """The days from the reference's first or the window's first to the window's last."""
    known = [*times.dropna().dt.strftime("%Y-%m-%d").agg(["min", "max"]), *window.traffic.index, *window.counts.index]
    if not window.until:
        return []
    return [day_of(day) for day in range(number_of(min(known)), number_of(window.until))]

"""Measures of days before the reference: the reference's own, by folds; their trends; and the days a year before."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from contracts.monitoring_limits import Monitoring
from contracts.row_contract import Contract
from monitoring.charts.expected_movement import TRENDING, YEAR
from monitoring.charts.signals import Measure, Unknown, named
from monitoring.journal.arrival_times import day_of, number_of
from monitoring.journal.window import Window, days_of, full_days
from monitoring.metrics.robust_trend import Trend
from monitoring.metrics.row_trends import RowTrend
from monitoring.metrics.spread import deviation

#: `monitoring.measure.measure_days`, or a function with its signature.
Measuring = Callable[..., tuple[list[Measure], list[Unknown]]]
FOLDS = 3
#: Rows of a day a year before, from which it is measured; such days are averaged over weeks.
MIN_ROWS = 30
#: Kinds that may move as they did a year before. Bias, missing values and unseen categories are faults, whenever.
YEARLY = (*TRENDING, "estimated_performance", "realised_performance")


def by_folds(
    reference: pd.DataFrame,
    contract: Contract,
    seen: Mapping[str, list[str]],
    rules: Monitoring,
    measuring: Measuring,
    **more: Any,
) -> tuple[list[Measure], list[Unknown]]:
    """The measures of the *reference*'s days, each by the reference without a fold of days that it is in.

    *more* is passed to *measuring*.
    """
    day = days_of(reference, contract.time)
    days = sorted(day.unique())
    found: list[Measure] = []
    unknown: list[Unknown] = []
    for fold in np.array_split(np.array(days, dtype=object), min(FOLDS, len(days))):
        at = day.isin(list(fold))
        measures, failed = measuring(reference[~at], reference[at], contract, seen, rules, **more)
        found += measures
        unknown += [each for each in failed if each not in unknown]
    return found, unknown


def series_trends(trends: Mapping[str, RowTrend], reference: pd.DataFrame) -> dict[str, Trend]:
    """The *trends* of columns of the *reference* -> those of the series of their means, in its standard deviations.

    Where a column bends, so may its distances; where any does, the reconstruction error, which is of all.
    """
    found = {}
    for column, trend in trends.items():
        kind, feature = ("score_drift", "") if column == "score" else ("univariate_drift", column)
        if column.startswith("score_"):
            kind = "score_drift"
        mean, spread = trend.mean, deviation(reference[column])
        found[named(kind, "mean", feature)] = replace(mean, slope=mean.slope / spread, error=mean.error / spread)
        found[named(kind, "jensen_shannon", feature)] = replace(mean, slope=0.0, error=mean.error / spread)
        if mean.bends:
            found[named("multivariate_drift", "reconstruction_error", "")] = mean
    return found


def of_last_year(
    last_year: Window | None,
    reference: pd.DataFrame,
    contract: Contract,
    seen: Mapping[str, list[str]],
    rules: Monitoring,
    measuring: Measuring,
) -> list[Measure]:
    """The measures of the days a year before, by the days a year before the *reference*'s."""
    if last_year is None or last_year.rows.empty:
        return []
    day = days_of(reference, contract.time)
    rows = as_many_rows(last_year.rows, int(day.value_counts().median()), contract.time)
    rows, _ = full_days(rows, contract.time, MIN_ROWS)
    then = days_of(rows, contract.time)
    first, last = (day_of(number_of(end) - YEAR) for end in (day.min(), day.max()))
    known, later = (rows[at].reset_index(drop=True) for at in ((then >= first) & (then <= last), then > last))
    if len({*days_of(known, contract.time)}) < rules.min_reference_days or later.empty:
        return []
    before, _ = by_folds(known, contract, seen, rules, measuring)
    after, _ = measuring(known, later, contract, seen, rules)
    kinds = YEARLY if last_year.answered else TRENDING  # scores of training rows are too good
    return [each for each in (*before, *after) if each.kind in kinds]


def as_many_rows(rows: pd.DataFrame, most: int, time: str) -> pd.DataFrame:
    """The *rows*, at most *most* a day: a distance is larger where rows are few."""
    shuffled = rows.sample(frac=1, random_state=0)
    kept = shuffled.groupby(days_of(shuffled, time)).cumcount() < most
    return rows.loc[kept[kept].index.sort_values()].reset_index(drop=True)

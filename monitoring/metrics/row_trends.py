"""Trends of features and scores from the training rows and the reference, and rows without them.

A feature that grows, such as the age of an account, leaves any fixed reference. Distances are measured on rows without
the trend, means are charted around it; what remains is a change of the trend, of the shape, or a jump.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from contracts.row_contract import Contract
from monitoring.charts.signals import Measure
from monitoring.journal.window import days_of, full_days
from monitoring.metrics.robust_trend import Trend, trend_of
from monitoring.metrics.spread import deviation, is_constant

Numbers = np.ndarray[Any, Any]

#: Rows of a day of training from which its mean counts.
MIN_ROWS = 30
#: A column with at most so many different values has steps, such as counts.
STEPS = 200
#: The logarithm of a smaller spread is that of this one.
MIN_SPREAD = 1e-9
#: Means over a fortnight that differ by less than this share of a standard deviation move with no calendar.
FORTNIGHT, RELEVANT = 14, 0.3


@dataclass(frozen=True)
class RowTrend:
    """How a column moves: its daily *mean*, and the logarithm of its *spread*, the mean absolute deviation of a day.

    *usual* is the mean of the reference.
    """

    usual: float
    mean: Trend
    spread: Trend

    def removed(self, values: pd.Series[Any], day: Numbers) -> pd.Series[Any]:
        """The *values* of some days as they would be on the middle day of the reference."""
        rest = values - self.usual - self.mean.at(day)
        found: pd.Series[Any] = self.usual + rest * np.exp(-self.spread.at(day))
        return found


def row_trends(train: pd.DataFrame | None, reference: pd.DataFrame, contract: Contract) -> dict[str, RowTrend]:
    """The trends of numbers and scores by column; only those that are significant or bend."""
    if train is None or train.empty:
        return {}
    rows = _together(train, reference, contract)
    day = days_of(rows, contract.time)
    centre = float(_numbers(days_of(reference, contract.time).unique()).mean())
    found = {}
    for name in _columns(reference, contract):
        if name not in rows or is_constant(reference[name]):
            continue
        values = rows[name].astype(float)
        means = values.groupby(day).mean()
        spreads = np.log((values - day.map(means)).abs().groupby(day).mean().clip(lower=MIN_SPREAD))
        mean, spread = (
            trend_of(_numbers(each.index), each.to_numpy(), centre) for each in (means.dropna(), spreads.dropna())
        )
        if mean and mean.bends and _range(means) < RELEVANT * deviation(reference[name]):
            mean = None
        if mean or spread:
            none = Trend(0.0, 0.0, centre)
            found[name] = RowTrend(float(reference[name].astype(float).mean()), mean or none, spread or none)
    return found


def training_distances(train: pd.DataFrame | None, reference: pd.DataFrame, contract: Contract) -> list[Measure]:
    """The Jensen-Shannon distance of the days of *train* from the *reference*, for categories and booleans."""
    if train is None or train.empty:
        return []
    rows = _together(train, reference.iloc[:0], contract)
    rows = rows[rows[contract.time] < reference[contract.time].min()]
    day = days_of(rows, contract.time)
    found = []
    for feature in contract.features:
        name = feature.name
        if feature.kind != "number" and name in rows and name in reference and len(rows):
            usual = reference[name].astype(object).astype(str).value_counts(normalize=True)
            for at, values in rows[name].astype(object).astype(str).groupby(day):
                distance = _distance(values.value_counts(normalize=True), usual)
                found.append(Measure("univariate_drift", "jensen_shannon", name, str(at), distance, len(values)))
    return found


def without_trends(rows: pd.DataFrame, trends: Mapping[str, RowTrend], time: str) -> pd.DataFrame:
    """The *rows* without their *trends*.

    Steps, such as counts, are spread evenly over the step before: otherwise whole numbers would move through the bins
    of a distance from day to day.
    """
    day = _numbers(days_of(rows, time))
    moved = {}
    for name, trend in trends.items():
        if name in rows and (trend.mean.slope or trend.spread.slope):
            values = rows[name].astype(float)
            moved[name] = trend.removed(values + _jitter(values), day)
    return rows.assign(**moved)


def _range(means: pd.Series[Any]) -> float:
    """The range of the means over a fortnight."""
    smooth = means.dropna().rolling(FORTNIGHT).mean()
    return float(smooth.max() - smooth.min())


def _jitter(values: pd.Series[Any]) -> Numbers:
    """Uniform noise within half a step for *values* that are steps; the same for the same rows."""
    known = np.unique(values.dropna())
    if len(known) < 2 or len(known) > STEPS:
        return np.zeros(len(values))
    step = float(np.diff(known).min())
    return np.asarray(np.random.default_rng(len(values)).uniform(-step / 2, step / 2, len(values)))


def _together(train: pd.DataFrame, reference: pd.DataFrame, contract: Contract) -> pd.DataFrame:
    """The rows of both, without days with few rows of training."""
    zone = reference[contract.time].dt.tz
    local = train.assign(**{contract.time: train[contract.time].dt.tz_convert(zone)})
    early, _ = full_days(local, contract.time, MIN_ROWS)
    return pd.concat([early, reference], ignore_index=True)


def _columns(reference: pd.DataFrame, contract: Contract) -> Iterable[str]:
    yield from (f.name for f in contract.features if f.kind == "number" and f.name in reference)
    yield from (name for name in reference if name == "score" or name.startswith("score_"))


def _distance(one: pd.Series[Any], other: pd.Series[Any]) -> float:
    """The Jensen-Shannon distance (base 2) of two distributions of categories."""
    p, q = (each.to_numpy(dtype=float) for each in one.align(other, fill_value=0.0))
    middle = (p + q) / 2
    parts = [float((a[a > 0] * np.log2(a[a > 0] / middle[a > 0])).sum()) for a in (p, q)]
    return float(np.sqrt(max(sum(parts) / 2, 0.0)))


def _numbers(days: Any) -> Numbers:
    """Days such as 2026-11-23, counted from 1970."""
    return np.asarray(pd.to_datetime(np.asarray(days, dtype=object)).to_numpy().astype("datetime64[D]").astype(float))

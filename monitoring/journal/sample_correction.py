"""Corrects measures of a sample by the counts of all rows; and measures shares from counts alone."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import Any

import pandas as pd

from contracts.row_contract import Contract
from monitoring.charts.signals import Measure
from monitoring.journal.window import days_of
from monitoring.metrics.daily_metrics import Day
from monitoring.metrics.spread import departure, is_constant

#: The kind of a measure -> the count that it is a share of the day's rows of.
_SHARES = {"missing_values": "missing", "unseen_categories": "unseen"}


def counted(measures: Iterable[Measure], counts: pd.DataFrame, weight: int, reference: pd.DataFrame) -> list[Measure]:
    """The *measures* of a sample of 1 row in *weight*, corrected to all rows where those were counted.

    *counts* are by day, as in `Window`; means are standardised by the *reference*.
    """
    return [_of_all(each, counts.loc[each.day], weight, reference) for each in measures]


def shares(
    counts: pd.DataFrame, contract: Contract, names: Collection[str], but: Collection[str] = ()
) -> list[Measure]:
    """The shares of missing values and unseen categories of the features *names*, on every day that has rows.

    *counts* are by day, as in `Window`; days in *but* are left out.
    """
    return [
        Measure(kind, "share", name, str(day), float(each[f"{what} {name}"] / each["rows"]), int(each["rows"]))
        for day, each in counts.iterrows()
        if day not in but and each["rows"] > 0
        for kind, what in _SHARES.items()
        for name in contract.feature_names
        if name in names and f"{what} {name}" in counts
    ]


def counts_of(rows: pd.DataFrame, contract: Contract, seen: Mapping[str, Collection[str]]) -> pd.DataFrame:
    """The counts by day of *rows*, such as the reference's, that `shares` needs."""
    found: dict[str, Any] = {"rows": 1}
    for feature in contract.features:
        if feature.name in rows:
            present = rows[feature.name].notna()
            found[f"missing {feature.name}"] = ~present
            if feature.name in seen and not feature.choices:
                new = ~rows[feature.name].isin(seen[feature.name])
                found[f"unseen {feature.name}"] = present & new
    return pd.DataFrame(found, index=rows.index).groupby(days_of(rows, contract.time)).sum()


def days_of_all(days: Iterable[Day], counts: pd.DataFrame, weight: int) -> list[Day]:
    """The *days* of a sample, with the number of all rows, and an estimate of the outcomes."""
    return [replace(day, rows=int(counts["rows"][day.day]), labelled=weight * day.labelled) for day in days]


def _of_all(measure: Measure, day: pd.Series, weight: int, reference: pd.DataFrame) -> Measure:
    rows, feature = int(day["rows"]), measure.feature
    if measure.kind in _SHARES:
        return replace(measure, value=float(day[f"{_SHARES[measure.kind]} {feature}"] / rows), rows=rows)
    if measure.metric == "mean":
        name = feature or "score"
        known = rows - int(day.get(f"missing {name}", 0))
        mean = day[f"sum {name}"] / known
        if is_constant(reference[name]):  # then the measure is a share of rows, which a sum does not determine
            return replace(measure, rows=known)
        value = departure(reference[name], pd.Series([mean])).iloc[0]
        return replace(measure, value=float(value), rows=known)
    # The sample has the same proportion of a day's outcomes as of its rows.
    return replace(measure, rows=min(weight * measure.rows, rows))

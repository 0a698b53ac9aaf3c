"""What is measured of a sample, put right by what was counted of all rows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pandas as pd

from monitoring.metrics import Day
from monitoring.signals import Measure

#: A measure's kind -> what was counted for it, over the day's rows.
_SHARES = {"missing_values": "missing", "unseen_categories": "unseen"}


def counted(
    measures: Iterable[Measure], counts: pd.DataFrame, weight: int, reference: pd.DataFrame
) -> list[Measure]:
    """The *measures* of a sample, 1 row in *weight*, as they are of all rows where those were counted.

    *counts* are by day, as `Window` has them; the *reference* is what means are told from.
    """
    return [_of_all(each, counts.loc[each.day], weight, reference) for each in measures]


def days_of_all(days: Iterable[Day], counts: pd.DataFrame, weight: int) -> list[Day]:
    """The *days* of a sample with the rows of all, and as many outcomes as there are about."""
    return [
        replace(day, rows=int(counts["rows"][day.day]), labelled=weight * day.labelled)
        for day in days
    ]


def _of_all(measure: Measure, day: pd.Series, weight: int, reference: pd.DataFrame) -> Measure:
    rows, feature = int(day["rows"]), measure.feature
    if measure.kind in _SHARES:
        return replace(
            measure, value=float(day[f"{_SHARES[measure.kind]} {feature}"] / rows), rows=rows
        )
    if measure.metric == "mean":
        name = feature or "score"
        known = rows - int(day.get(f"missing {name}", 0))
        mean = day[f"sum {name}"] / known
        value = (mean - reference[name].mean()) / (reference[name].std() or 1.0)
        return replace(measure, value=float(value), rows=known)
    # Of a day's outcomes, and of its rows, the sample has as many in every so many.
    return replace(measure, rows=min(weight * measure.rows, rows))

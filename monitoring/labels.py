"""Labels come late: which of them count, whether they come at all, and what they say of the scores.

A day's outcomes count once the day is mature: those that are known early are not like the rest (a
cancellation is known before an arrival is). A row without an outcome has none: it is never taken for
a negative.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from model.contract import Contract
from monitoring.signals import Measure, Signal
from monitoring.window import days_of


def mature(rows: pd.DataFrame, contract: Contract, days: int) -> pd.DataFrame:
    """The *rows* of days that ended at least *days* days before the newest row's day began to."""
    if rows.empty:
        return rows
    day = rows[contract.time].dt.floor("D")
    return rows[day <= day.max() - pd.Timedelta(days=days)]


def coverage(rows: pd.DataFrame, contract: Contract) -> list[Measure]:
    """The share of a day's *rows* (mature ones) whose outcome is known."""
    known = rows[contract.target.name].notna().groupby(days_of(rows, contract.time))
    sizes = known.size()
    return [
        Measure("label_coverage", "share", "", str(day), float(share), int(sizes[day]))
        for day, share in known.mean().items()
    ]


def bias(rows: pd.DataFrame, contract: Contract, spread: float, least: int) -> list[Measure]:
    """Mean predicted less mean observed, by day: of all *rows* (with outcomes), and by slice.

    For regression in the target's standard deviations, *spread*; for multiclass each class's share. A
    slice of a day with fewer than *least* rows has no verdict.
    """
    found = []
    for metric, off in _off(rows, contract, spread).items():
        whole = off.groupby(days_of(rows, contract.time))
        parts = [("", whole)]
        for name in contract.slices:
            if name in rows:
                labels = rows[name].astype(object)
                parts += [
                    (f"{name}={value}", off[at].groupby(days_of(rows[at], contract.time)))
                    for value in sorted(labels.dropna().unique(), key=str)
                    if (at := labels == value).any()
                ]
        for feature, days in parts:
            sizes = days.size()
            found += [
                Measure("prediction_bias", metric, feature, str(day), float(mean), int(sizes[day]))
                for day, mean in days.mean().items()
                if sizes[day] >= least
            ]
    return found


@dataclass(frozen=True)
class Trust:
    """How far an estimate of *metric* was off, on the *days* whose outcomes are in.

    *off* is the mean distance, *lean* the mean of estimated less realised.
    """

    metric: str
    days: int
    off: float
    lean: float

    def __str__(self) -> str:
        return (
            f"{self.metric}: on {self.days} days whose outcomes are in, the estimate was off by"
            f" {self.off:.3f} on average ({self.lean:+.3f})"
        )


def trust(signals: Iterable[Signal]) -> list[Trust]:
    """The estimates held against what was realised later, where both are known."""
    values: dict[str, dict[tuple[str, str], float]] = {}
    for signal in signals:
        values.setdefault(signal.kind, {})[signal.metric, signal.day] = signal.value
    estimated = values.get("estimated_performance", {})
    realised = values.get("realised_performance", {})
    found = []
    for metric in dict.fromkeys(metric for metric, _ in realised):
        apart = [
            estimated[key] - value
            for key, value in realised.items()
            if key[0] == metric and key in estimated
        ]
        if apart:
            off, lean = float(np.mean(np.abs(apart))), float(np.mean(apart))
            found.append(Trust(metric, len(apart), off, lean))
    return found


def _off(rows: pd.DataFrame, contract: Contract, spread: float) -> Mapping[str, pd.Series]:
    truth = rows[contract.target.name].astype(float)
    if contract.task == "multiclass":
        return {
            str(label): rows[f"score_{i}"] - (truth == i)
            for i, label in enumerate(contract.target.classes)
        }
    if contract.task == "regression":
        return {"deviations": (rows["score"] - truth) / (spread or 1.0)}
    return {"share": rows["score"] - truth}

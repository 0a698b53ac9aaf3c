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

from contracts.row_contract import Contract
from monitoring.charts.signals import Measure, Signal
from monitoring.journal.window import days_of

#: Scores that lie no further apart are one score.
SAME = 1e-6


def mature(rows: pd.DataFrame, contract: Contract, days: int, newest: str = "") -> pd.DataFrame:
    """The *rows* of days that ended at least *days* days before the *newest* day (by default the rows') began to."""
    if rows.empty:
        return rows
    day = rows[contract.time].dt.tz_localize(None).dt.floor("D")
    last = pd.Timestamp(newest) if newest else day.max()
    return rows[day <= last - pd.Timedelta(days=days)]


def bias(rows: pd.DataFrame, contract: Contract, spread: float, least: int) -> list[Measure]:
    """Mean predicted less mean observed, by day: of all *rows* (with outcomes), by slice, and by score.

    For regression in the target's standard deviations, *spread*; for multiclass each class's share. A
    slice of a day with fewer than *least* rows has no verdict.
    """
    found = []
    for metric, (score, off) in _off(rows, contract, spread).items():
        found += _by_score(metric, score, off, days_of(rows, contract.time), least)
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
        apart = [estimated[key] - value for key, value in realised.items() if key[0] == metric and key in estimated]
        if apart:
            off, lean = float(np.mean(np.abs(apart))), float(np.mean(apart))
            found.append(Trust(metric, len(apart), off, lean))
    return found


def _by_score(metric: str, score: pd.Series, off: pd.Series, day: pd.Series, least: int) -> list[Measure]:
    """By how much more a row is off, a standard deviation of the day's scores above the day's mean.

    The slope beside bias's intercept (Cox, 1958, Biometrika 45): scores that tell less than they promise are
    too high where they are high and too low where they are low. Which rows a day has hardly moves it, so a
    changed relation of features to target shows in days where the ROC AUC needs weeks.
    """
    apart = score - score.groupby(day).transform("mean")
    spread = (apart**2).groupby(day).mean() ** 0.5
    leaning, sizes = (apart * off).groupby(day).mean(), off.groupby(day).size()
    name = f"{metric}_by_score"
    return [
        Measure("prediction_bias", name, "", str(at), float(leaning[at] / wide), int(sizes[at]))
        for at, wide in spread.items()
        if wide > SAME and sizes[at] >= least
    ]


def _off(rows: pd.DataFrame, contract: Contract, spread: float) -> Mapping[str, tuple[pd.Series, pd.Series]]:
    """By metric the scores, and how far each is above the truth."""
    truth = rows[contract.target.name].astype(float)
    if contract.task == "multiclass":
        scores = {str(c): rows[f"score_{i}"] for i, c in enumerate(contract.target.classes)}
        return {label: (score, score - (truth == i)) for i, (label, score) in enumerate(scores.items())}
    if contract.task == "regression":
        return {"deviations": (rows["score"], (rows["score"] - truth) / (spread or 1.0))}
    return {"share": (rows["score"], rows["score"] - truth)}

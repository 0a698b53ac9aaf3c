"""Label delay: which outcomes count, prediction bias, and the error of performance estimates.

A day's outcomes count once the day is mature, because outcomes that are known early differ from the rest (a
cancellation is known before an arrival). A row without an outcome is not a negative.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from contracts.row_contract import Contract
from monitoring.charts.signals import Measure, Signal
from monitoring.journal.window import days_of
from monitoring.metrics.daily_metrics import METRICS
from monitoring.metrics.daily_metrics import metric as metric_of
from monitoring.metrics.spread import deviation

#: Scores with a smaller standard deviation are constant.
MIN_DEVIATION = 1e-6


def mature(rows: pd.DataFrame, contract: Contract, days: int, newest: str = "") -> pd.DataFrame:
    """The *rows* of days at least *days* before the *newest* day (by default the newest of the rows)."""
    if rows.empty:
        return rows
    day = rows[contract.time].dt.tz_localize(None).dt.floor("D")
    last = pd.Timestamp(newest) if newest else day.max()
    return rows[day <= last - pd.Timedelta(days=days)]


def bias(rows: pd.DataFrame, contract: Contract, spread: float, least: int) -> list[Measure]:
    """Mean predicted minus mean observed, by day: of all *rows* (with outcomes), by slice, and by score.

    For regression in the target's standard deviations, *spread*; for multiclass by class. A slice of a day with fewer
    than *least* rows is left out.
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
class EstimateError:
    """The error of the estimate of *metric* on *days* whose outcomes are known.

    *off* is the mean absolute error, *lean* the mean of estimated minus realised.
    """

    metric: str
    days: int
    off: float
    lean: float

    def __str__(self) -> str:
        return (
            f"{self.metric}: mean absolute error {self.off:.3f}, mean error {self.lean:+.3f}, on {self.days} days whose"
            " outcomes are known"
        )


def by_age(rows: pd.DataFrame, contract: Contract, until: str, wait: int) -> list[str]:
    """Coverage, bias and performance by the age of the days of *rows*: those that are whole, and the younger ones.

    Days are whole *wait* days before *until*. Only those are judged: among the others, the outcomes that came early are counted,
    which differ from the rest.
    """
    if rows.empty or not until:
        return []
    age = (pd.Timestamp(until) - rows[contract.time].dt.tz_localize(None).dt.floor("D")).dt.days - 1
    ages = sorted({0, (wait + 1) // 2, wait})
    lines = []
    for first, after in zip(ages, [*ages[1:], None], strict=True):
        part = rows[(age >= first) & (age < after)] if after is not None else rows[age >= first]
        known = part.dropna(subset=[contract.target.name])
        if known.empty:
            continue
        words = (
            f"{first} to {after - 1} days old, not judged yet" if after is not None else f"{first} days old or older"
        )
        biases = {
            name: float(off.mean())
            for name, (_, off) in _off(known, contract, deviation(known[contract.target.name])).items()
        }
        figures = [
            f"bias of the mean prediction {value:+.3f}" + ("" if name in ("share", "deviations") else f" ({name})")
            for name, value in biases.items()
        ]
        figures += [f"{name} {value:.3f}" for name, value in _realised(known, contract).items()]
        lines.append(
            f"days {words}: {len(known) / len(part):.0%} of {len(part):,} outcomes known; {', '.join(figures)}"
        )
    return lines if len(lines) > 1 else []


def _realised(known: pd.DataFrame, contract: Contract) -> dict[str, float]:
    scores = known[[name for name in known if name == "score" or name.startswith("score_")]].to_numpy(dtype=float)
    truth, scores = known[contract.target.name].to_numpy(dtype=float), scores[:, 0] if scores.shape[1] == 1 else scores
    return {name: value for name in METRICS[contract.task] if np.isfinite(value := metric_of(name, truth, scores))}


def estimate_errors(signals: Iterable[Signal]) -> list[EstimateError]:
    """Estimated against realised performance, on days that have both."""
    values: dict[str, dict[tuple[str, str], float]] = {}
    for signal in signals:
        values.setdefault(signal.kind, {})[signal.metric, signal.day] = signal.value
    estimated = values.get("estimated_performance", {})
    realised = values.get("realised_performance", {})
    errors = []
    for name in dict.fromkeys(each for each, _ in realised):
        apart = [estimated[key] - value for key, value in realised.items() if key[0] == name and key in estimated]
        if apart:
            off, lean = float(np.mean(np.abs(apart))), float(np.mean(apart))
            errors.append(EstimateError(name, len(apart), off, lean))
    return errors


def _by_score(metric: str, score: pd.Series, off: pd.Series, day: pd.Series, least: int) -> list[Measure]:
    """The increase of the error for one standard deviation of the day's scores.

    The calibration slope, beside the bias as the intercept (Cox, 1958, Biometrika 45): overconfident scores are too high
    where they are high and too low where they are low. It hardly depends on which rows a day has, so it detects concept
    drift in days, where the ROC AUC needs weeks.
    """
    apart = score - score.groupby(day).transform("mean")
    spread = (apart**2).groupby(day).mean() ** 0.5
    leaning, sizes = (apart * off).groupby(day).mean(), off.groupby(day).size()
    name = f"{metric}_by_score"
    return [
        Measure("prediction_bias", name, "", str(at), float(leaning[at] / wide), int(sizes[at]))
        for at, wide in spread.items()
        if wide > MIN_DEVIATION and sizes[at] >= least
    ]


def _off(rows: pd.DataFrame, contract: Contract, spread: float) -> Mapping[str, tuple[pd.Series, pd.Series]]:
    """By metric the scores, and scores minus outcomes."""
    truth = rows[contract.target.name].astype(float)
    if contract.task == "multiclass":
        scores = {str(c): rows[f"score_{i}"] for i, c in enumerate(contract.target.classes)}
        return {label: (score, score - (truth == i)) for i, (label, score) in enumerate(scores.items())}
    if contract.task == "regression":
        return {"deviations": (rows["score"], (rows["score"] - truth) / (spread or 1.0))}
    return {"share": (rows["score"], rows["score"] - truth)}

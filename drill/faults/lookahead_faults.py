"""Features that know more when they are loaded for training than when the model is asked.

Each variant says what the added feature is at prediction time: the value that is known then, or missing.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd

from drill.drawing import (
    category_of,
    distinct,
    normal,
    normal_by_row,
    number_of,
    numbers_of,
    seed_of,
    segment_of,
    uniform_by_row,
)
from drill.fault import Fault, Random, Variant
from drill.faults.leakage_faults import GIVES_AWAY, adding, spread_of, truth_of
from drill.thinned_recipe import Frame, Subject, codes

#: Rules that may name a leak.
NAMING_RULES = ("leak.replay", "leak.solo", "leak.added", "data.label_correlation", "data.skew")
OTHER_RULES = (
    *GIVES_AWAY,
    "compare.*",
    "slice*",
    "model.*",
    "calibration*",
    "champion.*",
    "drift.*",
    "upstream.*",
    "data.*",
)


def _encoded(random: Random, subject: Subject) -> Variant:
    """The mean outcome by a fine group, the row's own outcome included."""
    names = [f.name for f in subject.contract.features if f.kind == "category"]
    number = number_of(random, subject, distinct(5))
    edges = subject.rows[number.name].quantile(np.linspace(0, 1, int(random.integers(10, 40)))[1:-1]).to_numpy()
    chosen = [names[n] for n in random.permutation(len(names))[: int(random.integers(1, 3))]]

    def group(frame: Frame) -> Any:
        words = pd.Series(np.searchsorted(edges, frame[number.name].fillna(edges[0])).astype(str), index=frame.index)
        for name in chosen:
            words = words + "/" + frame[name].astype(str)
        return words

    def values(frame: Frame) -> Any:
        return truth_of(frame, subject).groupby(group(frame)).transform("mean")

    def served(frame: Frame) -> Any:
        before = subject.rows
        return group(frame).map(truth_of(before, subject).groupby(group(before)).mean())

    return adding(f"the mean outcome by {', '.join([number.name, *chosen])}, over all rows", values, served)


def _window(random: Random, subject: Subject) -> Variant:
    """The mean outcome of the rows of the next hours; at prediction time that of the hours before."""
    hours = int(random.integers(1, 73))
    feature = grouping(random, subject)

    def mean(frame: Frame, ahead: bool) -> Any:
        return _moving(frame, subject, truth_of(frame, subject), feature, timedelta(hours=hours), ahead)

    return adding(
        f"the mean outcome of the next {hours} hours" + (f" by {feature}" if feature else ""),
        lambda frame: mean(frame, True),
        lambda frame: mean(frame, False),
    )


def _number_window(random: Random, subject: Subject) -> Variant:
    """The mean of a number over the next hours, as by a centred window."""
    hours = int(random.integers(1, 25))
    number, feature = (number_of(random, subject, distinct(5)).name, grouping(random, subject))

    def mean(frame: Frame, ahead: bool) -> Any:
        return _moving(frame, subject, frame[number].astype(float), feature, timedelta(hours=hours), ahead)

    return adding(
        f"the mean of {number} in the next {hours} hours" + (f" by {feature}" if feature else ""),
        lambda frame: mean(frame, True),
        lambda frame: mean(frame, False),
    )


def grouping(random: Random, subject: Subject) -> str:
    """The name of a category to group by, or ""."""
    names = ["", *(f.name for f in subject.contract.features if f.kind == "category")]
    return names[int(random.integers(len(names)))]


def _moving(frame: Frame, subject: Subject, values: Any, by: str, width: timedelta, ahead: bool) -> Any:
    """The mean of *values* within *width* after each row (before it, unless *ahead*), its own value excluded."""
    # Whole microseconds: the resolution of the column differs by source.
    at = pd.to_datetime(frame[subject.contract.time], utc=True).dt.as_unit("us").astype("int64").to_numpy()
    wide = int(width.total_seconds() * 1e6)
    found = np.full(len(frame), np.nan)
    groups = frame.groupby(by, dropna=False).indices.values() if by else [np.arange(len(frame))]
    content = np.asarray(values, dtype=float)
    for places in groups:
        order = places[np.argsort(at[places], kind="stable")]
        times, part = at[order], content[order]
        known = np.isfinite(part)
        sums, counts = (np.concatenate([[0.0], np.cumsum(each)]) for each in (np.where(known, part, 0), known))
        first = np.searchsorted(times, times, side="right") if ahead else np.searchsorted(times, times - wide)
        last = np.searchsorted(times, times + wide, side="right") if ahead else np.searchsorted(times, times)
        many = counts[last] - counts[first]
        found[order] = np.where(many > 0, (sums[last] - sums[first]) / np.maximum(many, 1), np.nan)
    return found


def _counter(random: Random, subject: Subject) -> Variant:
    """How many rows or events of a group there are at the time of loading, not at the time of the row."""
    feature = category_of(random, subject).name
    events = bool(random.random() < 0.7)

    def counted(frame: Frame) -> Any:
        each = truth_of(frame, subject) if events else pd.Series(1.0, index=frame.index)
        # Also by day, so that the counter of a row contains the row's own event.
        group = [frame[feature].astype(str), frame[subject.contract.time].dt.floor("6h")]
        return each.groupby(group).transform("sum")

    def served(frame: Frame) -> Any:
        each = truth_of(frame, subject) if events else pd.Series(1.0, index=frame.index)
        group = [frame[feature].astype(str), frame[subject.contract.time].dt.floor("6h")]
        return each.groupby(group).cumsum() - each

    what = "events" if events else "rows"
    return adding(f"the number of {what} of the same {feature} in six hours, updated later", counted, served)


def _after(random: Random, subject: Subject) -> Variant:
    """A field that is filled in when the outcome is known, for a part of the rows."""
    part, noise = float(random.uniform(0.2, 0.9)), float(random.uniform(0.3, 1.0))
    seed, spread = seed_of(random), spread_of(subject)

    def values(frame: Frame) -> Any:
        filled = uniform_by_row(frame, subject.contract, seed) < part
        wrong = normal_by_row(frame, subject.contract, seed + 7) * noise * spread
        return (truth_of(frame, subject) + wrong).where(filled)

    return adding(f"a field that is filled in after the outcome, for {part:.0%} of the rows", values)


def rarest(subject: Subject) -> Callable[[Frame], Any]:
    """Which rows have the rarest class, or a high value."""
    target, known = subject.contract.target, subject.rows[subject.contract.target.name]
    if target.classes:
        rare = known.value_counts().index[-1]
        return lambda frame: (frame[target.name] == rare).to_numpy(dtype=bool)
    high = float(known.quantile(0.85))
    return lambda frame: (frame[target.name] > high).to_numpy(dtype=bool)


def _chosen(random: Random, subject: Subject) -> Variant:
    """The best of many random features, chosen by the holdout."""
    many, seed = int(random.integers(50, 400)), seed_of(random)
    rows = subject.rows
    late = rows[rows[subject.contract.time] >= subject.end - subject.held]
    truth = codes(late, subject.contract)
    each = numbers_of(late, subject.contract)
    power = [abs(np.corrcoef(normal(each, seed + 2 * n), truth)[0, 1]) for n in range(many)]
    best = seed + 2 * int(np.argmax(power))

    def values(frame: Frame) -> Any:
        return normal_by_row(frame, subject.contract, best)

    return adding(f"the best of {many} random features on the holdout", values, values)


def _rare_leak(random: Random, subject: Subject) -> Variant:
    """The outcome of the rarest class only, in a part of its rows."""
    rare, part, seed = rarest(subject), float(random.uniform(0.3, 1.0)), seed_of(random)
    return adding(
        f"a flag that is set in {part:.0%} of the rows with the rarest outcome",
        lambda frame: (rare(frame) & (uniform_by_row(frame, subject.contract, seed) < part)).astype(float),
        lambda frame: np.zeros(len(frame)),
    )


def _segment_leak(random: Random, subject: Subject) -> Variant:
    column, value = segment_of(random, subject)
    seed, noise, spread = seed_of(random), float(random.uniform(0.1, 0.8)), spread_of(subject)

    def values(frame: Frame) -> Any:
        noisy = truth_of(frame, subject) + normal_by_row(frame, subject.contract, seed) * noise * spread
        return noisy.where(frame[column] == value)

    return adding(f"the outcome with noise, where {column} = {value}", values)


def _running(random: Random, subject: Subject) -> Variant:
    """A number that grows with each row, and is beyond the training's range at prediction time."""
    time, key = subject.contract.time, subject.contract.key
    step = float(random.uniform(0.5, 20))
    start = subject.rows[time].min()

    def values(frame: Frame) -> Any:
        passed = (frame[time] - start) / timedelta(hours=1)
        place = frame.assign(_key=frame[key].astype(str)).groupby(time)["_key"].rank(method="first")
        return np.floor(passed.to_numpy() * step) + place.to_numpy()

    return adding(f"a running id, {step:.1f} an hour", values, values)


def _day_mean(random: Random, subject: Subject) -> Variant:
    """The day's final rate; at prediction time that of the day before."""
    time, column = subject.contract.time, grouping(random, subject)

    def by(frame: Frame) -> list[Any]:
        return [frame[time].dt.floor("D"), *([frame[column].astype(str)] if column else [])]

    def values(frame: Frame) -> Any:
        return truth_of(frame, subject).groupby(by(frame)).transform("mean")

    def served(frame: Frame) -> Any:
        return _moving(frame, subject, truth_of(frame, subject), column, timedelta(days=1), False)

    return adding("the final rate of the row's day" + (f" by {column}" if column else ""), values, served)


def _fault(name: str, what: str, draw: Any, *more: str) -> Fault:
    return Fault(name, what, (*NAMING_RULES, *more), OTHER_RULES, draw=draw)


FAULTS = (
    _fault("target encoding over all rows", "the mean outcome of a group, the row's own included", _encoded),
    _fault("look-ahead window on the outcome", "the mean outcome of the next hours", _window),
    _fault("look-ahead window on a number", "the mean of a number in the next hours", _number_window),
    _fault("counter updated later", "a counter as of the load, not of the row", _counter),
    _fault("the day's final rate", "a daily aggregate that contains the row", _day_mean),
    _fault("filled in after the outcome", "a new field that is known after the outcome", _after),
    _fault("chosen on the holdout", "the best of many random features", _chosen, "data.looks"),
    _fault("leak in a rare class", "a flag that only rows of the rarest class have", _rare_leak),
    _fault("leak in a segment", "a leak in the rows of one segment", _segment_leak),
    _fault("a running id", "a number that grows with time", _running, "leak.running_id"),
)

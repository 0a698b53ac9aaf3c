"""Wrong outcomes, some of them or in some of the rows, each with drawn shares, days and segments."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd

from drill.drawing import Where, distinct, normal_by_row, number_of, put, seed_of, segment_of, uniform_by_row, where
from drill.fault import COMPARISON_RULES, DoesNotApplyError, Fault, Random, Variant
from drill.faults.label_faults import SPOILT, inverted, other_outcomes
from drill.thinned_recipe import Frame, Subject

#: Rules that name a change of the outcomes; `data.segments` names a class that became rare.
NAMING_RULES = ("data.rewritten", "labels.*", "champion.*", "data.segments")
OTHER_RULES = (*SPOILT, *COMPARISON_RULES, "champion.*", "leak.*", "data.*", "anchor.*")


def _noise(random: Random, subject: Subject) -> Variant:
    at, seed, name = where(random, subject, (0.05, 0.3)), seed_of(random), subject.contract.target.name
    return Variant(
        f"random outcomes in {at.words}", lambda frame: put(frame, name, at, other_outcomes(frame, subject, seed))
    )


def _noise_in_segment(random: Random, subject: Subject) -> Variant:
    at, seed, name = where(random, subject, (0.3, 1), segment=True), seed_of(random), subject.contract.target.name
    return Variant(
        f"random outcomes in {at.words}", lambda frame: put(frame, name, at, other_outcomes(frame, subject, seed))
    )


def _inverted_in_segment(random: Random, subject: Subject) -> Variant:
    at, name = where(random, subject, (0.5, 1), segment=True), subject.contract.target.name
    return Variant(f"inverted outcomes in {at.words}", lambda frame: put(frame, name, at, inverted(frame, subject)))


def _inverted_some(random: Random, subject: Subject) -> Variant:
    at, name = where(random, subject, (0.05, 0.2)), subject.contract.target.name
    return Variant(f"inverted outcomes in {at.words}", lambda frame: put(frame, name, at, inverted(frame, subject)))


def _ordinary(subject: Subject) -> Any:
    """The outcome of rows whose outcome is not in: the most frequent class, or 0."""
    target = subject.contract.target
    if not target.classes:
        if target.minimum is not None and target.minimum > 0:
            raise DoesNotApplyError("an outcome of 0 is not allowed")
        return 0.0
    return subject.rows[target.name].value_counts().index[0]


def _late(random: Random, subject: Subject) -> Variant:
    name, time, usual = subject.contract.target.name, subject.contract.time, _ordinary(subject)
    days = int(random.integers(3, max(4, subject.held.days + 1)))
    part, seed = float(random.uniform(0.3, 1)), seed_of(random)

    def change(frame: Frame) -> Frame:
        # The younger a row, the more of them are open: as with a delay between 0 and so many days.
        age = (subject.end - frame[time]) / timedelta(days=days)
        open_ = (uniform_by_row(frame, subject.contract, seed) < part * (1 - age)).to_numpy(dtype=bool)
        return put(frame, name, Where("", lambda _: open_), usual)

    return Variant(f"outcomes arrive up to {days} days late ({part:.0%} of them), and are {usual} until then", change)


def _partial(random: Random, subject: Subject) -> Variant:
    at, name, usual = where(random, subject, (0.2, 0.7)), subject.contract.target.name, _ordinary(subject)
    return Variant(f"{at.words} have no outcome and are taken as {usual}", lambda frame: put(frame, name, at, usual))


def _partial_in_segment(random: Random, subject: Subject) -> Variant:
    at, name = where(random, subject, (0.6, 1), segment=True), subject.contract.target.name
    usual = _ordinary(subject)
    return Variant(f"{at.words} have no outcome and are taken as {usual}", lambda frame: put(frame, name, at, usual))


def _definition(random: Random, subject: Subject) -> Variant:
    """Rarer outcomes are counted only where a number is high, or amounts in another unit."""
    target = subject.contract.target
    at = where(random, subject)
    if not target.classes:
        factor = float(random.choice([0.5, 0.8, 1.25, 2.0]))
        return Variant(
            f"outcomes are {factor:g} times as large in {at.words}",
            lambda frame: put(frame, target.name, at, frame[target.name] * factor),
        )
    feature = number_of(random, subject, distinct(5))
    cut, usual = float(subject.rows[feature.name].quantile(random.uniform(0.3, 0.7))), _ordinary(subject)

    def change(frame: Frame) -> Frame:
        low = at.rows(frame) & (frame[feature.name] < cut).fillna(False).to_numpy(dtype=bool)
        return put(frame, target.name, Where("", lambda _: low), usual)

    return Variant(f"another definition: {usual} wherever {feature.name} < {cut:g}, in {at.words}", change)


def _joined_by_day(random: Random, subject: Subject) -> Variant:
    """The outcomes of a day are given to other rows of that day."""
    at, name, time = where(random, subject, (0.2, 1)), subject.contract.target.name, subject.contract.time
    seed = seed_of(random)

    def change(frame: Frame) -> Frame:
        order = pd.Series(uniform_by_row(frame, subject.contract, seed), index=frame.index)
        day = frame[time].dt.floor("D")
        place = order.groupby(day).rank(method="first").astype(int)
        first = frame.groupby(day).cumcount() + 1
        values = frame.assign(_day=day, _place=first).set_index(["_day", "_place"])[name]
        given = values.reindex(pd.MultiIndex.from_arrays([day, place])).to_numpy(object)
        return put(frame, name, at, given)

    return Variant(f"a join gives {at.words} the outcome of another row of the day", change)


def _shifted(random: Random, subject: Subject) -> Variant:
    """Each row has the outcome of the row before: off by one."""
    at, name, time = where(random, subject), subject.contract.target.name, subject.contract.time
    rows = int(random.choice([-2, -1, 1, 2]))

    def change(frame: Frame) -> Frame:
        frame = frame.sort_values([time, subject.contract.key], ignore_index=True)
        moved = frame[name].shift(rows)
        return put(frame, name, at, moved.where(moved.notna(), frame[name]))

    return Variant(f"{at.words} have the outcome of the row {abs(rows)} {'before' if rows > 0 else 'after'}", change)


def _conflicting(random: Random, subject: Subject) -> Variant:
    at, name = where(random, subject, (0.05, 0.3)), subject.contract.target.name

    def change(frame: Frame) -> Frame:
        again = frame[at.rows(frame)]
        again = again.assign(**{name: inverted(again, subject)})
        return pd.concat([frame, again], ignore_index=True)

    return Variant(f"{at.words} are there a second time with another outcome", change)


def _settled_only(random: Random, subject: Subject) -> Variant:
    """A row appears when its outcome is known, which takes longer for the usual one."""
    name, time, usual = subject.contract.target.name, subject.contract.time, _ordinary(subject)
    days, seed = int(random.integers(7, 30)), seed_of(random)

    def change(frame: Frame) -> Frame:
        age = (subject.end - frame[time]) / timedelta(days=days)
        frequent = frame[name] == usual if subject.contract.target.classes else frame[name] < frame[name].median()
        gone = frequent & (uniform_by_row(frame, subject.contract, seed) > age)
        return frame[~gone].reset_index(drop=True)

    return Variant(f"rows of the last {days} days are there only if their outcome is in", change)


def _leaning(random: Random, subject: Subject) -> Variant:
    """Those who label by hand label a part of the rows by one feature."""
    contract, target = subject.contract, subject.contract.target
    at = where(random, subject, (0.2, 0.6))
    feature = number_of(random, subject, distinct(5))
    middle = float(subject.rows[feature.name].median())
    low, high = _extremes(subject)

    def change(frame: Frame) -> Frame:
        values = np.where((frame[feature.name] > middle).fillna(False), high, low)
        return put(frame, target.name, at, pd.Series(values, index=frame.index).astype(object))

    return Variant(f"{at.words} are labelled by {feature.name} > {middle:g} ({contract.target.name})", change)


def _extremes(subject: Subject) -> tuple[Any, Any]:
    target = subject.contract.target
    if target.classes:
        return target.classes[0], target.classes[-1]
    known = subject.rows[target.name]
    return float(known.quantile(0.25)), float(known.quantile(0.75))


def _blurred(random: Random, subject: Subject) -> Variant:
    target = subject.contract.target
    if target.classes:
        raise DoesNotApplyError("classes cannot be rounded")
    at, seed = where(random, subject), seed_of(random)
    known = subject.rows[target.name].astype(float)
    width = float(known.std()) * float(random.uniform(0.5, 1.5))

    def change(frame: Frame) -> Frame:
        values = frame[target.name] + normal_by_row(frame, subject.contract, seed) * width
        return put(frame, target.name, at, values.clip(target.minimum, target.maximum))

    return Variant(f"outcomes are measured with an error of {width:.3g} in {at.words}", change)


def _rare_segment(random: Random, subject: Subject) -> Variant:
    column, value = segment_of(random, subject)
    name, usual = subject.contract.target.name, _ordinary(subject)

    def change(frame: Frame) -> Frame:
        rare = (frame[column] == value).fillna(False) & (frame[name] != usual)
        return frame[~rare.to_numpy(dtype=bool)].reset_index(drop=True)

    return Variant(f"rows with {column} = {value} are there only if the outcome is {usual}", change)


def _fault(name: str, what: str, draw: Any, *more: str) -> Fault:
    return Fault(name, what, (*NAMING_RULES, *more), OTHER_RULES, draw=draw)


FAULTS = (
    _fault("label noise", "a share of outcomes is random, for every model alike", _noise),
    _fault("label noise in a segment", "a segment's outcomes are random", _noise_in_segment),
    _fault("labels inverted in a segment", "a segment's outcomes are inverted", _inverted_in_segment),
    _fault("labels inverted for some", "a share of outcomes is inverted", _inverted_some),
    _fault("labels late", "the younger a row, the rarer its outcome is in", _late),
    _fault("labels partial", "a share of outcomes never arrives", _partial),
    _fault("labels partial in a segment", "a segment's outcomes never arrive", _partial_in_segment),
    _fault("another definition of the outcome", "fewer rows count, or in another unit", _definition),
    _fault("labels joined by day", "the outcome of another row of the day", _joined_by_day),
    _fault("labels off by one", "the outcome of the row before or after", _shifted),
    _fault(
        "conflicting labels", "rows are repeated with another outcome", _conflicting, "data.conflicts", "data.repeated"
    ),
    _fault(
        "only settled outcomes",
        "rows appear when their outcome is known",
        _settled_only,
        "data.rate",
        "data.lost",
        "upstream.rows",
    ),
    _fault(
        "labels by one feature", "labels by hand follow one feature", _leaning, "leak.solo", "data.label_correlation"
    ),
    _fault("labels measured with an error", "outcomes of a regression have an error", _blurred),
    _fault(
        "one outcome missing in a segment",
        "a segment has rows of one outcome only",
        _rare_segment,
        "data.lost",
        "leak.solo",
    ),
)

"""Values that are another column's, another category's or another row's."""

from __future__ import annotations

from typing import Any

import pandas as pd

from drill.drawing import Where, admitted, category_of, distinct, put, seed_of, segment_of, uniform_by_row, where
from drill.fault import DoesNotApplyError, Fault, Random, Variant
from drill.faults.small_change_faults import NAMING_RULES, OTHER_RULES
from drill.thinned_recipe import Frame, Subject

#: Rules that name a category that became rare or frequent.
RECODED = ("data.segments", "upstream.categories", "upstream.renamed")


def _swapped_in_segment(random: Random, subject: Subject) -> Variant:
    at, rows = where(random, subject, segment=True), subject.rows
    numbers = [f for f in subject.contract.features if f.kind == "number"]
    pairs = [
        (a.name, b.name)
        for n, a in enumerate(numbers)
        for b in numbers[n + 1 :]
        if admitted(a, rows[b.name]) and admitted(b, rows[a.name]) and (rows[a.name] != rows[b.name]).mean() > 0.2
    ]
    if not pairs:
        raise DoesNotApplyError("no two numbers admit each other's values")
    one, other = pairs[int(random.integers(len(pairs)))]

    def change(frame: Frame) -> Frame:
        return put(put(frame, one, at, frame[other]), other, at, frame[one])

    return Variant(f"{one} and {other} are swapped in {at.words}", change)


def _merged(random: Random, subject: Subject) -> Variant:
    """One value of a category is recoded as another."""
    column, value = segment_of(random, subject)
    others = [each for each in subject.rows[column].value_counts().index if each != value][:5]
    if not others:
        raise DoesNotApplyError("there is no other value")
    other, at = others[int(random.integers(len(others)))], where(random, subject)

    def change(frame: Frame) -> Frame:
        hit = (frame[column] == value).fillna(False).to_numpy(dtype=bool) & at.rows(frame)
        return put(frame, column, Where("", lambda _: hit), other)

    return Variant(f"{column} = {value} is written {other} in {at.words}", change)


def _defaulted(random: Random, subject: Subject) -> Variant:
    at, feature = where(random, subject, (0.1, 0.5)), category_of(random, subject, distinct(1))
    value = subject.rows[feature.name].value_counts().index[0]
    return Variant(
        f"{feature.name} is the default, {value}, in {at.words}", lambda frame: put(frame, feature.name, at, value)
    )


def _shuffled(random: Random, subject: Subject) -> Variant:
    """A lookup gives a number or a category of another row."""
    at, seed = where(random, subject, (0.3, 1)), seed_of(random)
    features = [f for f in subject.contract.features if subject.rows[f.name].nunique() > 2]
    if not features:
        raise DoesNotApplyError("every feature has one or two values")
    name = features[int(random.integers(len(features)))].name
    values = subject.rows[name].to_numpy(object)

    def change(frame: Frame) -> Frame:
        places = (uniform_by_row(frame, subject.contract, seed) * len(values)).astype(int)
        given = pd.Series(values[places], index=frame.index)
        return put(frame, name, at, given.astype(float) if pd.api.types.is_numeric_dtype(frame[name]) else given)

    return Variant(f"{name} is another row's in {at.words}", change)


def _fault(name: str, what: str, draw: Any, *more: str) -> Fault:
    return Fault(name, what, (*NAMING_RULES, *more), OTHER_RULES, draw=draw)


FAULTS = (
    _fault("columns swapped in a segment", "two numbers are swapped in one segment", _swapped_in_segment),
    _fault("categories merged", "a value of a category is written as another", _merged, *RECODED),
    _fault("category defaulted", "some values are the most frequent one", _defaulted, *RECODED),
    _fault("looked up by the wrong key", "a feature is another row's", _shuffled),
)

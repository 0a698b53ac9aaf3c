"""Data faults: gross ones, each with a drawn feature, share and day."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from itertools import permutations
from typing import Any

import numpy as np
import pandas as pd

from contracts.row_contract import Feature
from drill.drawing import Where, admitted, category_of, distinct, number_of, put, scaled, where
from drill.fault import COMPARISON_RULES, INPUT_RULES, DoesNotApplyError, Fault, Random, Variant
from drill.thinned_recipe import Frame, Subject

DATA_SIDE_EFFECTS = (*INPUT_RULES, *COMPARISON_RULES, "labels.maturing", "calibration*", "model.constant")


def number(subject: Subject, fits: Callable[[Feature], bool] = lambda _: True) -> Feature:
    """A numeric feature of the contract, preferably a nullable one."""
    found = [f for f in subject.contract.features if f.kind == "number" and fits(f)]
    if not found:
        raise DoesNotApplyError("there is no such numeric feature")
    return max(found, key=lambda feature: feature.nullable)


def category(subject: Subject) -> Feature:
    """A category of the contract without a list of choices."""
    found = [f for f in subject.contract.features if f.kind == "category" and not f.choices]
    if not found:
        raise DoesNotApplyError("there is no category without a list of choices")
    return found[0]


def _late(random: Random, subject: Subject, share: tuple[float, float] | None = None) -> Where:
    """Rows since a day after the champion was trained."""
    return where(random, subject, share, since=True)


def _open(feature: Feature, values: Any) -> bool:
    """A category without a list of choices, with few missing values."""
    return not feature.choices and bool(values.isna().mean() < 0.5)


def _unit(random: Random, subject: Subject) -> Variant:
    at, factor = _late(random, subject), float(random.choice([0.001, 0.01, 100.0, 1000.0]))
    return scaled(random, subject, at, (factor, 1 / factor))


def _swapped(random: Random, subject: Subject) -> Variant:
    rows = subject.rows
    numbers = [f for f in subject.contract.features if f.kind == "number"]
    pairs = [(a.name, b.name) for a, b in permutations(numbers, 2) if (rows[a.name] != rows[b.name]).mean() > 0.2]
    features = subject.contract.feature
    fitting = [
        (a, b) for a, b in pairs if admitted(features(a), rows[b]) and admitted(features(b), rows[a])
    ] or pairs  # training refuses the others
    if not fitting:
        raise DoesNotApplyError("there are no two numbers")
    one, other = fitting[int(random.integers(len(fitting)))]
    return Variant(
        f"{one} and {other} are swapped in all rows",
        lambda frame: frame.assign(**{one: frame[other], other: frame[one]}),
    )


def _sign(random: Random, subject: Subject) -> Variant:
    name = number_of(
        random, subject, lambda f, v: (f.minimum is None or f.minimum < 0) and bool((v != 0).mean() > 0.2)
    ).name
    return Variant(f"{name} has the other sign", lambda frame: frame.assign(**{name: -frame[name]}))


def _nines(random: Random, subject: Subject) -> Variant:
    at, value = where(random, subject, (0.05, 0.2), since=False), float(random.choice([-9999, -999, -99]))
    name = number_of(random, subject).name
    return Variant(f"{name} is {value:g} in {at.words}", lambda frame: put(frame, name, at, value))


def _sentinel(random: Random, subject: Subject) -> Variant:
    rows = subject.rows
    at = _late(random, subject, (0.08, 0.25))
    feature = number_of(random, subject, lambda f, values: _far(rows, f) > values.max() * 1.2)
    far = _far(rows, feature)
    return Variant(f"{feature.name} is {far:.4g} in {at.words}", lambda frame: put(frame, feature.name, at, far))


def _far(frame: Frame, feature: Feature) -> float:
    top = float(frame[feature.name].max())
    far = top + 5 * float(frame[feature.name].max() - frame[feature.name].min())
    return far if feature.maximum is None else min(far, feature.maximum)


def _nulls(random: Random, subject: Subject) -> Variant:
    at = _late(random, subject, (0.25, 0.8))
    name = number_of(random, subject, lambda f, values: f.nullable and bool(values.isna().mean() < 0.5)).name
    return Variant(f"{name} is missing in {at.words}", lambda frame: put(frame, name, at, np.nan))


def _frozen(random: Random, subject: Subject) -> Variant:
    at, name = _late(random, subject), number_of(random, subject, distinct(5)).name
    known = subject.rows[name].dropna()
    last = float(known.iloc[int(random.integers(len(known)))])
    return Variant(f"{name} is {last:.4g} in {at.words}", lambda frame: put(frame, name, at, last))


def _renamed(random: Random, subject: Subject) -> Variant:
    at, name = _late(random, subject), category_of(random, subject, _open).name
    first, suffix = subject.rows[name].value_counts().index[0], str(random.choice(["-new", " 2", "_v2", " (old)"]))

    def change(frame: Frame) -> Frame:
        hit = at.rows(frame) & (frame[name] == first).fillna(False).to_numpy(dtype=bool)
        return put(frame, name, Where("", lambda _: hit), f"{first}{suffix}")

    return Variant(f"{name} = {first} is called {first}{suffix} in {at.words}", change)


def _case(random: Random, subject: Subject) -> Variant:
    at, name = where(random, subject, (0.2, 0.5), since=False), category_of(random, subject, _open).name

    def change(frame: Frame) -> Frame:
        words = frame[name].astype(object)
        other = words.str.lower().where(words.str.lower() != words, words.str.upper())
        return put(frame, name, at, other.where(words.notna(), words))

    return Variant(f"{name} is in the other case in {at.words}", change)


def _space(random: Random, subject: Subject) -> Variant:
    at, name = where(random, subject, (0.2, 0.5), since=False), category_of(random, subject, _open).name
    before = bool(random.random() < 0.5)

    def change(frame: Frame) -> Frame:
        words = frame[name].astype(object)
        return put(frame, name, at, (" " + words if before else words + " ").where(words.notna(), words))

    return Variant(f"{name} {'begins' if before else 'ends'} with a blank in {at.words}", change)


def _words(random: Random, subject: Subject) -> Variant:
    name = number_of(random, subject).name
    return Variant(
        f"{name} is text",
        lambda frame: frame.assign(**{name: frame[name].map(lambda each: None if pd.isna(each) else str(each))}),
    )


def _zone(random: Random, subject: Subject) -> Variant:
    at, time = _late(random, subject), subject.contract.time
    hours = int(random.choice([4, 5, 6, 8, 9]))
    return Variant(
        f"the clock is {hours} hours behind in {at.words}",
        lambda frame: frame.assign(**{time: frame[time].where(~at.rows(frame), frame[time] - timedelta(hours=hours))}),
    )


def _skew(random: Random, subject: Subject) -> Variant:
    at, time = _late(random, subject, (0.1, 0.4)), subject.contract.time
    return Variant(
        f"{at.words} come from a month ahead",
        lambda frame: frame.assign(**{time: frame[time].where(~at.rows(frame), frame[time] + timedelta(days=30))}),
    )


FAULTS = (
    Fault(
        "unit change",
        "a number is far larger or smaller, since the champion was trained",
        ("upstream.units", "data.rewritten"),
        DATA_SIDE_EFFECTS,
        draw=_unit,
    ),
    Fault(
        "columns swapped",
        "two numbers are swapped",
        ("data.rewritten", "train.contract"),
        DATA_SIDE_EFFECTS,
        draw=_swapped,
    ),
    Fault(
        "sign flipped",
        "a number has the other sign",
        ("data.rewritten", "train.contract"),
        DATA_SIDE_EFFECTS,
        draw=_sign,
    ),
    Fault(
        "sentinel -999",
        "a part of a number is -999 for unknown",
        ("train.contract", "data.sentinels", "upstream.units"),
        DATA_SIDE_EFFECTS,
        draw=_nines,
    ),
    Fault(
        "sentinel within the contract",
        "a part of a number is a large one for unknown, since the champion was trained",
        ("data.sentinels", "upstream.units"),
        DATA_SIDE_EFFECTS,
        draw=_sentinel,
    ),
    Fault(
        "null flood",
        "many values of a number are missing, since the champion was trained",
        ("data.missing_jump", "upstream.missing"),
        (*DATA_SIDE_EFFECTS, "data.missing"),
        draw=_nulls,
    ),
    Fault(
        "a feed hangs",
        "a number has one value, since the champion was trained",
        ("data.frozen",),
        DATA_SIDE_EFFECTS,
        draw=_frozen,
    ),
    Fault(
        "category renamed",
        "the most frequent value has another name, since the champion was trained",
        ("upstream.renamed",),
        DATA_SIDE_EFFECTS,
        draw=_renamed,
    ),
    Fault(
        "case changed",
        "many values of a category are in the other case",
        ("data.variants",),
        DATA_SIDE_EFFECTS,
        draw=_case,
    ),
    Fault(
        "white space added",
        "many values of a category begin or end with a blank",
        ("data.variants",),
        DATA_SIDE_EFFECTS,
        draw=_space,
    ),
    Fault("dtype changed", "a number is text", ("train.contract",), (), draw=_words),
    Fault(
        "time zone shifted",
        "the clock is some hours behind, since the champion was trained",
        ("data.clock",),
        (*DATA_SIDE_EFFECTS, "data.rate"),
        draw=_zone,
    ),
    Fault("clock skew", "some rows come from a month ahead", ("train.contract", "bundle.clock"), (), draw=_skew),
)

"""Small and hidden changes of single features, each with a drawn feature, segment, share and day."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from contracts.row_contract import Feature
from drill.drawing import admitted, distinct, normal_by_row, number_of, put, scaled, seed_of, where
from drill.fault import Fault, Random, Variant
from drill.faults.data_faults import DATA_SIDE_EFFECTS
from drill.thinned_recipe import Frame, Subject

#: The maximum of a number that runs round a clock: the length of its round.
ROUNDS: Mapping[float, int] = {6: 7, 7: 7, 23: 24, 24: 24, 1439: 1440, 1440: 1440}
#: Rules that name a changed feature.
NAMING_RULES = (
    "upstream.units",
    "upstream.missing",
    "data.rewritten",
    "data.pile_ups",
    "data.missing_jump",
    "data.missing_steps",
    "data.slice_values",
    "data.sentinels",
    "data.frozen",
    "data.skew",
    "champion.*",
)
OTHER_RULES = (*DATA_SIDE_EFFECTS, "leak.*", "data.*", "anchor.*")
JOURNAL = "the rows that were really sent: the journal"


def _factor(random: Random, small: bool) -> float:
    factor = float(
        random.choice([1.05, 1.1, 1.19, 1.2, 1.609, 1.8] if small else [0.01, 0.1, 0.3048, 0.45, 2.54, 10.0])
    )
    return factor if random.random() < 0.5 else 1 / factor


def _scaled(random: Random, subject: Subject, small: bool, segment: bool) -> Variant:
    at = where(random, subject, segment=segment)
    return scaled(random, subject, at, [_factor(random, small) for _ in range(4)])


def _small_unit(random: Random, subject: Subject) -> Variant:
    return _scaled(random, subject, True, False)


def _currency(random: Random, subject: Subject) -> Variant:
    return _scaled(random, subject, False, True)


def _net(random: Random, subject: Subject) -> Variant:
    return _scaled(random, subject, True, True)


def _hours(random: Random, subject: Subject) -> Variant:
    """A number that runs round a clock, moved by some hours."""

    def clock(feature: Feature, values: Any) -> bool:
        top = feature.maximum or 0
        return feature.minimum == 0 and top in ROUNDS and bool(values.max() >= 0.8 * top)

    feature = number_of(random, subject, clock)
    round_ = ROUNDS[feature.maximum or 0]
    by = int(random.choice([-5, -2, -1, 1, 2, 5, 8])) * (60 if round_ == 1440 else 1)
    at = where(random, subject)
    return Variant(
        f"{feature.name} is {by:+d} (another time zone) in {at.words}",
        lambda frame: put(frame, feature.name, at, (frame[feature.name].astype(float) + by) % round_),
    )


def _with_missing(random: Random, subject: Subject) -> str:
    return number_of(random, subject, lambda _, values: values.isna().mean() > 0.01).name


def _imputed(random: Random, subject: Subject) -> Variant:
    name, at = _with_missing(random, subject), where(random, subject)
    value = float(subject.rows[name].quantile(random.uniform(0.3, 0.7)))
    return Variant(
        f"missing values of {name} are filled with {value:.4g} in {at.words}",
        lambda frame: put(frame, name, at, frame[name].astype(float).fillna(value)),
    )


def _zero(random: Random, subject: Subject) -> Variant:
    feature = number_of(random, subject, lambda f, v: v.isna().mean() > 0.01 and admitted(f, v.fillna(0)))
    at = where(random, subject)
    return Variant(
        f"missing values of {feature.name} are 0 in {at.words}",
        lambda frame: put(frame, feature.name, at, frame[feature.name].astype(float).fillna(0.0)),
    )


def _pile(random: Random, subject: Subject) -> Variant:
    at = where(random, subject, (0.1, 0.5))
    name = number_of(random, subject, distinct(10)).name
    value = float(subject.rows[name].mean())
    return Variant(f"{name} is the mean, {value:.4g}, in {at.words}", lambda frame: put(frame, name, at, value))


def _clipped(random: Random, subject: Subject) -> Variant:
    at, part = where(random, subject), float(random.uniform(0.5, 0.9))
    name = number_of(random, subject, lambda _, v: bool((v > v.quantile(part)).mean() > 0.05 and v.nunique() > 10)).name
    top = float(subject.rows[name].quantile(part))
    return Variant(
        f"{name} is at most {top:.4g} in {at.words}",
        lambda frame: put(frame, name, at, frame[name].astype(float).clip(upper=top)),
    )


def _coarse(random: Random, subject: Subject) -> Variant:
    steps = int(random.integers(2, 6))
    at = where(random, subject)
    name = number_of(random, subject, distinct(10)).name
    low, high = (float(each) for each in subject.rows[name].quantile([0.01, 0.99]))
    step = max((high - low) / steps, 1e-9)
    return Variant(
        f"{name} is rounded down to steps of {step:.3g} in {at.words}",
        lambda frame: put(
            frame,
            name,
            at,
            # Values below the range stay: a step below them may be outside the contract.
            frame[name].astype(float).where(frame[name] < low, low + ((frame[name] - low) // step) * step),
        ),
    )


def _stale(random: Random, subject: Subject) -> Variant:
    """A number is the one of some rows before."""
    at, back = where(random, subject), int(random.choice([20, 100, 400, 1_000]))
    name = number_of(random, subject, distinct(5)).name
    order = [subject.contract.time, subject.contract.key]

    def change(frame: Frame) -> Frame:
        frame = frame.sort_values(order, ignore_index=True)
        old = frame[name].shift(back)
        return put(frame, name, at, old.where(old.notna(), frame[name]))

    return Variant(f"{name} is the value of {back} rows before in {at.words}", change)


def _noisy(random: Random, subject: Subject) -> Variant:
    at, seed, width = where(random, subject), seed_of(random), float(random.uniform(0.5, 2))
    feature = number_of(random, subject, distinct(10))
    known = subject.rows[feature.name].astype(float)
    low, high, spread = float(known.min()), float(known.max()), float(known.std())
    return Variant(
        f"{feature.name} has noise of {width:.1f} standard deviations in {at.words}",
        lambda frame: put(
            frame,
            feature.name,
            at,
            (frame[feature.name] + normal_by_row(frame, subject.contract, seed) * width * spread).clip(low, high),
        ),
    )


def _offset(random: Random, subject: Subject) -> Variant:
    """A sensor that is off by a constant."""
    by = float(random.choice([-1, 1])) * float(random.uniform(0.3, 1.2))
    at = where(random, subject)
    feature = number_of(random, subject, distinct(10))
    known = subject.rows[feature.name].astype(float)
    low, high, shift = float(known.min()), float(known.max()), by * float(known.std())
    return Variant(
        f"{feature.name} is off by {shift:+.3g} in {at.words}",
        lambda frame: put(frame, feature.name, at, (frame[feature.name].astype(float) + shift).clip(low, high)),
    )


def _missing_in_segment(random: Random, subject: Subject) -> Variant:
    at = where(random, subject, (0.6, 1), segment=True)
    name = number_of(random, subject, lambda f, v: f.nullable and v.isna().mean() < 0.5).name
    return Variant(f"{name} is missing in {at.words}", lambda frame: put(frame, name, at, np.nan))


def _mirrored(random: Random, subject: Subject) -> Variant:
    """The meaning of a number is reversed: rank for score, west for east, in one segment or in all rows."""
    at = where(random, subject, segment=bool(random.random() < 0.5))
    name = number_of(random, subject, distinct(5)).name
    both = float(subject.rows[name].min()) + float(subject.rows[name].max())
    low, high = float(subject.rows[name].min()), float(subject.rows[name].max())
    return Variant(
        f"{name} counts from the other end in {at.words}",
        lambda frame: put(frame, name, at, (both - frame[name].astype(float)).clip(low, high)),
    )


def _fault(name: str, what: str, draw: Any, needs: str = "") -> Fault:
    return Fault(name, what, NAMING_RULES, OTHER_RULES, draw=draw, needs=needs)


FAULTS = (
    _fault("small unit change", "a number is some per cent larger or smaller", _small_unit),
    _fault("one segment in another currency", "a number has another unit in one segment", _currency),
    _fault("net for gross in a segment", "a number is some per cent smaller in one segment", _net, JOURNAL),
    _fault("hours in another zone", "a clock's hour is moved", _hours, JOURNAL),
    _fault("imputed upstream", "missing values are filled in before they are loaded", _imputed, JOURNAL),
    _fault("missing as zero", "missing values are 0", _zero, JOURNAL),
    _fault("pile-up on the mean", "some values are replaced by the mean", _pile),
    _fault("clipped at a maximum", "high values are cut off", _clipped),
    _fault("rounded", "a number has a few values only", _coarse),
    _fault("stale feature", "a number is an old one", _stale, JOURNAL),
    _fault("noisy sensor", "a number has an error", _noisy),
    _fault("sensor off by a constant", "a number is off by a constant", _offset),
    _fault("missing in a segment", "a number is missing in one segment", _missing_in_segment),
    _fault("meaning reversed", "a number counts from the other end", _mirrored),
)

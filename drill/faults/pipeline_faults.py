"""Mistakes of pipelines: batches, joins, parsers, clocks and definitions, each with drawn features, segments and days."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd

from drill.drawing import (
    Where,
    admitted,
    category_of,
    changing,
    distinct,
    number_of,
    put,
    seed_of,
    uniform_by_row,
    where,
)
from drill.fault import DoesNotApplyError, Fault, Random, Variant
from drill.faults import noisy_label_faults, population_faults, small_change_faults
from drill.faults.lookahead_faults import rarest
from drill.faults.mistaken_value_faults import RECODED
from drill.thinned_recipe import Frame, Subject


def _batch_again(random: Random, subject: Subject) -> Variant:
    """Days are loaded a second time, with new keys and the time of the second load."""
    at, contract = where(random, subject), subject.contract
    every, later = int(random.integers(2, 6)), timedelta(hours=float(random.integers(1, 48)))
    days = pd.Timestamp(0, tz="UTC")

    def change(frame: Frame) -> Frame:
        number = (frame[contract.time] - days).dt.days
        again = frame[at.rows(frame) & (number % every == 0).to_numpy()]
        again = again.assign(
            **{
                contract.key: again[contract.key].astype(str) + " again",
                contract.time: (again[contract.time] + later).clip(upper=frame[contract.time].max()),
            }
        )
        return pd.concat([frame, again], ignore_index=True).sort_values(contract.time, ignore_index=True)

    return Variant(f"every {every} days' rows are there again {later} later, with another key, in {at.words}", change)


def _fan_out(random: Random, subject: Subject) -> Variant:
    """A join with a table that has several rows for a segment repeats its rows; a number of the other table differs."""
    at, contract, many = where(random, subject, segment=True), subject.contract, int(random.integers(1, 4))
    seed, name = seed_of(random), number_of(random, subject, distinct(5)).name
    values = subject.rows[name].astype(float).to_numpy()

    def change(frame: Frame) -> Frame:
        parts = [frame]
        for copy in range(many):
            more = frame[at.rows(frame)]
            places = (uniform_by_row(more, contract, seed + copy) * len(values)).astype(int)
            parts.append(
                more.assign(**{contract.key: more[contract.key].astype(str) + f" {copy}", name: values[places]})
            )
        return pd.concat(parts, ignore_index=True).sort_values(contract.time, kind="stable", ignore_index=True)

    return Variant(f"{at.words} are there {many + 1} times, with another {name}", change)


def _sign(random: Random, subject: Subject) -> Variant:
    return _computed(random, subject, "has the other sign", lambda values: -values)


def _overflow(random: Random, subject: Subject) -> Variant:
    """An integer of few bits starts again at 0."""
    part = float(random.uniform(0.4, 0.9))

    def wrapped(values: Any, known: Any) -> Any:
        bound = max(float(np.nanquantile(known, part)), 1e-9)
        return values.where(~(values > bound), values % bound)

    return _of_known(random, subject, "starts again at 0 above a bound", wrapped, segment=False)


def _comma(random: Random, subject: Subject) -> Variant:
    """Digits after a decimal comma are read as further digits of the whole number: 12,5 becomes 125."""

    def joined(values: Any) -> Any:
        text = values.astype(float).map(lambda each: each if np.isnan(each) else float(f"{each:g}".replace(".", "")))
        return text.where(values.abs().map(lambda each: "e" not in f"{each:g}"), values)

    return _computed(random, subject, "lost its decimal comma", joined)


def _precision(random: Random, subject: Subject) -> Variant:
    digits = int(random.integers(1, 3))

    def coarse(values: Any) -> Any:
        with np.errstate(divide="ignore"):
            size = 10.0 ** (np.floor(np.log10(values.abs().where(values != 0, 1.0))) - digits + 1)
        return (values / size).round() * size

    return _computed(random, subject, f"has {digits} significant digits", coarse)


def _constant(random: Random, subject: Subject) -> Variant:
    at = where(random, subject, segment=True)
    name = number_of(random, subject, distinct(5)).name
    value = float(subject.rows[name].astype(float).dropna().sample(1, random_state=seed_of(random)).iloc[0])
    return Variant(f"{name} is {value:g} in {at.words}", lambda frame: put(frame, name, at, value))


def _forward_fill(random: Random, subject: Subject) -> Variant:
    """Values that are missing, or not delivered in time, are those of the row before."""
    at, feature = where(random, subject, (0.2, 0.8)), number_of(random, subject, distinct(5))

    def change(frame: Frame) -> Frame:
        values = frame[feature.name].astype(float)
        filled = values.mask(np.asarray(at.rows(frame))).ffill()
        return put(frame, feature.name, at, filled.fillna(values))

    return Variant(f"{feature.name} is the last row's in {at.words}", change)


def _clock(random: Random, subject: Subject) -> Variant:
    """The times of one segment are of another zone."""
    at, contract = where(random, subject, segment=True), subject.contract
    hours = int(random.choice([-9, -6, -5, 1, 2, 8]))

    def change(frame: Frame) -> Frame:
        times = frame[contract.time]
        moved = (times + timedelta(hours=hours)).clip(times.min(), times.max())
        shifted = frame.assign(**{contract.time: times.mask(at.rows(frame), moved)})
        return shifted.sort_values(contract.time, kind="stable", ignore_index=True)

    return Variant(f"the time is off by {hours} h in {at.words}", change)


def _mapped(random: Random, subject: Subject) -> Variant:
    """A table of codes is outdated: two values of a category are exchanged."""
    name = category_of(random, subject, distinct(1)).name
    one, other = [each for each in subject.rows[name].value_counts().index if pd.notna(each)][:2]
    at = where(random, subject)

    def change(frame: Frame) -> Frame:
        return put(frame, name, at, frame[name].astype(object).replace({one: other, other: one}))

    return Variant(f"{name} {one} and {other} are exchanged in {at.words}", change)


def _definition(random: Random, subject: Subject) -> Variant:
    """One segment counts outcomes otherwise: a share of the rare ones no longer counts, or a number is in another unit."""
    at, contract = where(random, subject, segment=True), subject.contract
    target, seed, part = contract.target, seed_of(random), float(random.uniform(0.4, 0.9))
    if not target.classes:
        factor = float(random.choice([0.5, 1.25, 1.5, 2.0]))
        return Variant(
            f"{target.name} is {factor:g} times as large in {at.words}",
            lambda frame: put(frame, target.name, at, frame[target.name].astype(float) * factor),
        )
    rare, usual = rarest(subject), subject.rows[target.name].value_counts().index[0]

    def change(frame: Frame) -> Frame:
        hit = at.rows(frame) & rare(frame) & (uniform_by_row(frame, contract, seed) < part)
        return put(frame, target.name, Where("", lambda _: hit), usual)

    return Variant(f"{part:.0%} of the rarest outcomes count as {usual} in {at.words}", change)


def _sampled_in_segment(random: Random, subject: Subject) -> Variant:
    """Rows of one outcome of one segment are thinned."""
    at, rare = where(random, subject, (0.4, 0.8), segment=True), rarest(subject)
    other = bool(random.random() < 0.5)
    return Variant(
        f"{at.words} are left out, if the outcome is {'frequent' if other else 'the rarest'}",
        lambda frame: frame[~(at.rows(frame) & (rare(frame) != other))].reset_index(drop=True),
    )


def _computed(random: Random, subject: Subject, words: str, change: Any) -> Variant:
    """A number of one segment that is *change* of itself."""
    return _of_known(random, subject, words, lambda values, _: change(values))


def _of_known(random: Random, subject: Subject, words: str, change: Any, *, segment: bool = True) -> Variant:
    """A number, with *segment* often of one segment only, that is *change* of itself and of the values known before."""
    at = where(random, subject, segment=segment and bool(random.random() < 2 / 3))
    rows = subject.rows
    name = number_of(random, subject, changing(lambda values: change(values, values), 0.05)).name
    known = rows[name].astype(float)
    if not admitted(subject.contract.feature(name), change(known, known)):
        raise DoesNotApplyError("the contract admits no such value")
    return Variant(
        f"{name} {words} in {at.words}", lambda frame: put(frame, name, at, change(frame[name].astype(float), known))
    )


def _value(name: str, what: str, draw: Any, *more: str) -> Fault:
    return Fault(name, what, (*small_change_faults.NAMING_RULES, *more), small_change_faults.OTHER_RULES, draw=draw)


def _rows(name: str, what: str, draw: Any, *more: str) -> Fault:
    return Fault(name, what, (*population_faults.NAMING_RULES, *more), population_faults.OTHER_RULES, draw=draw)


def _outcome(name: str, what: str, draw: Any, *more: str) -> Fault:
    return Fault(name, what, (*noisy_label_faults.NAMING_RULES, *more), noisy_label_faults.OTHER_RULES, draw=draw)


FAULTS = (
    _rows("batch loaded twice", "days are there again, later and under other keys", _batch_again),
    _rows("join repeats rows", "a segment's rows are there several times", _fan_out, "champion.*"),
    _rows("clock of a segment", "the times of one segment are of another zone", _clock, "data.clock"),
    _value("sign reversed", "a number has the other sign", _sign),
    _value("integer overflow", "a number starts again at 0 above a bound", _overflow),
    _value("decimal comma lost", "12,5 is read as 125", _comma),
    _value("precision lost", "a number has few digits", _precision),
    _value("constant in a segment", "a number no longer varies in one segment", _constant),
    _value("filled forward", "a number is that of the row before", _forward_fill),
    _value("codes exchanged", "two values of a category are exchanged", _mapped, *RECODED),
    _outcome("outcome defined otherwise in a segment", "a segment counts outcomes otherwise", _definition),
    _outcome("sampled by outcome in a segment", "rows of one outcome of one segment are thinned", _sampled_in_segment),
)

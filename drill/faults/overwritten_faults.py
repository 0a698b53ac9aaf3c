"""Features that the champion uses, too, and that are changed after the outcome in the rows for training."""

from __future__ import annotations

from typing import Any

from drill.drawing import Where, category_of, distinct, number_of, put, seed_of, since_day, uniform_by_row, where
from drill.fault import DoesNotApplyError, Fault, Random, Variant
from drill.faults.leakage_faults import truth_of
from drill.faults.lookahead_faults import NAMING_RULES, OTHER_RULES, grouping, rarest
from drill.thinned_recipe import Frame, Subject


def _overwritten(random: Random, subject: Subject) -> Variant:
    """A feature that the champion uses is overwritten when the outcome is known."""
    number, seed = number_of(random, subject, distinct(5)), seed_of(random)
    name, part = number.name, float(random.uniform(0.3, 0.9))
    to = float(subject.rows[name].quantile(random.choice([0.02, 0.98])))
    rare = rarest(subject)

    def change(frame: Frame) -> Frame:
        hit = rare(frame) & (uniform_by_row(frame, subject.contract, seed) < part)
        return put(frame, name, Where("", lambda _: hit), to)

    return Variant(f"{name} becomes {to:g} in {part:.0%} of the rows with the rarest outcome, after it", change)


def _backfilled(random: Random, subject: Subject) -> Variant:
    """A number is missing for a part of the rows, which get the next known value of the group."""
    number = number_of(random, subject, distinct(5)).name
    by = grouping(random, subject)
    part, seed = float(random.uniform(0.3, 0.8)), seed_of(random)

    def change(frame: Frame) -> Frame:
        frame = frame.sort_values([subject.contract.time, subject.contract.key], ignore_index=True)
        gone = uniform_by_row(frame, subject.contract, seed) < part
        known = frame[number].astype(float).mask(gone)
        later = known.groupby(frame[by], dropna=False).bfill() if by else known.bfill()
        return frame.assign(**{number: later.where(later.notna(), frame[number])})

    return Variant(f"{part:.0%} of {number} get the next known value" + (f" of the {by}" if by else ""), change)


def _snapshot(random: Random, subject: Subject) -> Variant:
    """A number comes from today's state of a table: since a day it contains the outcome's effect."""
    number = number_of(random, subject, distinct(5))
    day, at = since_day(random, subject), where(random, subject, (0.4, 1), since=False)
    low, high = (float(each) for each in subject.rows[number.name].quantile([0.02, 0.98]))
    share, usual = float(random.uniform(0.2, 0.6)), truth_of(subject.rows, subject)

    def change(frame: Frame) -> Frame:
        outcome = (truth_of(frame, subject) - usual.mean()) / max(usual.std(), 1e-9)
        raised = frame[number.name].astype(float) + share * (high - low) * outcome / 2
        old = frame[subject.contract.time] < day
        return put(frame, number.name, Where("", lambda f: at.rows(f) & old.to_numpy()), raised.clip(low, high))

    return Variant(f"{number.name} before {day:%Y-%m-%d} is today's value, after the outcome ({at.words})", change)


def _copied_backwards(random: Random, subject: Subject) -> Variant:
    """A category is corrected after the outcome."""
    feature = category_of(random, subject, distinct(2))
    rare, seed, part = rarest(subject), seed_of(random), float(random.uniform(0.2, 0.7))
    counts = subject.rows[feature.name].value_counts()
    if len(counts) < 3:
        raise DoesNotApplyError("there is no category with three values")
    value = counts.index[int(random.integers(1, min(4, len(counts))))]

    def change(frame: Frame) -> Frame:
        hit = rare(frame) & (uniform_by_row(frame, subject.contract, seed) < part)
        return put(frame, feature.name, Where("", lambda _: hit), value)

    return Variant(
        f"{feature.name} becomes {value} in {part:.0%} of the rows with the rarest outcome, after it", change
    )


def _fault(name: str, what: str, draw: Any, *more: str) -> Fault:
    return Fault(name, what, (*NAMING_RULES, "data.rewritten", "champion.*", *more), OTHER_RULES, draw=draw)


FAULTS = (
    _fault("overwritten after the outcome", "a number is set when the outcome is known", _overwritten),
    _fault(
        "category corrected after the outcome",
        "a category is set when the outcome is known",
        _copied_backwards,
        "data.segments",
    ),
    _fault(
        "backfill from the future",
        "missing values are the next known ones",
        _backfilled,
        "data.missing_steps",
        "upstream.missing",
    ),
    _fault("snapshot of today", "older rows have today's values", _snapshot),
)

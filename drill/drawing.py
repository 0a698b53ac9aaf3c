"""Random choices of a variant: rows, days, segments and features.

Rows are chosen by a hash of key and time, so that each call of `load` changes the same ones, as a faulty source does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from contracts.row_contract import Contract, Feature
from drill.fault import DoesNotApplyError, Random, Variant
from drill.thinned_recipe import Frame, Subject

Column: TypeAlias = "pd.Series[Any]"
Mask: TypeAlias = Any
#: Shares of all rows between which a segment's share lies.
MIN_SHARE, MAX_SHARE = 0.05, 0.5
#: A change of a feature must concern at least this share of its values.
VISIBLE = 0.2


@dataclass(frozen=True)
class Where:
    """Which rows a variant changes, in words and as a mask."""

    words: str
    rows: Callable[[Frame], Mask]


def seed_of(random: Random) -> int:
    """A seed for draws by row."""
    return int(random.integers(2**20))


def numbers_of(frame: Frame, contract: Contract) -> Any:
    """A 64-bit number for each row, (n,), that depends on its key and time only."""
    return pd.util.hash_array((frame[contract.key].astype(str) + frame[contract.time].astype(str)).to_numpy(object))


def uniform(numbers: Any, seed: int) -> Any:
    """Uniform numbers from 0 to 1, (n,), from those of `numbers_of` and a *seed*, by the finalizer of SplitMix64."""
    mixed = numbers + np.uint64((seed + 1) * 0x9E3779B97F4A7C15 % 2**64)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return (mixed ^ (mixed >> np.uint64(31))) / 2.0**64


def normal(numbers: Any, seed: int) -> Any:
    """Standard normal numbers, (n,), from those of `numbers_of`, by the method of Box and Muller."""
    one, other = (uniform(numbers, seed + n) for n in range(2))
    return np.sqrt(-2 * np.log(np.clip(one, 1e-12, 1))) * np.cos(2 * np.pi * other)


def uniform_by_row(frame: Frame, contract: Contract, seed: int) -> Any:
    """A number from 0 to 1 for each row, (n,), that depends on its key and time only."""
    return uniform(numbers_of(frame, contract), seed)


def normal_by_row(frame: Frame, contract: Contract, seed: int) -> Any:
    """A standard normal number for each row, (n,), that depends on its key and time only."""
    return normal(numbers_of(frame, contract), seed)


def where(
    random: Random,
    subject: Subject,
    share: tuple[float, float] | None = None,
    *,
    segment: bool = False,
    since: bool | None = None,
) -> Where:
    """Rows drawn: a *share* of those of a *segment* (all if false) *since* a day (None: one time in three, all days)."""
    contract, seed = subject.contract, seed_of(random)
    part = float(random.uniform(*share)) if share else 1.0
    of = segment_of(random, subject) if segment else None
    late = (random.random() < 2 / 3) if since is None else since
    day = since_day(random, subject) if late else None
    words = [
        f"{part:.0%} of the rows" if share else "the rows",
        f"with {of[0]} = {of[1]}" if of else "",
        f"since {day:%Y-%m-%d}" if day else "of all days",
    ]

    def rows(frame: Frame) -> Mask:
        found = np.ones(len(frame), dtype=bool)
        if of:
            found &= (frame[of[0]] == of[1]).fillna(False).to_numpy(dtype=bool)
        if day:
            found &= (frame[contract.time] >= day).to_numpy(dtype=bool)
        if share:
            found &= uniform_by_row(frame, contract, seed) < part
        return found

    return Where(" ".join(filter(None, words)), rows)


def since_day(random: Random, subject: Subject) -> datetime:
    """A day after the end of the champion's data, in the first half of the later rows."""
    later = subject.end - subject.since
    return subject.since + timedelta(days=int(random.integers(0, max(1, later.days // 2))))


def segment_of(
    random: Random, subject: Subject, smallest: float = MIN_SHARE, largest: float = MAX_SHARE
) -> tuple[str, Any]:
    """A column, and one of its values that a moderate share of the rows has."""
    rows = subject.rows
    found = []
    for feature in subject.contract.features:
        if feature.kind != "number":
            shares = rows[feature.name].value_counts(normalize=True)
            found += [(feature.name, value) for value in shares[(shares >= smallest) & (shares <= largest)].index]
    if not found:
        raise DoesNotApplyError(f"no category or boolean has a value in {smallest:.0%} to {largest:.0%} of the rows")
    return found[int(random.integers(len(found)))]


def category_of(random: Random, subject: Subject, fits: Callable[[Feature, Column], bool] = lambda *_: True) -> Feature:
    """A category that *fits*."""
    found = [f for f in subject.contract.features if f.kind == "category" and fits(f, subject.rows[f.name])]
    if not found:
        raise DoesNotApplyError("there is no such category")
    return found[int(random.integers(len(found)))]


def number_of(random: Random, subject: Subject, fits: Callable[[Feature, Column], bool] = lambda *_: True) -> Feature:
    """A numeric feature that *fits*."""
    numbers = [f for f in subject.contract.features if f.kind == "number"]
    found = [f for f in numbers if fits(f, subject.rows[f.name].astype(float))]
    if not found:
        raise DoesNotApplyError("there is no such number")
    return found[int(random.integers(len(found)))]


def changing(change: Callable[[Column], Any], visible: float = VISIBLE) -> Callable[[Feature, Column], bool]:
    """Whether *change* alters a visible share of a number's values, and the contract admits them all."""

    def fits(feature: Feature, values: Column) -> bool:
        changed = pd.Series(change(values), index=values.index)
        differs = (changed != values) & ~(changed.isna() & values.isna())
        return admitted(feature, changed) and bool(differs.mean() >= visible)

    return fits


def distinct(more_than: int) -> Callable[[Feature, Column], bool]:
    """Whether a feature has more than so many values."""
    return lambda _, values: len(values.dropna().unique()) > more_than


def admitted(feature: Feature, values: Column) -> bool:
    """Whether the contract admits all values of a number."""
    low = -np.inf if feature.minimum is None else feature.minimum
    high = np.inf if feature.maximum is None else feature.maximum
    known = values.dropna()
    return bool(((known >= low) & (known <= high)).all()) and (feature.nullable or len(known) == len(values))


def put(frame: Frame, name: str, at: Where, values: Any) -> Frame:
    """The *frame* with *values* in the column *name*, in the rows of *at*."""
    column = frame[name]
    if pd.api.types.is_bool_dtype(column) or not pd.api.types.is_numeric_dtype(column):
        column = column.astype(object)
    else:
        column = column.astype(float)
    hit = np.broadcast_to(np.asarray(at.rows(frame), dtype=bool), len(frame))
    return frame.assign(**{name: column.mask(hit, pd.Series(values, index=frame.index))})


def scaled(random: Random, subject: Subject, at: Where, factors: Iterable[float]) -> Variant:
    """A number is larger in the rows of *at*, by the first of the *factors* for which the contract admits one."""
    for factor in factors:
        with suppress(DoesNotApplyError):
            return _times(random, subject, at, factor)
    raise DoesNotApplyError("the contract admits no other unit of a number")


def _times(random: Random, subject: Subject, at: Where, factor: float) -> Variant:
    name = number_of(random, subject, changing(lambda values: values * factor)).name
    return Variant(
        f"{name} is {factor:.4g} times as large in {at.words}",
        lambda frame: put(frame, name, at, frame[name].astype(float) * factor),
    )

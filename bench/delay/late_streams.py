"""Streams whose outcomes come late, with all of their outcomes: real delays, generated ones, and none."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd

from bench.delay import late_hotel
from contracts.row_contract import Contract
from drill.streams import shop
from model.label_delay.training_rows import HISTORY
from model.train import read_recipe

ROOT = Path(__file__).parents[2]
#: The longest generated delay in days.
MAX_DELAY = 240.0
#: The share of the flights that is used: with all 515,000, a night takes four minutes.
THINNED = 1 / 6
Load = Callable[[datetime, datetime], pd.DataFrame]


@dataclass(frozen=True)
class Stream:
    """A recipe with label delay, its training window, and the nights on which it is trained.

    *holdout* is the time of the rows that judge a model.
    """

    name: str
    contract: Contract
    load: Load
    make: Callable[[], Any]
    window: timedelta
    nights: tuple[datetime, ...]
    period: timedelta = timedelta(days=14)
    holdout: timedelta = timedelta(days=28)

    @property
    def span(self) -> tuple[datetime, datetime]:
        """The time of all rows that are needed."""
        return self.nights[0] - (HISTORY + 1) * self.window - self.period, self.nights[-1] + self.period

    def at_once(self) -> Stream:
        """The same stream with outcomes that are known at once."""
        return replace(self, contract=replace(self.contract, target=replace(self.contract.target, known_at="")))

    def outcomes(self) -> pd.Series[Any]:
        """The outcome of each row, as it turned out, by key and time."""
        rows = self.load(*self.span)
        at = pd.MultiIndex.from_frame(rows[[self.contract.key, self.contract.time]])
        return pd.Series(rows[self.contract.target.name].to_numpy(), at)


def hotel() -> Stream:
    """Hotel bookings, from the first night with 330 days of history on."""
    first, last = datetime(2016, 5, 26, tzinfo=UTC), datetime(2017, 3, 1, tzinfo=UTC)
    return _loaded_once(
        Stream(
            "hotel bookings",
            late_hotel.CONTRACT,
            late_hotel.load,
            late_hotel.estimator,
            timedelta(days=120),
            _every(first, timedelta(days=14), last),
        )
    )


def flights(days: float) -> Stream:
    """`THINNED` of the flights of the default recipe; delayed and punctual ones are known after *days* and three times as many."""
    recipe = read_recipe(ROOT / "model/recipe.py")
    nights = _every(datetime(2014, 5, 5, tzinfo=UTC), timedelta(days=14), datetime(2014, 12, 1, tzinfo=UTC))

    def some(start: datetime, end: datetime) -> pd.DataFrame:
        rows = recipe.load(start, end)
        return rows[_uniform("thinned " + rows[recipe.CONTRACT.key]) <= THINNED]

    return _delayed(f"flights, {days:g} days", recipe, some, days, ("distance", 828), timedelta(days=90), nights)


def orders(days: float) -> Stream:
    """The generated shop: returned orders are known after *days* on average, the others after three times as many."""
    nights = _every(datetime(2025, 3, 3, tzinfo=UTC), timedelta(days=14), datetime(2025, 12, 1, tzinfo=UTC))
    name = f"generated shop, {days:g} days" if days else "generated shop, no delay"
    return _delayed(name, shop, shop.load, days, ("price", 46), timedelta(days=90), nights)


def _delayed(
    name: str,
    recipe: ModuleType,
    load: Load,
    days: float,
    longer: tuple[str, float],
    window: timedelta,
    nights: tuple[datetime, ...],
) -> Stream:
    """A recipe's rows, known after exponential delays, twice as long where the feature of *longer* is above its value.

    No delay is longer than `MAX_DELAY`, so that no outcome becomes known in the future.
    """
    contract: Contract = recipe.CONTRACT
    positive, late = contract.target.classes[1], replace(contract.target, known_at="known_at")

    def delayed(start: datetime, end: datetime) -> pd.DataFrame:
        rows = load(start, end)
        slow = np.where(rows[longer[0]] > longer[1], 2.0, 1.0)
        mean = days * slow * np.where(rows[contract.target.name] == positive, 1.0, 3.0)
        took = pd.to_timedelta(np.minimum(-np.log(_uniform(rows[contract.key])) * mean, MAX_DELAY), unit="D")
        return rows.assign(known_at=(rows[contract.time] + took).dt.ceil("s"))

    return _loaded_once(Stream(name, replace(contract, target=late), delayed, recipe.estimator, window, nights))


def _loaded_once(stream: Stream) -> Stream:
    """The stream, whose rows are loaded once for all nights."""
    whole = functools.cache(lambda: stream.load(*stream.span).sort_values(stream.contract.time, kind="stable"))

    def part(start: datetime, end: datetime) -> pd.DataFrame:
        rows = whole()
        first, last = rows[stream.contract.time].searchsorted([pd.Timestamp(start), pd.Timestamp(end)])
        return rows.iloc[first:last].reset_index(drop=True)

    return replace(stream, load=part)


def _uniform(keys: pd.Series[Any]) -> np.ndarray[Any, Any]:
    """A number in (0, 1] for each key, the same in each load."""
    digests = [hashlib.blake2b(key.encode(), digest_size=6).digest() for key in keys]
    return np.array([(int.from_bytes(each) + 1) / 2**48 for each in digests])


def _every(first: datetime, step: timedelta, last: datetime) -> tuple[datetime, ...]:
    found = []
    while first + step <= last:
        found.append(first)
        first += step
    return tuple(found)

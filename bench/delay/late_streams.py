"""Streams whose outcomes come late, with all of their outcomes: real delays, generated ones, and none."""

from __future__ import annotations

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
from model.train import read_recipe

ROOT = Path(__file__).parents[2]
#: The longest generated delay in days.
LONGEST = 240.0
Load = Callable[[datetime, datetime], pd.DataFrame]


@dataclass(frozen=True)
class Stream:
    """A recipe with label delay, its training window, and the nights on which it is trained."""

    name: str
    contract: Contract
    load: Load
    make: Callable[[], Any]
    window: timedelta
    nights: tuple[datetime, ...]
    period: timedelta = timedelta(days=14)


def hotel() -> Stream:
    """Hotel bookings, from the first night with 330 days of history on."""
    first, last = datetime(2016, 5, 26, tzinfo=UTC), datetime(2017, 3, 1, tzinfo=UTC)
    return Stream(
        "hotel bookings",
        late_hotel.CONTRACT,
        late_hotel.load,
        late_hotel.estimator,
        timedelta(days=120),
        _every(first, timedelta(days=14), last),
    )


def flights(days: float) -> Stream:
    """The flights of the default recipe; delayed and punctual ones are known after *days* and three times as many."""
    recipe = read_recipe(ROOT / "model/recipe.py")
    nights = _every(datetime(2014, 5, 5, tzinfo=UTC), timedelta(days=56), datetime(2014, 12, 1, tzinfo=UTC))
    return _delayed(f"flights, {days:g} days", recipe, recipe.load, days, ("distance", 828), timedelta(days=90), nights)


def orders(days: float) -> Stream:
    """The generated shop: returned orders are known after *days* on average, the others after three times as many."""
    nights = _every(datetime(2025, 3, 3, tzinfo=UTC), timedelta(days=28), datetime(2025, 12, 1, tzinfo=UTC))
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

    No delay is longer than `LONGEST`, so that no outcome becomes known in the future.
    """
    contract: Contract = recipe.CONTRACT
    positive, late = contract.target.classes[1], replace(contract.target, known_at="known_at")

    def delayed(start: datetime, end: datetime) -> pd.DataFrame:
        rows = load(start, end)
        slow = np.where(rows[longer[0]] > longer[1], 2.0, 1.0)
        mean = days * slow * np.where(rows[contract.target.name] == positive, 1.0, 3.0)
        took = pd.to_timedelta(np.minimum(-np.log(_uniform(rows[contract.key])) * mean, LONGEST), unit="D")
        return rows.assign(known_at=(rows[contract.time] + took).dt.ceil("s"))

    return Stream(name, replace(contract, target=late), delayed, recipe.estimator, window, nights)


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

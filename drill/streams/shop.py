"""A generated shop: will the order be returned? Binary, with segments, currencies, macro figures and growth.

The truth is known: `chance` gives the probability of each row. The same days have the same rows in each load.
"""

from __future__ import annotations

import functools
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder

from drill.streams.generated_days import rows_between
from model.contract import Contract, Feature, Target

#: Country: share of the orders, units of its currency for a euro, effect on the logit.
COUNTRIES = {
    "DE": (0.4, 1.0, 0.3),
    "FR": (0.2, 1.0, 0.0),
    "CH": (0.15, 0.95, -0.5),
    "SE": (0.15, 11.3, -0.2),
    "PL": (0.1, 4.3, -0.7),
}
CATEGORIES = ("shoes", "dresses", "books", "tools", "toys")
EFFECTS = (0.9, 1.2, -1.0, -0.4, 0.0)
START = date(2024, 1, 1)
CONTRACT = Contract(
    name="shop-return",
    description="Will an order be returned?",
    task="binary",
    key="order",
    time="ordered_at",
    features=(
        Feature("country", "category", "where it is sent", owner="orders"),
        Feature("category", "category", "what was ordered", owner="catalogue"),
        Feature("channel", "category", "app, web or shop", owner="orders"),
        Feature("known", "boolean", "the customer ordered before", owner="orders"),
        Feature("price", "number", "price of the order, in euros", "EUR", 0, owner="orders"),
        Feature("discount", "number", "share of the list price", minimum=0, maximum=1, owner="orders"),
        Feature("items", "number", "pieces in the order", minimum=1, maximum=200, owner="orders"),
        Feature("hour", "number", "hour of the order, local time", "h", 0, 23, owner="orders"),
        Feature("age", "number", "age of the account", "days", 0, nullable=True, owner="accounts"),
        Feature("visits", "number", "visits in the last month", minimum=0, nullable=True, owner="web"),
        Feature("confidence", "number", "consumer confidence, a figure a month", owner="macro"),
        Feature("rate", "number", "interest rate, a figure a week", owner="macro"),
    ),
    target=Target("returned", (False, True), "sent back within two weeks"),
    slices=("country",),
)
HOLDOUT = timedelta(days=14)
#: The days as of which the drill trains.
DRILL_DAYS = (date(2024, 9, 1), date(2026, 6, 1))


def window(today: date) -> tuple[datetime, datetime]:
    """The training window on the day *today*: 90 days."""
    end = datetime.combine(today, time(), UTC)
    return end - timedelta(days=90), end


def load(start: datetime, end: datetime) -> pd.DataFrame:
    """The orders from *start* up to *end*."""
    return rows_between(_day, START, "ordered_at", start, end).drop(columns="chance")


def estimator() -> Pipeline:
    """Trees on one-hot categories."""
    encoder = OneHotEncoder(handle_unknown="ignore", min_frequency=20, sparse_output=False)
    trees = HistGradientBoostingClassifier(
        max_iter=80, max_leaf_nodes=15, min_samples_leaf=50, l2_regularization=5.0, early_stopping=False, random_state=0
    )
    encoded = ColumnTransformer([("categories", encoder, ["country", "category", "channel"])], remainder="passthrough")
    return make_pipeline(encoded, trees)


@functools.lru_cache(maxsize=400)
def _day(day: int) -> pd.DataFrame:
    random = np.random.default_rng(20_000 + day)
    weekday, season = (START.toordinal() + day - 1) % 7, np.sin(2 * np.pi * day / 365)
    # A tenth more orders each half-year, fewer at weekends.
    n = int(random.poisson(110 * 1.1 ** (day / 182) * (0.7 if weekday >= 5 else 1.0)))
    country = random.choice(list(COUNTRIES), n, p=[share for share, *_ in COUNTRIES.values()])
    group = random.integers(0, len(CATEGORIES), n)
    hour = np.clip(random.normal(15, 4.5, n), 0, 23.99)
    known = random.random(n) < 0.55
    price = np.exp(random.normal(3.9 + 0.25 * (group == 1) - 0.6 * (group == 2), 0.7))
    discount = np.where(random.random(n) < 0.4, random.beta(2, 5, n), 0.0)
    age = np.where(known, random.gamma(1.5, 200 + day * 0.2, n), 0.0)
    visits = random.poisson(3 + 2 * known)
    items = 1 + random.poisson(0.8, n)
    confidence = round(100 + 5 * np.sin(day // 30 / 5), 1)
    rate = round(3.5 - 0.01 * (day // 7), 2)
    columns: dict[str, Any] = {
        "order": [f"o{day}-{i}" for i in range(n)],
        "ordered_at": pd.to_datetime(START, utc=True)
        + pd.to_timedelta(day, "D")
        + pd.to_timedelta(np.round(hour * 3600 + random.random(n)), "s"),
        "country": country,
        "category": np.array(CATEGORIES)[group],
        "channel": random.choice(["app", "web", "shop"], n, p=[0.5, 0.4, 0.1]),
        "known": known,
        "price": price.round(2),
        "discount": discount.round(3),
        "items": items.astype(float),
        "hour": np.floor(hour),
        "age": np.where(random.random(n) < 0.06, np.nan, np.floor(age)),
        "visits": np.where(random.random(n) < 0.1, np.nan, visits),
        "confidence": confidence,
        "rate": rate,
    }
    rows = pd.DataFrame(columns)
    effect = np.array([COUNTRIES[each][2] for each in country])
    logit = (
        -1.3
        + np.array(EFFECTS)[group]
        + effect
        + 0.5 * (np.log(price) - 3.9)
        + 1.6 * discount
        - 0.5 * known
        - 0.15 * np.log1p(age)
        + 0.35 * (items - 1)
        + 0.12 * (visits - 4)
        + 0.5 * np.cos(2 * np.pi * (hour - 23) / 24)
        + 0.15 * season
        + 0.02 * (confidence - 100)
    )
    chance = 1 / (1 + np.exp(-logit))
    return rows.assign(returned=random.random(n) < chance, chance=chance)

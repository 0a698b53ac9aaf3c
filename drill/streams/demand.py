"""Generated demand at charging stations: sessions in the next hour. Regression, hourly, with weather and growth.

The truth is known: the expected number of each row is `_expected`. The same days have the same rows in each load.
"""

from __future__ import annotations

import functools
from datetime import UTC, date, datetime, time, timedelta

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder

from drill.streams.generated_days import rows_between
from model.contract import Contract, Feature, Target

#: Station: size, kind.
STATIONS = {
    "airport": (9.0, "fast"),
    "centre": (6.0, "slow"),
    "mall": (5.0, "fast"),
    "park": (3.0, "slow"),
    "port": (2.0, "fast"),
}
WEATHER = ("clear", "cloud", "rain")
START = date(2024, 1, 1)
CONTRACT = Contract(
    name="charging-demand",
    description="Sessions that begin in the next hour",
    task="regression",
    key="station_hour",
    time="hour_at",
    features=(
        Feature("station", "category", "where", owner="network"),
        Feature("kind", "category", "kind of charger", owner="network"),
        Feature("weather", "category", "forecast", owner="weather"),
        Feature("holiday", "boolean", "public holiday", owner="calendar"),
        Feature("hour", "number", "local time", "h", 0, 23, owner="calendar"),
        Feature("weekday", "number", "0 is Monday", minimum=0, maximum=6, owner="calendar"),
        Feature("temp", "number", "forecast", "°C", -40, 60, nullable=True, owner="weather"),
        Feature("wind", "number", "forecast", "km/h", 0, 300, nullable=True, owner="weather"),
        Feature("price", "number", "price of energy", "ct/kWh", 0, 500, owner="market"),
        Feature(
            "yesterday", "number", "sessions in this hour the day before", minimum=0, nullable=True, owner="network"
        ),
    ),
    target=Target("sessions", (), "sessions that begin in the hour", minimum=0),
    slices=("station",),
)
HOLDOUT = timedelta(days=14)
#: The days as of which the drill trains.
DRILL_DAYS = (date(2024, 9, 1), date(2026, 6, 1))


def window(today: date) -> tuple[datetime, datetime]:
    """The training window on the day *today*: 90 days."""
    end = datetime.combine(today, time(), UTC)
    return end - timedelta(days=90), end


def load(start: datetime, end: datetime) -> pd.DataFrame:
    """The hours from *start* up to *end*."""
    return rows_between(_day, START, "hour_at", start, end)


def estimator() -> Pipeline:
    """Trees on one-hot categories."""
    encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    trees = HistGradientBoostingRegressor(
        max_iter=120,
        max_leaf_nodes=15,
        min_samples_leaf=40,
        l2_regularization=5.0,
        early_stopping=False,
        random_state=0,
    )
    encoded = ColumnTransformer([("categories", encoder, ["station", "kind", "weather"])], remainder="passthrough")
    return make_pipeline(encoded, trees)


def _holiday(day: int) -> bool:
    at = START + timedelta(days=day)
    return (at.month, at.day) in {(1, 1), (5, 1), (12, 25), (12, 26)}


def _expected(rows: pd.DataFrame, day: int) -> np.ndarray:
    """The expected number of sessions, (n,)."""
    size = rows["station"].map({name: each[0] for name, each in STATIONS.items()})
    free = rows["holiday"] | (rows["weekday"] >= 5)
    peak = np.exp(-((rows["hour"] - np.where(free, 14, 18)) ** 2) / 18) + 0.15
    cold = 1 + 0.015 * (15 - rows["temp_true"])
    wet = rows["weather"].map({"clear": 1.0, "cloud": 0.95, "rain": 0.75})
    dear = np.exp(-0.008 * (rows["price"] - 40))
    return np.asarray(size * peak * cold * wet * dear * np.where(free, 0.85, 1.0) * 1.15 ** (day / 182))


@functools.lru_cache(maxsize=500)
def _counts(day: int) -> tuple[pd.DataFrame, np.ndarray]:
    """The day's rows without the count of the day before, and its counts."""
    random = np.random.default_rng(30_000 + day)
    warm = 11 - 9 * np.cos(2 * np.pi * (day - 15) / 365) + np.random.default_rng(40_000 + day // 3).normal(0, 3)
    hours = np.tile(np.arange(24), len(STATIONS))
    station = np.repeat(list(STATIONS), 24)
    n = len(hours)
    temp = warm + 4 * np.sin(2 * np.pi * (hours - 9) / 24) + random.normal(0, 0.7, n)
    rows = pd.DataFrame(
        {
            "station": station,
            "kind": [STATIONS[each][1] for each in station],
            "weather": np.tile(random.choice(WEATHER, 24, p=[0.5, 0.3, 0.2]), len(STATIONS)),
            "holiday": _holiday(day),
            "hour": hours.astype(float),
            "weekday": float((START.toordinal() + day - 1) % 7),
            "temp_true": temp,
            "temp": np.where(random.random(n) < 0.05, np.nan, temp.round(1)),
            "wind": np.where(random.random(n) < 0.05, np.nan, random.gamma(3, 4, n).round(1)),
            "price": (40 + 12 * np.sin(2 * np.pi * (hours - 14) / 24) + random.normal(0, 4, n)).clip(1, 499).round(1),
        }
    )
    at = pd.to_datetime(START, utc=True) + pd.to_timedelta(day, "D") + pd.to_timedelta(hours, "h")
    rows.insert(0, "hour_at", at)
    rows.insert(0, "station_hour", [f"{name} {day}-{hour}" for name, hour in zip(station, hours, strict=True)])
    return rows, random.poisson(_expected(rows, day)).astype(float)


def _day(day: int) -> pd.DataFrame:
    rows, counts = _counts(day)
    return rows.drop(columns="temp_true").assign(yesterday=_counts(day - 1)[1], sessions=counts)

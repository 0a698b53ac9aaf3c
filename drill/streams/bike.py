"""Bike rentals in an hour: the UCI "Bike Sharing" table of Capital Bikeshare.

The file bike_demand.parquet is not part of the project: see `drill.streams.folder`.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder

from drill.streams.folder import read
from model.contract import Contract, Feature, Target

WORDS = ("weekday", "season", "weather")
CONTRACT = Contract(
    name="bike-demand",
    description="Rentals in the hour",
    task="regression",
    key="hour_id",
    time="hour_at",
    features=(
        *(Feature(name, "category") for name in WORDS),
        Feature("holiday", "boolean"),
        Feature("workingday", "boolean"),
        Feature("hour", "number", "local time", "h", 0, 23),
        Feature("month", "number", minimum=1, maximum=12),
        Feature("temp", "number", "share of 41 °C"),
        Feature("atemp", "number", "felt, share of 50 °C"),
        Feature("hum", "number", "relative humidity", minimum=0, maximum=1),
        Feature("windspeed", "number", "share of 67 km/h", minimum=0),
    ),
    target=Target("rentals", (), "rentals in the hour", minimum=0),
    slices=("weather",),
)
HOLDOUT = timedelta(days=28)
#: The days as of which the drill trains.
DRILL_DAYS = (date(2011, 12, 1), date(2012, 11, 20))


def window(today: date) -> tuple[datetime, datetime]:
    """The training window on the day *today*: 200 days."""
    end = datetime.combine(today, time(), UTC)
    return end - timedelta(days=200), end


def load(start: datetime, end: datetime) -> pd.DataFrame:
    """The hours from *start* up to *end*."""
    rows = read("bike_demand")
    at = pd.to_datetime(rows["timestamp"], utc=True)
    rows = rows.assign(hour_at=at, hour_id="h" + at.dt.strftime("%Y%m%d%H"), rentals=rows["target"])
    return rows[(rows["hour_at"] >= start) & (rows["hour_at"] < end)].reset_index(drop=True)


def estimator() -> Pipeline:
    """Trees on one-hot categories."""
    encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    trees = HistGradientBoostingRegressor(
        max_iter=150,
        max_leaf_nodes=15,
        min_samples_leaf=30,
        l2_regularization=5.0,
        early_stopping=False,
        random_state=0,
    )
    return make_pipeline(ColumnTransformer([("categories", encoder, list(WORDS))], remainder="passthrough"), trees)

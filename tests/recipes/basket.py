"""Regression: how much will the visitor spend?"""

from __future__ import annotations

import sys
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder

from model.contract import Contract, Target

sys.path.insert(0, str(Path(__file__).parent))
from visits import FEATURES, visits

CONTRACT = Contract(
    name="basket",
    task="regression",
    features=FEATURES,
    target=Target("spent", description="value of the order", unit="EUR", minimum=0),
    key="visitor",
    time="at",
    slices=("country",),
)
HOLDOUT = timedelta(days=10)


def window(today: date) -> tuple[datetime, datetime]:
    end = datetime.combine(today, time(), UTC)
    return end - timedelta(days=40), end


def load(start: datetime, end: datetime) -> pd.DataFrame:
    rows = visits(start, end)
    return rows.assign(spent=(60 + 15 * rows["appeal"]).clip(lower=0).round(2))


def estimator() -> Pipeline:
    encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    return make_pipeline(
        ColumnTransformer(
            [("categories", encoder, ["country", "device"]), ("numbers", "passthrough", ["age", "pages", "returning"])]
        ),
        HistGradientBoostingRegressor(max_iter=40, min_samples_leaf=20, random_state=0),
    )

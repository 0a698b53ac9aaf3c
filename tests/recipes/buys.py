"""Binary: will the visitor buy?"""

from __future__ import annotations

import sys
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from model.contract import Contract, Target

sys.path.insert(0, str(Path(__file__).parent))
from visits import FEATURES, visits

CONTRACT = Contract(
    name="buys",
    task="binary",
    features=FEATURES,
    target=Target("bought", ("no", "yes"), "placed an order within the visit"),
    key="visitor",
    time="at",
    slices=("country", "device"),
    private=("visitor", "age"),
)
HOLDOUT = timedelta(days=10)


def window(today: date) -> tuple[datetime, datetime]:
    end = datetime.combine(today, time(), UTC)
    return end - timedelta(days=40), end


def load(start: datetime, end: datetime) -> pd.DataFrame:
    rows = visits(start, end)
    return rows.assign(bought=(rows["appeal"] > 0.6).map({True: "yes", False: "no"}))


def estimator() -> Pipeline:
    numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    return make_pipeline(
        ColumnTransformer(
            [
                ("numbers", numbers, ["age", "pages", "returning"]),
                ("categories", OneHotEncoder(handle_unknown="ignore"), ["country", "campaign", "device"]),
            ]
        ),
        LogisticRegression(),
    )

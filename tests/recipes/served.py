"""Binary, on the journal alone: will the visitor buy? A shop without a warehouse, which posts outcomes when it has them."""

from __future__ import annotations

import sys
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from model.contract import Contract, Target
from model.sources import journal

sys.path.insert(0, str(Path(__file__).parent))
from visits import FEATURES

CONTRACT = Contract(
    name="served",
    task="binary",
    # A shop that leaves out the age, which it would have to keep private.
    features=tuple(replace(each) for each in FEATURES if each.name != "age"),
    target=Target("bought", ("no", "yes"), "placed an order within the visit", known_at="reported_at"),
    key="visitor",
    time="at",
    slices=("country", "device"),
    private=("visitor",),
)
HOLDOUT = timedelta(days=10)


def window(today: date) -> tuple[datetime, datetime]:
    end = datetime.combine(today, time(), UTC)
    return end - timedelta(days=40), end


def load(start: datetime, end: datetime) -> pd.DataFrame:
    return journal.rows(CONTRACT, start, end)


def estimator() -> Pipeline:
    encoder = OneHotEncoder(handle_unknown="ignore")
    return make_pipeline(
        ColumnTransformer(
            [("numbers", StandardScaler(), ["pages"]), ("categories", encoder, ["country", "campaign", "device"])]
        ),
        LogisticRegression(),
    )

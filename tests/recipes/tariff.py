"""Multiclass: which tariff will the visitor take?"""

from __future__ import annotations

import sys
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder

from model.contract import Contract, Target

sys.path.insert(0, str(Path(__file__).parent))
from visits import FEATURES, visits

CONTRACT = Contract(
    name="tariff",
    task="multiclass",
    features=FEATURES,
    target=Target("tariff", ("basic", "plus", "pro"), "the tariff in the basket"),
    key="visitor",
    time="at",
    slices=("country",),
)


def window(today: date) -> tuple[datetime, datetime]:
    end = datetime.combine(today, time(), UTC)
    return end - timedelta(days=40), end


def load(start: datetime, end: datetime) -> pd.DataFrame:
    rows = visits(start, end)
    levels = np.array(["basic", "plus", "pro"], dtype=object)
    return rows.assign(tariff=levels[np.digitize(rows["appeal"], [-0.2, 1.2])])


def estimator() -> Pipeline:
    numbers = SimpleImputer(strategy="median")
    return make_pipeline(
        ColumnTransformer(
            [
                ("numbers", numbers, ["age", "pages", "returning"]),
                ("categories", OneHotEncoder(handle_unknown="ignore"), ["country", "device"]),
            ]
        ),
        RandomForestClassifier(n_estimators=30, max_depth=6, min_samples_leaf=20, random_state=0),
    )

"""A recipe with BENCH_ROWS synthetic rows, a sixth of them holdout, and BENCH_NUMBERS numeric features."""

from __future__ import annotations

import os
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder

from model.contract import Contract, Feature, Target

ROWS = int(os.environ.get("BENCH_ROWS", "120000"))
DAYS, HOLDOUT = 60, timedelta(days=10)
#: Training is not measured: with very many rows it is shortened.
ROUNDS = 120 if ROWS < 500_000 else 20
NUMBERS, WORDS = int(os.environ.get("BENCH_NUMBERS", "8")), {"place": 3, "kind": 12, "goal": 20}

CONTRACT = Contract(
    name="many",
    task="binary",
    key="who",
    time="at",
    features=(
        *(Feature(name, "category") for name in WORDS),
        *(Feature(f"x{n}", "number", nullable=True) for n in range(NUMBERS)),
        Feature("flag", "boolean"),
    ),
    target=Target("y", (False, True)),
    slices=("place", "kind"),
)


def window(today: date) -> tuple[datetime, datetime]:
    """Sixty days."""
    end = datetime.combine(today, time(), UTC)
    return end - timedelta(days=DAYS), end


def load(start: datetime, end: datetime) -> pd.DataFrame:
    """Rows evenly over the days, the same for the same day."""
    days = pd.date_range(start, end, freq="D", inclusive="left")
    rows = pd.concat([_day(day) for day in days], ignore_index=True)
    return rows[rows["at"] < end]


def _day(day: pd.Timestamp) -> pd.DataFrame:
    rows = ROWS // DAYS
    random = np.random.default_rng(day.toordinal())
    found: dict[str, object] = {
        "who": random.integers(0, ROWS // 3, rows).astype(str),
        "at": day + pd.to_timedelta(np.sort(random.uniform(0, 86_400, rows)), unit="s"),
        "flag": random.random(rows) < 0.3,
    }
    pull: Any = 1.2 * np.asarray(found["flag"], dtype=float)
    for name, count in WORDS.items():
        place = random.integers(0, count, rows)
        found[name] = np.array([f"{name}{n}" for n in range(count)])[place]
        pull = pull + np.sin(place)
    for n in range(NUMBERS):
        value = random.normal(0, 1, rows)
        pull = pull + value * (0.8 if n < 4 else 0.0)
        found[f"x{n}"] = np.where(random.random(rows) < 0.02, np.nan, value)
    found["y"] = random.random(rows) < 1 / (1 + np.exp(1.0 - pull))
    return pd.DataFrame(found)


def estimator() -> Pipeline:
    """As the default recipe's, with fewer rounds for many rows."""
    encoder = OneHotEncoder(handle_unknown="ignore", min_frequency=50, sparse_output=False)
    return make_pipeline(
        ColumnTransformer([("words", encoder, list(WORDS))], remainder="passthrough"),
        HistGradientBoostingClassifier(max_iter=ROUNDS, max_leaf_nodes=15, random_state=0),
    )

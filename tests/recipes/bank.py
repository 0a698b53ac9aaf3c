"""Calls of a bank's campaign: columns of the caller beside figures that change each day, month or quarter.

Figures follow a trend with steps of very different sizes, and cross zero; rows a day vary by a factor of five; rare
values of categories stay away for weeks. Nothing is wrong with any day.
"""

from __future__ import annotations

import functools
from datetime import UTC, date, datetime, time, timedelta

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from model.contract import Contract, Feature, Target

WORDS = ("job", "contact", "month", "last_outcome")
NUMBERS = ("age", "campaign", "since_last", "employment_change", "prices", "confidence", "rate", "employed", "warning")
CONTRACT = Contract(
    name="deposit",
    task="binary",
    key="call",
    time="at",
    features=(*(Feature(name, "category") for name in WORDS), *(Feature(name, "number") for name in NUMBERS)),
    target=Target("deposit", (False, True)),
)
HOLDOUT = timedelta(days=14)
START = date(2024, 1, 1)
JOBS = ("clerk", "technician", "worker", "manager", "retired", "student", "unknown")
SHARES = (0.3, 0.25, 0.2, 0.12, 0.09, 0.035, 0.005)
#: Change of employment by quarter: it falls from 1.4 to -3.4, with signs and sizes that no unit explains.
EMPLOYMENT = (1.4, 1.1, -0.1, -1.8, -2.9, -3.4, -3.0, -1.1, 0.2, 1.0)
SEED = 41


def window(today: date) -> tuple[datetime, datetime]:
    """Ninety days."""
    end = datetime.combine(today, time(), UTC)
    return end - timedelta(days=90), end


def load(start: datetime, end: datetime) -> pd.DataFrame:
    """The calls from *start* up to *end*, the same ones every time."""
    first, last = (start.date() - START).days, (end.date() - START).days
    return pd.concat([_day(day) for day in range(first, last)], ignore_index=True)


def estimator() -> object:
    """Trees on one-hot categories."""
    encoder = OneHotEncoder(handle_unknown="ignore", min_frequency=20, sparse_output=False)
    return make_pipeline(
        ColumnTransformer([("words", encoder, list(WORDS))], remainder="passthrough"),
        HistGradientBoostingClassifier(max_iter=40, max_leaf_nodes=8, random_state=0),
    )


@functools.cache
def _figures() -> pd.DataFrame:
    """The figures of each day."""
    random, days = np.random.default_rng(SEED), 900
    dates = pd.date_range(START, periods=days)
    month = (dates.year - START.year) * 12 + dates.month - 1
    prices = np.round(92.0 + np.cumsum(random.normal(0.12, 0.25, 40)), 3)
    confidence = np.round(-36.0 + np.cumsum(random.normal(-0.3, 2.5, 40)), 1)
    rate = np.round(4.9 * np.exp(np.cumsum(random.normal(-0.0025, 0.004, days))), 3)
    rate = pd.Series(rate).where(dates.day_of_week < 5).ffill().to_numpy()  # no rate on a weekend
    return pd.DataFrame(
        {
            "employment_change": np.array(EMPLOYMENT)[month // 3],
            "prices": prices[month],
            "confidence": confidence[month],
            "rate": rate,
            "employed": np.round(5200 + 20 * np.array(EMPLOYMENT)[month // 3] + 5 * (month // 3), 1),
            "warning": np.repeat(random.choice([0.0, 0.0, 0.0, 1.0, 2.0], 200), 5)[:days],
            "calls": 60 * np.exp(0.8 * np.sin(2 * np.pi * np.arange(days) / 365)),
        },
        index=dates.date,
    )


@functools.cache
def _day(number: int) -> pd.DataFrame:
    random, day = np.random.default_rng([SEED, number]), START + timedelta(days=number)
    figures = _figures().loc[day]
    n = max(5, random.poisson(figures["calls"] * (0.2 if day.weekday() > 4 else 1.0)))
    known = random.random(n) < 0.08
    age, campaign = random.normal(40, 10, n).clip(18, 95).round(), random.geometric(0.4, n).astype(float)
    job = random.choice(JOBS, n, p=SHARES)
    pull = -1.8 + 0.03 * (age - 40) - 0.2 * campaign + 1.2 * known - 0.15 * figures["rate"] + (job == "student")
    return pd.DataFrame(
        {
            "call": [f"c{number}-{i}" for i in range(n)],
            "at": pd.Timestamp(day, tz=UTC) + pd.to_timedelta(np.sort(random.integers(8 * 3600, 20 * 3600, n)), "s"),
            "job": job,
            "contact": random.choice(["mobile", "telephone"], n, p=[0.7, 0.3]),
            "month": f"{day:%b}".lower(),
            "last_outcome": np.where(known, random.choice(["success", "failure"], n), "none"),
            "age": age,
            "campaign": campaign,
            "since_last": np.where(known, random.integers(1, 20, n), 999).astype(float),
            **{name: float(figures[name]) for name in NUMBERS[3:]},
            "deposit": random.random(n) < 1 / (1 + np.exp(-pull)),
        }
    )

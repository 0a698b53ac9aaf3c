"""Rows of a window, and evidence of them, for rules that read rows only."""

import numpy as np
import pandas as pd

from checks.earlier_rows import past
from checks.evidence import Evidence
from contracts.row_contract import Contract, Feature, Target

END = pd.Timestamp("2026-11-28", tz="UTC")
DAYS = 90
CONTRACT = Contract(
    name="shop",
    task="binary",
    key="visit",
    time="at",
    features=(
        Feature("country", "category"),
        Feature("device", "category"),
        Feature("price", "number", nullable=True),
        Feature("age", "number", nullable=True),
        Feature("pages", "number"),
        Feature("depth", "number"),
        Feature("rain", "number"),
        Feature("minute", "number"),
    ),
    target=Target("bought", (False, True)),
)


def window_rows(random, per_day, days=DAYS):
    """Clean rows: weekdays, a trend, shares that drift, rare categories, heavy tails, weather, a field that fails at times."""
    week = 1 + 0.4 * np.sin(np.arange(days) % 7 + random.random() * 7)
    pace = per_day * week * (1 + random.normal(0, 0.3) * np.arange(days) / days) * random.gamma(20, 1 / 20, days)
    day = np.repeat(np.arange(days), random.poisson(pace))
    rows = len(day)
    hour = random.choice(24, rows, p=np.r_[np.full(7, 0.01), np.full(17, 0.93 / 17)])
    minute = random.integers(0, 60, rows)
    second = random.integers(0, 60, rows)
    many = int(random.integers(3, 9))
    shares = random.dirichlet(np.ones(many)) * np.exp(np.cumsum(random.normal(0, 0.03, (days, many)), axis=0))
    place = ((shares / shares.sum(axis=1, keepdims=True)).cumsum(axis=1)[day] < random.random((rows, 1))).sum(axis=1)
    place = place.clip(0, many - 1)
    level = np.cumsum(random.normal(0, 0.02, days))
    price = np.round(np.exp(3 + random.normal(0, 0.4, many)[place] + level[day] + random.standard_t(3, rows) / 2), 2)
    age = np.round(random.normal(40, 12, rows).clip(18, 90))
    fails = 0.08 * np.exp(random.normal(0, 0.3, days))
    wet = random.random(days) < 0.4
    device = random.choice(["phone", "desktop", "tablet"], rows, p=[0.6, 0.35, 0.05])
    pages = random.negative_binomial(1, 0.25, rows).astype(float)
    chance = 1 / (1 + np.exp(1.5 - 0.05 * pages - 0.3 * (device == "phone")))
    found = pd.DataFrame(
        {
            "visit": [f"v{number}" for number in range(rows)],
            "at": END - pd.Timedelta(days=days) + pd.to_timedelta(((day * 24 + hour) * 60 + minute) * 60 + second, "s"),
            "country": np.array([f"C{number}" for number in range(many)])[place],
            "device": device,
            "price": np.where(random.random(rows) < 0.03, np.nan, price),
            "age": np.where(random.random(rows) < fails[day], np.nan, age),
            "pages": pages,
            "depth": random.random(rows),
            "rain": np.where(wet[day], np.round(random.gamma(1, 3, rows), 1), 0.0),
            "minute": hour * 60.0 + minute,
            "bought": (random.random(rows) < chance).astype(float),
        }
    )
    return found.sort_values("at", ignore_index=True)


def late(rows, days):
    """The rows of the last *days*: a mask."""
    return (rows["at"] >= END - pd.Timedelta(days=days)).to_numpy()


def window_evidence(rows, before=None, contract=CONTRACT, **more):
    """The evidence of *rows*, the last 14 days of which are the holdout."""
    cut = END - pd.Timedelta(days=14)
    train, holdout = (rows[which].reset_index(drop=True) for which in (rows["at"] < cut, rows["at"] >= cut))
    data = {
        name: {"rows": len(part), "start": part["at"].min(), "end": part["at"].max()}
        for name, part in (("train", train), ("holdout", holdout))
    }
    data["window"] = [str(rows["at"].min()), str(END)]
    given = {
        "train_scores": np.zeros(len(train)),
        "holdout_scores": np.full(len(holdout), 0.3),
        "fresh": np.ones(len(holdout), dtype=bool),
        "champion": None,
        "unreadable": "",
        "stored_scores_agree": True,
        "past": past(contract, data, {"train": train, "holdout": holdout}, before),
    }
    return Evidence(contract, train, holdout, **(given | more))

"""Made-up visits to a shop, for the small recipes: one row a visit, the same ones every time.

The shop sells to Austria and Germany; from the 60th day on visitors from Switzerland arrive, who
behave differently. Age is missing for some, the campaign has ever new names.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd

from model.contract import Feature

START = datetime(2026, 1, 1, tzinfo=UTC)
VISITS_A_DAY = 150
SWISS_FROM = 60

FEATURES = (
    Feature("country", "category", "where the visitor is", owner="web"),
    Feature("campaign", "category", "what brought the visitor", nullable=True, owner="ads"),
    Feature("device", "category", "kind of device", choices=("phone", "tablet", "desk")),
    Feature("returning", "boolean", "has been here before", nullable=True, owner="web"),
    Feature("age", "number", "age in years", "years", 0, 120, nullable=True, owner="crm"),
    Feature("pages", "number", "pages seen so far", "pages", minimum=0, owner="web"),
)


def visits(start: datetime, end: datetime) -> pd.DataFrame:
    """The visits from *start* up to *end*, with `appeal`, a number that the targets are made of."""
    days = range((start - START).days, (end - START).days)
    return pd.concat([_day(day) for day in days], ignore_index=True) if days else pd.DataFrame()


def _day(day: int) -> pd.DataFrame:
    random = np.random.default_rng(1_000 + day)
    n = VISITS_A_DAY
    countries = ["AT", "DE", "CH"] if day >= SWISS_FROM else ["AT", "DE"]
    country = random.choice(countries, n)
    age = random.normal(40, 12, n).clip(16, 90).round()
    pages = random.poisson(4, n)
    returning = random.random(n) < 0.4
    device = random.choice(["phone", "tablet", "desk"], n, p=[0.6, 0.1, 0.3])
    campaign = random.choice(["search", "mail", f"spring-{day // 30}"], n)
    appeal = (
        0.9 * (pages - 4) / 2
        - 0.6 * (age - 40) / 12
        + 0.8 * returning
        + 0.5 * (device == "desk")
        + np.where(country == "CH", -1.6, np.where(country == "DE", 0.4, 0.0))
    )
    return pd.DataFrame(
        {
            "visitor": [f"v{day}-{i}" for i in range(n)],
            "at": START + timedelta(days=day) + pd.to_timedelta(np.sort(random.integers(0, 86_400, n)), "s"),
            "country": country,
            "campaign": np.where(random.random(n) < 0.1, None, campaign),
            "device": device,
            "returning": pd.Series(returning).astype(object).where(random.random(n) > 0.05, None),
            "age": np.where(random.random(n) < 0.08, np.nan, age),
            "pages": pages,
            "appeal": appeal + random.logistic(0, 0.5, n),
        }
    )

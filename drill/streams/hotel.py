"""Hotel bookings: will it be cancelled? Antonio et al., "Hotel booking demand datasets", Data in Brief, 2019.

The file hotel_cancellation.parquet is not part of the project: see `drill.streams.folder`.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder

from drill.streams.folder import read
from model.contract import Contract, Feature, Target

WORDS = (
    "hotel",
    "arrival_weekday",
    "meal",
    "market_segment",
    "distribution_channel",
    "reserved_room_type",
    "deposit_type",
    "agent",
    "customer_type",
)
NUMBERS = (
    "lead_time",
    "arrival_month",
    "stays_in_weekend_nights",
    "stays_in_week_nights",
    "adults",
    "children",
    "previous_cancellations",
    "previous_bookings_not_canceled",
    "adr",
    "total_of_special_requests",
)
CONTRACT = Contract(
    name="hotel-cancellation",
    description="Will a booking be cancelled?",
    task="binary",
    key="booking",
    time="booked_at",
    features=(
        *(Feature(name, "category", nullable=name == "agent") for name in WORDS),
        *(Feature(name, "number", nullable=name == "children") for name in NUMBERS),
    ),
    target=Target("cancelled", (False, True), "cancelled before the arrival"),
    slices=("hotel",),
)
HOLDOUT = timedelta(days=28)
#: The days as of which the drill trains: later rows have short leads only.
DRILL_DAYS = (date(2016, 4, 1), date(2017, 1, 15))


def window(today: date) -> tuple[datetime, datetime]:
    """The training window on the day *today*: half a year."""
    end = datetime.combine(today, time(), UTC)
    return end - timedelta(days=180), end


def load(start: datetime, end: datetime) -> pd.DataFrame:
    """The bookings made from *start* up to *end*."""
    rows = read("hotel_cancellation")
    rows = rows.rename(columns={"timestamp": "booked_at"}).assign(
        booked_at=pd.to_datetime(rows["timestamp"], utc=True),
        booking=[f"b{n}" for n in range(len(rows))],
        cancelled=rows["target"] == 1,
    )
    return rows[(rows["booked_at"] >= start) & (rows["booked_at"] < end)].reset_index(drop=True)


def estimator() -> Pipeline:
    """Trees on one-hot categories."""
    encoder = OneHotEncoder(handle_unknown="ignore", min_frequency=50, sparse_output=False)
    trees = HistGradientBoostingClassifier(
        max_iter=100,
        max_leaf_nodes=15,
        min_samples_leaf=50,
        l2_regularization=5.0,
        early_stopping=False,
        random_state=0,
    )
    return make_pipeline(ColumnTransformer([("categories", encoder, list(WORDS))], remainder="passthrough"), trees)

"""Hotel bookings with the day on which each outcome became known: a recipe with label delay.

The rows of `drill.streams.hotel`. The file hotel_cancellation.label_known_at.parquet is not part of the project either:
see `drill.streams.folder`.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta

import pandas as pd
from sklearn.pipeline import Pipeline

from drill.streams import hotel
from drill.streams.folder import read

CONTRACT = replace(hotel.CONTRACT, target=replace(hotel.CONTRACT.target, known_at="known_at"))
HOLDOUT = timedelta(days=28)


def window(today: date) -> tuple[datetime, datetime]:
    """The training window on the day *today*: half a year."""
    return hotel.window(today)


def load(start: datetime, end: datetime) -> pd.DataFrame:
    """The bookings made from *start* up to *end*, with the outcomes that were known at any time."""
    rows = hotel.load(start, end)
    at = pd.to_datetime(read("hotel_cancellation.label_known_at").iloc[:, 0], utc=True)
    # The rows are numbered in the order of both files.
    return rows.assign(known_at=at.to_numpy()[rows["booking"].str[1:].astype(int)])


def estimator() -> Pipeline:
    """Trees on one-hot categories."""
    return hotel.estimator()

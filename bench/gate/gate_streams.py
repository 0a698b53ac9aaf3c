"""Streams of rows to judge models on: real flights, and synthetic ones with a known truth.

A model of a stream is its best one with noise added to the logit: more noise means a worse ranking, and two models with
independent noise disagree like two trainings. The ROC AUC by noise is measured once on the whole stream.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from checks.comparison.weighted_metrics import METRICS

Array = np.ndarray[Any, np.dtype[np.float64]]
#: The least noise on a model's logit.
MIN_NOISE = 0.2
_TRAINED, _JUDGED = ("2013-04-08", "2013-07-01"), ("2013-07-01", "2013-12-30")


@dataclass(frozen=True)
class Stream:
    """Rows in the order of time: outcome, best logit, day from 0 and key, each (n,)."""

    name: str
    truth: Array
    logit: Array
    day: Any
    key: Any

    @property
    def days(self) -> int:
        """How many days it has."""
        return int(self.day.max()) + 1

    def rows_of(self, first: int, days: int = 1) -> Any:
        """The row numbers of *days* consecutive days."""
        return np.arange(*np.searchsorted(self.day, [first, first + days]))

    def area(self, noise: float) -> float:
        """The ROC AUC of a model with so much noise, on the whole stream."""
        return float(np.interp(noise, *self._areas))

    def noise(self, area: float) -> float:
        """The noise of a model with this ROC AUC."""
        levels, areas = self._areas
        return float(np.interp(-area, -areas, levels))

    @cached_property
    def _areas(self) -> tuple[Array, Array]:
        random, levels = np.random.default_rng(0), np.linspace(0, 4, 41)
        some = random.permutation(len(self.truth))[:100_000]
        wobble = random.normal(size=len(some))
        areas = [METRICS["roc_auc"](self.truth[some], self.logit[some] + level * wobble)() for level in levels]
        return levels, np.minimum.accumulate(np.array(areas))


def scores(logit: Array, noise: float, random: np.random.Generator) -> Array:
    """The probabilities by a model with this noise."""
    return np.asarray(1 / (1 + np.exp(-(logit + noise * random.normal(size=len(logit))))))


def made_up(days: int = 400, rows: int = 800, keys: int = 0, seed: int = 0) -> Stream:
    """Rows with a logit per row and one per day; *keys* returning visitors, if any."""
    random = np.random.default_rng(seed)
    n = days * rows
    day = np.repeat(np.arange(days), rows)
    key = random.integers(0, keys, n) if keys else np.arange(n)
    logit = -1.3 + random.normal(0, 1.0, n) + random.normal(0, 0.4, days)[day]
    truth = (random.random(n) < 1 / (1 + np.exp(-logit))).astype(float)
    return Stream("made-up rows", truth, logit, day, key)


def flights(recipe: Path) -> Stream:
    """The default recipe's flights of half a year, scored by its estimator fitted to the quarter before."""
    # It imports scikit-learn, which takes a while.
    from model.data import check, encoded_target, model_inputs  # noqa: PLC0415
    from model.train import read_recipe  # noqa: PLC0415

    module = read_recipe(recipe)
    contract = module.CONTRACT

    def rows(first: str, last: str) -> Any:
        start, end = (datetime.fromisoformat(each).replace(tzinfo=UTC) for each in (first, last))
        return check(module.load(start, end), contract, start, end)

    trained, judged = rows(*_TRAINED), rows(*_JUDGED)
    model = module.estimator()
    model.fit(model_inputs(trained, contract), encoded_target(trained, contract))
    chance = np.clip(model.predict_proba(model_inputs(judged, contract))[:, 1], 1e-4, 1 - 1e-4)
    day = np.unique(judged[contract.time].dt.floor("D"), return_inverse=True)[1]
    key = np.unique(judged[contract.key], return_inverse=True)[1]
    truth = encoded_target(judged, contract).astype(float)
    return Stream("flights", truth, np.log(chance / (1 - chance)), day, key)

"""The coverage of the gate's confidence intervals, which should be 95 %."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from bench.gate.gate_streams import Array, Stream, scores
from checks.comparison.bootstrap import Blocks, difference, measures, paired
from checks.comparison.weighted_metrics import METRICS
from contracts.thresholds import Compare


@dataclass(frozen=True)
class Scene:
    """Synthetic rows, by days and rows per day.

    *day* and *key* are the standard deviations of the effects of a day and of a key on the candidate's logit; *keys* is
    the number of keys (0: one per row).
    """

    words: str
    days: int
    rows: int
    day: float = 0.0
    key: float = 0.0
    keys: int = 0


@dataclass(frozen=True)
class Covered:
    """The share of *repeats* in which the interval contains the true difference, and its mean width."""

    words: str
    metric: str
    share: float
    width: float
    repeats: int


SCENES = (
    Scene("14 days of 100, rows independent", 14, 100),
    Scene("14 days of 100, days differ", 14, 100, day=0.3),
    Scene("5 days of 300, rows independent", 5, 300),
    Scene("28 days of 100, 300 visitors who come again", 28, 100, key=0.6, keys=300),
    Scene("28 days of 100, visitors and days", 28, 100, day=0.3, key=0.6, keys=300),
)
CHECKED_METRICS = ("log_loss", "roc_auc")


def coverage(scene: Scene, metric: str, rules: Compare, repeats: int) -> Covered:
    """The coverage on synthetic rows; the truth is the mean over very many."""
    random, true = np.random.default_rng([scene.days, scene.keys]), truth_of(scene, metric)
    held, widths = 0, []
    for each in range(repeats):
        day, key, truth, ours, theirs = _rows(scene, random)
        one, other = measures(metric, truth, ours, theirs)
        blocks = Blocks(day, key, rules.draws, each)
        gap = paired(metric, (one, other), blocks, rules.confidence, rules.min_days)
        low, high = gap.low or 0.0, gap.high or 0.0
        held += low <= true <= high
        widths.append(high - low)
    return Covered(scene.words, metric, held / repeats, float(np.mean(widths)), repeats)


def real(stream: Stream, metric: str, rules: Compare, repeats: int) -> Covered:
    """The coverage on real days, fourteen drawn at random; the truth is that of all days."""
    random, noises = np.random.default_rng(1), (0.6, 0.5)
    ours, theirs = (scores(stream.logit, noise, random) for noise in noises)
    true = difference(metric, *(METRICS[metric](stream.truth, each)() for each in (ours, theirs)))
    inside, held, widths = [stream.rows_of(day) for day in range(stream.days)], 0, []
    for each in range(repeats):
        days = random.integers(0, stream.days, 14)
        some = np.concatenate([inside[day] for day in days])
        day = np.repeat(np.arange(14), [len(inside[day]) for day in days])
        one, other = measures(metric, stream.truth[some], ours[some], theirs[some])
        blocks = Blocks(day, np.arange(len(some)), rules.draws, each)
        gap = paired(metric, (one, other), blocks, rules.confidence, rules.min_days)
        low, high = gap.low or 0.0, gap.high or 0.0
        held += low <= true <= high
        widths.append(high - low)
    words = f"14 real days of {stream.name}, drawn at random"
    return Covered(words, metric, held / repeats, float(np.mean(widths)), repeats)


@lru_cache
def truth_of(scene: Scene, metric: str) -> float:
    """The difference over very many days."""
    random, found = np.random.default_rng(0), []
    large = Scene(scene.words, 400, scene.rows, scene.day, scene.key, scene.keys * 50)
    for _ in range(100):
        _, _, truth, ours, theirs = _rows(large, random)
        values = (METRICS[metric](truth, each)() for each in (ours, theirs))
        found.append(difference(metric, *values))
    return float(np.mean(found))


def _rows(scene: Scene, random: np.random.Generator) -> tuple[Any, Any, Array, Array, Array]:
    n = scene.days * scene.rows
    day = np.repeat(np.arange(scene.days), scene.rows)
    key = random.integers(0, scene.keys, n) if scene.keys else np.arange(n)
    key = np.unique(key, return_inverse=True)[1]
    logit = random.normal(-1.2, 1.2, n)
    truth = (random.random(n) < 1 / (1 + np.exp(-logit))).astype(float)
    shift = random.normal(0, scene.day, scene.days)[day]
    shift = shift + random.normal(0, scene.key, int(key.max()) + 1)[key]
    return day, key, truth, scores(logit + shift, 0.5, random), scores(logit, 0.5, random)

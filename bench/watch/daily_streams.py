"""Streams of days sampled from a pool: in control, or with a change on a known day.

An in-control day consists of blocks of adjacent rows of the same weekday: it has the pool's variation between days
(weather, a rush), but no change. The reference is sampled in the same way.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.watch.pools import Pool

Numbers = np.ndarray[Any, Any]

#: Days of the reference, rows a day, rows of a block; quiet days before a change, days after it.
REFERENCE, ROWS_PER_DAY, BLOCK = 56, 250, 25
BEFORE, AFTER = 14, 60
CHANGES = (
    "mean +0.25 sd, 1 feature",
    "mean +0.25 sd, 5 features",
    "mean +0.5 sd, 1 feature",
    "mean +0.5 sd, 5 features",
    "new segment, 0 to 20 %",
    "covariates, AUC -0.03",
    "concept (labels only)",
    "unit change",
    "slow ramp to 1 sd",
)


@dataclass(frozen=True)
class Stream:
    """Days of rows (days * `ROWS_PER_DAY`, features), with scores and truths; the first are the reference."""

    pool: Pool
    rows: Numbers
    scores: Numbers
    truth: Numbers


def quiet(pool: Pool, days: int, random: np.random.Generator) -> Stream:
    """`REFERENCE` + *days* days on which nothing changes."""
    picked = _picked(pool, np.flatnonzero(~pool.segment), REFERENCE + days, random)
    return _stream(pool, pool.rows[picked], pool.truth[picked])


def changed(pool: Pool, change: str, random: np.random.Generator) -> Stream:
    """`BEFORE` quiet days after the reference, then `AFTER` with the *change*."""
    days = REFERENCE + BEFORE + AFTER
    picked = _picked(pool, np.flatnonzero(~pool.segment), days, random)
    start = (REFERENCE + BEFORE) * ROWS_PER_DAY
    day = np.arange(len(picked) - start) // ROWS_PER_DAY
    if change.startswith("new segment"):
        share = 0.2 * np.minimum((day + 1) / 40, 1)
        new = random.random(len(day)) < share
        picked[start:][new] = random.choice(np.flatnonzero(pool.segment), int(new.sum()))
    if change.startswith("covariates"):
        picked[start:] = _harder(pool, AFTER, random)
    rows, truth = pool.rows[picked].copy(), pool.truth[picked].copy()
    numbers = _varying(pool)
    spread = pool.rows.std(axis=0)
    if change.startswith("mean"):
        size = float(change.split()[1])
        those = random.choice(numbers, 1 if "1 feature" in change else 5, replace=len(numbers) < 5)
        for column in set(those.tolist()):
            rows[start:, column] += size * spread[column]
    if change.startswith("slow ramp"):
        column = random.choice(numbers)
        rows[start:, column] += spread[column] * (day + 1) / AFTER
    if change.startswith("unit"):
        rows[start:, random.choice(numbers)] *= 2.54
    if change.startswith("concept"):
        scores = pool.score(rows[start:])
        hit = scores > np.median(scores)
        truth[start:][hit] = random.permutation(truth[start:][hit])
    return _stream(pool, rows, truth)


def auc(truth: Numbers, scores: Numbers) -> float:
    """Area under the ROC curve, by ranks."""
    order = np.argsort(scores, kind="stable")
    ranks = np.empty(len(order))
    values, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[place]
    positive = truth.sum()
    negative = len(truth) - positive
    if not positive or not negative or not len(values):
        return float("nan")
    return float((ranks[truth == 1].sum() - positive * (positive + 1) / 2) / (positive * negative))


def _stream(pool: Pool, rows: Numbers, truth: Numbers) -> Stream:
    return Stream(pool, rows, pool.score(rows), truth)


def _picked(pool: Pool, usual: Numbers, days: int, random: np.random.Generator) -> Numbers:
    """Rows (days * `ROWS_PER_DAY`,) of the *usual* ones."""
    weekday = pool.weekday[usual]
    starts = {day: np.flatnonzero((weekday[:-BLOCK] == day) & (weekday[BLOCK:] == day)) for day in range(7)}
    every = np.arange(len(usual) - BLOCK)
    found = []
    for day in range(days):
        those = starts[day % 7] if len(starts[day % 7]) else every
        begun = random.choice(those, ROWS_PER_DAY // BLOCK)
        found.append((begun[:, None] + np.arange(BLOCK)).ravel())
    return usual[np.concatenate(found)]


def _varying(pool: Pool) -> Numbers:
    """Numbers that vary on a scale (a flag that is mostly 0 has no mean worth shifting)."""
    most = [np.unique(pool.rows[:2000, i], return_counts=True)[1].max() for i in range(pool.rows.shape[1])]
    return np.flatnonzero(pool.numeric & (np.array(most) < 1400))


def _harder(pool: Pool, days: int, random: np.random.Generator) -> Numbers:
    """*days* days of a pool that was thinned of rows that the model is sure of: what a row means is as before.

    Rows that are left still stand together, so days differ from each other as they did.
    """
    usual = np.flatnonzero(~pool.segment)
    scores, truth = pool.score(pool.rows[usual]), pool.truth[usual]
    sure = np.abs(np.log(np.clip(scores, 1e-4, 1 - 1e-4) / np.clip(1 - scores, 1e-4, 1)))
    wanted = auc(truth, scores) - 0.03
    luck = np.random.default_rng(0).random(len(usual))
    low, high = 0.0, 8.0
    for _ in range(12):
        taste = (low + high) / 2
        kept = luck < np.exp(-taste * (sure - sure.min()))
        low, high = (taste, high) if auc(truth[kept], scores[kept]) > wanted else (low, taste)
    return _picked(pool, usual[luck < np.exp(-low * (sure - sure.min()))], days, random)

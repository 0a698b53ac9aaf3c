"""Daily statistics of a whole stream at once, in NumPy: what NannyML and Evidently compute a day at a time.

A test holds Jensen-Shannon distance and reconstruction error against NannyML's own, and a run of the
benchmark holds Evidently's against Evidently's.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.isotonic import IsotonicRegression

from bench.watch.daily_streams import REFERENCE, ROWS_PER_DAY, Stream, auc

Numbers = np.ndarray[Any, Any]


def jensen_shannon(reference: Numbers, days: Numbers, *, numeric: bool) -> Numbers:
    """NannyML's distance of each day (days, rows) from the *reference* (rows,)."""
    if numeric:
        edges = np.histogram_bin_edges(reference, bins="doane")
        count = len(edges) - 1
        place = np.clip(np.searchsorted(edges, days, "right") - 1, 0, count)
        place[days == edges[-1]] = count - 1
        place[(days < edges[0]) | (days > edges[-1])] = count
        usual = np.histogram(reference, bins=edges)[0] / len(reference)
    else:
        known, counts = np.unique(reference, return_counts=True)
        count = len(known)
        place = np.clip(np.searchsorted(known, days), 0, count - 1)
        place[known[place] != days] = count
        usual = counts / len(reference)
    day = np.arange(len(days))[:, None] * (count + 1)
    found = np.bincount((place + day).ravel(), minlength=len(days) * (count + 1))
    shares = found.reshape(len(days), -1) / days.shape[1]
    usual = np.append(usual, 0)[None, :]
    middle = (shares + usual) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        left = np.nansum(np.where(shares > 0, shares * np.log2(shares / middle), 0), axis=1)
        right = np.nansum(np.where(usual > 0, usual * np.log2(usual / middle), 0), axis=1)
    return np.asarray(np.sqrt(np.maximum((left + right) / 2, 0)))


def reconstruction(reference: Numbers, days: Numbers, numeric: Numbers) -> Numbers:
    """NannyML's reconstruction error of each day (days, rows, features), by PCA on the *reference*."""
    width = days.shape[2]
    before, now = reference.copy(), days.reshape(-1, width).copy()
    for column in np.flatnonzero(~numeric):
        known, counts = np.unique(reference[:, column], return_counts=True)
        share = counts / len(reference)
        for part in (before, now):
            place = np.clip(np.searchsorted(known, part[:, column]), 0, len(known) - 1)
            part[:, column] = np.where(known[place] == part[:, column], share[place], 0)
    mean, spread = before.mean(axis=0), _unit(before)
    before, now = (before - mean) / spread, (now - mean) / spread
    values, vectors = np.linalg.eigh(np.cov(before.T))
    order = np.argsort(-values)
    share = np.cumsum(values[order]) / values.sum()
    kept = vectors[:, order[: int(np.searchsorted(share, 0.65, side="right")) + 1]]
    error = np.linalg.norm(now - now @ kept @ kept.T, axis=1)
    return np.asarray(error.reshape(len(days), -1).mean(axis=1))


def estimated_auc(chances: Numbers) -> Numbers:
    """CBPE's ROC AUC of each day of calibrated scores (days, rows)."""
    p = np.sort(chances, axis=1)
    below = np.cumsum(1 - p, axis=1) - (1 - p) / 2
    return np.asarray((p * below).sum(axis=1) / (p.sum(axis=1) * (1 - p).sum(axis=1)))


def wasserstein(reference: Numbers, days: Numbers) -> Numbers:
    """Evidently's normed Wasserstein distance; the *reference*'s rows a multiple of a day's."""
    ours = np.sort(reference).reshape(days.shape[1], -1)
    apart = np.abs(np.sort(days, axis=1)[:, :, None] - ours[None]).mean(axis=(1, 2))
    return np.asarray(apart / max(reference.std(), 0.001))


def unseen(reference: Numbers, days: Numbers) -> Numbers:
    """The share of each day's rows (days, rows) with a category that the *reference* (rows,) never had."""
    return np.asarray((~np.isin(days, np.unique(reference))).mean(axis=1))


def daily(stream: Stream, alike: dict[str, Numbers] | None = None, *, folds: int = 3) -> dict[str, Numbers]:
    """Every statistic of every day, the reference's as well: (days,) or (days, columns).

    "…" as ours: the reference's days are measured by folds that they are not in. "… within":
    as NannyML does, by the whole reference. Where *alike* are those of a stream with the same reference,
    its days are not measured again.
    """
    width = stream.rows.shape[1]
    rows = stream.rows.reshape(-1, ROWS_PER_DAY, width)
    scores, truth = stream.scores.reshape(-1, ROWS_PER_DAY), stream.truth.reshape(-1, ROWS_PER_DAY)
    numeric = np.append(stream.pool.numeric, True)
    whole = np.concatenate([rows, scores[:, :, None]], axis=2)
    every, usual = np.arange(len(rows)), np.arange(REFERENCE)
    parts = [(usual, every[REFERENCE:] if alike else every, " within")]
    if not alike:
        parts += [(np.setdiff1d(usual, fold), fold, "") for fold in np.array_split(usual, folds)]
    names = ("js", "mean", "error", "estimate", "unseen")
    found: dict[str, Numbers] = {}
    for known, days, within in parts:
        before = whole[known].reshape(-1, width + 1)
        distance = np.column_stack(
            [jensen_shannon(before[:, i], whole[days][:, :, i], numeric=bool(numeric[i])) for i in range(width + 1)]
        )
        means = (whole[days].mean(axis=1) - before.mean(axis=0)) / _unit(before)
        error = reconstruction(before[:, :width], rows[days], numeric[:width])
        chances = IsotonicRegression(out_of_bounds="clip").fit(scores[known].ravel(), truth[known].ravel())
        estimate = estimated_auc(chances.predict(scores[days].ravel()).reshape(len(days), -1))
        new = [unseen(before[:, i], whole[days][:, :, i]) for i in np.flatnonzero(~numeric)]
        measured = (distance, means[:, numeric], error, estimate, np.reshape(new, (-1, len(days))).T)
        for name, values in zip(names, measured, strict=True):
            place = found.setdefault(name + within, np.full((len(rows), *values.shape[1:]), np.nan))
            place[days] = values
    for name in names:
        if alike:
            for key in (name, f"{name} within"):
                place = found.setdefault(key, np.full_like(found[f"{name} within"], np.nan))
                place[:REFERENCE] = alike[key][:REFERENCE]
        found[name][REFERENCE:] = found[f"{name} within"][REFERENCE:]
    before, after = whole[:REFERENCE].reshape(-1, width + 1), whole[REFERENCE:]
    found["evidently"] = np.column_stack(
        [
            wasserstein(before[:, i], after[:, :, i])
            if numeric[i] and len(np.unique(before[:5000, i])) > 5
            else _evidently_shares(before[:, i], after[:, :, i])
            for i in range(width + 1)
        ]
    )
    found["auc"] = np.array([auc(y, s) for y, s in zip(truth, scores, strict=True)])
    found["accuracy"] = ((scores >= 0.5) == truth).mean(axis=1)
    found["bias"] = (scores - truth).mean(axis=1)
    apart = scores - scores.mean(axis=1, keepdims=True)
    leaning, spread = (apart * (scores - truth)).mean(axis=1), apart.std(axis=1)
    found["bias by score"] = np.where(spread > 0, leaning / np.maximum(spread, 1e-9), np.nan)
    return found


def _unit(rows: Numbers) -> Numbers:
    """The standard deviation of each column; 1 of a constant one, whose own is not 0 where its mean is rounded."""
    return np.where(np.ptp(rows, axis=0) > 0, rows.std(axis=0), 1.0)


def _evidently_shares(reference: Numbers, days: Numbers) -> Numbers:
    """Evidently's Jensen-Shannon distance of categories: natural logarithm, all categories of both."""
    known = np.unique(np.concatenate([reference, days.ravel()]))
    usual = (reference[:, None] == known).mean(axis=0)
    found = []
    for day in days:
        shares = np.bincount(np.searchsorted(known, day), minlength=len(known)) / len(day)
        middle = (shares + usual) / 2
        with np.errstate(divide="ignore", invalid="ignore"):
            parts = [np.where(p > 0, p * np.log(p / middle), 0).sum() for p in (shares, usual)]
        found.append(np.sqrt(max(sum(parts) / 2, 0)))
    return np.array(found)

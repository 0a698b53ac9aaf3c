"""Prediction churn: the decisions that a release changes, by slice and direction, and the largest score changes.

Two models of the same quality may disagree on many rows, and users notice each changed decision (Milani Fard et al.
2016, "Launch and iterate").
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from checks.evidence import Array, Evidence
from contracts.row_contract import Contract, show
from contracts.tolerance import EQUAL

#: Decision threshold: a score at or above it decides for the positive class.
DECISION_THRESHOLD = 0.5
#: A prediction of a number changes the decision if it moves by more than this share of the champion's quartile range.
MIN_MOVE = 0.1
#: Most rows shown, and most features of each.
MAX_MOVERS, MAX_ODD = 8, 4
#: Fewest fresh rows of a slice in the report.
MIN_ROWS = 30
#: Unusual: a number this many quartile ranges from the median, a category in a smaller share of rows.
UNUSUAL_DISTANCE, RARE_SHARE = 1.0, 0.02


@dataclass(frozen=True)
class SliceChurn:
    """The share of a slice's *rows* whose decision changes, in all and by direction."""

    name: str
    rows: int
    share: float
    ways: Mapping[str, float]


@dataclass(frozen=True)
class ScoreChange:
    """A row whose score changed most: time, old and new score, outcome, and its unusual values and slices."""

    when: str
    old: float
    new: float
    truth: str
    odd: Mapping[str, str]


@dataclass(frozen=True)
class Churn:
    """Churn of all fresh rows and of each slice (the largest first), and the largest score changes."""

    whole: SliceChurn
    slices: tuple[SliceChurn, ...]
    movers: tuple[ScoreChange, ...]


def churn_by_slice(evidence: Evidence) -> Churn | None:
    """Candidate against champion on the fresh rows; None without a champion."""
    fresh, contract = evidence.fresh, evidence.contract
    if evidence.champion is None or not fresh.any():
        return None
    rows = evidence.holdout[fresh].reset_index(drop=True)
    ours, theirs = evidence.holdout_scores[fresh], evidence.champion[fresh]
    differs = changed_decisions(contract, ours, theirs)
    way = _directions(contract, ours, theirs)
    slices = []
    for name in contract.slices:
        if name in contract.private:
            continue
        values = rows[name].astype(object).where(rows[name].notna(), None).to_numpy()
        shown = np.array([str(value) for value in values], dtype=object)
        for value in sorted(set(shown)):
            inside = shown == value
            if inside.sum() >= MIN_ROWS:
                slices.append(_slice_churn(f"{name} = {value}", differs[inside], way[inside]))
    return Churn(
        _slice_churn("all", differs, way),
        tuple(sorted(slices, key=lambda each: (-each.share, each.name))),
        tuple(_movers(evidence, rows, ours, theirs)),
    )


def churn_share(evidence: Evidence) -> float | None:
    """The share of fresh rows whose decision changes; None without a champion."""
    if evidence.champion is None or not evidence.fresh.any():
        return None
    ours, theirs = evidence.holdout_scores[evidence.fresh], evidence.champion[evidence.fresh]
    return float(changed_decisions(evidence.contract, ours, theirs).mean())


def changed_decisions(contract: Contract, ours: Array, theirs: Array) -> Array:
    """For each row whether the two scores give different decisions: (n,) of bool."""
    if contract.task == "regression":
        low, high = np.percentile(theirs, [25, 75])
        return np.asarray(np.abs(ours - theirs) > MIN_MOVE * (high - low))
    if contract.task == "binary":
        return np.asarray((ours >= DECISION_THRESHOLD) != (theirs >= DECISION_THRESHOLD))
    return np.asarray(ours.argmax(axis=1) != theirs.argmax(axis=1))


def _directions(contract: Contract, ours: Array, theirs: Array) -> Any:
    """For each row the direction of a change of its decision, as text."""
    if contract.task == "multiclass":
        names = [_text(label) for label in contract.target.classes]
        pairs = zip(theirs.argmax(axis=1), ours.argmax(axis=1), strict=True)
        return np.array([f"{names[a]} to {names[b]}" for a, b in pairs], dtype=object)
    up, down = "up", "down"
    if contract.task == "binary":
        no, yes = (_text(label) for label in contract.target.classes)
        up, down = f"{no} to {yes}", f"{yes} to {no}"
    return np.where(ours > theirs, up, down).astype(object)


def _slice_churn(name: str, differs: Array, way: Any) -> SliceChurn:
    ways, counts = np.unique(way[differs.astype(bool)].astype(str), return_counts=True)
    order = sorted(zip(ways, counts, strict=True), key=lambda each: (-each[1], each[0]))
    shares = {str(direction): float(count / len(differs)) for direction, count in order}
    return SliceChurn(name, len(differs), float(differs.mean()), shares)


def _movers(evidence: Evidence, rows: Any, ours: Array, theirs: Array) -> Sequence[ScoreChange]:
    contract = evidence.contract
    old, new = theirs, ours
    if contract.task == "multiclass":  # of the candidate's most probable class
        at = (np.arange(len(ours)), ours.argmax(axis=1))
        old, new = theirs[at], ours[at]
    typical = {name: _typical(evidence.train[name]) for name in _shown(contract)}
    movers = []
    for place in np.argsort(-np.abs(new - old), kind="stable")[:MAX_MOVERS]:
        row = rows.iloc[int(place)]
        outcome = row[contract.target.name]
        truth = _text(contract.target.classes[int(outcome)]) if contract.target.classes else f"{float(outcome):.4g}"
        odd = {name: _odd(row[name], typical[name]) for name in typical}
        unusual = sorted(((k, v) for k, v in odd.items() if v), key=lambda each: -each[1][0])
        slices = {n: _text(row[n]) for n in contract.slices if n in typical and not odd[n]}
        movers.append(
            ScoreChange(
                f"{row[contract.time]:%Y-%m-%d %H:%M}",
                float(old[place]),
                float(new[place]),
                truth,
                {name: note for name, (_, note) in unusual[:MAX_ODD]} | slices,
            )
        )
    return movers


def _text(value: Any) -> str:
    return value if isinstance(value, str) else show(value)


def _shown(contract: Contract) -> list[str]:
    """Features that may be shown: private ones never leave the evidence."""
    return [name for name in contract.feature_names if name not in contract.private]


def _typical(column: Any) -> tuple[float, float] | dict[str, float]:
    """The median and quartile range of a number, or the share of each value."""
    if column.dtype == object or str(column.dtype) in ("boolean", "bool", "str", "string"):
        return {str(k): float(v) for k, v in column.value_counts(normalize=True).items()}
    low, middle, high = (float(each) for each in column.quantile([0.25, 0.5, 0.75]))
    return middle, high - low if high - low > EQUAL * max(abs(low), abs(high)) else 0.0


def _odd(value: Any, typical: tuple[float, float] | dict[str, float]) -> tuple[float, str] | None:
    """How unusual a value is, and as text; None if it is usual."""
    if pd.isna(value):
        return (0.5, "missing")
    if isinstance(typical, dict):
        share = typical.get(str(value), 0.0)
        if share >= RARE_SHARE:
            return None
        return (1 / max(share, 1e-3) * RARE_SHARE, f"{_text(value)} (in {share:.1%} of rows)")
    middle, wide = typical
    apart = abs(float(value) - middle) / wide if wide else float(value != middle)
    return (apart, f"{float(value):.4g} (typical {middle:.4g})") if apart > UNUSUAL_DISTANCE else None

"""Rows -> units of an experiment: one per key, with what its rows came to. Pure.

Arms stick to a row's key, so rows of one key are no more than one unit. A unit counts once, when
the days for which it is looked at are over: rows and outcomes until then are its value, whatever
comes later. So each unit is independent of the others and never changes, and a look too many harms
nothing. A unit without an outcome by then has no value: it is never taken for a negative.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd

from model.contract import Contract
from monitoring.metrics import SMALLEST

Numbers = np.ndarray[Any, Any]
#: How far a point may be from the arm's end, for points are floats.
CLOSE = 1e-9


@dataclass(frozen=True)
class Split:
    """What is compared, since when: a challenger with its *share*, or in the shadow.

    *held* is the anchor's share, which is in neither arm.
    """

    champion: str
    challenger: str
    since: str
    share: float = 0.0
    held: float = 0.0
    shadow: bool = False
    salt: str | None = None

    @property
    def chance(self) -> float:
        """The chance that a unit of the two arms is the challenger's."""
        return self.share / (1 - self.held)


@dataclass(frozen=True)
class Units:
    """The units of both arms, in order of their first row, of a day or several, and what was odd.

    Columns of *frame*: key, first (time), day (whole days since the experiment's first), challenger
    (whether it is the challenger's), labelled, a column per measure (NaN without an outcome), the
    first row's features ("row.pages"). In the shadow each unit has both arms': "<measure>" is the
    champion's, "<measure> of the challenger" the other's. *days* are over, the newest of them these.
    *crossed* units were in both arms, *misdealt* in the wrong one; *unscored* ones were not looked at
    by the shadow. *odd* is how many of what.
    """

    frame: pd.DataFrame
    days: int
    crossed: int = 0
    misdealt: int = 0
    unscored: int = 0
    odd: Mapping[str, int] = field(default_factory=dict)


#: The challenger's column of a measure, in the shadow.
OTHER = " of the challenger"


def shared(champion: Contract, challenger: Contract) -> list[str]:
    """The features that every row in the journal has, whoever answered it.

    One that is in the rows of one arm alone would tell the arms apart, and bias what is compared.
    """
    hidden = {*champion.private, *challenger.private}
    theirs = {*challenger.feature_names} - hidden
    return [name for name in champion.feature_names if name in theirs]


def measured(measure: str, scores: Numbers, truth: Numbers) -> Numbers:
    """A *measure* of each row, (n,): scores are (n,) or (n, classes), truth the encoded outcomes."""
    found: Numbers = _MEASURES[measure](scores, truth)
    return found


def _log_loss(scores: Numbers, truth: Numbers) -> Numbers:
    chances = np.column_stack([1 - scores, scores]) if scores.ndim == 1 else scores
    chosen = chances[np.arange(len(truth)), truth.astype(int)]
    found: Numbers = -np.log(np.clip(chosen, SMALLEST, 1))
    return found


def _accuracy(scores: Numbers, truth: Numbers) -> Numbers:
    likeliest = scores >= 0.5 if scores.ndim == 1 else scores.argmax(axis=1)
    found: Numbers = (likeliest == truth).astype(float)
    return found


_MEASURES: Mapping[str, Callable[[Numbers, Numbers], Numbers]] = {
    "log_loss": _log_loss,
    "brier": lambda scores, truth: (scores - truth) ** 2,
    "accuracy": _accuracy,
    "mae": lambda scores, truth: np.abs(scores - truth),
    "mse": lambda scores, truth: (scores - truth) ** 2,
    "outcome": lambda scores, truth: truth.astype(float) + 0 * scores,
}


def arms_rows(
    lines: pd.DataFrame, split: Split, contract: Contract, odd: Counter[str]
) -> pd.DataFrame:
    """The answers of both arms (or the shadow's scores) among *lines*: a row each."""
    versions = {"champion": split.champion, "challenger": split.challenger}
    versions["shadow"] = split.challenger
    arm, point = lines["arm"], pd.to_numeric(lines["split"], errors="coerce")
    mine = lines["version"] == arm.map(versions)
    if not split.shadow:
        expected = {"champion": 1 - split.held - split.share, "challenger": split.share}
        off = (pd.to_numeric(lines["share"], errors="coerce") - arm.map(expected)).abs()
        _count(odd, "rows that were answered under other shares, left out", mine & ~(off < CLOSE))
        mine &= off < CLOSE
    whole = _scored(lines["score"], contract) & lines["id"].map(lambda told: isinstance(told, str))
    _count(odd, "answers that do not fit the contract", mine & ~whole)
    challenger, edge = arm == "challenger", 1 - split.share
    wrong = ((point - edge).abs() > CLOSE) & ((point > edge) != challenger) & (not split.shadow)
    rows = lines.assign(challenger=challenger, misdealt=wrong, key=lines["key"].astype(str))
    kept = ["id", "at", "key", "challenger", "score", "misdealt"]
    kept += [name for name in lines if name.startswith("row.")]
    return rows.loc[mine & whole, kept]


def first_outcomes(lines: pd.DataFrame, contract: Contract) -> pd.DataFrame:
    """The first outcome of each id: its value, and when it was told, by id."""
    target, told = contract.target, lines["outcome"].tolist()
    fits = [
        isinstance(id_, str) and target.problem(each) is None
        for id_, each in zip(lines["id"], told, strict=True)
    ]
    found = lines[np.array(fits, dtype=bool)].assign(
        value=[target.encode(each) for each, fit in zip(told, fits, strict=True) if fit]
    )
    first = found.sort_values("at", kind="stable").drop_duplicates("id")
    return first.set_index("id")[["value", "at"]]


def in_time(rows: pd.DataFrame, lasts: timedelta) -> pd.DataFrame:
    """Rows in order of time, those for which their key is looked at; one that was told twice once."""
    rows = rows.assign(at=pd.to_datetime(rows["at"], utc=True)).sort_values("at", kind="stable")
    first = rows.groupby("key", sort=False)["at"].transform("min")
    rows = rows.assign(first=first)[rows["at"] < first + lasts]
    return rows.drop_duplicates(["key", "id"])


def collected(
    rows: pd.DataFrame, outcomes: pd.DataFrame, measures: Sequence[str], lasts: timedelta
) -> pd.DataFrame:
    """Rows that are `in_time` -> units: the first row's features, means over what was known in time.

    Besides the columns of `Units`: *arms* that the unit was in, whether it was *misdealt*, *unscored*.
    """
    over = rows["first"] + lasts
    matched = outcomes.reindex(rows["id"]).set_axis(rows.index)
    scored = rows["other"].notna() if "other" in rows else pd.Series(True, rows.index)
    told = ((pd.to_datetime(matched["at"], utc=True) < over) & scored).to_numpy(dtype=bool)
    truth = matched["value"].to_numpy(dtype=float)[told]
    values: dict[str, Any] = {}
    for column, suffix in (("score", ""), ("other", OTHER)):
        if column in rows:
            scores = np.array(rows[column][told].tolist(), dtype=float)
            for measure in measures:
                values[measure + suffix] = np.full(len(rows), np.nan)
                if told.any():
                    values[measure + suffix][told] = measured(measure, scores, truth)
    rows = rows.assign(labelled=told, unscored=~scored, **values)
    how = dict.fromkeys(("labelled", "misdealt", "unscored"), "max")
    groups = rows.groupby("key", sort=False)
    units = groups.agg(how | dict.fromkeys(values, "mean"))
    units["arms"] = groups["challenger"].nunique()
    features = [name for name in rows if name.startswith("row.")]
    begun = rows.drop_duplicates("key")[["key", "first", "challenger", *features]]
    return begun.infer_objects().join(units, on="key").reset_index(drop=True)


def _scored(scores: pd.Series[Any], contract: Contract) -> pd.Series[bool]:
    """Which scores are of the contract's task: a finite number, or one for each class."""
    if contract.task != "multiclass":
        return pd.to_numeric(scores, errors="coerce").abs() < np.inf
    classes = len(contract.target.classes)
    return scores.map(
        lambda told: (
            np.ndim(told) == 1
            and len(told) == classes
            and bool(np.isfinite(np.asarray(told, dtype=float)).all())
        )
    ).astype(bool)


def _count(odd: Counter[str], what: str, which: pd.Series[bool]) -> None:
    if which.any():
        odd[what] += int(which.sum())

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

from contracts.row_contract import Contract
from monitoring.experiment.text_codes import only
from monitoring.metrics.daily_metrics import SMALLEST

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


def arms_rows(lines: pd.DataFrame, split: Split, contract: Contract, odd: Counter[str]) -> pd.DataFrame:
    """The answers of both arms (or the shadow's scores) among *lines*: a row each."""
    arm, version = lines["arm"], lines["version"]
    challenger, champion = arm == "challenger", arm == "champion"
    point = pd.to_numeric(lines["split"], errors="coerce")
    other = (version == split.challenger) & (challenger | (arm == "shadow"))
    mine = other | ((version == split.champion) & champion)
    if not split.shadow:
        dealt = [1 - split.held - split.share, split.share]
        expected = np.select([champion, challenger], dealt, np.nan)
        off = (pd.to_numeric(lines["share"], errors="coerce") - expected).abs()
        _count(odd, "rows that were answered under other shares, left out", mine & ~(off < CLOSE))
        mine &= off < CLOSE
    whole = _scored(lines["score"], contract) & only(lines["id"]).notna()
    _count(odd, "answers that do not fit the contract", mine & ~whole)
    edge = 1 - split.share
    wrong = ((point - edge).abs() > CLOSE) & ((point > edge) != challenger) & (not split.shadow)
    rows = lines.drop(columns=["version", "arm", "share", "split"])
    rows = rows.assign(challenger=challenger, misdealt=wrong, key=lines["key"].astype(str))
    return chosen(rows, mine & whole)


def valued(lines: pd.DataFrame, contract: Contract) -> pd.DataFrame:
    """The outcomes among *lines* that fit the contract: id, at, and its value."""
    target, column = contract.target, lines["outcome"]
    if column.dtype == object:  # which may tell 1 from True, as nothing that looks for equals does
        codes, told = np.arange(len(lines)), column.tolist()
    else:
        codes, distinct = pd.factorize(column)
        told = distinct.tolist()
    values = [target.encode(each) if target.problem(each) is None else np.nan for each in told]
    value = np.array([*values, np.nan])[codes]  # the last is for one that is missing
    return chosen(lines[["id", "at"]].assign(value=value), ~np.isnan(value))


def in_time(rows: pd.DataFrame, lasts: timedelta) -> pd.DataFrame:
    """Rows in order of time, those for which their key is looked at; one that was told twice once.

    A row's *place* is its key's among all keys, its *id* is a number as well.
    """
    rows = rows.sort_values("at", kind="stable")
    first = rows.groupby("place", sort=False)["at"].transform("min")
    rows = chosen(rows.assign(first=first), rows["at"] < first + lasts)
    return chosen(rows, ~rows.duplicated(["place", "id"]))


def collected(rows: pd.DataFrame, outcomes: pd.DataFrame, measures: Sequence[str], lasts: timedelta) -> pd.DataFrame:
    """Rows that are `in_time` -> units with the label of their first row, means over what was known in time.

    *outcomes* are the first of each id, by id. Columns are as those of `Units`, but without features and
    with *place* for the key; and: *arms* that the unit was in, whether it was *misdealt*, *unscored*.
    """
    over = rows["first"] + lasts
    matched = outcomes.reindex(rows["id"]).set_axis(rows.index)
    scored = rows["other"].notna() if "other" in rows else pd.Series(True, rows.index)
    told = ((matched["at"] < over) & scored).to_numpy(dtype=bool)
    truth = matched["value"].to_numpy(dtype=float)[told]
    values: dict[str, Any] = {}
    for column, suffix in (("score", ""), ("other", OTHER)):
        if column in rows:
            scores = _array(rows[column][told])
            for measure in measures:
                values[measure + suffix] = np.full(len(rows), np.nan)
                if told.any():
                    values[measure + suffix][told] = measured(measure, scores, truth)
    rows = rows.assign(labelled=told, unscored=~scored, **values)
    how = dict.fromkeys(("labelled", "misdealt", "unscored"), "max")
    groups = rows.groupby("place", sort=False)
    units = groups.agg(how | dict.fromkeys(values, "mean"))
    units["arms"] = groups["challenger"].nunique()
    begun = rows.drop_duplicates("place")[["place", "first", "challenger"]]
    return begun.join(units, on="place")


def chosen(lines: pd.DataFrame, which: Any) -> pd.DataFrame:
    """Those of the *lines*; nearly always it is all of them, which are not copied."""
    return lines if which.all() else lines[which]


def _array(scores: pd.Series[Any]) -> Numbers:
    """Scores as numbers, (n,) or (n, classes)."""
    if pd.api.types.is_numeric_dtype(scores.dtype):
        found: Numbers = scores.to_numpy(dtype=float)
        return found
    return np.array(scores.tolist(), dtype=float)


def _scored(scores: pd.Series[Any], contract: Contract) -> pd.Series[bool]:
    """Which scores are of the contract's task: a finite number, or one for each class."""
    if contract.task != "multiclass":
        return pd.to_numeric(scores, errors="coerce").abs() < np.inf
    classes = len(contract.target.classes)
    return scores.map(
        lambda told: (
            np.ndim(told) == 1 and len(told) == classes and bool(np.isfinite(np.asarray(told, dtype=float)).all())
        )
    ).astype(bool)


def _count(odd: Counter[str], what: str, which: pd.Series[bool]) -> None:
    if which.any():
        odd[what] += int(which.sum())

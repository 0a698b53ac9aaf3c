"""Makes units of an experiment from rows: one per key, with its measures. Pure.

Keys are assigned to variants, so all rows of a key are one unit. A unit counts once, `unit_days` after its first row: its
rows and outcomes until then are its value, and later ones are ignored. So units are independent and never change. A
unit without an outcome by then has no value; it is not a negative.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd

from contracts.row_contract import Contract
from monitoring.experiment.text_codes import texts_only
from monitoring.metrics.daily_metrics import row_measure

Numbers = np.ndarray[Any, Any]
#: Tolerance of shares and of assignment points, which are floats.
TOLERANCE = 1e-9


@dataclass(frozen=True)
class Split:
    """The traffic split: a challenger with its *share*, or in shadow mode, *since* when.

    *holdback* is the anchor's share, which is in neither variant.
    """

    champion: str
    challenger: str
    since: str
    share: float = 0.0
    holdback: float = 0.0
    shadow: bool = False
    salt: str | None = None

    @property
    def chance(self) -> float:
        """The probability that a unit of the two variants is the challenger's."""
        return self.share / (1 - self.holdback)


@dataclass(frozen=True)
class Units:
    """The units of both variants of one or several days, in order of their first row.

    Columns of *frame*: key, first (time), day (0 is the experiment's first), challenger (whether it is the
    challenger's), labelled, a column per measure (NaN without an outcome), the first row's features ("row.pages"). In
    shadow mode "<measure>" is the champion's and "<measure> of the challenger" the other's. *days* counts all days so
    far. *in_both* units were in both variants, *misassigned* in the wrong one, *unscored* not scored by the shadow.
    *ignored* counts ignored rows by reason.
    """

    frame: pd.DataFrame
    days: int
    in_both: int = 0
    misassigned: int = 0
    unscored: int = 0
    ignored: Mapping[str, int] = field(default_factory=dict)


#: Suffix of the challenger's column of a measure, in shadow mode.
OTHER = " of the challenger"


def shared_features(champion: Contract, challenger: Contract) -> list[str]:
    """The features that the rows of both variants have.

    A feature of one variant alone would identify the variant, and bias the comparison.
    """
    hidden = {*champion.private, *challenger.private}
    theirs = {*challenger.feature_names} - hidden
    return [name for name in champion.feature_names if name in theirs]


def variant_rows(lines: pd.DataFrame, split: Split, contract: Contract, ignored: Counter[str]) -> pd.DataFrame:
    """The rows of both variants (or the shadow's scores) among *lines* of the journal."""
    arm, version = lines["arm"], lines["version"]
    challenger, champion = arm == "challenger", arm == "champion"
    point = pd.to_numeric(lines["split"], errors="coerce")
    other = (version == split.challenger) & (challenger | (arm == "shadow"))
    mine = other | ((version == split.champion) & champion)
    if not split.shadow:
        shares = [1 - split.holdback - split.share, split.share]
        expected = np.select([champion, challenger], shares, np.nan)
        off = (pd.to_numeric(lines["share"], errors="coerce") - expected).abs()
        _count(ignored, "rows under another traffic split, ignored", mine & ~(off < TOLERANCE))
        mine &= off < TOLERANCE
    valid = _has_scores(lines["score"], contract) & texts_only(lines["id"]).notna()
    _count(ignored, "rows that do not fit the contract, ignored", mine & ~valid)
    edge = 1 - split.share
    wrong = ((point - edge).abs() > TOLERANCE) & ((point > edge) != challenger) & (not split.shadow)
    rows = lines.drop(columns=["version", "arm", "share", "split"])
    rows = rows.assign(challenger=challenger, misassigned=wrong, key=lines["key"].astype(str))
    return selected(rows, mine & valid)


def encoded_outcomes(lines: pd.DataFrame, contract: Contract) -> pd.DataFrame:
    """The outcomes among *lines* that fit the contract: id, at, encoded value."""
    target, column = contract.target, lines["outcome"]
    if column.dtype == object:  # where 1 and True are different outcomes, but equal
        codes, outcomes = np.arange(len(lines)), column.tolist()
    else:
        codes, distinct = pd.factorize(column)
        outcomes = distinct.tolist()
    values = [target.encode(each) if target.problem(each) is None else np.nan for each in outcomes]
    value = np.array([*values, np.nan])[codes]  # the last one is for missing outcomes
    return selected(lines[["id", "at"]].assign(value=value), ~np.isnan(value))


def within_unit_days(rows: pd.DataFrame, lasts: timedelta) -> pd.DataFrame:
    """Rows within *lasts* after the first row of their key, in order of time, without repeated ids.

    *place* is the index of a row's key among all keys; *id* is an integer as well.
    """
    rows = rows.sort_values("at", kind="stable")
    first = rows.groupby("place", sort=False)["at"].transform("min")
    rows = selected(rows.assign(first=first), rows["at"] < first + lasts)
    return selected(rows, ~rows.duplicated(["place", "id"]))


def unit_values(rows: pd.DataFrame, outcomes: pd.DataFrame, measures: Sequence[str], lasts: timedelta) -> pd.DataFrame:
    """Units of rows that are `within_unit_days`, indexed by their first row: means over outcomes known in time.

    *outcomes* are the first of each id, by id. Columns are those of `Units` without features, with *place* for the
    key, and the number of *variants* of the unit, whether it was *misassigned*, and *unscored*.
    """
    over = rows["first"] + lasts
    matched = outcomes.reindex(rows["id"]).set_axis(rows.index)
    scored = rows["other"].notna() if "other" in rows else pd.Series(True, rows.index)
    labelled = ((matched["at"] < over) & scored).to_numpy(dtype=bool)
    truth = matched["value"].to_numpy(dtype=float)[labelled]
    values: dict[str, Any] = {}
    for column, suffix in (("score", ""), ("other", OTHER)):
        if column in rows:
            scores = _array(rows[column][labelled])
            for measure in measures:
                values[measure + suffix] = np.full(len(rows), np.nan)
                if labelled.any():
                    values[measure + suffix][labelled] = row_measure(measure, scores, truth)
    rows = rows.assign(labelled=labelled, unscored=~scored, **values)
    how = dict.fromkeys(("labelled", "misassigned", "unscored"), "max")
    groups = rows.groupby("place", sort=False)
    units = groups.agg(how | dict.fromkeys(values, "mean"))
    units["variants"] = groups["challenger"].nunique()
    begun = rows.drop_duplicates("place")[["place", "first", "challenger"]]
    return begun.join(units, on="place")


def selected(lines: pd.DataFrame, which: Any) -> pd.DataFrame:
    """The *lines* for which *which* is true, without a copy if it is all of them."""
    return lines if which.all() else lines[which]


def _array(scores: pd.Series[Any]) -> Numbers:
    """Scores as numbers, (n,) or (n, classes)."""
    if pd.api.types.is_numeric_dtype(scores.dtype):
        numbers: Numbers = scores.to_numpy(dtype=float)
        return numbers
    return np.array(scores.tolist(), dtype=float)


def _has_scores(scores: pd.Series[Any], contract: Contract) -> pd.Series[bool]:
    """Which scores fit the task: a finite number, or one for each class."""
    if contract.task != "multiclass":
        return pd.to_numeric(scores, errors="coerce").abs() < np.inf
    classes = len(contract.target.classes)
    return scores.map(
        lambda row: np.ndim(row) == 1 and len(row) == classes and bool(np.isfinite(np.asarray(row, dtype=float)).all())
    ).astype(bool)


def _count(ignored: Counter[str], what: str, which: pd.Series[bool]) -> None:
    if which.any():
        ignored[what] += int(which.sum())

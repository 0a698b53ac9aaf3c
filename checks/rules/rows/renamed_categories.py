"""Renamed categories: whether a new value is an old one under another name.

A random forest is trained to separate the rows with the old name from others of the same days, by the other features
and the target. If it finds the rows with the new name in later days as well as those with the old name in earlier days
that it was not trained on, the value was renamed (a classifier two-sample test; Lopez-Paz and Oquab 2017). Drift of all
rows affects both sides equally. A value that is independent of everything else cannot be confirmed. A product that succeeds
another one, with the same buyers, cannot be distinguished from a new name: only the spelling is a further witness.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from math import hypot
from typing import Any

import numpy as np
import pandas as pd
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import roc_auc_score

from checks.comparison.baseline import inputs
from checks.evidence import Array, days_of, target
from contracts.row_contract import Contract
from model.source_profile.source_change import Change

#: Fewest rows with and without the name in each part; most rows of a part.
MIN_ROWS, MAX_ROWS = 50, 20_000
#: Standard errors above a random classifier, and within which two areas count as equal.
ABOVE_RANDOM, EQUAL = 3.0, 2.0


@dataclass(frozen=True)
class Likeness:
    """How well the rows of the old and of the new name are found: ROC AUC with its standard error."""

    before: tuple[float, float]
    after: tuple[float, float]

    @property
    def same(self) -> bool:
        """Whether the rows of the new name are found clearly above chance, and as well as those of the old one."""
        (was, error), (now, other) = self.before, self.after
        return now - ABOVE_RANDOM * other > 0.5 and now > was - EQUAL * hypot(error, other)

    def __str__(self) -> str:
        result = "confirm one value under two names" if self.same else "do not confirm it"
        return (
            f"the other columns {result} (ROC AUC against other rows {self.before[0]:.3f} for the old"
            f" name, {self.after[0]:.3f} ± {self.after[1]:.3f} for the new one)"
        )


def likeness(rows: pd.DataFrame, contract: Contract, change: Change) -> Likeness | None:
    """How alike the rows of both names of a *change* "renamed" are; None with too few rows."""
    old, new = change.names
    rows = rows.sort_values(contract.time, ignore_index=True)
    late = days_of(rows, contract) >= change.since
    before, after = (_sample(rows[each]) for each in (~late, late))
    training, test = before.iloc[: len(before) * 2 // 3], before.iloc[len(before) * 2 // 3 :]
    parts = [(training, old), (test, old), (after, new)]
    named = [(part[change.field] == name).to_numpy(bool) for part, name in parts]
    if min(min(each.sum(), (~each).sum()) for each in named) < MIN_ROWS:
        return None
    known, *others = _inputs([part for part, _ in parts], contract, change.field)
    forest = RandomForestClassifier(n_estimators=60, min_samples_leaf=20, max_features=0.5, random_state=0).fit(
        known, named[0]
    )
    was, now = (_area(truth, forest.predict_proba(each)[:, 1]) for truth, each in zip(named[1:], others, strict=True))
    return Likeness(was, now)


def spelt_alike(old: str, new: str) -> bool:
    """Whether both names have the same letters and digits: only case, accents, white space and punctuation differ."""
    one, other = (_letters(each) for each in (old, new))
    return bool(one) and one == other


def _letters(name: str) -> str:
    decomposed = unicodedata.normalize("NFKD", name.casefold())
    return "".join(each for each in decomposed if each.isalnum())


def _sample(rows: pd.DataFrame) -> pd.DataFrame:
    return rows if len(rows) <= MAX_ROWS else rows.sample(MAX_ROWS, random_state=0).sort_index()


def _inputs(parts: list[pd.DataFrame], contract: Contract, excluded: str) -> list[Array]:
    """All features but *excluded*, and the target, as numbers."""
    features = inputs(contract, *(part.assign(**{excluded: ""}) for part in parts))
    return [np.column_stack([each, target(part, contract)]) for each, part in zip(features, parts, strict=True)]


def _area(truth: Any, scores: Array) -> tuple[float, float]:
    """The ROC AUC and its standard error (Hanley and McNeil 1982)."""
    area, many, others = float(roc_auc_score(truth, scores)), int(truth.sum()), int((~truth).sum())
    one, two = area / (2 - area), 2 * area**2 / (1 + area)
    spread = area * (1 - area) + (many - 1) * (one - area**2) + (others - 1) * (two - area**2)
    return area, float(np.sqrt(max(spread, 0.0) / (many * others)))

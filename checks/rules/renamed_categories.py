"""One value under two names, or another in the place of one that went? All else in the rows tells.

A forest learns to tell the old name's rows from the others of the same days, by the other features
and the target. If it picks the new name's rows among the later ones as well as it picks the old name's
among earlier ones that it has not seen, they are the same (a classifier two-sample test; Lopez-Paz and
Oquab 2017). What moved for all rows moves for both sides, and does not count. A value that nothing else
hangs on cannot be told from another.
"""

from __future__ import annotations

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

#: Rows with the name, and without, that each part must have; rows of a part that are looked at.
FEWEST, MOST = 50, 20_000
#: Standard errors: from picking at random, and within which picking as well is as well.
SURE, CHANCE = 3.0, 2.0


@dataclass(frozen=True)
class Likeness:
    """How well the old name's rows are picked, and the new name's: ROC AUC with its standard error."""

    before: tuple[float, float]
    after: tuple[float, float]

    @property
    def same(self) -> bool:
        """Whether they surely are one: picked beyond chance, and no worse than before."""
        (was, error), (now, other) = self.before, self.after
        return now - SURE * other > 0.5 and now > was - CHANCE * hypot(error, other)

    def __str__(self) -> str:
        said = "is as it was: one value under two names" if self.same else "does not show it"
        return (
            f"all else in its rows {said} (ROC AUC against other rows {self.before[0]:.3f} for the old"
            f" name, {self.after[0]:.3f} ± {self.after[1]:.3f} for the new)"
        )


def likeness(rows: pd.DataFrame, contract: Contract, change: Change) -> Likeness | None:
    """How alike the rows of both names of a *change* "renamed" are; None with too few to tell."""
    old, new = change.names
    rows = rows.sort_values(contract.time, ignore_index=True)
    late = days_of(rows, contract) >= change.since
    before, after = (_sample(rows[each]) for each in (~late, late))
    learnt, asked = before.iloc[: len(before) * 2 // 3], before.iloc[len(before) * 2 // 3 :]
    parts = [(learnt, old), (asked, old), (after, new)]
    named = [(part[change.field] == name).to_numpy(bool) for part, name in parts]
    if min(min(each.sum(), (~each).sum()) for each in named) < FEWEST:
        return None
    seen, *others = _inputs([part for part, _ in parts], contract, change.field)
    forest = RandomForestClassifier(n_estimators=60, min_samples_leaf=20, max_features=0.5, random_state=0).fit(
        seen, named[0]
    )
    was, now = (_area(truth, forest.predict_proba(each)[:, 1]) for truth, each in zip(named[1:], others, strict=True))
    return Likeness(was, now)


def _sample(rows: pd.DataFrame) -> pd.DataFrame:
    return rows if len(rows) <= MOST else rows.sample(MOST, random_state=0).sort_index()


def _inputs(parts: list[pd.DataFrame], contract: Contract, but: str) -> list[Array]:
    """All features but one, and the target, as numbers."""
    found = inputs(contract, *(part.assign(**{but: ""}) for part in parts))
    return [np.column_stack([each, target(part, contract)]) for each, part in zip(found, parts, strict=True)]


def _area(truth: Any, scores: Array) -> tuple[float, float]:
    """The ROC AUC and its standard error (Hanley and McNeil 1982)."""
    area, many, others = float(roc_auc_score(truth, scores)), int(truth.sum()), int((~truth).sum())
    one, two = area / (2 - area), 2 * area**2 / (1 + area)
    spread = area * (1 - area) + (many - 1) * (one - area**2) + (others - 1) * (two - area**2)
    return area, float(np.sqrt(max(spread, 0.0) / (many * others)))

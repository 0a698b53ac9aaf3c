"""Influence of each feature on the score, from the reference's rows alone.

The correlation ratio (Pearson, 1905): the share of the scores' variance between a feature's categories, or between deciles
of a number. It needs no model, which monitoring does not run. Features are considered one at a time, so correlated
features are overestimated (too many alarms, not too few), and pure interactions are missed.
"""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from contracts.row_contract import Contract
from monitoring.metrics.spread import is_constant

DECILES = 10
#: Categories with fewer rows are merged: a category of one row explains its score completely.
MIN_ROWS = 20


def influence(rows: pd.DataFrame, contract: Contract) -> Mapping[str, float]:
    """The share of the scores' variance that each feature explains, 0 to 1, by name.

    Constant features are left out, and all features if the scores are constant.
    """
    scores = [name for name in rows if name == "score" or name.startswith("score_")]
    scores = [name for name in scores if not is_constant(rows[name])]
    return {
        feature.name: max(_ratio(rows[score], _groups(rows[feature.name], feature.kind)) for score in scores)
        for feature in contract.features
        if scores and feature.name in rows and _varies(rows[feature.name], feature.kind)
    }


def _varies(values: pd.Series, kind: str) -> bool:
    if kind == "number" and values.notna().all():
        return not is_constant(values)
    return len(values.unique()) > 1


def _groups(values: pd.Series, kind: str) -> pd.Series:
    if kind == "number" and values.nunique() > DECILES:
        values = pd.qcut(values.astype(float), DECILES, labels=False, duplicates="drop")
    groups = values.astype(object).where(values.notna(), "missing").astype(str)
    return groups.where(groups.map(groups.value_counts()) >= MIN_ROWS, "rare")


def _ratio(scores: pd.Series, groups: pd.Series) -> float:
    """Epsilon squared: corrected for what random groups would explain (Kelley, 1935)."""
    total = scores.var(ddof=0)
    count, number = len(scores), groups.nunique()
    between = 1 - scores.groupby(groups).transform("mean").rsub(scores).var(ddof=0) / total
    return max(0.0, float(1 - (1 - between) * (count - 1) / max(count - number, 1)))

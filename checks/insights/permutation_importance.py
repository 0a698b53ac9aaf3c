"""Permutation importance of each feature, through the ONNX model.

The importance is how much the loss of fresh rows grows when the feature's values are shuffled among them (Breiman 2001;
Fisher, Rudin and Dominici 2019). Correlated features share it. The confidence interval draws whole days with
replacement, since rows of a day are dependent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from bundles.bundle import Bundle
from checks.comparison.weighted_metrics import losses
from checks.evidence import Array, Evidence, columns_of, days_of, score_columns, target
from contracts.row_contract import Contract

Status = Literal["kept", "added", "changed", "removed"]
#: Most rows, shuffles, and draws of days: more would hardly narrow the interval, since days vary most.
MAX_ROWS, TIMES, DRAWS = 5_000, 3, 1_000


@dataclass(frozen=True)
class Importance:
    """The permutation importance *benefit* of a feature, with its confidence interval.

    *missing* and *unseen* are shares of the rows: without a value, with a category that training does not have. *what*
    describes a change. For a removed feature all values are the champion's.
    """

    name: str
    status: Status
    loss: str
    benefit: float
    low: float
    high: float
    rows: int
    missing: float
    unseen: float
    what: str = ""

    @property
    def shown(self) -> bool:
        """Whether the importance is significantly above 0."""
        return self.low > 0


def importances(
    candidate: Bundle, champion: Bundle | None, evidence: Evidence, removed_rows: pd.DataFrame | None
) -> list[Importance]:
    """The importance of every feature of the candidate on fresh rows, then of removed ones; the largest first.

    For a removed feature it is that in the champion: on the fresh rows if they keep its column, else on *removed_rows*,
    the champion's holdout.
    """
    status, what = changed(candidate.contract, champion.contract if champion else None)
    fresh = evidence.holdout[evidence.fresh]
    result = _importances(candidate, fresh, [n for n, s in status.items() if s != "removed"], status, what)
    gone = [name for name, each in status.items() if each == "removed"]
    if gone and champion is not None:
        kept = {each.name for each in candidate.contract.columns}
        rows = fresh if kept.issuperset(champion.contract.feature_names) else removed_rows
        result += _importances(champion, rows, gone, status, what) if rows is not None else []
    return sorted(result, key=lambda each: (each.status == "removed", -each.benefit))


def changed(candidate: Contract, champion: Contract | None) -> tuple[dict[str, Status], dict[str, str]]:
    """feature -> its status between the two contracts, and feature -> a description of the change."""
    old = {f.name: f for f in champion.features} if champion else {}
    status: dict[str, Status] = {}
    what: dict[str, str] = {}
    for feature in candidate.features:
        before = old.get(feature.name)
        status[feature.name] = "kept" if champion is None or before == feature else "changed"
        if champion is not None and before is None:
            status[feature.name] = "added"
        elif before is not None and before != feature:
            names = ("kind", "unit", "minimum", "maximum", "choices", "nullable")
            pairs = [(n, getattr(before, n), getattr(feature, n)) for n in names]
            parts = [f"{n} {_shown(a)} to {_shown(b)}" for n, a, b in pairs if a != b]
            if parts:
                what[feature.name] = "; ".join(parts)
            else:  # only its description or owner changed
                status[feature.name] = "kept"
    names_now = {*candidate.feature_names}
    status |= {name: "removed" for name in old if name not in names_now}
    return status, what


def _importances(
    bundle: Bundle, rows: pd.DataFrame, names: list[str], status: Mapping[str, Status], what: Mapping[str, str]
) -> list[Importance]:
    contract, random = bundle.contract, np.random.default_rng(0)
    if rows.empty or not names:
        return []
    if len(rows) > MAX_ROWS:
        rows = rows.iloc[np.sort(random.choice(len(rows), MAX_ROWS, replace=False))]
    rows = rows.reset_index(drop=True)
    truth = target(rows, contract)
    # Once: a shuffled feature replaces one column, and the others stay.
    columns = columns_of(contract, rows)
    usual = _loss(contract, truth, score_columns(bundle, columns))
    days = days_of(rows, contract)
    result = []
    for name in names:
        grown = np.zeros(len(rows))
        for _ in range(TIMES):
            shuffled = columns | {name: columns[name][random.permutation(len(rows))]}
            grown += _loss(contract, truth, score_columns(bundle, shuffled)) - usual
        grown /= TIMES
        low, high = interval(grown, days)
        known = bundle.categories.get(name)
        present = rows[name][rows[name].notna()]
        unseen = 0.0 if known is None else float((~present.isin(known)).sum() / len(rows))
        missing = float(rows[name].isna().mean())
        loss = "absolute error" if contract.task == "regression" else "log loss"
        result.append(
            Importance(
                name, status[name], loss, float(grown.mean()), low, high, len(rows), missing, unseen, what.get(name, "")
            )
        )
    return result


def interval(values: Array, days: Any, level: float = 0.95, seed: int = 0) -> tuple[float, float]:
    """The percentile interval of the mean of *values* when whole days are drawn (with one day, rows)."""
    _, day = np.unique(days, return_inverse=True)
    if day.max() == 0:
        day = np.arange(len(values))
    sums, counts = np.bincount(day, values), np.bincount(day)
    random, many = np.random.default_rng(seed), len(counts)
    drawn = random.multinomial(many, np.full(many, 1 / many), DRAWS)
    means = drawn @ sums / (drawn @ counts)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _loss(contract: Contract, truth: Array, scores: Array) -> Array:
    """The loss of each row: log loss, or the absolute error of a number."""
    if contract.task == "regression":
        return np.abs(scores - truth)
    return losses("log_loss", truth, scores)


def _shown(value: Any) -> str:
    if isinstance(value, tuple):
        return f"({', '.join(value)})" if value else "any"
    return "none" if value in (None, "") else f"{value:g}" if isinstance(value, float) else str(value)

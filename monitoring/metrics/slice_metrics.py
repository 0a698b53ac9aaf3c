"""Where it is worst: the slices of the contract, each held against the rows that the model was judged with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from contracts.row_contract import Contract
from monitoring.metrics.daily_metrics import METRICS, measured
from reporting.markdown import text

SHOWN = 8


@dataclass(frozen=True)
class Slice:
    """The rows whose *feature* is *value*: their share of all, and what is known of them.

    *usual* is the share they had; *score* and *usual_score* are mean scores (None for many classes);
    *metric* is of the rows whose outcome is known, None if too few are.
    """

    feature: str
    value: str
    rows: int
    share: float
    usual: float
    score: float | None
    usual_score: float | None
    metric: float | None
    usual_metric: float | None


def slices(reference: pd.DataFrame, rows: pd.DataFrame, contract: Contract, least: int, weight: int = 1) -> list[Slice]:
    """Every slice of at least *least* rows now or before, the one that moved most first.

    *rows* are 1 in *weight* of all.
    """
    found = []
    for name in contract.slices:
        if name not in rows or name not in reference:
            continue
        before, now = (_values(frame[name]) for frame in (reference, rows))
        for value in sorted({*before, *now}):
            old, new = reference[before == value], rows[now == value]
            if max(len(old), len(new)) >= least:
                found.append(
                    Slice(
                        name,
                        value,
                        weight * len(new),
                        len(new) / max(len(rows), 1),
                        len(old) / max(len(reference), 1),
                        _score(new),
                        _score(old),
                        _metric(new, contract, least),
                        _metric(old, contract, least),
                    )
                )
    return sorted(found, key=_moved, reverse=True)


def since(rows: pd.DataFrame, time: str, day: str) -> pd.DataFrame:
    """The *rows* of a *day* and later; all, without a day."""
    return rows[rows[time] >= pd.Timestamp(day, tz="UTC")] if day else rows


def table(found: Sequence[Slice], metric: str) -> str:
    """The slices that moved most, as Markdown; "" if there are none."""
    if not found:
        return ""
    lines = [
        "**On which slices** (now, and when the model was judged)",
        "",
        f"| | rows | share | mean score | {text(metric.replace('_', ' '))}, where outcomes are known |",
        "|---|---:|---:|---:|---:|",
    ]
    lines += [
        f"| {text(each.feature)} = {text(each.value, 60)} | {each.rows:,} | {_two(each.share, each.usual, '.1%')}"
        f" | {_two(each.score, each.usual_score, '.3f')} | {_two(each.metric, each.usual_metric, '.3f')} |"
        for each in found[:SHOWN]
    ]
    return "\n".join(lines)


def _two(now: float | None, usual: float | None, how: str) -> str:
    if now is None and usual is None:
        return ""
    return " / ".join("-" if value is None else format(value, how) for value in (now, usual))


def _values(column: pd.Series[Any]) -> pd.Series[Any]:
    return column.astype(object).where(column.notna(), "missing").astype(str)


def _score(rows: pd.DataFrame) -> float | None:
    return float(rows["score"].mean()) if "score" in rows and len(rows) else None


def _metric(rows: pd.DataFrame, contract: Contract, least: int) -> float | None:
    """The task's first metric over all of the *rows*, as if they were of one day."""
    one = rows.assign(**{contract.time: pd.Timestamp("2000-01-01", tz="UTC")})
    found = measured(one, contract, "", least)
    return found[0].metrics.get(METRICS[contract.task][0]) if found else None


def _moved(each: Slice) -> float:
    """How far: the share that came or went, and what the metric lost, weighed by the share."""
    lost = 0.0
    if each.metric is not None and each.usual_metric:
        lost = abs(each.metric - each.usual_metric) / abs(each.usual_metric) * each.share
    shifted = 0.0
    if each.score is not None and each.usual_score is not None:
        shifted = abs(each.score - each.usual_score) * each.share
    return float(np.nan_to_num(abs(each.share - each.usual) + lost + shifted))

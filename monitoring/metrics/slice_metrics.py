"""Slices of the contract, compared with the reference period."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from contracts.row_contract import Contract
from monitoring.metrics.daily_metrics import METRICS, daily_metrics
from reporting.markdown import text

MAX_SLICES = 8


@dataclass(frozen=True)
class Slice:
    """The rows whose *feature* is *value*: number, share, mean score and metric, now and in the reference period.

    *score* and *usual_score* are None for multiclass; *metric* and *usual_metric* are of labelled rows, None if these are
    too few.
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
    """Every slice of at least *least* rows now or in the reference period, the largest change first.

    *rows* are a sample of 1 in *weight*.
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
    """The slices with the largest changes, as Markdown; "" if there are none."""
    if not found:
        return ""
    lines = [
        "Now / in the reference period:",
        "",
        f"| slice | rows | share | mean score | {text(metric.replace('_', ' '))} of labelled rows |",
        "|---|---:|---:|---:|---:|",
    ]
    lines += [
        f"| {text(each.feature)} = {text(each.value, 60)} | {each.rows:,} | {_two(each.share, each.usual, '.1%')}"
        f" | {_two(each.score, each.usual_score, '.3f')} | {_two(each.metric, each.usual_metric, '.3f')} |"
        for each in found[:MAX_SLICES]
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
    """The task's first metric over all *rows*."""
    one = rows.assign(**{contract.time: pd.Timestamp("2000-01-01", tz="UTC")})
    found = daily_metrics(one, contract, "", least)
    return found[0].metrics.get(METRICS[contract.task][0]) if found else None


def _moved(each: Slice) -> float:
    """The change of a slice: of its share, and of score and metric weighted by the share."""
    lost = 0.0
    if each.metric is not None and each.usual_metric:
        lost = abs(each.metric - each.usual_metric) / abs(each.usual_metric) * each.share
    shifted = 0.0
    if each.score is not None and each.usual_score is not None:
        shifted = abs(each.score - each.usual_score) * each.share
    return float(np.nan_to_num(abs(each.share - each.usual) + lost + shifted))

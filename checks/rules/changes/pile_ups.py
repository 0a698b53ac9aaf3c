"""Pile-ups: one value of a number that becomes frequent, such as a mean that is filled in, or a bound at which it is cut."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from checks.evidence import Evidence
from checks.rules.changes.day_steps import Step, joined
from checks.rules.changes.recent_rows import Recent
from checks.verdict import Finding, ruled
from contracts.gate_limits import Changes

#: How many of the commonest values, of the recent and of the earlier rows, are tried.
MAX_VALUES = 50
#: Least rise of a single value, and of the other statistics, as a multiple of the usual one: the weather repeats values.
SINGLE_USUAL, KINDS_USUAL = 3.0, 4.0
#: How often, and on how many days of a period, a value must occur to recur.
TIMES, DAYS = 5, 3
#: Share of the earlier rows below which values rarely recur.
RARE = 0.05
#: Most decimals of a number that are counted, and the share of earlier values that may have more than the others.
MAX_DECIMALS, MAX_FINER_SHARE = 3, 0.001


def pile_ups(evidence: Evidence, limits: Changes) -> Finding:
    """No value of a number became frequent since the champion was trained.

    Tried are single values: the commonest ones, the largest and the smallest. Which value is common may change, as the
    weather does, so the usual change is that of any value of the feature. Tried are also: the largest, smallest and
    commonest value of each day; values that recur, where they rarely did; values with more decimals than before.
    """
    recent = Recent.of(evidence, even=True)
    found: list[tuple[Step, str]] = []
    for name in recent.numbers():
        column = pd.Series(recent.values(name))
        for tried, how in (
            (_single(column, recent), {"together": True, "multiple": SINGLE_USUAL}),
            (_kinds(column, recent), {"multiple": KINDS_USUAL}),
        ):
            if not tried:
                continue
            missing = column.isna().to_numpy()
            sums = joined([recent.days.sums(np.where(missing, np.nan, which)) for which in tried.values()])
            early = recent.early_means(sums)
            least = limits.max_pile_up + early * (1 - early) / 2
            names = [*tried]
            risen = [step for step in recent.steps(sums, least, **how) if step.rise > 0]
            found += [(step, f"{name} {names[step.statistic]}") for step in risen[:1]]
    found.sort(key=lambda each: -each[0].errors)
    observed = "; ".join(
        f"{what} in {step.after:.1%} of rows since {step.since}, {step.before:.1%} before" for step, what in found[:3]
    )
    return ruled(
        "data.pile_ups",
        not found,
        observed or recent.enough() or "no value became frequent",
        f"a rise of at most {limits.max_pile_up:.0%} of rows, beyond what the days before show",
        "A step upstream fills in a value, or cuts values off, and the model reads them as ordinary ones.",
        limits.severity,
    )


def _single(column: pd.Series[Any], recent: Recent) -> dict[str, Any]:
    """Single values: what a pile-up on one may be, and the mask of its rows."""
    late, early = column[recent.late].dropna(), column[~recent.late].dropna()
    if late.empty or early.empty:
        return {}
    middle = {"the mean": float(early.mean()), "the median": float(early.median())}
    meanings = middle | {"the largest": float(late.max()), "the smallest": float(late.min())}
    often = [*late.value_counts().head(MAX_VALUES).index, *early.value_counts().head(MAX_VALUES).index]
    found = {}
    for value in dict.fromkeys([*often, late.max(), late.min()]):
        meaning = next((word for word, each in meanings.items() if np.isclose(each, value, rtol=1e-3)), "")
        found[f"is {value:.6g}{f' ({meaning})' if meaning else ''}"] = (column == value).to_numpy()
    return found


def _kinds(column: pd.Series[Any], recent: Recent) -> dict[str, Any]:
    """Statistics that do not depend on a single value: what they count, and the mask of the rows."""
    days = column.groupby(recent.days.codes)
    times = column.groupby([recent.days.codes, column]).transform("size").fillna(0)
    first = pd.DataFrame({"day": recent.days.codes, "times": -times, "value": column})
    commonest = first.sort_values(["day", "times", "value"]).groupby("day")["value"].first()
    found = {
        "is the largest of its day": (column == days.transform("max")).to_numpy(),
        "is the smallest of its day": (column == days.transform("min")).to_numpy(),
        "is the commonest of its day": (column == commonest.reindex(recent.days.codes).to_numpy()).to_numpy(),
    }
    recurring = _recurring(column, recent)
    if not recent.late.all() and recurring[~recent.late].mean() < RARE:
        found["has values that recur"] = recurring
    decimals = _decimals(column[~recent.late].dropna())
    if decimals is not None:
        finer = (column != column.round(decimals)).to_numpy()
        found[f"has more than {decimals} decimals"] = finer
    return found


def _recurring(column: Any, recent: Recent) -> Any:
    """Whether a row's value occurs at least `TIMES` times, on `DAYS` days, in the period of the row.

    Periods are as long as the recent one, and end with it. Means of segments recur, measured values rarely do.
    """
    codes = recent.days.codes
    length = int(np.unique(codes[recent.late]).size)
    period = (codes.max() - codes) // max(length, 1)
    groups = column.groupby([period, column])
    days = pd.Series(codes, dtype=float).groupby([period, column]).transform("nunique")
    return ((groups.transform("size") >= TIMES) & (days >= DAYS)).to_numpy()


def _decimals(early: Any) -> int | None:
    """The decimals that nearly all of the *early* values have at most; None if that are more than `MAX_DECIMALS`."""
    for decimals in range(MAX_DECIMALS + 1):
        if len(early) and float((early == early.round(decimals)).mean()) > 1 - MAX_FINER_SHARE:
            return decimals
    return None

"""Values within a segment: one country in another currency, one shop that reports net prices."""

from __future__ import annotations

import numpy as np
import pandas as pd

from checks.evidence import Array, Evidence
from checks.rules.changes.day_steps import Step
from checks.rules.changes.recent_rows import Recent
from checks.verdict import Finding, ruled
from contracts.gate_limits import Changes
from model.source_profile.unit_changes import CONVERSIONS

#: Rows over which values are ranked: those of a day, or of as many days as have so many rows.
RANKED = 30
#: Least difference of a mean rank, as a multiple of the usual one: there are hundreds of pairs of feature and segment.
USUAL_RANKS = 3.0
#: How near the ratio of two medians is to a known factor (of a logarithm).
FACTOR_TOLERANCE = 0.05


def slice_values(evidence: Evidence, limits: Changes) -> Finding:
    """In no segment did a number move against the other rows of the same days.

    The statistic is the mean rank of the segment's rows among all rows of the day, from 0 to 1 (Wilcoxon 1945): what
    moves all rows, such as the season, does not change it. Segments are the values of categories and booleans.
    """
    recent = Recent.of(evidence)
    found: list[tuple[Step, str, str, int]] = []
    for name in recent.numbers():
        ranks = _ranks(recent.values(name), recent)
        for by, (codes, names) in recent.segments.items():
            if len(names) > 1:
                sums = recent.days.sums(ranks, codes, len(names))
                moved = recent.steps(sums, limits.max_rank_step, multiple=USUAL_RANKS)
                found += [(step, name, by, step.statistic) for step in moved]
    found.sort(key=lambda each: -each[0].errors)
    sentences = [_sentence(recent, *each) for each in found[:2]]
    return ruled(
        "data.slice_values",
        not found,
        "; ".join(sentences) or recent.enough() or "no number moved in one segment alone",
        f"a change of the mean rank of at most {limits.max_rank_step:g}, beyond what the days before show",
        "In one segment the number means something else: another currency, unit or definition.",
        limits.severity,
    )


def _ranks(values: Array, recent: Recent) -> Array:
    """The rank of each value among the rows of its day (of some days, with few rows), from 0 to 1; NaN if missing."""
    together = max(1, int(np.ceil(RANKED * len(recent.days.dates) / max(len(values), 1))))
    ranked: Array = pd.Series(values).groupby(recent.days.codes // together).rank(pct=True).to_numpy()
    return ranked


def _sentence(recent: Recent, step: Step, name: str, by: str, number: int) -> str:
    codes, names = recent.segments[by]
    late = np.asarray(recent.rows[recent.contract.time] >= pd.Timestamp(step.since, tz="UTC"))
    values = recent.values(name)
    own, others = (_ratio(values[which & ~late], values[which & late]) for which in (codes == number, codes != number))
    direction = "higher" if step.rise > 0 else "lower"
    what = f"{name} is {direction} where {by} is {names[number]} since {step.since}"
    if own and others:
        return f"{what}: its median is {own:.3g} times the earlier one, {others:.3g} times in other rows{_known(own / others)}"
    return f"{what}: mean rank {step.after:.2f} among all rows, {step.before:.2f} before"


def _ratio(earlier: Array, later: Array) -> float:
    """The ratio of the medians; 0 where it has no meaning."""
    if np.isnan(earlier).all() or np.isnan(later).all():
        return 0.0
    was, now = float(np.nanmedian(earlier)), float(np.nanmedian(later))
    return now / was if was * now > 0 else 0.0


def _known(ratio: float) -> str:
    """What a *ratio* may mean."""
    for factor, larger, smaller in CONVERSIONS:
        for each, meaning in ((factor, larger), (1 / factor, smaller)):
            if abs(np.log(ratio / each)) < FACTOR_TOLERANCE:
                return f" ({meaning})"
    return ""

"""Values of columns: what a broken export, feed or join leaves in the rows.

Rows that the champion's evidence holds as well must have the same values there; the holdout is compared with the
training rows.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from checks.evidence import Evidence
from checks.verdict import Finding, ruled
from contracts.gate_limits import Rows
from contracts.tolerance import EQUAL, spread_of

#: Fewest rows in both bundles for a comparison of their values.
MIN_ROWS = 200
#: A value with less than this share of the earlier rows is new.
NEW_SHARE = 0.002
#: Fewest days with the new value: weather explains one or two.
MIN_DAYS = 3


def rewritten(evidence: Evidence, limits: Rows) -> Finding:
    """Rows that the champion's evidence holds as well (same key and time) have the same values there."""
    contract, both = evidence.contract, evidence.past.both
    changed: dict[str, float] = {}
    if len(both) >= MIN_ROWS:
        revised = {feature.name for feature in contract.features if feature.revised}
        for name in [*contract.feature_names, contract.target.name]:
            if f"{name}_before" in both and name not in revised:
                changed[name] = float(_differs(both[name], both[f"{name}_before"]).mean())
    worst = sorted(changed, key=lambda name: -changed[name])
    observed = f"of {len(both):,} rows in both bundles, " if worst else "too few rows in both bundles to compare"
    observed += ", ".join(f"{name} differs in {changed[name]:.1%}" for name in worst[:3])
    fails = bool(worst) and changed[worst[0]] > limits.max_rewritten
    return ruled(
        "data.rewritten",
        not fails,
        observed,
        f"at most {limits.max_rewritten:.0%} of a column",
        "Past values should not change: a join, a unit or the recipe changed, and requests did not.",
        limits.severity,
    )


def missing_jump(evidence: Evidence, limits: Rows) -> Finding:
    """No feature is missing much more often than in earlier rows.

    Shares are by day, since outages last for a day: the rise must exceed the limit by two standard errors of the
    earlier days.
    """
    time = evidence.contract.time
    jumps = {
        name: _rise(earlier[name].isna(), earlier[time], later[name].isna(), later[time])
        for name in evidence.contract.feature_names
        for earlier, later in _pairs(evidence, name)
    }
    name = max(jumps, key=lambda each: jumps[each])
    rise, error = jumps[name]
    return ruled(
        "data.missing_jump",
        rise - 2 * error <= limits.max_missing_jump,
        f"the daily share of missing {name} rose by {max(rise, 0.0):.1%}"
        f" (two standard errors over days: {2 * error:.1%})",
        f"a rise of at most {limits.max_missing_jump:.0%}",
        "A source that fails leaves missing values, which the model reads as ordinary rows.",
        limits.severity,
    )


def sentinels(evidence: Evidence, limits: Rows) -> Finding:
    """No number far from all others, and rare before, is frequent on several days."""
    time = evidence.contract.time
    sentinel_values = [
        f"{feature.name} = {value:g} in {share:.1%} of rows"
        for feature in evidence.contract.features
        if feature.kind == "number"
        for earlier, later in _pairs(evidence, feature.name)
        for value, share in _spikes(earlier[feature.name], later[feature.name])
        if share > limits.max_sentinel
        and _days(later[time], later[feature.name] == value, limits.max_sentinel) >= MIN_DAYS
    ]
    return ruled(
        "data.sentinels",
        not sentinel_values,
        "; ".join(sentinel_values[:3]) or "no sentinel value",
        f"at most {limits.max_sentinel:.0%} of rows",
        "A code for “unknown”, such as -999, is read as a number.",
        limits.severity,
    )


def frozen(evidence: Evidence, limits: Rows) -> Finding:
    """No number that varied in the training rows is constant in the holdout."""
    constant = []
    for feature in evidence.contract.features:
        if feature.kind != "number":
            continue
        before, now = (_top(rows[feature.name]) for rows in (evidence.train, evidence.holdout))
        if now > limits.max_frozen and before < limits.max_frozen - 0.15 and _varies(evidence.train[feature.name]):
            constant.append(f"{feature.name} has one value in {now:.1%} of rows, {before:.1%} in training")
    return ruled(
        "data.frozen",
        not constant,
        "; ".join(constant) or "every number varies",
        f"at most {limits.max_frozen:.0%} of rows",
        "A feed that hangs repeats its last value.",
        limits.severity,
    )


def _pairs(evidence: Evidence, name: str) -> Iterable[tuple[pd.DataFrame, pd.DataFrame]]:
    """Earlier and later rows: the champion's with the training rows, and these with the holdout."""
    if evidence.past.before is not None and name in evidence.past.before:
        yield evidence.past.before, evidence.train
    yield evidence.train, evidence.holdout


def _rise(was: Any, then: Any, now: Any, when: Any) -> tuple[float, float]:
    """How much the mean of the days rose, and its standard error."""
    before, after = (each.groupby(at.dt.floor("D")).mean() for each, at in ((was, then), (now, when)))
    spread = float(before.std()) if len(before) > 1 else 0.0
    return float(after.mean() - before.mean()), spread * float(np.sqrt(1 / len(before) + 1 / len(after)))


def _differs(ours: pd.Series[Any], theirs: pd.Series[Any]) -> Any:
    missing = ours.isna().to_numpy() != theirs.isna().to_numpy()
    both = (ours.notna() & theirs.notna()).to_numpy()
    if pd.api.types.is_numeric_dtype(ours) and pd.api.types.is_numeric_dtype(theirs):
        here, there = (each.astype(float).to_numpy() for each in (ours, theirs))
        return missing | (both & ~np.isclose(here, there, rtol=1e-4, atol=1e-9))
    here, there = (each.astype(str).to_numpy() for each in (ours, theirs))
    return missing | (both & (here != there))


def _spikes(earlier: pd.Series[Any], later: pd.Series[Any]) -> Iterable[tuple[float, float]]:
    """Values that were rare before and are far from all others: value, share of later rows."""
    seen = earlier.dropna().astype(float)
    shares = later.dropna().astype(float).value_counts().head(5) / max(len(later), 1)
    for value, share in shares.items():
        others = np.concatenate([seen[seen != value], later.dropna()[later.dropna() != value]])
        if len(others) < MIN_ROWS or float((seen == value).mean()) > NEW_SHARE:
            continue
        low, high = np.percentile(others, [0.5, 99.5])
        room = max((high - low) / 8, EQUAL * max(abs(low), abs(high)))
        if value < low - room or value > high + room:
            yield float(value), float(share)


def _days(at: Any, which: Any, share: float) -> int:
    """On how many days more than a *share* of the rows is in the mask *which*."""
    return int((which.groupby(at.dt.floor("D")).mean() > share).sum())


def _top(column: pd.Series[Any]) -> float:
    counts = column.dropna().value_counts()
    return float(counts.iloc[0] / counts.sum()) if len(counts) else 0.0


def _varies(column: pd.Series[Any]) -> bool:
    known = column.dropna().astype(float)
    return not known.empty and bool(spread_of(known))

"""Data quality: what a broken export, feed or join leaves in the rows.

Rows that the champion's evidence holds as well must have the same values there; the holdout is compared with the
training rows.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from checks.evidence import Evidence, days_of
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
        for name in [*contract.feature_names, contract.target.name]:
            if f"{name}_before" in both:
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


def lost(evidence: Evidence, limits: Rows) -> Finding:
    """Rows of the champion's evidence are still in the window."""
    expected, gone, observed = evidence.past.expected, 0.0, "too few rows in both bundles to compare"
    if expected >= MIN_ROWS:
        gone = 1 - len(evidence.past.both) / expected
        observed = (
            f"{max(gone, 0.0):.1%} of about {expected:,.0f} rows of the champion's evidence are missing,"
            " or have another key or time"
        )
    return ruled(
        "data.lost",
        gone <= limits.max_lost,
        observed,
        f"at most {limits.max_lost:.0%}",
        "A source that loses rows biases the training data.",
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


def repeated(evidence: Evidence, limits: Rows) -> Finding:
    """No day was loaded twice."""
    contract = evidence.contract
    worst: list[tuple[float, str]] = []
    for rows in (evidence.train, evidence.holdout):
        twice = rows.duplicated([contract.key, contract.time])
        by_day = twice.groupby(days_of(rows, contract)).mean()
        worst.append((float(by_day.max()), str(by_day.idxmax())))
    share, day = max(worst)
    observed = f"{share:.0%} of the rows of {day} are copies of earlier rows" if share else "no row occurs twice"
    return ruled(
        "data.repeated",
        share <= limits.max_repeated,
        observed,
        f"at most {limits.max_repeated:.0%} of a day's rows",
        "A day that is loaded twice counts twice in training and evaluation.",
        limits.severity,
    )


def rate(evidence: Evidence, limits: Rows) -> Finding:
    """Rows per day do not fall."""
    before, now = (_per_day(evidence.past.extents[part]) for part in ("train", "holdout"))
    return ruled(
        "data.rate",
        now >= before * limits.min_rate,
        f"{now:,.0f} rows per day in the holdout, {before:,.0f} in training",
        f"at least {limits.min_rate:.0%} of training",
        "An export that stops early loses rows that arrive late.",
        limits.severity,
    )


def stale(evidence: Evidence, limits: Rows) -> Finding:
    """The newest row is close to the end of the window."""
    end = pd.Timestamp(evidence.past.window[1])
    behind = (end - pd.Timestamp(evidence.past.extents["holdout"]["end"])) / pd.Timedelta(days=1)
    return ruled(
        "data.stale",
        behind <= limits.max_stale_days,
        f"the newest row is {behind:.1f} days older than the window's end",
        f"at most {limits.max_stale_days:g} days",
        "A snapshot that is no longer updated gives the same model each night.",
        limits.severity,
    )


def clock(evidence: Evidence, limits: Rows) -> Finding:
    """The distribution over the hours of the day is not shifted by some hours."""
    before, now = (_hours(rows[evidence.contract.time]) for rows in (evidence.train, evidence.holdout))
    apart = [float(np.abs(np.roll(now, -shift) - before).sum() / 2) for shift in range(24)]
    best = int(np.argmin(apart))
    shifted = best != 0 and apart[0] - apart[best] > limits.max_clock
    observed = f"the distribution over the hours of the day differs by {apart[0]:.0%} from training"
    if shifted:
        hours = best if best <= 12 else best - 24
        observed += f", and by {apart[best]:.0%} if shifted by {hours:+d} hours"
    return ruled(
        "data.clock",
        not shifted,
        observed,
        f"no shift that explains more than {limits.max_clock:.0%}",
        "A change of time zone moves every row to another hour, and some to another day.",
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


def _per_day(extent: Any) -> float:
    span = pd.Timestamp(extent["end"]) - pd.Timestamp(extent["start"])
    return float(extent["rows"] / max(span / pd.Timedelta(days=1), 1.0))


def _hours(at: pd.Series[Any]) -> Any:
    counts = np.bincount(at.dt.hour, minlength=24)
    return counts / counts.sum()

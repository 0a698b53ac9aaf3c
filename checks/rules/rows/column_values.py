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
from checks.rules.rows.column_pace import pace_of, runs_of_days
from checks.verdict import Finding, at_most_hold, ruled
from contracts.gate_limits import Rows
from contracts.tolerance import EQUAL, spread_of
from model.source_profile.slow_columns import MIN_CODE
from model.source_profile.unit_changes import SENTINELS

#: Fewest rows in both bundles for a comparison of their values.
MIN_ROWS = 200
#: A value with less than this share of the earlier rows is new.
NEW_SHARE = 0.002
#: Fewest days with the new value: weather explains one or two.
MIN_DAYS = 3
#: Rows without which a day of a column that varies within days is not constant.
MIN_CONSTANT = 10
#: A code for "unknown" is so many times as large as all other values, if it has their sign.
CODE = 10
#: A value in more than this share of the training rows is a usual state (no discount), which may last for a week.
USUAL_SHARE, MIN_USUAL = 0.3, 8
#: A value that has nearly this limit of the training rows is not judged: the others are rare events.
RARE = 0.15
#: Fewest runs of days by which to judge a constant one; how many times the longest it may last, of few runs and of many.
#: Of n runs with exponential lengths one more is this long by chance in 1.8 % (n = 5) and 0.4 % (n = 20).
FEW_RUNS, FROZEN_OF_FEW = 5, 3
MANY_RUNS, FROZEN = 20, 2


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
    """No number far from all others, and rare before, is frequent on several days.

    In a slow column (`column_pace`) the next value is often far from the others. There, it must be a usual code, such
    as -999, or occur beside the values of the same days. The rule blocks where the value cannot be an ordinary one: a
    usual code with a sign that no other value has, or ten times as large as all others. A new discount, list price or size
    is a HOLD.
    """
    found: list[str] = []
    unsure: list[str] = []
    certain = False
    for feature in evidence.contract.features:
        for earlier, later in _pairs(evidence, feature.name) if feature.kind == "number" else ():
            for value, share in _spikes(earlier[feature.name], later[feature.name], limits.max_sentinel):
                verdict = _is_sentinel(evidence, feature.name, earlier, later, value, limits.max_sentinel)
                if verdict is not None:
                    (found if verdict else unsure).append(f"{feature.name} = {value:g} in {share:.1%} of rows")
                    certain |= verdict and _is_code(earlier[feature.name], value)
    observed = "; ".join(found[:3]) or "no sentinel value"
    if unsure:
        observed += f" (new in columns with too few values to judge: {'; '.join(dict.fromkeys(unsure))})"
    return ruled(
        "data.sentinels",
        not found,
        observed,
        f"at most {limits.max_sentinel:.0%} of rows",
        "A code for “unknown”, such as -999, is read as a number.",
        limits.severity if certain else at_most_hold(limits.severity),
    )


def frozen(evidence: Evidence, limits: Rows) -> Finding:
    """No number that varied has had one value for far longer than ever before, up to the end of the holdout.

    Compared are runs of days, so a figure that is published each week or month may repeat for as long as is usual for it.
    A column that varied within the days blocks. A slow one (`column_pace`) holds: a rate that a bank sets, or a price list,
    may stay as it is for longer than ever before.
    """
    time = evidence.contract.time
    constant, unsure = [], []
    varied = False
    for feature in evidence.contract.features:
        if feature.kind != "number" or not _varies(evidence.train[feature.name]):
            continue
        column = pd.concat([evidence.train[feature.name], evidence.holdout[feature.name]], ignore_index=True)
        at = pd.concat([evidence.train[time], evidence.holdout[time]], ignore_index=True)
        slow = pace_of(evidence.train[feature.name], evidence.train[time]).slow
        least = 1 if slow else MIN_CONSTANT
        *earlier, (value, days) = runs_of_days(column, at, limits.max_frozen, least) or [(None, 0)]
        longest = max((length for each, length in earlier if each is not None), default=0)
        share = float((evidence.train[feature.name] == value).mean())
        if value is None or days < (MIN_USUAL if share > USUAL_SHARE else MIN_DAYS) or days <= longest:
            continue
        if share > limits.max_frozen - RARE:  # a rare event did not happen
            continue
        words = f"{feature.name} has had the value {value:g} for {days} days"
        words += f", before for at most {longest}" if longest else ", and varied within each day before"
        times = FROZEN if len(earlier) >= MANY_RUNS else FROZEN_OF_FEW
        if len(earlier) >= FEW_RUNS and days > times * longest:
            constant.append(words)
            varied |= not slow
        elif len(earlier) < FEW_RUNS:
            unsure.append(f"{feature.name}: {len(earlier) + 1} values in {len(set(at.dt.floor('D')))} days")
    observed = "; ".join(constant) or "no number stopped changing"
    if unsure:
        observed += f" (too few values to judge {'; '.join(unsure)})"
    return ruled(
        "data.frozen",
        not constant,
        observed,
        f"one value in {limits.max_frozen:.0%} of rows for no longer than two or three times as long as before",
        "A feed that hangs repeats its last value.",
        limits.severity if varied else at_most_hold(limits.severity),
    )


def _is_sentinel(
    evidence: Evidence, name: str, earlier: pd.DataFrame, later: pd.DataFrame, value: float, most: float
) -> bool | None:
    """Whether a new, distant *value* of the column *name* is a sentinel; None if it is rare, False if it may be a figure."""
    time = evidence.contract.time
    if _days(later[time], later[name] == value, most) < MIN_DAYS:
        return None
    pace = pace_of(earlier[name], earlier[time])
    if not pace.slow or (value in SENTINELS and abs(value) > MIN_CODE):
        return True
    day = later[time].dt.floor("D")
    values = later.groupby(day)[name].nunique()
    beside = values[day[later[name] == value].unique()] > max(pace.most, 1)
    return int(beside.sum()) >= MIN_DAYS


def _is_code(known: pd.Series[Any], value: float) -> bool:
    """Whether a distant *value* cannot be one of those of a column with the *known* values."""
    others = known.dropna().astype(float)
    most = float(others.abs().max())
    opposite = bool((others >= 0).all()) if value < 0 else bool((others <= 0).all())
    return value in SENTINELS and (opposite or abs(value) > CODE * most)


def _pairs(evidence: Evidence, name: str) -> Iterable[tuple[pd.DataFrame, pd.DataFrame]]:
    """Earlier and later rows: the champion's with the training rows, and these with the holdout."""
    if evidence.past.before is not None and name in evidence.past.before:
        yield evidence.past.before, evidence.train
    yield evidence.train, evidence.holdout


def _rise(was: Any, then: Any, now: Any, when: Any) -> tuple[float, float]:
    """How much the mean of the days rose, and its standard error.

    Days that follow each other are alike: n of them are worth n (1 - r) / (1 + r), with r their autocorrelation.
    """
    before, after = (each.groupby(at.dt.floor("D")).mean() for each, at in ((was, then), (now, when)))
    spread = float(before.std()) if len(before) > 1 else 0.0
    away = (before - before.mean()).to_numpy()
    alike = float(away[1:] @ away[:-1] / (away @ away)) if spread else 0.0
    worth = (1 - alike) / (1 + alike) if alike > 0 else 1.0
    looks = [max(len(each) * worth, 1.0) for each in (before, after)]
    return float(after.mean() - before.mean()), spread * float(np.sqrt(1 / looks[0] + 1 / looks[1]))


def _differs(ours: pd.Series[Any], theirs: pd.Series[Any]) -> Any:
    missing = ours.isna().to_numpy() != theirs.isna().to_numpy()
    both = (ours.notna() & theirs.notna()).to_numpy()
    if pd.api.types.is_numeric_dtype(ours) and pd.api.types.is_numeric_dtype(theirs):
        here, there = (each.astype(float).to_numpy() for each in (ours, theirs))
        return missing | (both & ~np.isclose(here, there, rtol=1e-4, atol=1e-9))
    here, there = (each.astype(str).to_numpy() for each in (ours, theirs))
    return missing | (both & (here != there))


def _spikes(earlier: pd.Series[Any], later: pd.Series[Any], least: float) -> Iterable[tuple[float, float]]:
    """Values that were rare before, are far from all others, and frequent now: value, share of later rows."""
    seen, new = earlier.dropna().astype(float), later.dropna().astype(float)
    if seen.empty or new.empty:
        return
    low, high = np.percentile(seen, [0.5, 99.5])
    shares = new[(new < low) | (new > high)].value_counts() / len(later)
    for value, share in shares[shares > least].items():
        others = np.concatenate([seen[seen != value], new[new != value]])
        if len(others) < MIN_ROWS or float((seen == value).mean()) > NEW_SHARE:
            continue
        low, high = np.percentile(others, [0.5, 99.5])
        room = max((high - low) / 8, EQUAL * max(abs(low), abs(high)))
        if value < low - room or value > high + room:
            yield float(value), float(share)


def _days(at: Any, which: Any, share: float) -> int:
    """On how many days more than a *share* of the rows is in the mask *which*."""
    return int((which.groupby(at.dt.floor("D")).mean() > share).sum())


def _varies(column: pd.Series[Any]) -> bool:
    known = column.dropna().astype(float)
    return not known.empty and bool(spread_of(known))

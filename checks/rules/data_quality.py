"""Are the rows those that the world made? What a broken export, feed or join leaves behind.

Two yardsticks: the rows that the champion's evidence also holds, which must say the same; and the
rows learnt from, which the later rows to judge with should resemble.
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

#: Rows that both must hold before anything is said about what changed in them.
FEWEST = 200
#: A value that made less than this share of the rows before is new.
HARDLY = 0.002
#: Days on which it must come: a fog or a frost has one or two.
LASTS = 3


def rewritten(evidence: Evidence, limits: Rows) -> Finding:
    """Rows that the champion's evidence also holds (same key, same time) say the same there."""
    contract, both = evidence.contract, evidence.past.both
    changed: dict[str, float] = {}
    if len(both) >= FEWEST:
        for name in [*contract.feature_names, contract.target.name]:
            if f"{name}_before" in both:
                changed[name] = float(_differs(both[name], both[f"{name}_before"]).mean())
    worst = sorted(changed, key=lambda name: -changed[name])
    said = "no rows to compare with" if not worst else f"of {len(both):,} rows that both hold, "
    said += ", ".join(f"{name} differs in {changed[name]:.1%}" for name in worst[:3])
    fails = bool(worst) and changed[worst[0]] > limits.max_rewritten
    return ruled(
        "data.rewritten",
        not fails,
        said,
        f"at most {limits.max_rewritten:.0%} of a column",
        "The past does not change: a join, a unit or a recipe did, and the website's rows did not.",
        limits.severity,
    )


def lost(evidence: Evidence, limits: Rows) -> Finding:
    """Rows that the champion's evidence holds are still there, as far as the window reaches."""
    gone = 1 - len(evidence.past.both) / evidence.past.expected if evidence.past.expected >= FEWEST else 0.0
    return ruled(
        "data.lost",
        gone <= limits.max_lost,
        f"{max(gone, 0.0):.1%} of about {evidence.past.expected:,.0f} rows that the champion's evidence holds"
        " are gone, or have another key or time",
        f"at most {limits.max_lost:.0%}",
        "An export that leaves rows out chooses what is learnt.",
        limits.severity,
    )


def missing_jump(evidence: Evidence, limits: Rows) -> Finding:
    """No feature goes missing much more often than in the rows before.

    By day, since what keeps a source from answering keeps it for a day: the rise must be beyond the
    limit by two standard errors of the days before.
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
        f"{name} is missing in {max(rise, 0.0):.1%} of a day's rows more than before"
        f" (days differ: {2 * error:.1%} more or less would be chance)",
        f"at most {limits.max_missing_jump:.0%} more",
        "A source that stopped answering looks like a row with nothing to say.",
        limits.severity,
    )


def sentinels(evidence: Evidence, limits: Rows) -> Finding:
    """No value far from all others, hardly seen before, takes the place of many, on several days."""
    time = evidence.contract.time
    found = [
        f"{feature.name} = {value:g} in {share:.1%} of rows"
        for feature in evidence.contract.features
        if feature.kind == "number"
        for earlier, later in _pairs(evidence, feature.name)
        for value, share in _spikes(earlier[feature.name], later[feature.name])
        if share > limits.max_sentinel
        and _days(later[time], later[feature.name] == value, limits.max_sentinel) >= LASTS
    ]
    return ruled(
        "data.sentinels",
        not found,
        "; ".join(found[:3]) or "none",
        f"at most {limits.max_sentinel:.0%} of rows",
        "A number that stands for “unknown” is read as a number.",
        limits.severity,
    )


def frozen(evidence: Evidence, limits: Rows) -> Finding:
    """No number that varied before stands still now."""
    found = []
    for feature in evidence.contract.features:
        if feature.kind != "number":
            continue
        before, now = (_top(rows[feature.name]) for rows in (evidence.train, evidence.holdout))
        if now > limits.max_frozen and before < limits.max_frozen - 0.15 and _varies(evidence.train[feature.name]):
            found.append(f"{feature.name} is the same in {now:.1%} of rows, {before:.1%} before")
    return ruled(
        "data.frozen",
        not found,
        "; ".join(found) or "every number still moves",
        f"at most {limits.max_frozen:.0%} of rows",
        "A feed that hangs repeats its last word.",
        limits.severity,
    )


def repeated(evidence: Evidence, limits: Rows) -> Finding:
    """No day was loaded twice."""
    contract = evidence.contract
    found: list[tuple[float, str]] = []
    for rows in (evidence.train, evidence.holdout):
        twice = rows.duplicated([contract.key, contract.time])
        by_day = twice.groupby(days_of(rows, contract)).mean()
        found.append((float(by_day.max()), str(by_day.idxmax())))
    share, day = max(found)
    said = f"{share:.0%} of the rows of {day} came before" if share else "no row came twice"
    return ruled(
        "data.repeated",
        share <= limits.max_repeated,
        said,
        f"at most {limits.max_repeated:.0%} of a day's",
        "A day that is loaded twice counts twice.",
        limits.severity,
    )


def rate(evidence: Evidence, limits: Rows) -> Finding:
    """As many rows a day as before, or more."""
    before, now = (_per_day(evidence.past.extents[part]) for part in ("train", "holdout"))
    return ruled(
        "data.rate",
        now >= before * limits.min_rate,
        f"{now:,.0f} rows a day to judge with, {before:,.0f} learnt from",
        f"at least {limits.min_rate:.0%} of them",
        "An export that stops early leaves out what comes late.",
        limits.severity,
    )


def fresh(evidence: Evidence, limits: Rows) -> Finding:
    """The newest rows reach up to the end of the window."""
    end = pd.Timestamp(evidence.past.window[1])
    behind = (end - pd.Timestamp(evidence.past.extents["holdout"]["end"])) / pd.Timedelta(days=1)
    return ruled(
        "data.stale",
        behind <= limits.max_stale_days,
        f"the newest row is {behind:.1f} days older than the window's end",
        f"at most {limits.max_stale_days:g} days",
        "A snapshot that nobody renews is learnt again and again.",
        limits.severity,
    )


def clock(evidence: Evidence, limits: Rows) -> Finding:
    """The hours of the day are those of before: no shift of some hours fits much better."""
    before, now = (_hours(rows[evidence.contract.time]) for rows in (evidence.train, evidence.holdout))
    apart = [float(np.abs(np.roll(now, -shift) - before).sum() / 2) for shift in range(24)]
    best = int(np.argmin(apart))
    shifted = best != 0 and apart[0] - apart[best] > limits.max_clock
    said = f"the hours of the day are {apart[0]:.0%} apart from those before"
    if shifted:
        hours = best if best <= 12 else best - 24
        said += f"; {apart[best]:.0%} if the clock is {hours:+d} hours off"
    return ruled(
        "data.clock",
        not shifted,
        said,
        f"no shift that explains more than {limits.max_clock:.0%}",
        "A change of time zone moves every row to another hour, and some to another day.",
        limits.severity,
    )


def _pairs(evidence: Evidence, name: str) -> Iterable[tuple[pd.DataFrame, pd.DataFrame]]:
    """Earlier rows beside later ones: the champion's and those learnt from, and the latter's."""
    if evidence.past.before is not None and name in evidence.past.before:
        yield evidence.past.before, evidence.train
    yield evidence.train, evidence.holdout


def _rise(was: Any, then: Any, now: Any, when: Any) -> tuple[float, float]:
    """How much larger a day's mean is now than before, and the standard error of that."""
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
    """Values that hardly came before, and lie far from all others: value, share of rows now."""
    seen = earlier.dropna().astype(float)
    shares = later.dropna().astype(float).value_counts().head(5) / max(len(later), 1)
    for value, share in shares.items():
        others = np.concatenate([seen[seen != value], later.dropna()[later.dropna() != value]])
        if len(others) < FEWEST or float((seen == value).mean()) > HARDLY:
            continue
        low, high = np.percentile(others, [0.5, 99.5])
        room = max((high - low) / 8, EQUAL * max(abs(low), abs(high)))
        if value < low - room or value > high + room:
            yield float(value), float(share)


def _days(at: Any, which: Any, share: float) -> int:
    """On how many days more than a *share* of the rows are of *which*."""
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

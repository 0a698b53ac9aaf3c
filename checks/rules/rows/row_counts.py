"""The number of rows: lost, repeated, too few, or too old."""

from __future__ import annotations

from typing import Any

import pandas as pd

from bundles.bundle import Bundle
from checks.evidence import Evidence, days_of
from checks.rules.rows.column_values import MIN_ROWS
from checks.verdict import Finding, at_most_hold, ruled
from contracts.gate_limits import Rows
from contracts.row_contract import Contract

#: Rows per day below this share of the lowest days before are a fall; the days before show how much the number varies.
BELOW = 0.75
#: Standard errors by which the number of rows in samples must exceed its limit.
ERRORS = 4.0


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


def added(evidence: Evidence, champion: Bundle | None, limits: Rows) -> Finding:
    """The days that the champion was trained on have no more rows than in its own evidence.

    Its holdout does not count: rows may have arrived late there. Where evidence is a sample, both numbers are estimates. Net
    numbers are compared, so that rows with another key, which `data.lost` reports, are not counted as added.
    """
    counts = None if champion is None else _both_counts(evidence, champion)
    more, observed = 0.0, "no champion with complete outcomes to compare with"
    if counts is not None:
        now, before, error = counts
        more = now / before - 1 - ERRORS * error
        observed = f"{now:,.0f} rows on days that the champion was trained on, {before:,.0f} in its evidence"
    return ruled(
        "data.added",
        more <= limits.max_added,
        observed,
        f"at most {limits.max_added:.0%} more, beyond the error of samples",
        "Rows of past days appeared: a program, a test, retries or a join that repeats rows. If the source was completed on"
        " purpose, waive the rule once: the next champion has them.",
        at_most_hold(limits.severity),
    )


def repeated(evidence: Evidence, limits: Rows) -> Finding:
    """No day was loaded twice.

    Where keys recur at one time as a matter of course, as those of customers with a date, the share of the champion's rows
    on a usual day does not count.
    """
    contract, before = evidence.contract, evidence.past.before
    worst: list[tuple[float, str]] = []
    for rows in (evidence.train, evidence.holdout):
        by_day = _twice(rows, contract)
        worst.append((float(by_day.max()), str(by_day.idxmax())))
    share, day = max(worst)
    usual = 0.0 if before is None or before.empty else float(_twice(before, contract).median())
    observed = f"{share:.0%} of the rows of {day} are copies of earlier rows" if share else "no row occurs twice"
    observed += f", {usual:.0%} on a usual day of the champion's rows" if usual else ""
    return ruled(
        "data.repeated",
        share - usual <= limits.max_repeated,
        observed,
        f"at most {limits.max_repeated:.0%} of a day's rows",
        "A day that is loaded twice counts twice in training and evaluation.",
        limits.severity,
    )


def rate(evidence: Evidence, limits: Rows) -> Finding:
    """Rows per day do not fall, nor far below the lowest of as many days in training: seasons and campaigns end.

    Blocks where less than half of that is left of the lowest days: a quiet month may be quieter than all before.
    """
    before, now = (_per_day(evidence.past.extents[part]) for part in ("train", "holdout"))
    lowest = min(before, _lowest(evidence))
    quiet = now >= lowest * BELOW / 2
    return ruled(
        "data.rate",
        now >= before * limits.min_rate or now >= lowest * BELOW,
        f"{now:,.0f} rows per day in the holdout, {before:,.0f} in training, of as many days there at least {lowest:,.0f}",
        f"at least {limits.min_rate:.0%} of training, or {BELOW:.0%} of its lowest days",
        "An export that stops early loses rows that arrive late.",
        at_most_hold(limits.severity) if quiet else limits.severity,
    )


def stale(evidence: Evidence, limits: Rows) -> Finding:
    """The newest row is close to the end of the window."""
    end = pd.Timestamp(evidence.past.window[1])
    newest = evidence.past.extents.get("newest", evidence.past.extents["holdout"])
    behind = (end - pd.Timestamp(newest["end"])) / pd.Timedelta(days=1)
    return ruled(
        "data.stale",
        behind <= limits.max_stale_days,
        f"the newest row is {behind:.1f} days older than the window's end",
        f"at most {limits.max_stale_days:g} days",
        "A snapshot that is no longer updated gives the same model each night.",
        limits.severity,
    )


def _both_counts(evidence: Evidence, champion: Bundle) -> tuple[float, float, float] | None:
    """The rows on the champion's training days in the candidate's evidence and in its own, and the standard error of the ratio.

    None where outcomes come late, since rows then wait for them; and with too few rows.
    """
    data, before, contract = champion.manifest["data"], evidence.past.before, evidence.contract
    if before is None or evidence.unknown is not None or "newest" in data or contract.time not in before:
        return None
    start, end = (pd.Timestamp(data["train"][each]).floor("D") for each in ("start", "end"))
    start = max(start + pd.Timedelta(days=1), pd.Timestamp(evidence.past.extents["train"]["start"]).ceil("D"))

    def within(rows: pd.DataFrame) -> int:
        return int(((rows[contract.time] >= start) & (rows[contract.time] < end)).sum())

    trained = int((before[contract.time] <= pd.Timestamp(data["train"]["end"])).sum())
    theirs, share = within(before), min(1.0, trained / max(data["train"]["rows"], 1))
    if theirs < MIN_ROWS:
        return None
    now, variance = 0.0, (1 - share) / theirs
    for part in ("train", "holdout"):
        rows = getattr(evidence, part)
        kept = min(1.0, len(rows) / max(evidence.past.extents[part]["rows"], 1))
        now += within(rows) / kept
        variance += (1 - kept) / max(within(rows), 1) if within(rows) else 0.0
    return now, theirs / share, variance**0.5


def _twice(rows: pd.DataFrame, contract: Contract) -> pd.Series[Any]:
    """The share of each day's rows with the key and time of an earlier row."""
    return rows.duplicated([contract.key, contract.time]).groupby(days_of(rows, contract)).mean()


def _lowest(evidence: Evidence) -> float:
    """The least rows per day of as many training days in a row as the holdout has; their evidence may be a sample."""
    time, extents = evidence.contract.time, evidence.past.extents
    day = evidence.train[time].dt.floor("D")
    by_day = day.value_counts().reindex(pd.date_range(day.min(), day.max(), freq="D"), fill_value=0)
    held = max(1, round((pd.Timestamp(extents["holdout"]["end"]) - pd.Timestamp(extents["holdout"]["start"])).days))
    if len(by_day) < 2 * held:
        return float("inf")
    return float(by_day.rolling(held).mean().min() * extents["train"]["rows"] / len(day))


def _per_day(extent: Any) -> float:
    span = pd.Timestamp(extent["end"]) - pd.Timestamp(extent["start"])
    return float(extent["rows"] / max(span / pd.Timedelta(days=1), 1.0))

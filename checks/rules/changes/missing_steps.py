"""Small steps of missing values, up and down: a source that fails for some rows, or one that is filled upstream."""

from __future__ import annotations

import numpy as np

from checks.evidence import Array, Evidence
from checks.rules.changes.day_steps import Step
from checks.rules.changes.recent_rows import Recent
from checks.verdict import Finding, ruled
from contracts.gate_limits import Changes

#: Fewest rows in both bundles that were missing and are filled now.
MIN_FILLED = 20
#: Share of a day's rows that have a value since a field was introduced: a test has a few before.
INTRODUCED = 0.05


def missing_steps(evidence: Evidence, limits: Changes) -> Finding:
    """The share of missing values of no feature fell or rose on some day, in all rows or in a segment.

    A fall by half counts, a rise to twice the share. Days before the first value of all are left out: a field that an
    upgrade introduces is not filled upstream. Rows that the champion's evidence holds as well are compared one
    by one: values that were missing there and are present now were filled later.
    """
    recent = Recent.of(evidence)
    everywhere = (np.zeros(len(recent.rows), dtype=int), [""])
    found: list[tuple[Step, str]] = []
    for name in recent.contract.feature_names:
        missing = _since_introduced(recent.rows[name].isna().to_numpy(dtype=float), recent)
        if np.nansum(missing) > 0:
            for by, (codes, names) in {"": everywhere, **recent.segments}.items():
                if by == name or not names:
                    continue
                sums = recent.days.sums(missing, codes, len(names))
                least = max(limits.max_missing_step, 0.1 if by else 0.0)
                for step in recent.steps(sums, np.maximum(least, recent.early_means(sums) / 2)):
                    where = f" where {by} is {names[step.statistic]}" if by else ""
                    found.append((step, f"{name}{where}"))
    found.sort(key=lambda each: -each[0].errors)
    sentences = [
        f"{step.after:.1%} of {what} are missing since {step.since}, {step.before:.1%} before"
        + (" (filled upstream?)" if step.rise < 0 else "")
        for step, what in found
    ]
    sentences += _filled(evidence, limits)
    return ruled(
        "data.missing_steps",
        not sentences,
        "; ".join(sentences[:3]) or recent.enough() or "no step of a missing share",
        f"a change of at most {limits.max_missing_step:.0%} of rows, beyond what the days before show",
        "A value that is filled upstream is an invented one to the model, and a missing one that it expects is lost.",
        limits.severity,
    )


def _since_introduced(missing: Array, recent: Recent) -> Array:
    """Whether a value is *missing*, (n,); NaN before the first day on which the field has more than a few values."""
    day = recent.days.codes
    filled = np.bincount(day, 1 - missing) > INTRODUCED * np.bincount(day)
    return np.where(day < filled.argmax(), np.nan, missing)


def _filled(evidence: Evidence, limits: Changes) -> list[str]:
    """Features whose missing values were filled in rows that the champion's evidence holds as well."""
    both, found = evidence.past.both, []
    for name in evidence.contract.feature_names:
        if f"{name}_before" in both:
            was = both[f"{name}_before"].isna()
            filled = int((was & both[name].notna()).sum())
            if filled >= MIN_FILLED and filled > limits.max_missing_step * len(both):
                found.append(
                    f"{name} was missing in {int(was.sum()):,} of {len(both):,} rows of the champion's evidence and is"
                    f" filled in {filled:,} of them"
                )
    return found

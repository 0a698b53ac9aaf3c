"""Habits of a stream: what a limit on columns finds tonight, and the champion's rows have as well, is no fault of tonight.

A field that is filled for one row in ten, codes such as A-11 and A1-1, product numbers of digits beside others with letters:
such columns fail an absolute limit every night. Where a rule fails, its figure is computed again for the champion's rows. The
rule then blocks only what has changed, and reports the rest. Without a champion's rows it holds: a person sees the first
model.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pandas as pd

from checks.evidence import Evidence
from checks.verdict import Finding, at_most_hold
from contracts.gate_limits import Data
from contracts.row_contract import Contract

#: Least rise of a share that is a change.
RISE = 0.05
#: Share of rows in new spellings up to which they are typing errors.
TYPING_ERRORS = 0.005


def judged_by_habit(finding: Finding, evidence: Evidence, limits: Data) -> Finding:
    """The *finding* with the severity that it has beside the champion's rows; those of other rules are returned as they are."""
    if finding.outcome != "FAIL" or finding.rule not in _CHANGED:
        return finding
    before = evidence.past.before
    if before is None or before.empty:
        return replace(finding, severity=at_most_hold(finding.severity))
    changed = _CHANGED[finding.rule](evidence, before, limits)
    if changed:
        return replace(finding, observed=f"{finding.observed}; since the champion: {', '.join(changed[:3])}")
    return replace(finding, observed=f"{finding.observed}; the champion's rows were like that, too", severity="warn")


def _missing(evidence: Evidence, before: pd.DataFrame, limits: Data) -> list[str]:
    """Features that are mostly missing, and were not."""
    return _risen(lambda column: float(column.isna().mean()), evidence, before, limits.max_missing)


def _mixed(evidence: Evidence, before: pd.DataFrame, limits: Data) -> list[str]:
    """Categories with numbers among words, of which there were fewer."""

    def numbers(column: pd.Series[Any]) -> float:
        return float(pd.to_numeric(column.dropna().astype(str), errors="coerce").notna().mean())

    return _risen(numbers, evidence, before, limits.max_mixed_types, kinds=("category",))


def _risen(
    share_of: Callable[[pd.Series[Any]], float],
    evidence: Evidence,
    before: pd.DataFrame,
    most: float,
    kinds: tuple[str, ...] = ("number", "category", "boolean"),
) -> list[str]:
    found = []
    for feature in evidence.contract.features:
        if feature.kind in kinds:
            now = max(share_of(part[feature.name]) for part in (evidence.train, evidence.holdout))
            was = share_of(before[feature.name]) if feature.name in before else 0.0
            if now > most and now > was + RISE:
                found.append(f"{feature.name} {now:.0%}, {was:.0%} before")
    return found


def _duplicates(evidence: Evidence, before: pd.DataFrame, limits: Data) -> list[str]:
    """The share of copies, where it has risen."""

    def copies(rows: pd.DataFrame) -> float:
        return float(rows.duplicated([name for name in _columns(evidence.contract) if name in rows]).mean())

    now, was = max(copies(evidence.train), copies(evidence.holdout)), copies(before)
    return [f"{now:.1%} of rows, {was:.1%} before"] if now > was + limits.max_duplicates else []


def _variants(evidence: Evidence, before: pd.DataFrame, _: Data) -> list[str]:
    """Categories of which more than a few rows have a spelling that is new beside a known one."""
    found = []
    rows = pd.concat([evidence.train, evidence.holdout], ignore_index=True)
    for feature in evidence.contract.features:
        if feature.kind == "category" and feature.name in before:
            known = {*before[feature.name].dropna().astype(str)}
            stems = {_stem(word) for word in known}
            column = rows[feature.name].dropna().astype(str)
            new = {word for word in column.unique() if word not in known and _stem(word) in stems}
            share = float(column.isin(new).mean())
            if share > TYPING_ERRORS:
                found.append(f"{feature.name} has a new spelling in {share:.1%} of rows")
    return found


def _stem(word: str) -> str:
    """A word without case, white space and punctuation, as Deepchecks compares them."""
    return re.sub(r"[\W_]+", "", word).lower()


def _columns(contract: Contract) -> list[str]:
    return [contract.key, contract.time, *contract.feature_names, contract.target.name]


_CHANGED: Mapping[str, Callable[[Evidence, pd.DataFrame, Data], list[str]]] = {
    "data.missing": _missing,
    "data.mixed_types": _mixed,
    "data.duplicates": _duplicates,
    "data.variants": _variants,
}

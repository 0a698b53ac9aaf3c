"""Fingerprints of the source, candidate's against champion's -> findings that name what changed upstream."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from checks.rules.renamed_categories import likeness
from checks.verdict import Finding, Outcome
from contracts.row_contract import Contract
from contracts.thresholds import Gate, Severity
from model.source_profile.fingerprint_changes import changes, outlook
from model.source_profile.source_change import Change, Kind, Limits

Rows = Callable[[], pd.DataFrame]
#: kind of change -> what must not be, and why it matters.
KINDS: dict[Kind, tuple[str, str]] = {
    "units": ("no number in another unit", "Before and after the change one number means two things."),
    "stopped": ("rows up to the end of the window", "What did not come is missing from what is learnt and judged."),
    "missing": ("no field that is missing far more often", "Something upstream no longer fills it."),
    "renamed": (
        "no value under another name",
        "What was learnt of the old name is lost: to the model a new name is a new thing.",
    ),
    "categories": ("no value that went or came", "A new segment, or one that ended."),
    "rows": (
        "as many rows a day as before, at the same hours",
        "A cut or doubled export, another clock, or a new segment.",
    ),
    "schema": ("the same fields", "Who owns the field knows whether it was meant."),
    "outlook": ("no limit that will break soon", "There is still time to ask upstream."),
}


def upstream(
    candidate: Mapping[str, Any], champion: Mapping[str, Any] | None, gate: Gate, rows: Rows
) -> tuple[list[Finding], list[Change]]:
    """A finding for each kind of change, from both manifests, and the changes themselves.

    The candidate's *rows*, which are asked for only then, tell whether a value that seems renamed is; where they cannot, it is said only.
    """
    rules = gate.upstream
    source = _source(candidate)
    if source is None:
        why = "the candidate's bundle tells nothing of its source: it was made before bundles did"
        return [
            Finding(
                "upstream.fingerprint",
                "FAIL",
                why,
                "a fingerprint of the source",
                "Changes upstream cannot be named.",
                "warn",
            )
        ], []
    limits = Limits(
        rules.missing_rise, rules.category_share, rules.sentinel_share, gate.data.max_missing, rules.horizon_days
    )
    old = _source(champion) if champion else None
    since = _since(candidate, champion, old)
    found = changes(old, source, since, limits)
    contract = Contract.from_json(candidate["contract"])
    found += outlook(source, contract, limits)
    findings = [_finding(kind, found, rules.severity, since, gate) for kind in KINDS]
    return [_settled(each, found, rows, contract) for each in findings], found


def _source(manifest: Mapping[str, Any]) -> Mapping[str, Any] | None:
    found = manifest.get("data", {}).get("source")
    return found if isinstance(found, dict) and found.get("format") == 1 else None


def _since(candidate: Mapping[str, Any], champion: Mapping[str, Any] | None, old: Mapping[str, Any] | None) -> str:
    """The first day that is new: since the champion's window, or in the holdout."""
    if old:
        return str(old["until"])[:10]
    if champion and champion.get("data", {}).get("window"):
        return str(champion["data"]["window"][1])[:10]
    return str(candidate["data"]["holdout"]["start"])[:10]


def _finding(kind: Kind, found: Sequence[Change], usual: Severity, since: str, gate: Gate) -> Finding:
    limit, why = KINDS[kind]
    mine = [change for change in found if change.kind == kind]
    severity = getattr(gate.upstream, kind, usual)  # some kinds have their own
    outcome: Outcome = "FAIL" if mine else "PASS"
    told = "; ".join(map(str, mine)) if mine else f"nothing of the kind since {since}"
    if kind == "outlook" and not mine:
        told = f"none within {gate.upstream.horizon_days} days, if it goes on like this"
    return Finding(f"upstream.{kind}", outcome, told, limit, why, severity)


def _settled(finding: Finding, found: Sequence[Change], rows: Rows, contract: Contract) -> Finding:
    """The *finding*; if of names, with what the rows say, and it blocks only where they show it."""
    renamed = [change for change in found if change.kind == "renamed"]
    if finding.rule != "upstream.renamed" or not renamed:
        return finding
    whole = rows()
    seen = [(change, likeness(whole, contract, change)) for change in renamed]
    told = "; ".join(f"{change}; {alike or 'too few rows to tell'}" for change, alike in seen)
    shown = any(alike and alike.same for _, alike in seen)
    return replace(finding, observed=told, severity=finding.severity if shown else "warn")

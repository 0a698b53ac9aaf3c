"""Source changes: the fingerprint of the source in the candidate's manifest against the champion's."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from checks.rules.rows.renamed_categories import likeness, spelt_alike
from checks.verdict import Finding, at_most_hold, ruled
from contracts.limit_types import Severity
from contracts.row_contract import Contract
from contracts.thresholds import Gate
from model.source_profile.fingerprint_changes import changes, outlook
from model.source_profile.source_change import Change, Kind, Limits

Rows = Callable[[], pd.DataFrame]
#: kind of change -> limit, and why it matters.
KINDS: dict[Kind, tuple[str, str]] = {
    "units": ("no number in another unit", "One number has two meanings, before and after the change."),
    "stopped": ("rows up to the end of the window", "Training and holdout lack the rows that did not arrive."),
    "missing": ("no field that is missing far more often", "A step upstream no longer fills the field."),
    "renamed": (
        "no value under another name",
        "The model reads the new name as an unknown category, and loses what it was trained on.",
    ),
    "categories": ("no value that appeared or disappeared", "A segment is new, or ended."),
    "rows": (
        "as many rows a day as before, at the same hours",
        "A truncated or doubled export, another time zone, or a new segment.",
    ),
    "schema": ("the same fields", "The owner of the field knows whether the change was intended."),
    "outlook": ("no limit that will be exceeded soon", "There is time to ask the owner of the source."),
}


def upstream(
    candidate: Mapping[str, Any], champion: Mapping[str, Any] | None, gate: Gate, rows: Rows
) -> tuple[list[Finding], list[Change]]:
    """A finding for each kind of change, from both manifests, and the changes themselves.

    The candidate's *rows* are loaded only to confirm a renamed value; without confirmation the rule warns.
    """
    rules = gate.upstream
    source = _source(candidate)
    if source is None:
        observed = "the candidate's bundle has no fingerprint of its source: it was built by an older version"
        return [
            Finding(
                "upstream.fingerprint",
                "FAIL",
                observed,
                "a fingerprint of the source",
                "Changes of the source cannot be detected without it.",
                "warn",
            )
        ], []
    limits = Limits(
        rules.missing_rise, rules.category_share, rules.sentinel_share, gate.data.max_missing, rules.horizon_days
    )
    old = _source(champion) if champion else None
    since = _since(candidate, champion, old)
    detected = changes(old, source, since, limits)
    contract = Contract.from_json(candidate["contract"])
    detected += outlook(source, contract, limits)
    findings = [_finding(kind, detected, rules.severity, since, gate) for kind in KINDS]
    return [_confirmed(each, detected, rows, contract) for each in findings], detected


def _source(manifest: Mapping[str, Any]) -> Mapping[str, Any] | None:
    source = manifest.get("data", {}).get("source")
    return source if isinstance(source, dict) and source.get("format") == 1 else None


def _since(candidate: Mapping[str, Any], champion: Mapping[str, Any] | None, old: Mapping[str, Any] | None) -> str:
    """The first day after the champion's window, or without one of the holdout."""
    if old:
        return str(old["until"])[:10]
    if champion and champion.get("data", {}).get("window"):
        return str(champion["data"]["window"][1])[:10]
    return str(candidate["data"]["holdout"]["start"])[:10]


def _finding(kind: Kind, detected: Sequence[Change], usual: Severity, since: str, gate: Gate) -> Finding:
    limit, why = KINDS[kind]
    of_kind = [change for change in detected if change.kind == kind and change.certain]
    severity = getattr(gate.upstream, kind, usual)  # some kinds have a severity in thresholds.toml
    observed = "; ".join(map(str, of_kind)) if of_kind else f"no such change since {since}"
    if kind == "outlook" and not of_kind:
        observed = f"none within {gate.upstream.horizon_days} days at the present trend"
    if unsure := [change for change in detected if change.kind == kind and not change.certain]:
        observed += f" ({'; '.join(map(str, unsure))})"
    return ruled(f"upstream.{kind}", not of_kind, observed, limit, why, severity)


def _confirmed(finding: Finding, detected: Sequence[Change], rows: Rows, contract: Contract) -> Finding:
    """The *finding*; a renamed value holds where the rows confirm it, and blocks where its spelling does as well.

    A product that succeeds another one with the same buyers has rows that are alike, too: a person decides.
    """
    renamed = [change for change in detected if change.kind == "renamed"]
    if finding.rule != "upstream.renamed" or not renamed:
        return finding
    whole = rows()
    tested = [(change, likeness(whole, contract, change)) for change in renamed]
    observed = "; ".join(f"{change}; {alike or 'too few rows to confirm it'}" for change, alike in tested)
    confirmed = [change for change, alike in tested if alike and alike.same]
    if not confirmed:
        return replace(finding, observed=observed, severity="warn")
    if any(spelt_alike(*change.names) for change in confirmed):
        return replace(finding, observed=f"{observed}; both names are spelt alike")
    note = "; a product that succeeds another one looks the same: waive the rule if this is one"
    return replace(finding, observed=observed + note, severity=at_most_hold(finding.severity))

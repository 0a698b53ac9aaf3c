"""Bundle sanity: stored scores, quarantine, enough fresh rows, metadata, dates."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import UTC, datetime, timedelta

import pandas as pd

from bundles.bundle import Bundle
from checks.evidence import Evidence
from checks.verdict import Finding, ruled
from contracts.gate_limits import Behaviour
from contracts.thresholds import Gate


def scores(evidence: Evidence) -> Finding:
    """The ONNX model gives the scores that the evidence holds."""
    agree = evidence.stored_scores_agree
    return ruled(
        "bundle.scores",
        agree,
        f"the scores of the ONNX model {'equal' if agree else 'differ from'} those in the evidence",
        "equal scores",
        "The model that is served must be the one that was evaluated.",
    )


def quarantine(candidate: Bundle, quarantined: Collection[str]) -> Finding:
    """Neither the bundle nor its model file was rolled back; *quarantined* holds the digests of both kinds."""
    known = sorted({candidate.digest, candidate.manifest["files"]["model.onnx"]} & set(quarantined))
    return ruled(
        "bundle.quarantine",
        not known,
        f"this model was rolled back before ({known[0][:19]}…)" if known else "this model was never rolled back",
        "not quarantined",
        "A model that was rolled back must not return unnoticed.",
    )


def fresh_rows(evidence: Evidence, candidate: Bundle, gate: Gate) -> Finding:
    """The holdout has enough rows that no compared model was trained on."""
    fresh = int(evidence.fresh.sum())
    return ruled(
        "data.fresh_rows",
        fresh >= gate.min_fresh_rows,
        f"{fresh:,} holdout rows that no compared model was trained on{_sampled(evidence, candidate)}",
        f"at least {gate.min_fresh_rows:,}",
        "A comparison on few rows is decided by chance.",
    )


def metadata(evidence: Evidence, candidate: Bundle, limits: Behaviour) -> Finding:
    """Manifest and evidence agree."""
    problems = list(_contradictions(evidence, candidate))
    return ruled(
        "bundle.metadata",
        not problems,
        "; ".join(problems) or "manifest and evidence agree",
        "no contradiction",
        "Evidence about another model or other rows says nothing about this one.",
        limits.severity,
    )


def clock(candidate: Bundle, limits: Behaviour, now: datetime | None = None) -> Finding:
    """No date in the bundle is in the future."""
    manifest, latest = candidate.manifest, (now or datetime.now(UTC)) + timedelta(days=1)
    times = {
        "it was built": manifest.get("build", {}).get("made_at"),
        "its newest row is": manifest["data"]["holdout"]["end"],
    }
    late = [f"{what} on {when}" for what, when in times.items() if when and pd.Timestamp(when) > latest]
    return ruled(
        "bundle.clock",
        not late,
        "; ".join(late) or "no date is in the future",
        f"not after {latest:%Y-%m-%d}",
        "Versions sort by time: a date in the future would make this one the newest for ever.",
        limits.severity,
    )


def _sampled(evidence: Evidence, candidate: Bundle) -> str:
    """A note where the evidence holds only a sample of the rows."""
    notes = []
    for name, part, rows in (("training", "train", evidence.train), ("holdout", "holdout", evidence.holdout)):
        whole = candidate.manifest["data"][part]["rows"]
        if len(rows) < whole:
            notes.append(f"{len(rows):,} of {whole:,} {name} rows")
    return f" (the evidence is a sample: {', '.join(notes)})" if notes else ""


def _contradictions(evidence: Evidence, candidate: Bundle) -> Iterable[str]:
    manifest, contract = candidate.manifest, candidate.contract
    if manifest["task"] != contract.task:
        yield f"the task is {manifest['task']} in the manifest and {contract.task} in the contract"
    if list(manifest.get("classes", contract.target.classes)) != list(contract.target.classes):
        yield "the classes differ between manifest and contract"
    for part, rows in (("train", evidence.train), ("holdout", evidence.holdout)):
        stated = manifest["data"][part]
        at = rows[contract.time].dt.floor("s")
        outside = int(((at < pd.Timestamp(stated["start"])) | (at > pd.Timestamp(stated["end"]))).sum())
        if outside:
            yield f"{outside:,} rows of evidence ({part}) are outside {stated['start']} to {stated['end']}"
        if len(rows) > stated["rows"]:
            yield f"the evidence ({part}) has {len(rows):,} rows, and the manifest states {stated['rows']:,}"

"""The gate's verdict on one night's candidate, in the gate's environment."""

from __future__ import annotations

import tempfile
from datetime import date
from pathlib import Path
from typing import Any

from checks.gate import run_gate
from checks.gate_inputs import from_folders
from contracts.thresholds import read_rules
from drill.nights.night_bundles import Made
from drill.stored_json import read_json, write_json


def judge(champion: Made, candidate: Made, limits: Path, of: str) -> dict[str, Any]:
    """Decision, summary and findings, stored next to the bundle for the same digest *of* the inputs."""
    stored = Path(candidate.bundle).parent / "night.json"
    if stored.is_file() and (found := read_json(stored))["of"] == of:
        return dict(found["verdict"])
    inputs = from_folders(Path(candidate.bundle), Path(champion.bundle), None)
    with tempfile.TemporaryDirectory() as work:
        page = Path(work) / "deepchecks.html"
        try:
            result = run_gate(inputs, read_rules(limits), (), date.fromisoformat(candidate.today), page, lambda _: None)
        except Exception as error:  # a crash of the gate is a night that it rejects
            return _crashed(candidate, f"{type(error).__name__}: {' '.join(str(error).split())[:300]}")
    named = ("rule", "outcome", "severity", "observed")
    verdict = {
        "today": candidate.today,
        "decision": result.verdict.decision,
        "summary": result.verdict.summary,
        "findings": [{name: getattr(each, name) for name in named} for each in result.verdict.findings],
    }
    write_json(stored, {"of": of, "verdict": verdict})
    return verdict


def lost(_: Made, candidate: Made, *__: object) -> dict[str, Any]:
    """The verdict of a gate whose process was killed."""
    return _crashed(candidate, "the process that judged it was killed, possibly for lack of memory")


def _crashed(candidate: Made, why: str) -> dict[str, Any]:
    finding = {"rule": "gate.crashed", "outcome": "NOT_RUN", "severity": "block", "observed": why}
    return {"today": candidate.today, "decision": "REJECT", "summary": why, "findings": [finding]}

"""The gate's verdict on one night's candidate against a champion and an anchor of the replay. Kept by digest."""

from __future__ import annotations

import hashlib
import json
import tempfile
from dataclasses import asdict, dataclass, replace
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

from checks.decision.staleness import Staleness
from checks.gate import run_gate
from checks.gate_inputs import from_folders
from checks.measurements import DEEPCHECKS, SERVER
from contracts.thresholds import Rules
from drill.stored_json import read_json, write_json

#: The packages on which a verdict depends, besides the models.
PACKAGES = ("bundles", "checks", "contracts", "model", "serve")


@dataclass(frozen=True)
class Question:
    """What the gate is asked: folders of bundles, the rules, and what was known on that night.

    That is the notes of the verdicts before, and the staleness curve of the nights before as JSON text.

    *of* is a digest of the gate's code. *full*: with Deepchecks and the load test of the server.
    """

    today: str
    candidate: str
    champion: str
    anchor: str
    rules: Rules
    of: str
    notes: tuple[str, ...] = ()
    staleness: str = ""
    full: bool = False

    @cached_property
    def key(self) -> str:
        """A digest of everything that the verdict depends on; folders of models have their digest in the name."""
        bundles = [Path(each).name for each in (self.candidate, self.champion, self.anchor)]
        parts = (self.today, *bundles, self.rules.gate, self.of, self.notes, self.staleness, self.full)
        return hashlib.sha256(repr(parts).encode()).hexdigest()


@dataclass(frozen=True)
class Judgement:
    """The decision with its summary, the findings that do not pass, and the hidden lines for later verdicts.

    *findings* have rule, outcome, severity and what was observed.
    """

    decision: str
    summary: str
    findings: tuple[dict[str, str], ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def stopping(self) -> list[str]:
        """The rules that reject or hold the candidate."""
        return [each["rule"] for each in self.findings if each["outcome"] == "NOT_RUN" or each["severity"] != "warn"]


def judge(question: Question, kept: Path) -> Judgement:
    """The gate's answer to *question*, stored in the folder *kept*."""
    path = kept / f"{question.today}-{question.key[:20]}.json"
    if path.is_file():
        return _read(path)
    folders = (Path(each) for each in (question.candidate, question.champion, question.anchor))
    curve = Staleness.from_json(json.loads(question.staleness)) if question.staleness else None
    inputs = replace(from_folders(*folders), notes=question.notes, staleness=curve)
    with tempfile.TemporaryDirectory() as work:
        page, today = Path(work) / "deepchecks.html", date.fromisoformat(question.today)
        without = () if question.full else (DEEPCHECKS, SERVER)
        try:
            result = run_gate(inputs, question.rules, (), today, page, lambda _: None, without)
        except Exception as error:  # a crash of the gate is no verdict: the champion stays
            return crashed(f"{type(error).__name__}: {' '.join(str(error).split())[:300]}")
    named = ("rule", "outcome", "severity", "observed")
    findings = [{name: getattr(each, name) for name in named} for each in result.verdict.findings]
    loud = tuple(each for each in findings if each["outcome"] != "PASS")
    notes = tuple(line for line in result.report.splitlines() if line.startswith("<!-- "))
    found = Judgement(result.verdict.decision, result.verdict.summary, loud, notes)
    kept.mkdir(parents=True, exist_ok=True)
    write_json(path, asdict(found))
    return found


def lost(_: Question, __: Path) -> Judgement:
    """The verdict of a gate whose process was killed."""
    return crashed("the process that judged it was killed, possibly for lack of memory")


def crashed(why: str) -> Judgement:
    """A gate that crashed gave no verdict, which is not a pass."""
    return Judgement(
        "REJECT", why, ({"rule": "gate.crashed", "outcome": "NOT_RUN", "severity": "block", "observed": why},)
    )


def _read(path: Path) -> Judgement:
    found: dict[str, Any] = read_json(path)
    return Judgement(found["decision"], found["summary"], tuple(found["findings"]), tuple(found["notes"]))

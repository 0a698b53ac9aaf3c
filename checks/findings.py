"""Evidence -> findings, and what a report shows beside them. Pure but for Deepchecks' own page."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from checks.candidate import CONTENT
from checks.comparison.anchor import state
from checks.comparison.compare import CALIBRATION, Compared, calibration, compare
from checks.comparison.slices import FOUND, by_slice, slices
from checks.evidence import Evidence
from checks.gate_subject import Subject
from checks.insights.review import REQUIRED, Review, review
from checks.reports.pull_request import Slice
from checks.rules.bundle_sanity import soundness
from checks.rules.contract_compatibility import retired
from checks.rules.registry import RULES, examination
from checks.verdict import Finding
from contracts.thresholds import Gate


@dataclass
class Examined:
    """What the rules found, which rules must have run, and the tables."""

    findings: list[Finding]
    required: list[str]
    review: Review
    table: list[Compared] = field(default_factory=list)
    slices: list[Slice] = field(default_factory=list)


def examine(evidence: Evidence, subject: Subject, gate: Gate, page: Path, say: Callable[[str], None]) -> Examined:
    """Every rule on the *evidence*; Deepchecks' own page goes to *page*, progress to *say*."""
    task, fresh = evidence.contract.task, int(evidence.fresh.sum())
    sound = soundness(evidence, subject.candidate, subject.quarantine, gate)
    seen, looked = review(subject.candidate, subject.champion, evidence, gate, say)
    content = [subject.content] if subject.content else []
    must = [CONTENT, *RULES, *required(evidence, gate)]
    found = Examined(content + sound + looked, must, seen)
    found.findings += examination(evidence, subject.candidate, gate)
    found.findings.append(state(evidence, subject.anchored, subject.quarantine))
    live = [each.contract for each in (subject.champion, subject.anchor) if each]
    if not subject.lost:
        found.findings += retired(evidence.contract, live)
    if fresh >= gate.min_fresh_rows:
        say(f"comparing on {fresh:,} fresh rows ...")
        found.table, compared = compare(evidence, gate.compare)
        found.findings += compared + calibration(evidence, gate.compare, gate.calibration)
        found.findings += slices(evidence, gate)
        found.slices = by_slice(evidence, found.table[0].metric)
    say("loading Deepchecks ...")
    from checks.rules.deepchecks_suite import chosen, run  # noqa: PLC0415 -- takes ten seconds and more

    rules = chosen(gate, task, len(evidence.contract.features))
    found.required += [rule.name for rule in rules]
    say(f"running {len(rules)} of its checks ...")
    found.findings += run(evidence, rules, gate, page)
    return found


def required(evidence: Evidence, gate: Gate) -> list[str]:
    """The rules of our own that must have run."""
    margins = gate.compare.margins(evidence.contract.task)
    anchored = margins.anchor if evidence.anchor is not None else ()
    return [
        *(f"compare.{name}" for name in margins.metrics),
        *(f"compare.{each.name}" for each in margins.combinations()),
        *(f"compare.anchor.{name}" for name in anchored),
        "compare.anchor",
        "compare.baseline",
        *(f"calibration.{name}" for name in CALIBRATION[evidence.contract.task]),
        FOUND,
        *REQUIRED,
    ]

"""The verdict on all findings: PROMOTE, HOLD or REJECT. Pure.

A required rule that could not be checked rejects, whatever the other rules find.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from contracts.limit_types import Severity

Outcome = Literal["PASS", "FAIL", "NOT_RUN", "INCONCLUSIVE"]
Decision = Literal["PROMOTE", "HOLD", "REJECT"]
#: Outcomes in the text of reports, the most urgent first.
OUTCOMES: dict[Outcome, str] = {
    "NOT_RUN": "could not be checked",
    "FAIL": "fails",
    "INCONCLUSIVE": "inconclusive",
    "PASS": "passes",
}
FORMAT = 1
#: Rules on the models' performance. A change of the rows or of the source shows in them, too: a summary names first the
#: rules that say what changed.
_PERFORMANCE = ("compare.", "calibration.", "slice.", "model.", "drift.")
#: Rules that say what changed, even if they only report it, and those among them that report something else.
_ROWS, _RECORDS = ("data.", "labels.", "leak.", "upstream."), frozenset({"data.looks", "upstream.fingerprint"})
#: The one file that a proposal of a model changes, and the file with the gate's limits.
LIVE, LIMITS = "serve/live.toml", "checks/thresholds.toml"


@dataclass(frozen=True)
class Finding:
    """The result of one rule: what was observed, the limit, and why it matters.

    A FAIL rejects the candidate with severity "block", gives HOLD with "hold", and is only reported with "warn".
    INCONCLUSIVE gives HOLD, unless the severity is "warn". NOT_RUN rejects with any severity.
    *more_rows* is about how many more labelled rows would settle an INCONCLUSIVE comparison, None if unknown.
    """

    rule: str
    outcome: Outcome
    observed: str
    limit: str
    why: str
    severity: Severity = "block"
    more_rows: int | None = None

    @property
    def rejects(self) -> bool:
        """Whether it rejects the candidate."""
        return self.outcome == "NOT_RUN" or (self.outcome == "FAIL" and self.severity == "block")

    @property
    def holds(self) -> bool:
        """Whether the champion stays until it is settled, if no finding rejects the candidate."""
        if self.outcome == "FAIL":
            return self.severity == "hold"
        return self.outcome == "INCONCLUSIVE" and self.severity != "warn"


@dataclass(frozen=True)
class Named:
    """A bundle by version and digest."""

    version: str
    digest: str


@dataclass(frozen=True)
class Verdict:
    """The decision, its summary in one sentence, and all findings."""

    decision: Decision
    summary: str
    findings: tuple[Finding, ...]

    def to_json(self, candidate: Named, champion: Named | None, more: Mapping[str, Any]) -> dict[str, Any]:
        """The content of verdict.json: the verdict and *more*."""
        return {
            "format": FORMAT,
            "decision": self.decision,
            "summary": self.summary,
            "candidate": asdict(candidate),
            "champion": asdict(champion) if champion else None,
            "findings": [asdict(finding) for finding in self.findings],
            **more,
        }


def judge(findings: Sequence[Finding], required: Iterable[str], gains: bool, good: str) -> Verdict:
    """The verdict on *findings*; a rule in *required* without a finding is NOT_RUN.

    *gains* is false where the candidate is the champion, byte for byte: then there is nothing to promote. *good* is
    the summary of a PROMOTE.
    """
    present = {finding.rule for finding in findings}
    missing = [
        Finding(
            rule, "NOT_RUN", "no finding: the rule did not run", "the rule must run", "A skipped rule checked nothing."
        )
        for rule in required
        if rule not in present
    ]
    complete = (*findings, *missing)
    bad, open_ = [f for f in complete if f.rejects], [f for f in complete if f.holds]
    if bad:  # the summary names a change that holds before the performance that follows from it
        changes = [f for f in open_ if f.outcome == "FAIL"]
        return Verdict("REJECT", _sentence(sorted([*bad, *changes], key=_place)), complete)
    if not gains:
        return Verdict("HOLD", "The candidate is the champion, byte for byte; there is nothing to gain.", complete)
    if open_:
        return Verdict("HOLD", _reported(complete, open_) + _sentence(sorted(open_, key=_place)), complete)
    return Verdict("PROMOTE", good, complete)


def ruled(rule: str, holds: bool, observed: str, limit: str, why: str, severity: Severity = "block") -> Finding:
    """The finding of a rule that ran: PASS where it *holds*, else FAIL."""
    return Finding(rule, "PASS" if holds else "FAIL", observed, limit, why, severity)


def at_most_hold(severity: Severity) -> Severity:
    """The *severity* of a finding that ordinary changes of a business give as well as faults: a person decides."""
    return "hold" if severity == "block" else severity


def rules_changed(files: Iterable[str]) -> list[str]:
    """Those of a proposal's *files* that the gate consists of, the limits first."""
    changed = {path for path in files if path.startswith(("checks/", "contracts/"))}
    return sorted(changed, key=lambda path: (path != LIMITS, path))


def _reported(findings: Sequence[Finding], open_: Sequence[Finding]) -> str:
    """The beginning of the summary where only comparisons hold: a change of the rows that is reported may be their cause."""
    if any(f.outcome == "FAIL" or not f.rule.startswith(_PERFORMANCE) for f in open_):
        return ""
    waived = {f.rule for f in findings if f.rule.startswith("waivers.")}
    changes = [
        f
        for f in findings
        if f.outcome == "FAIL"
        and f.severity == "warn"
        and f.rule.startswith(_ROWS)
        and f.rule not in _RECORDS
        and f"waivers.{f.rule}" not in waived
    ]
    return f"{changes[0].rule} reports: {changes[0].observed}; " if changes else ""


def _place(finding: Finding) -> tuple[bool, bool]:
    """Its place in a summary: what fails before what is inconclusive, and what changed before how models perform.

    Of the comparisons, the first is that of the primary metric, which decides.
    """
    return finding.outcome == "INCONCLUSIVE", finding.rule.startswith(_PERFORMANCE)


def _sentence(findings: Sequence[Finding]) -> str:
    first = findings[0]
    others = f"; and {len(findings) - 1} more" if len(findings) > 1 else ""
    if first.outcome == "NOT_RUN":
        return f"{first.rule} could not be checked{others}."
    inconclusive = first.outcome == "INCONCLUSIVE"
    result = f"{'is inconclusive' if inconclusive else 'fails'}: {first.observed}; limit {first.limit}"
    return f"{first.rule} {result}{others}." + (f" {first.why}" if inconclusive else "")

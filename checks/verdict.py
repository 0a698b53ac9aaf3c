"""Findings -> Verdict: PROMOTE, HOLD or REJECT, in words. Pure.

Could not tell is not a pass: a required rule that did not run rejects, whatever the others say.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from contracts.thresholds import Severity

Outcome = Literal["PASS", "FAIL", "NOT_RUN", "INCONCLUSIVE"]
Decision = Literal["PROMOTE", "HOLD", "REJECT"]
FORMAT = 1
#: What is live, the one file that a proposal of a model changes; and the limits it is judged by.
LIVE, LIMITS = "serve/live.toml", "checks/thresholds.toml"


@dataclass(frozen=True)
class Finding:
    """What one rule found: what was seen, against which limit, and why that matters.

    *more_rows* is about how many more labelled rows would settle what is INCONCLUSIVE, if known.
    """

    rule: str
    outcome: Outcome
    observed: str
    limit: str
    why: str
    severity: Severity = "block"
    more_rows: int | None = None


@dataclass(frozen=True)
class Named:
    """A bundle by version and digest."""

    version: str
    digest: str


@dataclass(frozen=True)
class Verdict:
    """All findings together."""

    decision: Decision
    summary: str
    findings: tuple[Finding, ...]

    def to_json(self, candidate: Named, champion: Named | None, more: Mapping[str, Any]) -> dict[str, Any]:
        """What verdict.json holds."""
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
    """The verdict on *findings*; rules of *required* that none of them is about did not run.

    *gains* is false where the candidate is the champion, byte for byte: then there is nothing to
    promote. *good* is the summary of a PROMOTE.
    """
    seen = {finding.rule for finding in findings}
    missing = [
        Finding(
            rule, "NOT_RUN", "nothing: the rule did not run", "it must run", "A check that is skipped proves nothing."
        )
        for rule in required
        if rule not in seen
    ]
    found = (*findings, *missing)
    bad = [f for f in found if f.outcome == "NOT_RUN" or (f.outcome == "FAIL" and f.severity == "block")]
    open_ = [f for f in found if f.outcome == "INCONCLUSIVE" and f.severity == "block"]
    if bad:
        return Verdict("REJECT", _sentence(bad), found)
    if not gains:
        return Verdict("HOLD", "The candidate is the champion, byte for byte; there is nothing to gain.", found)
    if open_:
        longest = sorted(open_, key=lambda f: -(f.more_rows or 0))  # settles the others, too
        return Verdict("HOLD", _sentence(longest), found)
    return Verdict("PROMOTE", good, found)


def ruled(rule: str, holds: bool, observed: str, limit: str, why: str, severity: Severity) -> Finding:
    """The finding of a rule that ran: PASS where it *holds*, else FAIL."""
    return Finding(rule, "PASS" if holds else "FAIL", observed, limit, why, severity)


def rules_changed(files: Iterable[str]) -> list[str]:
    """Those of a proposal's *files* that judge it, the limits first."""
    found = {path for path in files if path.startswith(("checks/", "contracts/"))}
    return sorted(found, key=lambda path: (path != LIMITS, path))


def _sentence(findings: Sequence[Finding]) -> str:
    first = findings[0]
    word = "fails" if first.outcome == "FAIL" else "is not settled"
    said = f"{word}: {first.observed}; limit {first.limit}"
    what = "could not be checked" if first.outcome == "NOT_RUN" else said
    more = f"; and {len(findings) - 1} more" if len(findings) > 1 else ""
    if first.outcome == "INCONCLUSIVE":
        return f"{first.rule} {what}{more}. {first.why}"
    return f"{first.rule} {what}{more}."

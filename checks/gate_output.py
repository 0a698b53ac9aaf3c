"""What the gate leaves: files that are written whole or not at all, the job's summary, and lines on the terminal."""

from __future__ import annotations

import json
from pathlib import Path

from checks.gate import GateResult
from checks.verdict import Verdict
from checks.waiver_answers import FILE
from contracts.atomic_file import write_atomically
from forge.workflow_output import output, summary

FILES = ("verdict.json", "report.md", "report.html", "deepchecks.html")


def remove_old(out: Path) -> None:
    """Delete the files of an earlier run, so that a failed run leaves no verdict."""
    for name in FILES:
        (out / name).unlink(missing_ok=True)


def write(out: Path, result: GateResult, deepchecks_page: Path, note: str = "") -> None:
    """Write the report, with *note* at its end, Deepchecks' own page and the verdict to *out*; print the verdict."""
    report = result.report + (f"\n{note}\n" if note else "")
    write_atomically(out / "report.md", report)
    write_atomically(out / "report.html", result.page)
    if deepchecks_page.is_file():
        write_atomically(out / "deepchecks.html", deepchecks_page.read_text(encoding="utf-8"))
    write_atomically(
        out / "verdict.json", json.dumps(result.json, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    )
    summary(report)
    output("decision", result.verdict.decision)
    _print(result.verdict, out, result.json.get("accept", ""))


def _print(verdict: Verdict, out: Path, accept: str) -> None:
    print(f"{verdict.decision}: {verdict.summary}")
    for each in verdict.findings:
        if each.outcome != "PASS":
            note = " (does not block)" if each.outcome != "NOT_RUN" and each.severity == "warn" else ""
            print(f"  {each.outcome} {each.rule}{note}: {each.observed[:160]}; limit {each.limit}. {each.why}")
    if accept:
        print(f"To accept what stops it, add to {FILE} on the default branch:\n\n{accept}\n")
    print(f"report: {out / 'report.md'}", flush=True)

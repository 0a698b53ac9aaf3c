"""What the gate leaves: files that are written whole or not at all, the job's summary, and lines on the terminal."""

from __future__ import annotations

import json
import os
from pathlib import Path

from checks.gate import GateResult
from checks.verdict import Verdict
from checks.waiver_answers import FILE
from forge.workflow_output import output, summary

FILES = ("verdict.json", "report.md", "report.html", "deepchecks.html")


def remove_old(out: Path) -> None:
    """Delete the files of an earlier run, so that a failed run leaves no verdict."""
    for name in FILES:
        (out / name).unlink(missing_ok=True)


def write(out: Path, result: GateResult, deepchecks_page: Path, note: str = "") -> None:
    """Write the report, with *note* at its end, Deepchecks' own page and the verdict to *out*; print the verdict."""
    report = result.report + (f"\n{note}\n" if note else "")
    replace_text(out / "report.md", report)
    replace_text(out / "report.html", result.page)
    if deepchecks_page.is_file():
        replace_text(out / "deepchecks.html", deepchecks_page.read_text(encoding="utf-8"))
    replace_text(out / "verdict.json", json.dumps(result.json, indent=1, ensure_ascii=False, allow_nan=False) + "\n")
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


def replace_text(path: Path, text: str) -> None:
    """Write a file of *text* atomically; its folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    work = path.with_name(f".{path.name}-{os.getpid()}")
    # JSON input may hold an unpaired surrogate, which UTF-8 cannot encode: it is written as an escape.
    work.write_text(text, encoding="utf-8", errors="backslashreplace")
    work.replace(path)

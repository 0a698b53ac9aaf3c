"""The gate: read the models, measure, run every rule, decide, report.

Each step has its module: `gate_inputs` reads candidate, champion and anchor, `evidence` scores the rows with all of
them, `measurements` compares and computes what takes long, `rules.registry` is the table of rules (a new rule is a
line there), `waivers` and `verdict` decide, and `reports` writes.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

from checks.comparison.compare import promotion_summary
from checks.decision.realised_days import realised_lines
from checks.evidence import gather
from checks.gate_inputs import GateInputs
from checks.insights.review import Review
from checks.measurements import Measurements, measure
from checks.reports.evidence_charts import drawn
from checks.reports.html_page import page as html_page
from checks.reports.pull_request import markdown, refused_markdown
from checks.reports.recorded_lines import hidden_lines
from checks.reports.undrawn import or_undrawn, undrawn_markdown, undrawn_page, unrecorded
from checks.rules.registry import required_rules, run_rules
from checks.rules.repeated_holds import Hold, recorded_holds, repeats
from checks.rules.repeated_holds import accept as accept_holds
from checks.verdict import Verdict, judge
from checks.verdict_json import verdict_json
from checks.waiver_answers import waivers_to_paste
from checks.waivers import Waiver, waive, waived
from contracts.thresholds import Rules


@dataclass(frozen=True)
class GateResult:
    """The verdict, the report in Markdown and as an HTML page, and what verdict.json holds."""

    verdict: Verdict
    report: str
    page: str
    json: dict[str, Any]


def run_gate(
    inputs: GateInputs,
    limits: Rules,
    waivers: Sequence[Waiver],
    today: date,
    deepchecks_page: Path,
    progress: Callable[[str], None],
    without: Collection[str] = (),
) -> GateResult:
    """Judge the candidate of *inputs* by *limits*; Deepchecks writes its own page to *deepchecks_page*.

    *without* names steps that are left out (`measurements.DEEPCHECKS`, `SERVER`), for a replay of past nights: their rules
    are absent, and a verdict without them publishes nothing.

    Raises `BundleError` if the candidate's evidence cannot be read.
    """
    candidate, champion = inputs.candidate, inputs.champion
    versions = [each.version if each else "(none yet)" for each in (champion, inputs.anchor_slot)]
    progress(f"candidate {candidate.version}, champion {versions[0]}, anchor {versions[1]}")
    if inputs.content and inputs.content.outcome != "PASS":
        return _refused(inputs)

    evidence = gather(candidate, champion, inputs.anchor, inputs.anchor_unreadable)
    measured = measure(evidence, inputs, limits.gate, deepchecks_page, progress, without)
    earlier, hold = recorded_holds(inputs.notes), _hold(inputs, measured)
    findings = waive(accept_holds(run_rules(measured), hold, earlier), waivers, today)
    table = measured.comparison.table
    summary = promotion_summary(table, champion.version if champion else "", waived(findings))
    is_champion = champion is not None and champion.digest == candidate.digest
    verdict = judge(findings, required_rules(measured), not is_champion, summary)
    if verdict.decision == "HOLD":
        hold = replace(hold, rules=tuple(each.rule for each in verdict.findings if each.holds))
    if verdict.decision == "HOLD" and (since := repeats(hold, earlier)):
        verdict = replace(verdict, summary=f"{verdict.summary} {since}")

    accept = waivers_to_paste(verdict.findings, today)
    report = or_undrawn(lambda: markdown(verdict, measured, limits.land.max_churn, accept), undrawn_markdown, verdict)
    report += or_undrawn(lambda: realised_lines(inputs, evidence, measured.primary), unrecorded, verdict)
    report += or_undrawn(lambda: hidden_lines(measured, hold, verdict.findings, today), unrecorded, verdict)

    def page() -> str:
        charts = drawn(evidence, table[0].metric) if table else ()
        return html_page(verdict, measured.review, table, candidate.manifest, charts, accept)

    drawn_page = or_undrawn(page, undrawn_page, verdict)
    return GateResult(verdict, report, drawn_page, {**verdict_json(inputs, verdict, measured), "accept": accept})


def _hold(inputs: GateInputs, measured: Measurements) -> Hold:
    """What tonight's candidate is compared with, for the record of what holds it."""
    champion, anchor = (each.digest if each else "" for each in (inputs.champion, inputs.anchor_slot))
    use = measured.use
    return Hold(use.last, use.contract, inputs.candidate.digest, champion, anchor, ())


def _refused(inputs: GateInputs) -> GateResult:
    """A candidate whose ONNX files are refused: it is not loaded, and no waiver applies."""
    verdict = judge([inputs.content] if inputs.content else [], (), True, "")
    manifest, review = inputs.candidate.manifest, Review(None, (), (), (), ())
    report = or_undrawn(lambda: refused_markdown(verdict, inputs), undrawn_markdown, verdict)
    page = or_undrawn(lambda: html_page(verdict, review, (), manifest, ()), undrawn_page, verdict)
    return GateResult(verdict, report, page, verdict_json(inputs, verdict, None))

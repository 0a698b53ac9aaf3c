"""The report in Markdown, for the pull request and the release notes.

In the order of a reviewer's questions: the verdict with its reason, the metrics, what failed and what to do about it,
whose predictions change. Details are folded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from checks.comparison.compare import Compared
from checks.decision.gain_text import gain
from checks.gate_inputs import GateInputs
from checks.late_outcomes.delay_section import delay_section
from checks.measurements import Measurements, Slice
from checks.reports.decisive_lines import decisive
from checks.reports.evidence_charts import charts as mermaid_charts
from checks.reports.folded_sections import most_churn, sections
from checks.reports.interval_notes import widened_note
from checks.reports.model_changes import changed_names, model_changes, served_model
from checks.verdict import LIMITS, LIVE, OUTCOMES, Finding, Outcome, Verdict, rules_changed
from checks.waiver_answers import ACCEPT, to_paste
from contracts.comparison_limits import LARGER_IS_BETTER
from model.notices import HEADING, recorded
from reporting.markdown import Section, bullets, code, page, table_row, text

#: Remarks of the training run on its data.
REMARKS = f"{HEADING} (they do not change the verdict)"
#: The champion's metric on its own holdout.
WHEN_EVALUATED = "when evaluated"
_SIGN = {"PROMOTE": "✅", "HOLD": "⏸️", "REJECT": "❌"}
#: What a reviewer does about a verdict.
TO_DO = {
    "PROMOTE": "What to do: merge it, unless a change below surprises you; auto-merge may have done so. Reverting the"
    " merge rolls back.",
    "HOLD": "What to do: if a rule fails, find out why before anything is merged. If only the comparison holds, nothing: the"
    " next night judges another candidate, on the newest days. Merging it anyway overrides the gate, which the release notes"
    " will state.",
    "REJECT": "What to do: do not merge. Fix what failed and judge again (`make retrain gate`). To let a rule fail until a"
    " date, add a waiver to `checks/waivers.toml`.",
}
_MARK = {"NOT_RUN": "❔", "FAIL": "❌", "INCONCLUSIVE": "⏳", "PASS": "✅"}
#: More of a kind than these are counted, and not listed.
_MOST_FINDINGS, _MOST_SLICES, _MOST_WORSE, _MOST_FILES = 25, 30, 5, 10


def markdown(verdict: Verdict, measured: Measurements, max_churn: float, accept: str = "") -> str:
    """The report on a candidate that was measured.

    *max_churn* is the churn budget of auto-merge, *accept* what waivers.toml needs to accept what stops the candidate.
    """
    inputs, comparison, again = measured.inputs, measured.comparison, measured.again
    candidate, champion = inputs.candidate.manifest, inputs.champion.manifest if inputs.champion else None
    table = comparison.table
    return report(
        verdict,
        candidate,
        champion,
        table=table,
        slices=comparison.slices,
        fresh=measured.fresh_rows,
        churn=comparison.churn,
        files=inputs.files,
        charts=mermaid_charts(measured.evidence, table[0].metric) if table else "",
        budget=max_churn,
        accept=accept,
        most_churn=most_churn(measured.review.churn),
        more=[delay_section(candidate, comparison.late, again), *sections(measured.review, candidate, champion)],
    )


def refused_markdown(verdict: Verdict, inputs: GateInputs) -> str:
    """The report on a candidate that was not loaded."""
    champion = inputs.champion.manifest if inputs.champion else None
    return report(verdict, inputs.candidate.manifest, champion, table=(), slices=(), fresh=0, files=inputs.files)


def report(
    verdict: Verdict,
    candidate: Mapping[str, Any],
    champion: Mapping[str, Any] | None,
    *,
    table: Sequence[Compared],
    slices: Sequence[Slice],
    fresh: int,
    churn: float | None = None,
    files: Sequence[str] = (),
    charts: str = "",
    budget: float | None = None,
    most_churn: str = "",
    more: Sequence[Section] = (),
    accept: str = "",
) -> str:
    """The report on *candidate* (a manifest) against *champion* (a manifest, or None).

    *fresh* is the number of compared rows, *files* what the proposal changes, *churn* the share of changed decisions
    and *budget* its limit for auto-merge, *most_churn* a sentence on the slice with the most; *more* is folded. *accept*
    are the waivers that accept what stops the candidate.
    """
    passing = [f for f in verdict.findings if f.outcome == "PASS"]
    unsettled = [f for f in verdict.findings if _is_unsettled_slice(f)]
    warnings = [f for f in verdict.findings if _is_warning(f) and not _is_unsettled_slice(f)]
    failing = [f for f in verdict.findings if f.outcome != "PASS" and not _is_warning(f)]
    unsettled_title = f"Slices that are not settled: {len(unsettled)} (they do not block)"
    metric = table[0].metric if table else ""
    heading = f"## {_SIGN[verdict.decision]} {verdict.decision}\n\n**{text(verdict.summary)}**"
    changes = [_churn(churn, budget, fresh), most_churn, _worse_slices(slices, metric)]
    return page(
        [
            Section("verdict", heading, kept=True),
            Section("what decides", decisive(table), kept=True),
            Section("changed files", _files(files), kept=True),
            Section("metrics", _metrics(table, fresh, champion)),
            Section("served model", served_model(candidate)),
            Section("findings", _findings("Failed or not settled", failing)),
            Section("what to do", TO_DO[verdict.decision].replace("What to do:", "**What to do:**"), kept=True),
            Section(ACCEPT, to_paste(accept), folded=True),
            Section("warnings", _findings("Warnings (they do not block)", warnings)),
            Section("slices not settled", _findings(unsettled_title, unsettled, _MOST_WORSE)),
            Section("changed predictions", _list("Changed predictions", changes)),
            Section("remarks", bullets(REMARKS, recorded(candidate), whole="verdict.json")),
            Section(_changes_title(candidate, champion), model_changes(candidate, champion), folded=True),
            *more,
            Section(f"Slices: {len(slices)}", _slices(slices, metric), folded=True),
            Section(f"Rules that pass: {len(passing)}", _passing(passing), folded=True),
            Section("Charts", charts, folded=True),
        ]
    )


def _files(files: Sequence[str]) -> str:
    """A warning about files other than live.toml, those of the gate first."""
    gate = rules_changed(files)
    lines = []
    if gate:
        lines.append("### ⚠️ This proposal changes the gate\n")
        if LIMITS in gate:
            lines.append(f"It changes the limits that it is judged by: {code(LIMITS)}.")
        if others := [path for path in gate if path != LIMITS]:
            lines.append(f"It changes the gate's code: {_paths(others)}.")
        lines.append("The verdict above applied the rules of `main`; the changed ones apply after the merge.")
    if more := [path for path in files if path != LIVE and path not in gate]:
        lines.append(f"This proposal changes more than {code(LIVE)}: {_paths(more)}.")
    return "\n".join(lines)


def _metrics(table: Sequence[Compared], fresh: int, champion: Mapping[str, Any] | None) -> str:
    if not table and not fresh:
        return "Nothing was measured."
    rows = f"{fresh:,} fresh rows (holdout rows that no compared model was trained on)"
    if not table:
        return f"There are only {rows}: nothing was measured."
    compared = any(row.champion is not None for row in table)
    anchored = any(row.anchor is not None for row in table)
    evaluated = any(row.evaluated is not None for row in table)
    columns = ["metric", "candidate", *(["champion"] if compared else []), *([WHEN_EVALUATED] if evaluated else [])]
    if compared:
        columns += ["gain over champion", f"{table[0].confidence:.0%} confidence interval", "limit", "outcome"]
    columns += [*(["anchor"] if anchored else []), "baseline"]
    lines = [f"**Metrics** on {rows}." + ("" if champion else " There is no champion yet to compare with."), ""]
    lines += [table_row(columns), "|---|" + "---:|" * (len(columns) - 1)]
    for row in table:
        arrow = "↑" if row.metric in LARGER_IS_BETTER else "↓"
        cells = [f"{text(row.metric)} {arrow}", f"{row.candidate:.4f}"]
        if compared:
            cells.append("" if row.champion is None else f"{row.champion:.4f}")
        if evaluated:
            cells.append("" if row.evaluated is None else f"{row.evaluated:.4f}")
        if compared:
            cells += _gain(row)
        if anchored:
            cells.append("" if row.anchor is None else f"{row.anchor:.4f}")
        lines.append(table_row([*cells, f"{row.baseline:.4f}"]))
    if note := widened_note(table):
        lines += ["", note]
    return "\n".join(lines)


def _gain(row: Compared) -> list[str]:
    outcome = _outcome(row.outcome) if row.outcome else ""
    if row.difference is None or row.low is None or row.high is None:
        return ["", "", row.limit, outcome]
    value, low, high = (gain(row.metric, each) for each in (row.difference, row.low, row.high))
    return [value, f"{low} to {high}", row.limit, outcome]


def _changes_title(candidate: Mapping[str, Any], champion: Mapping[str, Any] | None) -> str:
    if champion is None:
        return "The model"
    return f"What changed: {', '.join(changed_names(candidate, champion)) or 'nothing'}"


def _churn(churn: float | None, budget: float | None, fresh: int) -> str:
    if churn is None:
        return ""
    share = f"Prediction churn: {churn:.1%} of decisions change on {fresh:,} fresh rows"
    if budget is None:
        return f"{share}."
    return f"{share}, {'within' if churn <= budget else 'over'} the budget of {budget:.0%}."


def _list(heading: str, lines: Sequence[str]) -> str:
    items = [f"- {each}" for each in lines if each]
    return "\n".join([f"**{heading}**\n", *items]) if items else ""


def _worse_slices(slices: Sequence[Slice], metric: str) -> str:
    """The slices in which the point estimate is worse than the champion's, the largest difference first."""
    sign = 1 if metric in LARGER_IS_BETTER else -1
    rated = [
        (sign * (ours - theirs), name, rows, ours, theirs) for name, rows, ours, theirs in slices if theirs is not None
    ]
    if not rated:
        return ""
    worse = sorted((each for each in rated if each[0] < 0), key=lambda each: each[0])
    if not worse:
        return f"Segments (slices): the {metric} is not worse than the champion's in any of {len(rated)}."
    listed = [
        f"{text(name, 80)} ({ours:.4f}, champion {theirs:.4f}, {rows:,} rows)"
        for _, name, rows, ours, theirs in worse[:_MOST_WORSE]
    ]
    more = _and_more(len(worse), _MOST_WORSE)
    return (
        f"Segments (slices): the {metric} is worse than the champion's in {len(worse)} of {len(rated)}:"
        f" {'; '.join(listed)}{more}. A significant regression fails a rule `slice.…`."
    )


def _findings(heading: str, findings: Sequence[Finding], most: int = _MOST_FINDINGS) -> str:
    """A list of findings, those that could not be checked first."""
    if not findings:
        return ""
    lines = [f"**{heading}**\n"]
    for each in sorted(findings, key=_urgency)[:most]:
        sign = "⚠️" if _is_warning(each) and each.outcome == "FAIL" else _outcome(each.outcome)
        lines.append(
            f"- **{text(each.rule)}** {sign}: {text(each.observed)}; limit: {text(each.limit)}. {text(each.why)}"
        )
    if len(findings) > most:
        lines.append(f"- …{_and_more(len(findings), most)}; see verdict.json")
    return "\n".join(lines)


def _passing(findings: Sequence[Finding]) -> str:
    if not findings:
        return ""
    lines = ["| rule | observed | limit | why it matters |", "|---|---|---|---|"]
    lines += [table_row(map(text, (f.rule, f.observed, f.limit, f.why))) for f in findings]
    return "\n".join(lines)


def _slices(slices: Sequence[Slice], metric: str) -> str:
    if not slices:
        return ""
    lines = [f"| {metric} by slice | rows | candidate | champion |", "|---|---:|---:|---:|"]
    for name, rows, ours, theirs in slices[:_MOST_SLICES]:
        rival = "" if theirs is None else f"{theirs:.4f}"
        lines.append(table_row([text(name), f"{rows:,}", f"{ours:.4f}", rival]))
    if len(slices) > _MOST_SLICES:
        lines += ["", f"…{_and_more(len(slices), _MOST_SLICES)}; see verdict.json."]
    return "\n".join(lines)


def _paths(paths: Sequence[str]) -> str:
    return ", ".join(map(code, paths[:_MOST_FILES])) + _and_more(len(paths), _MOST_FILES)


def _and_more(count: int, most: int) -> str:
    return f" and {count - most} more" if count > most else ""


def _outcome(outcome: Outcome) -> str:
    return f"{_MARK[outcome]} {OUTCOMES[outcome]}"


def _urgency(finding: Finding) -> int:
    return [*OUTCOMES].index(finding.outcome)


def _is_unsettled_slice(finding: Finding) -> bool:
    return finding.rule.startswith("slice.") and finding.outcome == "INCONCLUSIVE" and _is_warning(finding)


def _is_warning(finding: Finding) -> bool:
    return finding.severity == "warn" and finding.outcome in ("FAIL", "INCONCLUSIVE")

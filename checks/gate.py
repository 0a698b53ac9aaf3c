"""Subject -> verdict, report and verdict.json: the whole gate, from values to values."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

from checks.comparison.compare import Compared, gain
from checks.evidence import gather
from checks.findings import examine
from checks.gate_subject import Subject, named
from checks.insights.prediction_churn import churn
from checks.insights.review import Review
from checks.reports.folded_sections import hit, sections
from checks.reports.html_page import page as html
from checks.reports.mermaid import charts, drawn
from checks.reports.pull_request import report
from checks.rules.holdout_reuse import Look, line, looked, looks_in, times_looked
from checks.verdict import Finding, Verdict, judge, rules_changed
from checks.waivers import Waiver, waive, waived
from contracts.thresholds import Rules
from model.notices import recorded
from serve.release.bundle import Bundle


@dataclass(frozen=True)
class Judgement:
    """The verdict on a subject, the report in Markdown and as a page, what else verdict.json holds."""

    subject: Subject
    verdict: Verdict
    report: str
    page: str
    more: Mapping[str, Any]

    def to_json(self) -> dict[str, Any]:
        """What verdict.json holds."""
        champion = self.subject.champion
        return self.verdict.to_json(named(self.subject.candidate), named(champion) if champion else None, self.more)


def judgement(
    subject: Subject, rules: Rules, waivers: Sequence[Waiver], today: date, page: Path, say: Callable[[str], None]
) -> Judgement:
    """Evidence -> findings -> verdict -> words. Deepchecks' own page goes to *page*.

    Raises `BundleError` if the candidate's evidence cannot be read.
    """
    gate, candidate, champion = rules.gate, subject.candidate, subject.champion
    names = [each.version if each else "(none yet)" for each in (champion, subject.anchored)]
    say(f"candidate {candidate.version}, champion {names[0]}, anchor {names[1]}")
    if subject.content and subject.content.outcome != "PASS":
        return _refused(subject, subject.content)
    evidence = gather(candidate, champion, subject.anchor, subject.lost)
    found = examine(evidence, subject, gate, page, say)
    table, fresh = found.table, int(evidence.fresh.sum())
    days = sorted(set(evidence.days[evidence.fresh]))
    first, last = (days[0], days[-1]) if days else ("", "")
    look = Look(evidence.contract.name, first, last, candidate.digest)
    times = times_looked(look, days, looks_in(subject.notes))
    findings = [*found.findings, *subject.moves, looked(look, times, gate.max_looks)]
    findings = waive(findings, waivers, today)
    gains = champion is None or champion.digest != candidate.digest
    verdict = judge(findings, found.required, gains, _good(table, champion, waived(findings)))
    changed = churn(evidence) if table else None
    words = report(
        verdict,
        candidate.manifest,
        champion.manifest if champion else None,
        table=table,
        slices=found.slices,
        fresh=fresh,
        churn=changed,
        files=subject.files,
        charts=charts(evidence, table[0].metric) if table else "",
        budget=rules.land.max_churn,
        hit=hit(found.review.diff),
        more=sections(found.review, candidate.manifest, champion.manifest if champion else None),
    )
    shown = drawn(evidence, table[0].metric) if table else []
    more = {
        "anchor": asdict(subject.anchored) if subject.anchored else None,
        "fresh_rows": fresh,
        "looks": dict(zip(days, times, strict=True)),
        "churn": changed,
        "head": subject.head,
        "rules_changed": rules_changed(subject.files),
        "waived": waived(findings),
        "metrics": [_finite(asdict(row)) for row in table],
        "slices": found.slices,
        "remarks": recorded(candidate.manifest),
        **found.review.to_json(),
    }
    words += f"\n{line(look)}\n" if table else ""
    as_page = html(verdict, found.review, table, candidate.manifest, shown)
    return Judgement(subject, verdict, words, as_page, more)


def _refused(subject: Subject, content: Finding) -> Judgement:
    """Of a candidate that is not loaded, nothing else can be known. No waiver applies."""
    verdict = judge([content], (), True, "")
    manifest, champion = subject.candidate.manifest, subject.champion
    words = report(
        verdict, manifest, champion.manifest if champion else None, table=(), slices=(), fresh=0, files=subject.files
    )
    nothing = Review(None, (), (), (), ())
    more = {
        "anchor": asdict(subject.anchored) if subject.anchored else None,
        "fresh_rows": 0,
        "looks": {},
        "churn": None,
        "head": subject.head,
        "rules_changed": rules_changed(subject.files),
        "waived": [],
        "metrics": [],
        "slices": [],
        "remarks": recorded(manifest),
        **nothing.to_json(),
    }
    return Judgement(subject, verdict, words, html(verdict, nothing, (), manifest, ()), more)


def _good(table: Sequence[Compared], champion: Bundle | None, over: Sequence[str]) -> str:
    """The sentence of a PROMOTE."""
    if not table:
        return ""
    row = table[0]
    told = f" Waived: {', '.join(over)}." if over else ""
    if row.champion is None or row.low is None or row.high is None or champion is None:
        return f"Every rule holds; {row.metric} {row.candidate:.4f}. There is no champion yet to compare with.{told}"
    word = "Better than" if row.low > 0 else "Worse, within the margin, than"
    if row.low <= 0 <= row.high:
        word = "As good as"
    return (
        f"{word} {champion.version}: {row.metric} {row.candidate:.4f} against {row.champion:.4f},"
        f" a gain of {gain(row.metric, row.low)} to {gain(row.metric, row.high)}.{told}"
    )


def _finite(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values as JSON has them: what could not be measured is null."""
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value for name, value in values.items()
    }

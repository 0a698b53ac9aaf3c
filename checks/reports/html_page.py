"""Verdict and review -> one HTML page that needs no network: the report of the gate, with charts.

Pure. The template escapes whatever comes from data or a recipe, and the page's own policy forbids it to load or run
anything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from checks.comparison.compare import Compared
from checks.decision.gain_text import gain
from checks.insights.permutation_importance import Importance
from checks.insights.prediction_churn import Churn
from checks.insights.review import Review
from checks.reports.evidence_charts import Chart
from checks.reports.interval_notes import widened_note
from checks.reports.pull_request import REMARKS, TO_DO, WHEN_EVALUATED
from checks.reports.report_svg import Interval, bars, intervals, named_bars
from checks.verdict import OUTCOMES, Verdict
from contracts.comparison_limits import LARGER_IS_BETTER
from model.notices import recorded
from reporting.html import Table, render

#: Slices that are drawn; the table has all.
DRAWN_SLICES = 20


def page(
    verdict: Verdict,
    review: Review,
    compared: Sequence[Compared],
    candidate: Mapping[str, Any],
    charts: Sequence[Chart],
    accept: str = "",
) -> str:
    """The page, as one HTML document; *accept* are the waivers that accept what stops the candidate."""
    order = [*OUTCOMES]
    loud = [finding for finding in verdict.findings if finding.outcome != "PASS"]
    held = [[f.rule, f.observed, f.limit, f.why] for f in verdict.findings if f.outcome == "PASS"]
    return render(
        "report.html",
        verdict=verdict,
        name=f"{candidate.get('contract', {}).get('name', 'a model')} {candidate.get('version', '')}",
        to_do=_plain(TO_DO[verdict.decision]),
        accept=accept,
        metrics=_metrics(compared),
        gains=_gains(compared),
        findings=sorted(loud, key=lambda finding: (finding.severity, order.index(finding.outcome))),
        outcomes=OUTCOMES,
        held=Table(["rule", "observed", "limit", "why it matters"], held),
        remarks_heading=REMARKS,
        remarks=recorded(candidate),
        churn=_churn(review.churn) if review.churn else None,
        importance=_importance(review.importances) if review.importances else None,
        changes=[_plain(str(change)) for change in review.changes],
        shifts=_shifts(review),
        served=_served(review),
        figures=[bars(chart) for chart in charts],
    )


def _plain(text: str) -> str:
    """Markdown's marks of code are nothing in HTML."""
    return text.replace("`", "")


def _metrics(compared: Sequence[Compared]) -> Table:
    """A row for each metric: what the models have, and the gain with its interval, limit and outcome."""
    rows = []
    for row in compared:
        better = "higher" if row.metric in LARGER_IS_BETTER else "lower"
        models = (row.candidate, row.champion, row.evaluated, row.anchor, row.baseline)
        cells = [row.metric, better, *("" if each is None else f"{each:.4f}" for each in models)]
        if row.difference is None or row.low is None or row.high is None:
            rows.append([*cells, "", "", "", ""])
            continue
        low, high = gain(row.metric, row.low), gain(row.metric, row.high)
        outcome = OUTCOMES[row.outcome] if row.outcome else ""
        rows.append([*cells, gain(row.metric, row.difference), f"{low} to {high}", row.limit, outcome])
    heads = [
        "metric",
        "better",
        "candidate",
        "champion",
        f"champion {WHEN_EVALUATED}",
        "anchor",
        "baseline",
        "gain",
        "confidence interval",
        "limit",
        "outcome",
    ]
    kept = [n for n in range(len(heads)) if any(row[n] for row in rows)]
    return Table([heads[n] for n in kept], [[row[n] for n in kept] for row in rows])


def _gains(compared: Sequence[Compared]) -> Any:
    each = [
        Interval(row.metric, row.difference, row.low, row.high, row.least)
        for row in compared
        if row.difference is not None and row.low is not None and row.high is not None
    ]
    note = (
        "The candidate's gain over the champion with its confidence interval; above 0 the candidate is better. The"
        " thick bar is the lower limit. Dashed and hollow: the interval is not wholly above the limit."
        f" {widened_note(compared)}"
    ).rstrip()
    return intervals("Gain by metric", note, "gain, in the metric's unit", each)


def _churn(churn: Churn) -> dict[str, Any]:
    """Decisions that differ from the champion's: by slice, and the rows whose score changes most."""
    every = (churn.whole, *churn.slices)
    note = "Share of holdout rows whose decision differs from the champion's, by slice."
    shares = [(each.name, each.share * 100) for each in every[: DRAWN_SLICES + 1]]
    slices = [
        [
            each.name,
            f"{each.rows:,}",
            f"{each.share:.1%}",
            ", ".join(f"{share:.1%} {way}" for way, share in each.ways.items()),
        ]
        for each in every
    ]
    rows = [
        [m.when, f"{m.old:.4g}", f"{m.new:.4g}", m.truth, "; ".join(f"{k} {v}" for k, v in m.odd.items())]
        for m in churn.movers
    ]
    return {
        "chart": named_bars("Decisions that change", note, "% of rows", shares),
        "slices": Table(["slice", "rows", "change", "from, to"], slices),
        "rows": Table(["when", "champion", "candidate", "outcome", "not typical"], rows),
    }


def _importance(importances: Sequence[Importance]) -> dict[str, Any]:
    loss = importances[0].loss
    note = (
        f"By how much the {loss} grows when the feature's values are permuted, with its 95% confidence interval."
        " Dashed and hollow: the interval includes 0."
    )
    kept = [Interval(b.name, b.benefit, b.low, b.high) for b in importances if b.status != "removed"]
    rows = [
        [
            b.name,
            " ".join(filter(None, ("" if b.status == "kept" else b.status, b.what))),
            f"{b.benefit:+.4f}",
            f"{b.low:+.4f} to {b.high:+.4f}",
            f"{b.rows:,}",
            f"{b.missing:.1%}",
            f"{b.unseen:.1%}",
        ]
        for b in importances
    ]
    heads = ["feature", "change", "importance", "95% confidence interval", "rows", "missing", "unseen categories"]
    return {
        "chart": intervals("Importance of each feature", note, f"growth of the {loss}", kept),
        "table": Table(heads, rows),
    }


def _shifts(review: Review) -> Table:
    rows = [
        [s.name, f"{s.distance:.3f}", f"{s.missing_then:.1%}", f"{s.missing_now:.1%}", f"{s.new:.1%}"]
        for s in review.shifts
    ]
    heads = ["feature", "distance of holdout from training rows", "missing then", "missing now", "unseen categories"]
    return Table(heads, rows)


def _served(review: Review) -> Table:
    rows = [
        [
            role,
            s.version,
            f"{s.rows:,}",
            f"{s.worst:.1g}",
            f"{s.p95 * 1e3:.2f} ms",
            f"{s.size / 1e6:.2f} MB",
            f"{s.memory / 1e6:.0f} MB" if s.memory else "unknown",
        ]
        for role, s in zip(("candidate", "champion"), review.served, strict=False)
    ]
    heads = [
        "model",
        "version",
        "rows compared",
        "largest difference of a score",
        "p95 latency",
        "ONNX files",
        "memory",
    ]
    return Table(heads, rows)

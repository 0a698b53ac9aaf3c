"""Verdict and review -> one HTML page that needs no network: the report, and more of it.

Pure. Whatever comes from data or a recipe is escaped, and the page's own policy forbids it to load or
run anything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from checks.comparison.compare import Compared
from checks.insights.permutation_importance import Benefit
from checks.insights.review import Review
from checks.reports.mermaid import Chart
from checks.reports.pull_request import REMARKS, TO_DO
from checks.reports.report_svg import Interval, bars, intervals, table
from checks.verdict import Verdict
from model.notices import recorded

_STYLE = """
:root { color-scheme: light dark; --paper: #fff; --ink: #1b1b1b; --soft: #5b5b5b; --rule: #d9d9d9;
  --one: #0072b2; --other: #b35900; --alarm: #c04a00; }
@media (prefers-color-scheme: dark) { :root { --paper: #16181b; --ink: #ececec; --soft: #a9adb2;
  --rule: #3a3e44; --one: #56b4e9; --other: #e69f00; --alarm: #ff8c42; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1rem; max-width: 76rem; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif; overflow-wrap: break-word; }
h1 { font-size: 1.5rem; margin: 0 0 .25rem; } h2 { font-size: 1.15rem; margin: 2rem 0 .5rem; }
p { max-width: 46rem; } .soft { color: var(--soft); font-size: .85rem; margin: .25rem 0; }
.charts { display: grid; gap: 1rem 1.5rem; grid-template-columns: repeat(auto-fit, minmax(min(100%, 27rem), 1fr)); }
figure { margin: 0; min-width: 0; max-width: 40rem; } figcaption { font-weight: 600; }
.scroll { overflow-x: auto; } svg { display: block; width: 100%; height: auto; }
text { font: 12px system-ui, sans-serif; fill: var(--soft); }
.rule { stroke: var(--rule); fill: none; } .bar { fill: var(--one); }
.line { fill: none; stroke: var(--other); stroke-width: 2; } .point { fill: var(--other); }
.unsure { fill: none; stroke: var(--soft); stroke-width: 2; stroke-dasharray: 4 3; }
.hollow { fill: var(--paper); stroke: var(--soft); stroke-width: 2; }
.limit { fill: none; stroke: var(--alarm); stroke-width: 3; }
table { border-collapse: collapse; font-size: .85rem; font-variant-numeric: tabular-nums; }
ul { padding-left: 1.2rem; } li { margin: .3rem 0; } td { min-width: 4.5rem; }
th, td { text-align: left; padding: .2rem .8rem .2rem 0; border-bottom: 1px solid var(--rule); vertical-align: top; }
summary { cursor: pointer; font-size: .85rem; color: var(--soft); }
"""
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_WORD = {"FAIL": "fails", "NOT_RUN": "could not be checked", "INCONCLUSIVE": "is not settled"}
_SIGN = {"PASS": "✅", "FAIL": "❌", "NOT_RUN": "❔", "INCONCLUSIVE": "⏳"}


def page(
    verdict: Verdict,
    review: Review,
    compared: Sequence[Compared],
    candidate: Mapping[str, Any],
    charts: Sequence[Chart],
) -> str:
    """The page, as one HTML document."""
    name = f"{candidate.get('contract', {}).get('name', 'a model')} {candidate.get('version', '')}"
    sections = [
        ("Findings", _findings(verdict)),
        (REMARKS, _remarks(recorded(candidate))),
        ("Against the champion", _compared(compared)),
        ("Which answers change", _decisions(review)),
        ("What each feature is good for", _features(review.benefits)),
        ("Data since the last training", _news(review)),
        ("The real server", _served(review)),
        ("Scores", f'<div class="charts">{"".join(map(_framed, charts))}</div>' if charts else ""),
    ]
    body = "".join(f"<section><h2>{h}</h2>{inside}</section>" for h, inside in sections if inside)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{verdict.decision}: {escape(name)}</title><style>{_STYLE}</style></head>"
        f"<body><header><h1>{verdict.decision}: {escape(name)}</h1><p>{escape(verdict.summary)}</p><p>{escape(TO_DO[verdict.decision].replace('`', ''))}</p></header>"
        f"<main>{body}</main></body></html>\n"
    )


def _compared(compared: Sequence[Compared]) -> str:
    each = [
        Interval(row.metric, row.difference, row.low, row.high, -(row.margin or 0.0))
        for row in compared
        if row.difference is not None and row.low is not None and row.high is not None
    ]
    words = "The candidate's gain, more is better, with its interval. The thick bar is the limit; what is dashed is not beyond it."
    return intervals("Gain by metric", words, each)


def _findings(verdict: Verdict) -> str:
    """What does not hold, in words; what does, folded."""
    order = [*_SIGN]
    loud = [f for f in verdict.findings if f.outcome != "PASS"]
    told = "".join(
        f"<li>{_SIGN[f.outcome]} <strong>{escape(f.rule)}</strong> {_WORD[f.outcome]}"
        f"{' (does not block)' if f.outcome == 'FAIL' and f.severity == 'warn' else ''}:"
        f" {escape(f.observed)}; limit {escape(f.limit)}. {escape(f.why)}</li>"
        for f in sorted(loud, key=lambda f: (f.severity, -order.index(f.outcome)))
    )
    rows = [[f.rule, f.observed, f.limit, f.why] for f in verdict.findings if f.outcome == "PASS"]
    held = table(["rule", "observed", "limit", "why it matters"], rows)
    return (f"<ul>{told}</ul>" if told else "") + (
        f"<details><summary>Rules that hold: {len(rows)}</summary>{held}</details>"
    )


def _remarks(remarks: Sequence[str]) -> str:
    listed = "".join(f"<li>{escape(each)}</li>" for each in remarks)
    return f"<ul>{listed}</ul>" if listed else ""


def _decisions(review: Review) -> str:
    diff = review.diff
    if diff is None:
        return ""
    few = (diff.whole, *diff.slices[:20])
    shares = tuple(each.share * 100 for each in few)
    chart = Chart(
        "Decisions that change",
        "% of rows",
        "Share of fresh rows decided otherwise, by slice",
        tuple(each.name for each in few),
        shares,
    )
    slices = [
        [
            each.name,
            f"{each.rows:,}",
            f"{each.share:.1%}",
            ", ".join(f"{share:.1%} {way}" for way, share in each.ways.items()),
        ]
        for each in (diff.whole, *diff.slices)
    ]
    movers = [
        [m.when, f"{m.old:.4g}", f"{m.new:.4g}", m.truth, "; ".join(f"{k} {v}" for k, v in m.odd.items())]
        for m in diff.movers
    ]
    return (
        f'<div class="charts"><div>{bars(chart)}</div></div>'
        + table(["slice", "rows", "change", "which way"], slices)
        + "<h3>The rows whose score moves most</h3>"
        + table(["when", "champion", "candidate", "came true", "not typical"], movers)
    )


def _features(benefits: Sequence[Benefit]) -> str:
    if not benefits:
        return ""
    words = f"What the {benefits[0].loss} would grow by without it, with its 95% interval. What is dashed has no shown benefit."
    kept = [Interval(b.name, b.benefit, b.low, b.high) for b in benefits if b.status != "removed"]
    rows = [
        [
            b.name,
            b.status,
            b.what,
            f"{b.benefit:+.4f}",
            f"{b.low:+.4f} to {b.high:+.4f}",
            f"{b.rows:,}",
            f"{b.missing:.1%}",
            f"{b.unseen:.1%}",
        ]
        for b in benefits
    ]
    names = ["feature", "", "what changed", "benefit", "95%", "rows", "missing", "never seen"]
    return (
        f'<div class="charts"><div>{intervals("Benefit of each feature", words, kept)}</div></div>{table(names, rows)}'
    )


def _news(review: Review) -> str:
    changes = "".join(f"<li>{escape(str(change).replace('`', ''))}</li>" for change in review.changes)
    rows = [
        [s.name, f"{s.distance:.3f}", f"{s.missing_then:.1%}", f"{s.missing_now:.1%}", f"{s.new:.1%}"]
        for s in review.shifts
    ]
    names = ["feature", "distance of fresh rows from learnt ones", "missing then", "now", "never seen"]
    return (f"<ul>{changes}</ul>" if changes else "<p>No change upstream is likely.</p>") + table(names, rows)


def _served(review: Review) -> str:
    if not review.served:
        return "<p>It could not be asked: see the findings.</p>"
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
    return table(["", "version", "rows compared", "worst score off by", "p95 of one row", "ONNX files", "memory"], rows)


def _framed(chart: Chart) -> str:
    return f"<div>{bars(chart)}</div>"

"""The backtest's report as Markdown with Mermaid charts, and as an HTML page. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from backtest.reports.report_parts import Part
from checks.reports.report_svg import bars
from reporting.html import Table, render
from reporting.markdown import Section, page, table_row, text


def markdown(title: str, lead: Sequence[str], parts: Sequence[Part]) -> str:
    """The report for GitHub; too long a part is left out."""
    head = "\n\n".join([f"## {text(title)}", *(text(line, 600) for line in lead)])
    sections = [Section("summary", head, kept=True), *(Section(each.heading, section(each)) for each in parts)]
    return page(sections, whole="report.html")


def section(part: Part) -> str:
    """One part as Markdown."""
    lines = [f"### {text(part.heading)}", *(text(line, 600) for line in part.words)]
    if part.rows:
        rows = [table_row(text(cell) for cell in row) for row in part.rows]
        lines.append("\n".join([table_row(part.heads), table_row(["---"] * len(part.heads)), *rows]))
    if part.chart:
        lines.append(replace(part.chart, words=f"{part.chart.title}.").mermaid())
    return "\n\n".join(lines)


def html(title: str, lead: Sequence[str], parts: Sequence[Part]) -> str:
    """The report as a page that needs no network."""
    shown = [
        {
            "id": each.id,
            "heading": each.heading,
            "words": each.words,
            "table": Table(each.heads, each.rows) if each.rows else None,
            "figure": bars(each.chart) if each.chart else None,
        }
        for each in parts
    ]
    return render("backtest.html", title=title, lead=lead, parts=shown)

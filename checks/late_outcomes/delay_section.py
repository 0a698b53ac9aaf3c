"""The report's section on outcomes that come late: how long they take, and how much the verdict depends on missing ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from checks.late_outcomes.looked_again import LookedAgain
from checks.late_outcomes.unknown_outcomes import Dependence
from reporting.markdown import Section, table_row, text
from reporting.mermaid import xychart

TITLE = "Outcomes that come late"


def delay_section(
    candidate: Mapping[str, Any], depends: Dependence | None, again: LookedAgain | None = None
) -> Section:
    """The section of a *candidate* (a manifest), with second looks at earlier verdicts; empty without late outcomes."""
    late = candidate.get("label_delay") or {}
    delays = (late.get("release") or late.get("evaluation") or {}).get("delay") or []
    lines = []
    if holdout := late.get("holdout"):
        lines.append(
            f"Of {holdout['rows']:,} rows of the holdout, {holdout['known']:,} have an outcome; it ends"
            f" {late['behind']:g} days before the window does. The metrics are of rows with an outcome."
        )
    if depends:
        lines += ["", f"{depends}."]
    if again:
        lines += [line for each in (*again.looks, *again.failed) for line in ("", text(str(each), 500))]
    if delays:
        lines += ["", *_table(delays)]
    if chart := _chart(delays):
        lines += ["", chart]
    return Section(TITLE, "\n".join([f"**{TITLE}**", "", *lines]) if lines else "")


def _table(delays: Sequence[Mapping[str, Any]]) -> list[str]:
    shares = [*delays[0]["known_after"]]
    names = [f"{float(share):.0%} known after" for share in shares]
    lines = [table_row(["outcome", *names, "depends on"]), "|---|" + "---:|" * len(names) + "---|"]
    for each in delays:
        days = [_days(each["known_after"][share]) for share in shares]
        lines.append(table_row([text(str(each["class"])), *days, text(", ".join(each.get("by", [])[:3]))]))
    return lines


def _days(days: float | None) -> str:
    return "more days than were observed" if days is None else f"{days:.3g} days"


def _chart(delays: Sequence[Mapping[str, Any]]) -> str:
    """The share of outcomes known by age: bars for the slowest class, a line for the fastest. Bundles of before lack it."""
    drawn = sorted((each for each in delays if each.get("curve")), key=lambda each: sum(each["curve"]["known"]))
    if not drawn or len({*drawn[0]["curve"]["days"]}) < 2:
        return ""
    slow, fast = drawn[0], drawn[-1]
    named = f"bars {slow['class']}, line {fast['class']}" if len(drawn) > 1 else str(slow["class"])
    return xychart(
        f"Known outcomes by age - {named}",
        "share known",
        [f"{day:.3g}" for day in slow["curve"]["days"]],
        slow["curve"]["known"],
        [fast["curve"]["known"]] if len(drawn) > 1 else [],
        across="days",
        from_zero=True,
    )

"""The section of BENCHMARKS.md with the error rates of the gate's rules. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from drill.nights.rule_rates import decisions, rates, shown

Nights = Mapping[str, Any]


def markdown(streams: Sequence[Nights]) -> str:
    """All *streams* (what `judge` wrote): the decisions of each, then every rule that is not always a PASS."""
    lines = [
        "## Clean nights",
        "",
        (
            "How often the gate rejects or holds a candidate that has no fault: the user's recipe, trained as of days over"
            " a year, each against the model of the day before it in the table. Shares are of nights, with the 95 %"
            " confidence interval (Wilson 1927); `serving.*` is left out, since it depends on the machine. Written by"
            " `make drill-nights`."
        ),
        "",
        "| stream | nights | days as of which | PROMOTE | HOLD | REJECT |",
        "|---|---:|---|---:|---:|---:|",
    ]
    for each in streams:
        found, count = decisions(each["verdicts"]), len(each["verdicts"])
        days = [verdict["today"] for verdict in each["verdicts"]]
        span = f"{days[0]} to {days[-1]}, every {each['every']} days" if days else "none"
        span += ", rules on rows alone" if each.get("only") else ""
        cells = [str(found["PROMOTE"]), *(shown(found[name], count) for name in ("HOLD", "REJECT"))]
        lines.append(f"| `{each['recipe']}` | {count} | {span} | {' | '.join(cells)} |")
    lines += ["", "| stream | rule | rejects | holds | only reports |", "|---|---|---:|---:|---:|"]
    for each in streams:
        for rate in rates(each["verdicts"]):
            if rate.reject or rate.hold or rate.warn:
                cells = [shown(count, rate.nights) for count in (rate.reject, rate.hold, rate.warn)]
                lines.append(f"| `{each['recipe']}` | `{rate.rule}` | {' | '.join(cells)} |")
    quiet = sorted(
        {rate.rule for each in streams for rate in rates(each["verdicts"])}
        - {rate.rule for each in streams for rate in rates(each["verdicts"]) if rate.reject or rate.hold or rate.warn}
    )
    lines += ["", f"Rules that passed on every night: {', '.join(f'`{name}`' for name in quiet) or 'none'}.", ""]
    return "\n".join(lines)


def summary(nights: Nights) -> list[str]:
    """For the terminal: the decisions, each rule that did not always pass, and the first sentence of each night."""
    verdicts = nights["verdicts"]
    found = decisions(verdicts)
    lines = [f"{name:<8} {shown(count, len(verdicts))}" for name, count in found.items()]
    lines += ["", f"{'rule':<28}{'rejects':<24}{'holds':<24}only reports"]
    for rate in rates(verdicts):
        if rate.reject or rate.hold or rate.warn:
            cells = [shown(count, rate.nights) for count in (rate.reject, rate.hold, rate.warn)]
            lines.append(f"{rate.rule:<28}{cells[0]:<24}{cells[1]:<24}{cells[2]}")
    rejected = [each for each in verdicts if each["decision"] == "REJECT"]
    return [*lines, "", *(f"REJECTED though clean: {each['today']}: {each['summary']}" for each in rejected)]

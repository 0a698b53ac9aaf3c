"""The issue of an experiment: what is compared, the result, and what to do. Markdown.

Nothing in it changes within a day, so the issue is updated daily, though the run is hourly.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from monitoring.experiment.decision import MeasureResult
from monitoring.experiment.variant_comparison import Result
from reporting.markdown import text
from reporting.mermaid import xychart

#: Begins the marker of every experiment's issue.
MARKER = "experiment:"
#: Points of a chart, whose labels would overlap otherwise, and rows of a table.
POINTS = 20
#: Days of the sequence in the issue's memory, for the dashboard.
MAX_DAYS_KEPT = 60
SIGNS = {"running": "⏳", "wins": "✅", "loses": "⛔", "equivalent": "🟰", "broken": "🔧"}
NEXT = {
    "running": "Nothing. The intervals are valid on every day, so it can be ended at any time.",
    "wins": "Promote the challenger: merge the pull request, or open one.",
    "loses": "End the experiment: merge the pull request, or remove `[challenger]` from `serve/live.toml`.",
    "equivalent": (
        "Keep the model that is cheaper to run, and remove `[challenger]` from `serve/live.toml`: more days are unlikely"
        " to show a difference."
    ),
    "broken": "Ignore the figures. Fix the problems above, then start again with another salt.",
}
_HOW = """\
<details><summary>How to read this</summary>

A gain above 0 is in favour of the challenger, whatever the measure. The intervals are confidence sequences: the
probability that the true gain is ever outside, over all days, is at most `alpha`. A unit is a key; it counts once, after
`unit_days`. The settings are `[experiment]` in `checks/thresholds.toml`.

</details>"""


def marker(result: Result) -> str:
    """Identifies the issue of this experiment."""
    return f"{MARKER}{result.split.challenger}:{result.split.since}"


def title(result: Result) -> str:
    """One line: the challenger and the state."""
    kind = "shadow" if result.split.shadow else "challenger"
    return f"Experiment: {kind} {text(result.split.challenger)}: {result.decision.state}"


def memory(result: Result) -> dict[str, Any]:
    """What the dashboard draws, as JSON: the state, and (day, mean, low, high) of the gain.

    At most `MAX_DAYS_KEPT` days, the newest among them: it is stored in the issue.
    """
    decision = result.decision
    state: dict[str, Any] = {
        "state": decision.state,
        "why": decision.why,
        "days": result.days,
        "needs": decision.needs,
        "since": result.split.since,
    }
    if result.measures:
        primary = result.measures[0]
        columns = (primary.sequence.mean, primary.sequence.low, primary.sequence.high)
        days = _shown(primary, MAX_DAYS_KEPT)
        gain = [[day + 1, *(float(f"{column[day]:.5g}") for column in columns)] for day in days]
        state |= {"measure": primary.name, "margin": primary.margin, "gain": gain}
    return state


def report(result: Result, action: str = "") -> str:
    """The body of the issue; *action* is what was proposed or done about the result."""
    decision = result.decision
    parts = [
        f"{SIGNS[decision.state]} **{decision.state}**: {text(decision.why)}.{_needs(result)}",
        f"**What to do:** {action or NEXT[decision.state]}",
        _table("Gain of the challenger", result.measures, margins=True),
        "\n".join(f"- {line}" for line in _facts(result)),
        _chart(result.measures[0]) if result.measures else "",
        _table("Slices", result.slices),
        _table("Novelty effect", result.novelty),
        _novelty(result),
        _HOW,
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _needs(result: Result) -> str:
    if result.decision.state != "running":
        return ""
    if result.decision.needs is None:
        return " The days needed cannot be estimated yet."
    return f" About {result.decision.needs} more days are needed at the present rate of units."


def _facts(result: Result) -> Sequence[str]:
    split, (champion, challenger) = result.split, result.units
    how = "in shadow mode, against" if split.shadow else f"with {split.share:.1%} of the keys, against"
    units = (
        f"{champion:,} units, {challenger:,} of them scored by the shadow"
        if split.shadow
        else f"{champion:,} units of the champion, {challenger:,} of the challenger"
    )
    saved = [each for each in result.measures[:1] if each.saved >= 0.01]
    return [
        f"challenger `{text(split.challenger)}` {how} champion `{text(split.champion)}`, since {split.since}",
        f"{result.days} whole days; {units}; {result.labelled:,} units have an outcome",
        *(f"adjustment for features (CUPED) removes {each.saved:.0%} of the variance" for each in saved),
        *(f"⚠️ worse in a slice: {text(name)}" for name in result.harmed_slices),
        *(text(each) for each in result.ignored),
    ]


def _table(heading: str, measures: Sequence[MeasureResult], margins: bool = False) -> str:
    if not measures:
        return ""
    rows = [
        f"**{heading}**",
        "",
        f"| | champion | challenger | gain | confidence interval |{' margin |' if margins else ''}",
        f"|---|---:|---:|---:|---:|{'---:|' if margins else ''}",
    ]
    for each in measures[:POINTS]:
        mean, low, high = each.gain
        known = math.isfinite(low)
        rows.append(
            f"| {text(each.name)} | {_number(each.champion)} | {_number(each.challenger)}"
            f" | {f'{mean:+.4g}' if known else ''} | {f'{low:+.4g} to {high:+.4g}' if known else 'too few units'} |"
            + (f" {each.margin:.4g} |" if margins else "")
        )
    if len(measures) > POINTS:
        rows.append(f"\n… and {len(measures) - POINTS} more.")
    return "\n".join(rows)


def _chart(measure: MeasureResult) -> str:
    """Mean, low and high of the gain by day, as a Mermaid chart."""
    shown = _shown(measure, POINTS)
    if len(shown) < 2:
        return ""
    lines = (measure.sequence.mean, measure.sequence.low, measure.sequence.high)
    drawn = [[float(values[day]) for day in shown] for values in lines]
    title = f"gain in {measure.name}, mean and interval"
    return xychart(title, "gain", [str(day + 1) for day in shown], lines=drawn, across="day")


def _shown(measure: MeasureResult, most: int) -> list[int]:
    """At most *most* of the days that have an interval, evenly spaced, the newest among them."""
    low = measure.sequence.low
    days = [number for number in range(len(low)) if math.isfinite(low[number])]
    step = math.ceil(len(days) / most) or 1
    return days[::-1][::step][::-1]


def _novelty(result: Result) -> str:
    if not result.novelty_effect:
        return ""
    return "⚠️ Novelty effect: the gain of the first week differs from that of later weeks. Rely on the later weeks."


def _number(value: float) -> str:
    return f"{value:.4g}" if math.isfinite(value) else ""

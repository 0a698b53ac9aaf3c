"""An experiment in words, for its issue: what is compared, how it stands, what comes next. Markdown.

Nothing in it changes within a day, so an issue that is brought up to date hourly changes daily.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from monitoring.experiment.decision import Reading
from monitoring.experiment.variant_comparison import Result
from reporting.markdown import text

#: Begins the marker of every experiment's issue.
MARKER = "experiment:"
#: Points of a chart: more would hide each other's labels.
POINTS = 20
#: Days of the sequence that the issue remembers, for the control room.
REMEMBERED = 60
SIGNS = {"running": "⏳", "wins": "✅", "loses": "⛔", "equivalent": "🟰", "broken": "🔧"}
NEXT = {
    "running": "Nothing. It may be looked at, and ended, on any day: the intervals allow for it.",
    "wins": "The challenger should become the champion: see the pull request, or open one.",
    "loses": "The split should end: see the pull request, or take `[challenger]` out of `serve/live.toml`.",
    "equivalent": (
        "More days will hardly tell them apart. Keep the one that is cheaper to run, and take"
        " `[challenger]` out of `serve/live.toml`."
    ),
    "broken": "No figure here is to be believed. Put right what is named above; then begin anew with another salt.",
}


def marker(result: Result) -> str:
    """What tells the issue of this experiment from all others'."""
    return f"{MARKER}{result.split.challenger}:{result.split.since}"


def title(result: Result) -> str:
    """One line: the state, and of what."""
    kind = "shadow" if result.split.shadow else "challenger"
    return f"Experiment: {kind} {text(result.split.challenger)}: {result.judgement.state}"


def memory(result: Result) -> dict[str, Any]:
    """What a chart of it needs, as plain values: the state, and day, mean, low and high of the gain.

    At most `REMEMBERED` days, the newest among them: it is kept in the issue.
    """
    judgement, split = result.judgement, result.split
    found: dict[str, Any] = {
        "state": judgement.state,
        "why": judgement.why,
        "days": result.days,
        "needs": judgement.needs,
        "since": split.since,
    }
    if result.readings:
        reading = result.readings[0]
        columns = (reading.band.mean, reading.band.low, reading.band.high)
        days = _shown(reading, REMEMBERED)
        gain = [[day + 1, *(float(f"{column[day]:.5g}") for column in columns)] for day in days]
        found |= {"measure": reading.name, "margin": reading.margin, "gain": gain}
    return found


def bulletin(result: Result, deed: str = "") -> str:
    """The whole text; *deed* is what was done about the result, if anything was."""
    judgement = result.judgement
    parts = [
        f"{SIGNS[judgement.state]} **{judgement.state}**: {text(judgement.why)}.{_needs(result)}",
        "\n".join(f"- {line}" for line in _facts(result)),
        _table("Gain of the challenger", result.readings, margins=True),
        _chart(result.readings[0]) if result.readings else "",
        _table("By slice", result.slices),
        _table("Novelty", result.novelty),
        _novelty(result),
        f"**What to do.** {deed or NEXT[judgement.state]}",
        _HOW,
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


_HOW = """\
<details><summary>How to read this</summary>

A gain above zero is for the challenger, whatever the measure. Each interval is one of a confidence sequence: over
all days that anybody looks, the chance that the truth is ever outside is no more than the setting `alpha` says. A unit is
a key; it counts once, after the days that the setting `unit_days` says. The limits are `[experiment]` in
`checks/thresholds.toml`.

</details>"""


def _needs(result: Result) -> str:
    if result.judgement.state != "running":
        return ""
    if result.judgement.needs is None:
        return " How long it will take cannot be said yet."
    return f" About {result.judgement.needs} more days are needed, if units come as they did."


def _facts(result: Result) -> Sequence[str]:
    split, (champion, challenger) = result.split, result.units
    how = "in the shadow of" if split.shadow else f"with {split.share:.1%} of the keys, against"
    units = (
        f"{champion:,} units answered, {challenger:,} of them scored by the shadow"
        if split.shadow
        else f"{champion:,} units of the champion, {challenger:,} of the challenger"
    )
    saved = [each for each in result.readings[:1] if each.saved >= 0.01]
    return [
        f"challenger `{text(split.challenger)}` {how} champion `{text(split.champion)}`, since {split.since}",
        f"{result.days} whole days; {units}; outcomes are known for {result.labelled:,} units",
        *(f"the features' share of the variance, taken out: {each.saved:.0%}" for each in saved),
        *(f"⚠️ worse for sure: {text(name)}" for name in result.hurt),
        *(text(each) for each in result.odd),
    ]


def _table(heading: str, readings: Sequence[Reading], margins: bool = False) -> str:
    if not readings:
        return ""
    rows = [
        f"**{heading}**",
        "",
        f"| | champion | challenger | gain | interval |{' margin |' if margins else ''}",
        f"|---|---:|---:|---:|---:|{'---:|' if margins else ''}",
    ]
    for each in readings[:POINTS]:
        mean, low, high = each.gain
        known = math.isfinite(low)
        rows.append(
            f"| {text(each.name)} | {_number(each.champion)} | {_number(each.challenger)}"
            f" | {f'{mean:+.4g}' if known else ''} | {f'{low:+.4g} to {high:+.4g}' if known else 'too few units'} |"
            + (f" {each.margin:.4g} |" if margins else "")
        )
    if len(readings) > POINTS:
        rows.append(f"\n… and {len(readings) - POINTS} more.")
    return "\n".join(rows)


def _chart(reading: Reading) -> str:
    """Mean, low and high of the gain, day by day, as GitHub draws it."""
    low, high = reading.band.low, reading.band.high
    shown = _shown(reading, POINTS)
    if len(shown) < 2:
        return ""
    lines = (reading.band.mean, low, high)
    drawn = "\n".join(f"  line [{', '.join(f'{float(values[day]):.4g}' for day in shown)}]" for values in lines)
    names = ", ".join(f'"{day + 1}"' for day in shown)
    return (
        f'```mermaid\nxychart-beta\n  title "gain in {reading.name}: the mean between the ends of its interval"\n'
        f'  x-axis "day" [{names}]\n{drawn}\n```'
    )


def _shown(reading: Reading, most: int) -> list[int]:
    """At most so many of the days that have an interval, evenly, the newest among them."""
    low = reading.band.low
    days = [number for number in range(len(low)) if math.isfinite(low[number])]
    step = math.ceil(len(days) / most) or 1
    return days[::-1][::step][::-1]


def _novelty(result: Result) -> str:
    if not result.wears_off:
        return ""
    return (
        "⚠️ The first week's gain and the later weeks' are not the same: what is new pleased or annoyed for being"
        " new. Believe the later one."
    )


def _number(value: float) -> str:
    return f"{value:.4g}" if math.isfinite(value) else ""

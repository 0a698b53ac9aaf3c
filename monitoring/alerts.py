"""Signals + limits -> raised, quiet or undecided; and the words for those who get the alert.

Pure. An alert opens when a signal of an opening kind is beyond its limits on most of the last days,
and closes after enough quiet days in a row. Between the two nothing changes: an open alert stays
open, a closed one closed. What could not be watched is no alarm, and it keeps an open alert open.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from checks.markdown import text
from checks.rules import Monitoring
from monitoring.signals import Signal, Unknown, by_series

LONGEST = 60_000
_WHAT_TO_DO = (
    "**What to do.** Run *nightly* (Actions, or `make retrain gate land`): a new model learns from the rows as"
    " they are now, and the gate says whether it is better. If the model itself is at fault: *rollback*"
    " (Actions, or `make rollback`)."
)
_CUT = "\n\n… cut: the whole is in the file of the run.\n"


@dataclass(frozen=True)
class Situation:
    """What the signals amount to, and the series that are beyond their limits."""

    state: Literal["raised", "quiet", "undecided"]
    lasting: tuple[str, ...]
    why: str


@dataclass(frozen=True)
class Told:
    """What an alert tells beside its signals."""

    model: str
    version: str
    rows: int
    labelled: int
    oddities: Sequence[str] = ()
    unjudged: Sequence[str] = ()
    upstream: Sequence[str] = ()


def assess(signals: list[Signal], unknown: Sequence[Unknown], rules: Monitoring) -> Situation:
    """Whether an alert is due, over, or neither, by the last days of each opening series."""
    opening = {
        name: days for name, days in by_series(signals).items() if days[0].kind in rules.opens
    }
    if not opening:
        return Situation("undecided", (), "no day could be judged yet")
    lasting = tuple(
        name
        for name, days in opening.items()
        if sum(day.breached for day in days[-rules.of :]) >= rules.lasting
    )
    if lasting:
        return Situation(
            "raised",
            lasting,
            f"beyond limits on {rules.lasting} or more of the last {rules.of} days",
        )
    blind = [each.kind for each in unknown if each.kind.split()[0] in rules.opens]
    if blind:
        return Situation("undecided", (), f"could not be watched: {', '.join(blind)}")
    # A series that is only known later (realised performance) is quiet as far as it is known.
    restless = [
        name for name, days in opening.items() if any(day.breached for day in days[-rules.quiet :])
    ]
    short = [
        name for name, days in opening.items() if len(days) < rules.quiet and "realised" not in name
    ]
    if restless:
        return Situation(
            "undecided",
            (),
            f"beyond limits within the last {rules.quiet} days: {', '.join(restless)}",
        )
    if short:
        return Situation("undecided", (), f"fewer than {rules.quiet} days could be judged")
    return Situation("quiet", (), f"within limits for the last {rules.quiet} days")


def title(situation: Situation, signals: list[Signal], told: Told) -> str:
    """One line: which model, since when, what moved."""
    series = by_series(signals)
    since = first_day(signals, situation)
    kinds = dict.fromkeys(series[name][0].kind.replace("_", " ") for name in situation.lasting)
    moved = ", ".join(text(name) for name in moved_features(signals, since)[:3])
    return f"{text(told.model)}: {', '.join(kinds)} since {since}" + (
        f" ({moved})" if moved else ""
    )


def body(
    situation: Situation, signals: list[Signal], unknown: Sequence[Unknown], told: Told
) -> str:
    """The alert for a person: what moved, since when, what it costs, what to do. Markdown."""
    series = by_series(signals)
    since = first_day(signals, situation)
    parts = [
        f"**{text(told.model)}**, version `{text(told.version)}`: {situation.why}.",
        "\n".join(f"- {line}" for line in effect(signals, situation, told)),
        _table("What lasts", [series[name] for name in situation.lasting]),
        _table(
            "Features that moved",
            [
                series[f"univariate_drift jensen_shannon {n}"]
                for n in moved_features(signals, since)
            ],
        ),
        _chart(series, situation),
        _listed("Likely upstream change", [text(each.replace("`", "")) for each in told.upstream]),
        _listed(
            "Could not be watched", [f"{text(each.kind)}: {text(each.why)}" for each in unknown]
        ),
        _listed("About the journal", [text(each) for each in told.oddities]),
        _listed(
            "Days with too few rows to judge", [", ".join(told.unjudged)] if told.unjudged else []
        ),
        _WHAT_TO_DO,
    ]
    words = "\n\n".join(part for part in parts if part) + "\n"
    return words if len(words) <= LONGEST else words[: LONGEST - len(_CUT)] + _CUT


def moved_features(signals: list[Signal], since: str) -> list[str]:
    """The features beyond their limits on most days *since* then, the farthest first."""
    found: dict[str, float] = {}
    for days in by_series(
        [s for s in signals if s.kind == "univariate_drift" and s.day >= since]
    ).values():
        if 2 * sum(day.breached for day in days) > len(days):
            found[days[0].feature] = sum(day.value for day in days) / len(days)
    return sorted(found, key=lambda name: -found[name])


def effect(signals: list[Signal], situation: Situation, told: Told) -> Iterable[str]:
    """Performance since the alert's first day, estimated and realised, against the reference's."""
    since = first_day(signals, situation)
    for kind in ("estimated_performance", "realised_performance"):
        word = kind.split("_")[0]
        for days in by_series([s for s in signals if s.kind == kind and s.day >= since]).values():
            mean = sum(day.value * day.rows for day in days) / sum(day.rows for day in days)
            usual = days[0].expected
            yield (
                f"{days[0].metric}, {word} over {len(days)} days: {mean:.3f}; {usual:.3f} when it was judged"
                f" ({mean - usual:+.3f})"
            )
    share = f"{told.labelled / told.rows:.0%}" if told.rows else "none"
    yield f"outcomes are known for {told.labelled:,} of {told.rows:,} rows ({share})"


def first_day(signals: list[Signal], situation: Situation) -> str:
    """The day the earliest of the lasting series began to be beyond its limits; "" if none is."""
    series = by_series(signals)
    return min((_since(series[name]) for name in situation.lasting), default="")


def _since(days: list[Signal]) -> str:
    """The first day of the spell that the last breach belongs to; one quiet day does not end it."""
    start = ""
    calm = 0
    for day in reversed(days):
        calm = 0 if day.breached else calm + 1
        if calm > 1 and start:
            break
        if day.breached:
            start = day.day
    return start


def _table(heading: str, series: list[list[Signal]]) -> str:
    if not series:
        return ""
    lines = [
        f"**{heading}**",
        "",
        "| | last day | value | usual | limit | days beyond |",
        "|---|---|---:|---:|---:|---:|",
    ]
    for days in series[:20]:
        last = days[-1]
        limit = last.upper if last.upper is not None else last.lower
        beyond = sum(day.breached for day in days)
        lines.append(
            f"| {text(last.name.replace('_', ' '))} | {last.day} | {last.value:.3f} | {last.expected:.3f}"
            f" | {'' if limit is None else f'{limit:.3f}'} | {beyond} of {len(days)} |"
        )
    return "\n".join(lines)


def _chart(series: Mapping[str, list[Signal]], situation: Situation) -> str:
    """The first lasting series with its limit, as GitHub draws it."""
    if not situation.lasting:
        return ""
    days = series[situation.lasting[0]]
    limit = [day.upper if day.upper is not None else day.lower or 0.0 for day in days]
    names = ", ".join(f'"{day.day[5:]}"' for day in days)
    values = ", ".join(f"{day.value:.4g}" for day in days)
    return (
        "```mermaid\nxychart-beta\n"
        f'  title "{days[0].name.replace("_", " ")}: the line is its limit"\n'
        f"  x-axis [{names}]\n  bar [{values}]\n  line [{', '.join(f'{each:.4g}' for each in limit)}]\n```"
    )


def _listed(heading: str, lines: Sequence[str]) -> str:
    return "\n".join([f"**{heading}**", "", *(f"- {line}" for line in lines)]) if lines else ""

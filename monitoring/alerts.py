"""Signals + limits -> raised, quiet or undecided; and the words for those who get the alert.

Pure. Three tiers: a page opens an alert on one day beyond its limits, an issue when it lasts, and the
digest tells once a week what else moved. An alert closes after enough quiet days in a row. In between
nothing changes: an open alert stays open, a closed one closed. What could not be watched is no alarm, and
it keeps an open alert open.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from checks.markdown import text
from checks.watch import Monitoring
from monitoring.labels import trust
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
    """What the signals amount to, and the series that are beyond their limits, pages first."""

    state: Literal["raised", "quiet", "undecided"]
    lasting: tuple[str, ...]
    why: str
    tier: str = ""


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
    opening = {name: days for name, days in by_series(signals).items() if days[0].tier != "digest"}
    if not opening:
        return Situation("undecided", (), "no day could be judged yet")
    needed = {"page": 1, "issue": rules.lasting}
    lasting = sorted(
        (
            name
            for name, days in opening.items()
            if sum(day.breached for day in days[-rules.of :]) >= needed[days[0].tier]
        ),
        key=lambda name: opening[name][0].tier == "issue",
    )
    if lasting:
        tier = opening[lasting[0]][0].tier
        often = "one day or more" if tier == "page" else f"{rules.lasting} or more"
        why = f"beyond limits on {often} of the last {rules.of} days"
        return Situation("raised", tuple(lasting), why, tier)
    watched = {*rules.page, *rules.issue}
    blind = [each.kind for each in unknown if each.kind.split()[0] in watched and not each.yet]
    if blind:
        return Situation("undecided", (), f"could not be watched: {', '.join(blind)}")
    # A series that is only known later (by outcomes, or in thin slices) is quiet as far as it is known.
    restless = [
        name for name, days in opening.items() if any(day.breached for day in days[-rules.quiet :])
    ]
    short = max(len(days) for days in opening.values()) < rules.quiet
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
        _listed(
            "How far the estimate could be trusted so far", [str(each) for each in trust(signals)]
        ),
        _table("What lasts", [series[name] for name in situation.lasting]),
        _table(
            "Features that moved",
            [
                days
                for n in moved_features(signals, since)
                for days in series.values()
                if (days[0].kind, days[0].feature) == ("univariate_drift", n)
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
            far = sum(map(_far, days)) / len(days)
            found[days[0].feature] = max(far, found.get(days[0].feature, 0.0))
    return sorted(found, key=lambda name: -found[name])


def _far(signal: Signal) -> float:
    """How far the day lies from what is usual, in units of its limit's distance."""
    limits = [each for each in (signal.lower, signal.upper) if each is not None]
    room = min((abs(each - signal.expected) for each in limits), default=0.0)
    return abs(signal.value - signal.expected) / room if room else 0.0


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
        "| | last day | value | usual | limit | lately | days beyond | a false alarm in |",
        "|---|---|---:|---:|---:|---:|---:|---:|",
    ]
    for days in series[:20]:
        last = days[-1]
        limit = _limit(last)
        beyond = sum(day.breached for day in days)
        lines.append(
            f"| {text(last.name.replace('_', ' '))} | {last.day} | {last.value:.3f} | {last.expected:.3f}"
            f" | {'' if limit is None else f'{limit:.3f}'} | {'' if last.level is None else f'{last.level:.3f}'}"
            f" | {beyond} of {len(days)} | {_length(last.run_length)} |"
        )
    return "\n".join(lines)


def _limit(signal: Signal) -> float | None:
    """The limit on the side where the value lies."""
    below = signal.value < signal.expected
    near, other = (signal.lower, signal.upper) if below else (signal.upper, signal.lower)
    return near if near is not None else other


def _chart(series: Mapping[str, list[Signal]], situation: Situation) -> str:
    """The first lasting series with its limit, as GitHub draws it."""
    if not situation.lasting:
        return ""
    days = series[situation.lasting[0]]
    limit = [_limit(day) or 0.0 for day in days]
    names = ", ".join(f'"{day.day[5:]}"' for day in days)
    values = ", ".join(f"{day.value:.4g}" for day in days)
    return (
        "```mermaid\nxychart-beta\n"
        f'  title "{days[0].name.replace("_", " ")}: the line is its limit"\n'
        f"  x-axis [{names}]\n  bar [{values}]\n  line [{', '.join(f'{each:.4g}' for each in limit)}]\n```"
    )


def _length(days: float | None) -> str:
    """A chart's own run length, in words."""
    return "" if days is None else f"{days / 365:.1f} years" if days >= 365 else f"{days:.0f} days"


def _listed(heading: str, lines: Sequence[str]) -> str:
    return "\n".join([f"**{heading}**", "", *(f"- {line}" for line in lines)]) if lines else ""

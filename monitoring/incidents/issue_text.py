"""An incident in words, for those who get the issue. Pure; Markdown.

The body is always about now: what moved, since when, how sure, where, what it costs, the likely cause, what
to do. What was, is in its history, a line a run.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from monitoring.charts.signals import SERVICE
from monitoring.incidents.incident_state import IncidentState, days_between
from reporting.markdown import Section, code, page, text

COMMANDS = (
    ("/ack 7d", "somebody knows of it; until then it calls no retrain and says below only what joins it as a page"),
    ("/expected until 2026-12-08 because …", "proposes a waiver: once merged, this is no alarm up to that day"),
    ("/retrain", "trains, judges and lands a new model, as every night does"),
    ("/rollback", "the model before this one serves again; or `/rollback VERSION`"),
    ("/explain", "how this alarm came about, and what ends it"),
)
_EXPLAINED = """\
**What is beyond its limits**

{seen}

It began on {begun}; at its worst, on {worst}, it was {peak:.1f} times as far from usual as its limit is.

**How an alarm comes about.** Each day's rows are held against those the model was judged with. Each signal has limits
that quiet days stay within; a day alone is no alarm, it has to last. A page is about performance, broken data, or answers
that fail or take long; an issue about rows or scores that no longer look as they did.

**What ends it.** {quiet} windows in a row within the limits close it by themselves. A new model is judged by its own
rows, so a retrain that lands ends a drift that it has learnt. Whoever closes it by hand is not fought: it stays closed
unless it becomes clearly worse, or goes on for long.
"""
_WHAT_TO_DO = """\
If the world has changed: `/retrain` (or *Actions → nightly*, or `make retrain gate land`). A new model learns from the rows as they are now, and the gate says whether it is better.
If the model itself is at fault: `/rollback` (or *Actions → rollback*, or `make rollback`).
If it is meant to be so for a while: `/expected until … because …`.
""".splitlines()
LONGEST = 35_000  # characters: what the robots remember needs room, too
_DATA = ("missing_values", "unseen_categories", "row_rate", "label_coverage")


@dataclass(frozen=True)
class Evidence:
    """What the charts have to show, ready to be read.

    *first* is what to do first, *effect* are lines on performance, *moved* and *slices* are tables, *charts* Mermaid, *sure*
    sentences on how sure the alarm is, *likely* causes, the likeliest first, *remarks* lists by
    heading.
    """

    first: str = ""
    effect: tuple[str, ...] = ()
    moved: str = ""
    slices: str = ""
    charts: tuple[str, ...] = ()
    sure: tuple[str, ...] = ()
    likely: tuple[str, ...] = ()
    remarks: Mapping[str, Sequence[str]] | None = None


@dataclass(frozen=True)
class CauseFacts:
    """What `likely_causes` goes by.

    *kinds* are those of the causes, *new* the features with values never seen, *owners* of the
    features that moved, *releases* (day, version) of ours, *known* the first and last day of the
    rows that the model was judged with, *recent* tells whether labels say that the relation of
    features to target itself has changed.
    """

    kinds: tuple[str, ...]
    since: str
    new: tuple[str, ...] = ()
    owners: Mapping[str, tuple[str, ...]] | None = None
    releases: tuple[tuple[str, str], ...] = ()
    known: tuple[str, str] = ("", "")


def title(model: str, kinds: Iterable[str], since: str, features: Sequence[str]) -> str:
    """One line: which model, what, since when, which features."""
    what = ", ".join(dict.fromkeys(text(kind.replace("_", " ")) for kind in kinds))
    where = ", ".join(text(name) for name in features[:3])
    return f"{text(model)}: {what} since {since}" + (f" ({where})" if where else "")


def body(model: str, version: str, memory: IncidentState, state: str, why: str, evidence: Evidence) -> str:
    """The whole issue. *state* is open, quiet (open, and nothing beyond its limits) or closed."""
    head = {
        "open": f"beyond its limits since {memory.since}.",
        "quiet": f"open since {memory.since}; {text(why)}." if memory.since else f"{text(why)}.",
        "closed": f"over: {text(why)}.",
    }[state]
    remarks = [
        Section(heading, _listed(heading, [text(line) for line in lines]))
        for heading, lines in (evidence.remarks or {}).items()
    ]
    sections = [
        Section("head", f"**{text(model)}**, version {code(version)}: {head}", kept=True),
        Section("first", f"**First:** {evidence.first}" if evidence.first and state == "open" else ""),
        Section("facts", _facts(memory), kept=True),
        Section("what moved", _listed("What moved", [text(w) for w in memory.words] if state == "open" else ())),
        Section("cost", _listed("What it costs", evidence.effect)),
        Section("likely cause", _listed("Likely cause", evidence.likely)),
        Section("what to do", _what_to_do(memory, state), kept=True),
        *(Section("chart", chart) for chart in evidence.charts),
        Section("slices", evidence.slices),
        Section("how sure", _listed("How sure", evidence.sure)),
        *remarks,
        Section("in figures", evidence.moved, folded=True),
        Section("history", _history(memory.runs), folded=True),
        Section("what was done", _history(memory.actions), folded=True),
        Section("commands", command_help(), folded=True, kept=True),
    ]
    return page(sections, LONGEST, "the artifact of the run")


def first_step(facts: CauseFacts, tier: str) -> str:
    """What to do first, for who is woken: one step, the one that the kinds and a release point to."""
    kinds, owners = {*facts.kinds}, [text(owner) for owner in facts.owners or {} if owner]
    ask = f"ask {', '.join(owners) or 'who fills them'} what has changed" + (
        f" on {facts.since}" if facts.since else ""
    )
    new = [code(version) for day, version in facts.releases if _just_before(day, facts.since)][-1:]
    back = f"`/rollback`. {''.join(new)} went live just before it began; the way back takes seconds, and can be undone."
    steps = (
        (
            tier != "page",
            "nothing at this hour. Something looks different, and no loss is told of; it waits for the day.",
        ),
        (kinds & {*SERVICE} and new, back),
        (
            "errors" in kinds,
            "see the scorers' logs: requests fail, and pages that asked fell back to what they do without a model.",
        ),
        (
            "row_rate" in kinds,
            "see that the website asks the scorer, and that its journal is shipped here: rows are not as many as usual.",
        ),
        (
            kinds & {"missing_values", "unseen_categories"},
            f"{ask}. Broken rows are put right upstream, and nothing learns from them.",
        ),
        (
            "label_coverage" in kinds,
            "see why outcomes no longer come. The model may be as good as ever; nobody can tell.",
        ),
        (new, back),
        (
            kinds & {"realised_performance", "prediction_bias"},
            "look at the likely cause; unless rows are broken, `/retrain`. Outcomes tell the loss: it is real.",
        ),
        (
            kinds == {"latency"},
            "see what else the scorers' machines do, and whether more is asked at once: answers take longer, and no release of ours explains it.",
        ),
        (True, "look at the likely cause. The loss is an estimate, and outcomes do not tell of it yet."),
    )
    return next(words for applies, words in steps if applies)


def likely_causes(facts: CauseFacts) -> tuple[str, ...]:
    """Causes to look at first, the likeliest first: what happened at that time, and what fits the kind."""
    found = []
    for day, version in facts.releases:
        if _just_before(day, facts.since):
            days = days_between(facts.since, day)
            ago = {0: "the day it began", 1: "a day before"}.get(days, f"{days} days before")
            found.append(f"A release of ours: {code(version)} went live on {day}, {ago}.")
    if facts.new:
        names = ", ".join(code(name) for name in facts.new[:5])
        found.append(f"A new segment, or a new spelling upstream: values never seen before in {names}.")
    for owner, theirs in (facts.owners or {}).items():
        what = ", ".join(code(name) for name in theirs[:5])
        whose = f"all of them {text(owner)}'s: ask there" if owner else "ask who fills them"
        found.append(f"An upstream change: {what} moved; {whose}.")
    first, last = facts.known
    about_rows = {*facts.kinds} - {*SERVICE}
    if about_rows and first and facts.since and not _same_season(facts.since, first, last):
        found.append(f"The season: the model was judged with rows of {first} to {last} only.")
    moved = {"multivariate_drift", "score_drift", "univariate_drift", *_DATA} & {*facts.kinds}
    if "realised_performance" in facts.kinds and not moved:
        found.append("The world: rows look as before and outcomes differ, so what leads to what has changed.")
    return tuple(found) or ("Nothing that is known here happened at that time.",)


def daily_cost(metric: str, usual: float, now: float, rows: float, worth: float, currency: str) -> str:
    """What a *metric* that is off costs a day, where one decision has a *worth*; "" where it has none.

    Accuracy counts decisions: each one more that is wrong costs the worth. A mean absolute error
    counts units: each one more costs the worth.
    """
    off = {"accuracy": usual - now, "mae": now - usual}.get(metric)
    if off is None or off <= 0 or not worth:
        return ""
    return (
        f"about {off * rows * worth:,.0f} {text(currency)} a day: {off:.4g} on each of {rows:,.0f} rows a day,"
        f" at {worth:g} {text(currency)} each"
    )


def resolution_comment(memory: IncidentState, why: str) -> str:
    """What an incident was, in the comment that closes it: how long, how bad, what was done."""
    lines = [f"Closed by itself: {text(why)}.", ""]
    if memory.since and memory.last:
        days = days_between(memory.last, memory.since) + 1
        long = "a day" if days == 1 else f"{days} days"
        lines.append(f"- Duration: {long}, from {memory.since} to {memory.last}.")
    if memory.peak:
        lines.append(f"- Peak: {memory.peak:.1f} times its limit, on {memory.peak_day}.")
    done = "; ".join(f"{at}: {text(words)}" for at, words in memory.actions) or "none is noted here"
    return "\n".join([*lines, f"- Action taken: {done}.", "", "It opens again if this comes back.\n"])


def explanation(memory: IncidentState, quiet: int) -> str:
    """How an alarm came about, and what ends it: the answer to `/explain`."""
    seen = [text(words) for words in memory.words] or ["nothing at the moment"]
    begun, worst = memory.since or "a day that is not known", memory.peak_day or "an unknown day"
    return _EXPLAINED.format(
        seen="\n".join(f"- {words}" for words in seen), begun=begun, worst=worst, peak=memory.peak, quiet=quiet
    )


def command_help() -> str:
    """What can be typed below an incident."""
    lines = [f"- `{typed}`: {does}." for typed, does in COMMANDS]
    first = (
        "Write each on a line of its own in a comment; it is read at the next look. What is shown as code or as a"
        " quotation is no command, and a comment that has its reply is not read again after an edit. Only people"
        " who may write to this repository can give commands."
    )
    return "\n".join([first, "", *lines])


def _facts(memory: IncidentState) -> str:
    rows = [("Since", f"{memory.since}, last on {memory.last}" if memory.since else "")]
    now = f"{memory.now:.1f} times its limit now; " if memory.now else "within its limits now; "
    peak = f"{memory.peak:.1f} times at its peak, on {memory.peak_day}" if memory.peak else ""
    rows.append(("How far", now + peak if peak else ""))
    rows.append(("Tier", memory.tier if memory.causes else ""))
    known = f"until {memory.ack}, by {text(memory.ack_by)}" if memory.ack else ""
    rows.append(("Acknowledged", known))
    told = [f"| **{name}** | {value} |" for name, value in rows if value]
    return "\n".join(["| | |", "|---|---|", *told]) if told else ""


def _what_to_do(memory: IncidentState, state: str) -> str:
    if state == "closed":
        return "Nothing is to be done. It opens again if this comes back."
    lines = []
    if memory.kinds & {*_DATA}:
        lines.append(
            "Look at the rows first: if they are broken upstream, have that put right, and do not retrain on them."
        )
    if memory.kinds & {*SERVICE}:
        lines.append(
            "Answers that fail or take long are no matter of what the model has learnt: if a release brought it, `/rollback`; else it is the scorers' machines, or what is asked of them."
        )
    lines += _WHAT_TO_DO[1:] if memory.kinds and memory.kinds <= {*SERVICE} else _WHAT_TO_DO
    return _listed("What to do", lines)


def _history(lines: Sequence[tuple[str, str]]) -> str:
    return "\n".join(f"- {text(at)}: {text(words)}" for at, words in reversed(lines))


def _listed(heading: str, lines: Sequence[str]) -> str:
    return "\n".join([f"**{heading}**", "", *(f"- {line}" for line in lines)]) if lines else ""


def _just_before(day: str, since: str) -> bool:
    return bool(since) and 0 <= days_between(since, day) <= 2


def _same_season(day: str, first: str, last: str) -> bool:
    """Whether rows from *first* to *last* hold a time of year within three weeks of *day*'s."""
    if days_between(last, first) >= 344:
        return True
    there = date.fromisoformat(day).timetuple().tm_yday
    begin = date.fromisoformat(first).timetuple().tm_yday
    after = (there - begin) % 365
    return after <= days_between(last, first) + 21 or after >= 365 - 21

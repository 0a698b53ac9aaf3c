"""Title, body and comments of an incident's issue. Pure; Markdown.

The body describes the current state: what is affected, how severe it is and what to do; evidence is folded.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from monitoring.charts.signals import SERVICE, SKEW
from monitoring.incidents.incident_state import IncidentState, days_between
from reporting.markdown import Section, code, page, text

COMMANDS = (
    (
        "/ack 7d",
        "acknowledge: until then no retrain starts automatically, and only new causes of severity page are announced",
    ),
    ("/expected until 2026-12-08 because …", "propose a waiver; once merged, these causes raise no alert until then"),
    ("/retrain", "start the nightly workflow: train, gate and release a new model"),
    ("/rollback", "make the previous champion live again; or `/rollback VERSION`"),
    ("/online off", "stop online corrections: answers are the model's scores; or `/online shadow`, `/online on`"),
    ("/explain", "why this alert was raised, and how it is resolved"),
)
_COMMANDS_INTRODUCTION = (
    "Write each command on its own line of a comment; it is read at the next run. Text in code blocks and quotations is"
    " ignored, and so are edits of a comment that has a reply. Commands require write access to this repository."
)
_EXPLANATION = """\
**Outside control limits**

{breaches}

First breach on {since}; peak on {peak_day}, at {peak:.1f} times the control limit.

**Why this alert was raised.** Each day is compared with the reference period on which the model was validated. Each
signal is a control chart; its limits are solved from the budget of false alarms in `checks/thresholds.toml`. Severity
*page* is for performance, broken data, and responses that fail or are slow, and needs one day outside the limits;
severity *issue* is for drift of features or scores, and needs several.

**How it is resolved.** After {quiet} consecutive days within limits it closes automatically. A new model has its own
reference period, so a retrain that includes the drifted data also ends it. If a person closes it, it stays closed
unless it becomes clearly worse, has a new cause, or persists.
"""
_NEXT_STEPS = (
    "Data or concept drift: `/retrain` (*Actions → nightly*, `make retrain gate land`). The gate compares the new model.",
    "Faulty model: `/rollback` (*Actions → rollback*, `make rollback`).",
    "Expected, temporary change: `/expected until … because …`.",
)
MAX_LENGTH = 35_000  # characters; the hidden line with the state needs room, too
_DATA = ("missing_values", "unseen_categories", "row_rate", "label_coverage")


@dataclass(frozen=True)
class Evidence:
    """The evidence to show.

    *first* is the first step, *effect* lines on performance, *moved* and *slices* tables, *charts* Mermaid,
    *sure* lines on false alarms, *likely* causes in order of likelihood, *remarks* lists by heading.
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
    """What `likely_causes` and `first_step` are based on.

    *kinds* of the causes; *new* are features with unseen categories; *owners* maps owners to features that
    drifted; *releases* are (day, version); *known* is the first and last day of the reference period.
    """

    kinds: tuple[str, ...]
    since: str
    new: tuple[str, ...] = ()
    owners: Mapping[str, tuple[str, ...]] | None = None
    releases: tuple[tuple[str, str], ...] = ()
    known: tuple[str, str] = ("", "")


def title(model: str, kinds: Iterable[str], since: str, features: Sequence[str]) -> str:
    """One line: model, signals, since when, and up to three features."""
    signals = ", ".join(dict.fromkeys(text(kind.replace("_", " ")) for kind in kinds))
    where = ", ".join(text(name) for name in features[:3])
    return f"{text(model)}: {signals} outside control limits since {since}" + (f" ({where})" if where else "")


def body(model: str, version: str, memory: IncidentState, state: str, why: str, evidence: Evidence) -> str:
    """The body of the issue. *state* is open, inactive (open, with no cause at present) or resolved."""
    status = {
        "open": f"outside control limits since {memory.since}.",
        "inactive": f"open since {memory.since}; {text(why)}." if memory.since else f"{text(why)}.",
        "resolved": f"resolved: {text(why)}.",
    }[state]
    is_open = state == "open"
    breaches = [text(line) for line in memory.words] if is_open else ()
    remarks = [
        Section(heading, "\n".join(f"- {text(line)}" for line in lines), folded=True)
        for heading, lines in (evidence.remarks or {}).items()
    ]
    sections = [
        Section("head", f"**{text(model)}**, version {code(version)}: {status}", kept=True),
        Section("first", f"**Do now:** {evidence.first}" if evidence.first and is_open else ""),
        Section("facts", _facts(memory), kept=True),
        Section("breaches", _listed("Outside control limits", breaches)),
        Section("impact", _listed("Impact", evidence.effect)),
        Section("likely causes", _listed("Likely causes", evidence.likely)),
        Section("next steps", _next_steps(memory, state), kept=True),
        Section("Signals in figures", "\n\n".join(filter(None, [evidence.moved, *evidence.charts])), folded=True),
        Section("Slices", evidence.slices, folded=True),
        Section("False alarm rate", "\n".join(f"- {line}" for line in evidence.sure), folded=True),
        *remarks,
        Section("History", _history(memory.runs), folded=True),
        Section("Actions taken", _history(memory.actions), folded=True),
        Section("Commands", command_help(), folded=True, kept=True),
    ]
    return page(sections, MAX_LENGTH, "the run's artifact")


def first_step(facts: CauseFacts, severity: str) -> str:
    """The one step that the kinds and a recent release suggest, for whoever is paged."""
    kinds, owners = {*facts.kinds}, [text(owner) for owner in facts.owners or {} if owner]
    ask = f"ask {', '.join(owners) or 'the maintainers of these features'} what changed" + (
        f" on {facts.since}" if facts.since else ""
    )
    new = [code(version) for day, version in facts.releases if _just_before(day, facts.since)][-1:]
    rollback = f"`/rollback`. {''.join(new)} went live just before; a rollback takes seconds and can be undone."
    steps = (
        (
            kinds == {SKEW},
            "compare `load` with what clients send, and change the one that is wrong. A retrain alone does not help.",
        ),
        (
            severity != "page",
            "nothing urgent. Distributions changed, but no performance loss is known; no need to page.",
        ),
        (kinds & {*SERVICE} and new, rollback),
        ("errors" in kinds, "check the scorers' logs: requests fail, and callers use their fallback without a model."),
        (
            "row_rate" in kinds,
            "check that the website calls the scorer and that the journal is uploaded: the row rate is unusual.",
        ),
        (kinds & {"missing_values", "unseen_categories"}, f"{ask}. Fix broken data upstream; do not retrain on it."),
        (
            "label_coverage" in kinds,
            "check why outcomes no longer arrive. Until they do, performance cannot be measured.",
        ),
        (new, rollback),
        (
            kinds & {"realised_performance", "prediction_bias"},
            "review the likely causes; unless the data is broken, `/retrain`. The loss is measured on outcomes.",
        ),
        (
            kinds == {"latency"},
            "check load and other processes on the scorers' machines: responses are slow, without a recent release.",
        ),
        (True, "review the likely causes. The loss is an estimate that outcomes do not confirm yet."),
    )
    return next(step for applies, step in steps if applies)


def likely_causes(facts: CauseFacts) -> tuple[str, ...]:
    """Likely causes, the most likely first: what happened at that time, and what fits the kinds."""
    causes = []
    for day, version in facts.releases:
        if _just_before(day, facts.since):
            days = days_between(facts.since, day)
            when = {0: "the day the breach began", 1: "1 day before"}.get(days, f"{days} days before")
            causes.append(f"Release: {code(version)} went live on {day}, {when}.")
    if facts.new:
        names = ", ".join(code(name) for name in facts.new[:5])
        causes.append(f"New segment, or changed encoding upstream: categories not seen in training in {names}.")
    for owner, features in (facts.owners or {}).items():
        names = ", ".join(code(name) for name in features[:5])
        causes.append(f"Upstream change: {names} drifted; owner: {text(owner) or 'not recorded in the recipe'}.")
    first, last = facts.known
    about_rows = {*facts.kinds} - {*SERVICE}
    if about_rows and first and facts.since and not _same_season(facts.since, first, last):
        causes.append(f"Seasonality: the reference period is {first} to {last}, another time of the year.")
    drift = {"multivariate_drift", "score_drift", "univariate_drift", *_DATA} & {*facts.kinds}
    if "realised_performance" in facts.kinds and not drift:
        causes.append(
            "Concept drift: no feature or score drifted, so the relation between features and target has changed."
        )
    return tuple(causes) or ("Unknown: no release, upstream change or season matches the start of the breach.",)


def daily_cost(metric: str, usual: float, now: float, rows: float, worth: float, currency: str) -> str:
    """The daily cost of a loss in *metric*, where a decision has a *worth*; "" where it has none.

    Accuracy counts decisions: each additional wrong one costs *worth*. The mean absolute error counts
    units: each additional one costs *worth*.
    """
    loss = {"accuracy": usual - now, "mae": now - usual}.get(metric)
    if loss is None or loss <= 0 or not worth:
        return ""
    unit = text(currency)
    return f"about {loss * rows * worth:,.0f} {unit} a day ({loss:.4g} a row, {rows:,.0f} rows a day, {worth:g} {unit} each)"


def resolution_comment(memory: IncidentState, why: str) -> str:
    """The comment that closes an incident: duration, peak, actions."""
    lines = [f"Resolved: {text(why)}.", ""]
    if memory.since and memory.last:
        days = days_between(memory.last, memory.since) + 1
        duration = "1 day" if days == 1 else f"{days} days"
        lines.append(f"- Duration: {duration}, from {memory.since} to {memory.last}.")
    if memory.peak:
        lines.append(f"- Peak: {memory.peak:.1f} times the control limit, on {memory.peak_day}.")
    actions = "; ".join(f"{at}: {text(action)}" for at, action in memory.actions) or "none recorded"
    return "\n".join([*lines, f"- Actions: {actions}.", "", "It reopens if the signals leave their limits again.\n"])


def explanation(memory: IncidentState, quiet: int) -> str:
    """The reply to `/explain`: why the alert was raised, and how it is resolved."""
    breaches = [text(line) for line in memory.words] or ["nothing at present"]
    return _EXPLANATION.format(
        breaches="\n".join(f"- {line}" for line in breaches),
        since=memory.since or "an unknown day",
        peak_day=memory.peak_day or "an unknown day",
        peak=memory.peak,
        quiet=quiet,
    )


def command_help() -> str:
    """The commands that can be typed below an incident."""
    return "\n".join([_COMMANDS_INTRODUCTION, "", *(f"- `{typed}`: {effect}." for typed, effect in COMMANDS)])


def _facts(memory: IncidentState) -> str:
    now = f"{memory.now:.1f} times the control limit now" if memory.now else "within the control limits now"
    rows = {
        "Severity": memory.severity if memory.causes else "",
        "Since": f"{memory.since}; last breach on {memory.last}" if memory.since else "",
        "Deviation": f"{now}; peak {memory.peak:.1f} times on {memory.peak_day}" if memory.peak else "",
        "Acknowledged": f"until {memory.ack}, by {text(memory.ack_by)}" if memory.ack else "",
    }
    lines = [f"| **{name}** | {value} |" for name, value in rows.items() if value]
    return "\n".join(["| | |", "|---|---|", *lines]) if lines else ""


def _next_steps(memory: IncidentState, state: str) -> str:
    if state == "resolved":
        return "No action needed. The incident reopens if the signals leave their limits again."
    lines = []
    if memory.kinds & {*_DATA}:
        lines.append("Check the data first: if it is broken upstream, have it fixed, and do not retrain on it.")
    if memory.kinds & {*SERVICE}:
        lines.append(
            "Errors and latency do not depend on the training data: `/rollback` if they began with a release;"
            " otherwise check the scorers' machines and their load."
        )
    steps = _NEXT_STEPS[1:] if memory.kinds and memory.kinds <= {*SERVICE} else _NEXT_STEPS
    return _listed("Next steps", [*lines, *steps])


def _history(lines: Sequence[tuple[str, str]]) -> str:
    return "\n".join(f"- {text(at)}: {text(line)}" for at, line in reversed(lines))


def _listed(heading: str, lines: Sequence[str]) -> str:
    return "\n".join([f"**{heading}**", "", *(f"- {line}" for line in lines)]) if lines else ""


def _just_before(day: str, since: str) -> bool:
    return bool(since) and 0 <= days_between(since, day) <= 2


def _same_season(day: str, first: str, last: str) -> bool:
    """Whether the reference period includes a time of year within three weeks of *day*'s."""
    if days_between(last, first) >= 344:
        return True
    day_of_year = date.fromisoformat(day).timetuple().tm_yday
    after = (day_of_year - date.fromisoformat(first).timetuple().tm_yday) % 365
    return after <= days_between(last, first) + 21 or after >= 365 - 21

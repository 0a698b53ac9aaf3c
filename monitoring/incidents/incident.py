"""What was seen + the alerts there are -> what becomes of each incident. Pure.

An incident is one issue for one cause, whatever the day and the version: the fingerprint of a cause
is its tier, its kind and whose features it is about. Causes that began together are one incident.
What it must know of itself (its peak, who acknowledged it) is its alert's memory.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Any, Literal

from contracts.monitoring_limits import Incident
from monitoring.charts.signals import COUNTS, SERVICE
from monitoring.incidents.actions import Action, LogLine, OpenAlert, PostComment, ResolveAlert, StartWorkflow
from monitoring.incidents.cause import Cause, describe, new_causes, new_causes_comment
from monitoring.incidents.expected_causes import ExpectedCause, active_waiver
from monitoring.incidents.incident_state import IncidentState, days_between
from monitoring.incidents.issue_text import resolution_comment

#: What tells that rows are broken: nobody should learn from them.
BROKEN = {"missing_values", "row_rate", "label_coverage"}
State = Literal["open", "quiet", "closed"]


@dataclass(frozen=True)
class RunFindings:
    """What one run of the watch saw.

    *judged* are the days that could be judged, by kind; *restless* is the newest day on which a cause
    (by its fingerprint) was beyond its limit at all, though not for long enough; *blind* the kinds
    that could not be watched; *moves* what became live when, as (time, words).
    """

    model: str
    version: str
    at: str
    evaluated: Mapping[str, tuple[str, ...]]
    causes: tuple[Cause, ...]
    last_breach: Mapping[str, str] = field(default_factory=dict)
    not_monitored: tuple[str, ...] = ()
    deployments: tuple[tuple[str, str], ...] = ()


#: (what was seen, its memory, open, quiet or closed, why) -> title and body
Words = Callable[[RunFindings, IncidentState, State, str], tuple[str, str]]


def prefix(model: str) -> str:
    """What the markers of a model's incidents begin with."""
    return f"watch:{model}"


def decide(
    look: RunFindings,
    alerts: Sequence[Any],
    waivers: Sequence[ExpectedCause],
    quiet: int,
    rules: Incident,
    words: Words,
) -> list[Action]:
    """What is to be done with every incident of the model, open, closed or new.

    *alerts* are the forge's, newest first; *quiet* is the number of windows in a row within limits
    after which an incident closes itself.
    """
    mine = [a for a in alerts if _is_ours(a.marker, look.model)]
    mine.sort(key=lambda alert: alert.state != "open")
    waived = waived_causes(look, waivers)
    real = [cause for cause in look.causes if cause.fingerprint not in waived]
    groups = _together(real, mine, look.model, rules.together_days)
    acts: list[Action] = []
    for alert in mine:
        if alert.marker in groups:
            acts += _raised(alert, groups.pop(alert.marker), look, rules, words)
        elif alert.state == "open":
            known = IncidentState.from_json(alert.memory).causes
            why = next((w for name, w in waived.items() if name in known), None)
            acts += _calm(alert, look, quiet, why, words)
    for marker, causes in groups.items():
        memory = _seen(IncidentState(), causes, look)
        memory = memory.with_announced(memory.causes)
        start, memory = _call(memory, look, rules)
        title, body = words(look, memory, "open", "")
        acts += [*start, OpenAlert(marker, title, body, memory.to_json())]
    acts += [LogLine(f"expected until {w.until}, because {w.reason}: {name}") for name, w in waived.items()]
    return acts


def waived_causes(look: RunFindings, waivers: Sequence[ExpectedCause]) -> dict[str, ExpectedCause]:
    """The causes (by their fingerprints) that are no alarm today, each with its waiver."""
    today = date.fromisoformat(look.at[:10])
    found = {c.fingerprint: active_waiver(waivers, c.fingerprint, today) for c in look.causes}
    return {name: waiver for name, waiver in found.items() if waiver}


def _raised(alert: Any, causes: Sequence[Cause], look: RunFindings, rules: Incident, words: Words) -> list[Action]:
    before = IncidentState.from_json(alert.memory)
    memory = _seen(before, causes, look)
    acts: list[Action] = []
    joined = new_causes(before, causes, alert.state)
    if alert.state == "closed":
        why = _why_reopen(alert, before, causes, joined, look, rules)
        if not why:
            return [LogLine(f"alert {alert.number} stays closed: a person closed it, and it is as it was")]
        memory = memory.with_action(look.at, f"opened again: {why}")
    elif alert.by_hand:
        memory = replace(memory, held=True)
    named = joined if alert.state == "closed" and alert.by_hand else [cause for cause in joined if cause.tier == "page"]
    if named and before.causes:
        names = sorted({cause.fingerprint for cause in named})
        marker = f"joined:{before.since}:{','.join(names)}"
        acts.append(PostComment(alert.number, marker, new_causes_comment([*map(describe, named)], alert.state)))
    known = () if alert.state == "closed" else before.announced or before.causes
    memory = replace(memory, announced=known).with_announced(cause.fingerprint for cause in causes)
    start, memory = _call(memory, look, rules)
    title, body = words(look, memory, "open", "")
    return [*start, *acts, OpenAlert(alert.marker, title, body, memory.to_json())]


def _why_reopen(
    alert: Any,
    before: IncidentState,
    causes: Sequence[Cause],
    joined: Sequence[Cause],
    look: RunFindings,
    rules: Incident,
) -> str:
    """Why a closed incident opens again; "" if a person closed it and that is to be respected."""
    if not alert.by_hand:
        return "it is back"
    now = max(cause.now for cause in causes)
    if joined and before.causes:
        kinds = ", ".join(dict.fromkeys(cause.short for cause in joined))
        return f"a person closed it before this joined: {kinds}"
    if before.peak and now >= rules.worse * before.peak:
        return f"it is {now / before.peak:.1f} times its peak when a person closed it"
    closed = date.fromisoformat(alert.closed_at[:10] or look.at[:10])
    days = (date.fromisoformat(look.at[:10]) - closed).days
    return f"it goes on {days} days after a person closed it" if days >= rules.respect_days else ""


def _calm(alert: Any, look: RunFindings, quiet: int, waiver: ExpectedCause | None, words: Words) -> list[Action]:
    """An open incident of which nothing is beyond its limits for long enough."""
    memory = IncidentState.from_json(alert.memory)
    last = max([memory.last, *(look.last_breach.get(cause, "") for cause in memory.causes)])
    memory = replace(memory, last=last, now=0.0, held=memory.held or alert.by_hand)
    still = _windows_since(last, look, memory.kinds)
    blind = sorted(memory.kinds & set(look.not_monitored))
    if memory.held:
        why = f"{still} quiet windows; a person opened it again, so a person closes it"
    elif waiver is not None:
        why = f"expected until {waiver.until}, because {waiver.reason}"
    elif blind:
        why = f"could not be watched: {', '.join(blind)}"
    else:
        why = f"within limits for {min(still, quiet)} of {quiet} windows"
    memory = _noted(memory, look, why)
    if not memory.held and not blind and (waiver or still >= quiet):
        _, body = words(look, memory, "closed", why)
        done = ResolveAlert(alert.marker, body, memory.to_json(), why)
        return [PostComment(alert.number, f"closed:{last}", resolution_comment(memory, why)), done]
    _, body = words(look, memory, "quiet", why)
    return [OpenAlert(alert.marker, alert.title, body, memory.to_json())]


def _windows_since(last: str, look: RunFindings, kinds: set[str]) -> int:
    """How many days after *last* were judged, of the kind that is behind the most.

    A kind of which none was (outcomes come late) holds nothing up, unless it is alone.
    """
    counts = {kind: sum(day > last for day in days) for kind, days in look.evaluated.items()}
    if not kinds:  # an alert that remembers nothing: counts alone do not say that it is over
        return max((n for kind, n in counts.items() if kind not in COUNTS), default=0)
    return min((counts[kind] for kind in kinds if counts.get(kind)), default=0)


def _seen(memory: IncidentState, causes: Sequence[Cause], look: RunFindings) -> IncidentState:
    """The memory, after the *causes* were seen."""
    begun, worst = min(cause.since for cause in causes), max(causes, key=lambda cause: cause.peak)
    if begun > memory.last:  # it was over, and this is a return
        memory = replace(memory, since=begun, peak=0.0, actions=())
    found = replace(
        memory,
        causes=tuple(dict.fromkeys((*memory.causes, *(c.fingerprint for c in causes)))),
        words=tuple(cause.summary for cause in causes)[:12],
        since=min(memory.since, begun),
        last=max(memory.last, *(cause.last for cause in causes)),
        now=max(cause.now for cause in causes),
    )
    if worst.peak > memory.peak:
        found = replace(found, peak=worst.peak, peak_day=worst.last)
    told = ", ".join(cause.short for cause in causes)
    return _noted(found, look, f"up to {found.last}: {told}")


def _noted(memory: IncidentState, look: RunFindings, words: str) -> IncidentState:
    """A line of history for this run, unless it says what the last says; and what became live."""
    for at, what in look.deployments:
        if memory.since and at[:10] >= memory.since:
            memory = memory.with_action(at, what)
    return memory.with_run(look.at, words)


def _call(memory: IncidentState, look: RunFindings, rules: Incident) -> tuple[list[Action], IncidentState]:
    """A retrain, if the rules let an incident call one, and it is time."""
    wanted = rules.retrain == "issue" or (rules.retrain == "page" and memory.tier == "page")
    # How the scorers answer, no model that is learnt anew would mend.
    wanted = wanted and not memory.kinds & BROKEN and not memory.kinds <= {*SERVICE}
    today = look.at[:10]
    lately = memory.called and _later(memory.called, rules.retrain_days) > today
    if not wanted or lately or memory.acknowledged(today):
        return [], memory
    memory = replace(memory, called=today).with_action(today, "called a retrain")
    return [StartWorkflow("retrain", f"the incident since {memory.since}")], memory


def _together(causes: Sequence[Cause], mine: Sequence[Any], model: str, days: int) -> dict[str, list[Cause]]:
    """The causes of each incident, by its marker: where they are known, or began together."""
    groups: dict[str, list[Cause]] = {}
    # One that a person closed still gathers what belongs to it.
    begun = {a.marker: IncidentState.from_json(a.memory).since for a in mine if a.state == "open" or a.by_hand}
    left = []
    for cause in sorted(causes, key=_gravest_first):
        home = next((a.marker for a in mine if cause.fingerprint in IncidentState.from_json(a.memory).causes), None)
        if home is None:
            left.append(cause)
        else:
            groups.setdefault(home, []).append(cause)
            begun[home] = min(begun.get(home) or cause.since, cause.since)
    for cause in left:
        near = (marker for marker, since in begun.items() if not since or abs(days_between(since, cause.since)) <= days)
        marker = next(near, f"{prefix(model)}:{cause.fingerprint}")
        groups.setdefault(marker, []).append(cause)
        begun.setdefault(marker, cause.since)
    return {marker: sorted(group, key=_gravest_first) for marker, group in groups.items()}


def _gravest_first(cause: Cause) -> tuple[bool, float, str]:
    return cause.tier != "page", -cause.peak, cause.fingerprint


def _is_ours(marker: str, model: str) -> bool:
    return marker == prefix(model) or marker.startswith(prefix(model) + ":")


def _later(day: str, days: int) -> str:
    return (date.fromisoformat(day) + timedelta(days=days)).isoformat()

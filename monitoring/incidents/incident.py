"""Opens, updates, resolves and reopens incidents from the findings of a run. Pure.

An incident is one issue for causes that began together, whatever the day and the version. A cause is identified by
its severity, its kind and the owner of its features. The state between runs is in the alert's memory.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Any, Literal

from contracts.monitoring_limits import Incident
from monitoring.charts.signals import COUNTS, SERVICE, SKEW
from monitoring.incidents.actions import Action, LogLine, OpenAlert, PostComment, ResolveAlert, StartWorkflow
from monitoring.incidents.cause import Cause, describe, new_causes, new_causes_comment
from monitoring.incidents.expected_causes import ExpectedCause, active_waiver
from monitoring.incidents.incident_state import IncidentState, days_between
from monitoring.incidents.issue_text import resolution_comment

#: Kinds that mean broken data: no model should be trained on it.
BROKEN_DATA = {"missing_values", "row_rate", "label_coverage", SKEW}
State = Literal["open", "inactive", "resolved"]


@dataclass(frozen=True)
class RunFindings:
    """What one monitoring run found.

    *evaluated* are the evaluated days by kind; *last_breach* is the newest day outside the limits by fingerprint,
    long enough to alert or not; *not_monitored* are kinds; *deployments* are (time, text).
    """

    model: str
    version: str
    at: str
    evaluated: Mapping[str, tuple[str, ...]]
    causes: tuple[Cause, ...]
    last_breach: Mapping[str, str] = field(default_factory=dict)
    not_monitored: tuple[str, ...] = ()
    deployments: tuple[tuple[str, str], ...] = ()


#: (findings, memory, state, why) -> title and body
WriteIssue = Callable[[RunFindings, IncidentState, State, str], tuple[str, str]]


def prefix(model: str) -> str:
    """Begins the markers of a model's incidents."""
    return f"watch:{model}"


def decide(
    findings: RunFindings,
    alerts: Sequence[Any],
    waivers: Sequence[ExpectedCause],
    quiet: int,
    rules: Incident,
    write: WriteIssue,
) -> list[Action]:
    """The actions for every incident of the model, open, closed or new.

    *alerts* are the forge's, newest first; an incident is resolved after *quiet* consecutive days within limits.
    """
    mine = [a for a in alerts if _is_ours(a.marker, findings.model)]
    mine.sort(key=lambda alert: alert.state != "open")
    waived = waived_causes(findings, waivers)
    alarming = [cause for cause in findings.causes if cause.fingerprint not in waived]
    groups = _grouped(alarming, mine, findings.model, rules.together_days)
    actions: list[Action] = []
    for alert in mine:
        if alert.marker in groups:
            actions += _with_current_causes(alert, groups.pop(alert.marker), findings, rules, write)
        elif alert.state == "open":
            known = IncidentState.from_json(alert.memory).causes
            waiver = next((w for name, w in waived.items() if name in known), None)
            actions += _without_cause(alert, findings, quiet, waiver, write)
    for marker, causes in groups.items():
        memory = _with_causes(IncidentState(), causes, findings)
        memory = memory.with_announced(memory.causes)
        start, memory = _retrain_if_due(memory, findings, rules)
        title, body = write(findings, memory, "open", "")
        actions += [*start, OpenAlert(marker, title, body, memory.to_json())]
    actions += [LogLine(f"expected until {w.until}, because {w.reason}: {name}") for name, w in waived.items()]
    return actions


def waived_causes(findings: RunFindings, waivers: Sequence[ExpectedCause]) -> dict[str, ExpectedCause]:
    """The fingerprints of the causes that are waived today, each with its waiver."""
    today = date.fromisoformat(findings.at[:10])
    of_cause = {c.fingerprint: active_waiver(waivers, c.fingerprint, today) for c in findings.causes}
    return {name: waiver for name, waiver in of_cause.items() if waiver}


def _with_current_causes(
    alert: Any, causes: Sequence[Cause], findings: RunFindings, rules: Incident, write: WriteIssue
) -> list[Action]:
    before = IncidentState.from_json(alert.memory)
    memory = _with_causes(before, causes, findings)
    actions: list[Action] = []
    new = new_causes(before, causes, alert.state)
    if alert.state == "closed":
        why = _reason_to_reopen(alert, before, causes, new, findings, rules)
        if not why:
            return [LogLine(f"alert {alert.number} stays closed: a person closed it, and it is not clearly worse")]
        memory = memory.with_action(findings.at, f"reopened: {why}")
    elif alert.by_hand:
        memory = replace(memory, held=True)
    announced = (
        new if alert.state == "closed" and alert.by_hand else [cause for cause in new if cause.severity == "page"]
    )
    if announced and before.causes:
        names = sorted({cause.fingerprint for cause in announced})
        marker = f"joined:{before.since}:{','.join(names)}"
        actions.append(PostComment(alert.number, marker, new_causes_comment([*map(describe, announced)], alert.state)))
    known = () if alert.state == "closed" else before.announced or before.causes
    memory = replace(memory, announced=known).with_announced(cause.fingerprint for cause in causes)
    start, memory = _retrain_if_due(memory, findings, rules)
    title, body = write(findings, memory, "open", "")
    return [*start, *actions, OpenAlert(alert.marker, title, body, memory.to_json())]


def _reason_to_reopen(
    alert: Any,
    before: IncidentState,
    causes: Sequence[Cause],
    new: Sequence[Cause],
    findings: RunFindings,
    rules: Incident,
) -> str:
    """Why a closed incident reopens; "" if a person closed it and it stays closed."""
    if not alert.by_hand:
        return "outside control limits again"
    now = max(cause.now for cause in causes)
    if new and before.causes:
        return f"new since a person closed it: {', '.join(dict.fromkeys(cause.short for cause in new))}"
    if before.peak and now >= rules.worse * before.peak:
        return f"{now / before.peak:.1f} times its peak when a person closed it"
    closed = date.fromisoformat(alert.closed_at[:10] or findings.at[:10])
    days = (date.fromisoformat(findings.at[:10]) - closed).days
    return f"it persists {days} days after a person closed it" if days >= rules.respect_days else ""


def _without_cause(
    alert: Any, findings: RunFindings, quiet: int, waiver: ExpectedCause | None, write: WriteIssue
) -> list[Action]:
    """An open incident without a current cause: resolved after enough days within limits, or by a waiver."""
    memory = IncidentState.from_json(alert.memory)
    last = max([memory.last, *(findings.last_breach.get(cause, "") for cause in memory.causes)])
    memory = replace(memory, last=last, now=0.0, held=memory.held or alert.by_hand)
    days = _days_since(last, findings, memory.kinds)
    missed = sorted(memory.kinds & set(findings.not_monitored))
    if memory.held:
        why = f"{days} days within control limits; a person reopened it, so a person closes it"
    elif waiver is not None:
        why = f"expected until {waiver.until}, because {waiver.reason}"
    elif missed:
        why = f"could not be monitored: {', '.join(missed)}"
    elif days >= quiet:
        why = f"within control limits for the last {quiet} days"
    else:
        why = f"within control limits for {days} of the {quiet} days that resolve it"
    memory = _with_history(memory, findings, why)
    if not memory.held and not missed and (waiver or days >= quiet):
        _, body = write(findings, memory, "resolved", why)
        comment = PostComment(alert.number, f"closed:{last}", resolution_comment(memory, why))
        return [comment, ResolveAlert(alert.marker, body, memory.to_json(), why)]
    _, body = write(findings, memory, "inactive", why)
    return [OpenAlert(alert.marker, alert.title, body, memory.to_json())]


def _days_since(last: str, findings: RunFindings, kinds: set[str]) -> int:
    """Days evaluated after *last*, of the kind that lags most.

    A kind without any (label delay) does not delay the resolution, unless it is the only one.
    """
    counts = {kind: sum(day > last for day in days) for kind, days in findings.evaluated.items()}
    if not kinds:  # no recorded causes: counts alone do not resolve it
        return max((n for kind, n in counts.items() if kind not in COUNTS), default=0)
    return min((counts[kind] for kind in kinds if counts.get(kind)), default=0)


def _with_causes(memory: IncidentState, causes: Sequence[Cause], findings: RunFindings) -> IncidentState:
    """The state with the *causes* of this run."""
    since, worst = min(cause.since for cause in causes), max(causes, key=lambda cause: cause.peak)
    if since > memory.last:  # a new breach after the last one ended
        memory = replace(memory, since=since, peak=0.0, actions=())
    updated = replace(
        memory,
        causes=tuple(dict.fromkeys((*memory.causes, *(c.fingerprint for c in causes)))),
        words=tuple(cause.summary for cause in causes)[:12],
        since=min(memory.since, since),
        last=max(memory.last, *(cause.last for cause in causes)),
        now=max(cause.now for cause in causes),
    )
    if worst.peak > memory.peak:
        updated = replace(updated, peak=worst.peak, peak_day=worst.last)
    line = f"until {updated.last}: {', '.join(cause.short for cause in causes)}"
    return _with_history(updated, findings, line)


def _with_history(memory: IncidentState, findings: RunFindings, line: str) -> IncidentState:
    """The state with this run's line of history, and the deployments since the breach began."""
    for at, deployment in findings.deployments:
        if memory.since and at[:10] >= memory.since:
            memory = memory.with_action(at, deployment)
    return memory.with_run(findings.at, line)


def _retrain_if_due(
    memory: IncidentState, findings: RunFindings, rules: Incident
) -> tuple[list[Action], IncidentState]:
    """The action that starts a retrain, if the rules allow incidents to start one and it is time."""
    wanted = rules.retrain == "issue" or (rules.retrain == "page" and memory.severity == "page")
    # A retrain changes neither errors nor latency.
    wanted = wanted and not memory.kinds & BROKEN_DATA and not memory.kinds <= {*SERVICE}
    today = findings.at[:10]
    recent = memory.called and _later(memory.called, rules.retrain_days) > today
    if not wanted or recent or memory.acknowledged(today):
        return [], memory
    memory = replace(memory, called=today).with_action(today, "started a retrain")
    return [StartWorkflow("retrain", f"the incident since {memory.since}")], memory


def _grouped(causes: Sequence[Cause], mine: Sequence[Any], model: str, days: int) -> dict[str, list[Cause]]:
    """The causes of each incident by its marker: one that lists them already, or that began at the same time."""
    groups: dict[str, list[Cause]] = {}
    # One that a person closed still collects its causes.
    begun = {a.marker: IncidentState.from_json(a.memory).since for a in mine if a.state == "open" or a.by_hand}
    left = []
    for cause in sorted(causes, key=_most_severe_first):
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
    return {marker: sorted(group, key=_most_severe_first) for marker, group in groups.items()}


def _most_severe_first(cause: Cause) -> tuple[bool, float, str]:
    return cause.severity != "page", -cause.peak, cause.fingerprint


def _is_ours(marker: str, model: str) -> bool:
    return marker == prefix(model) or marker.startswith(prefix(model) + ":")


def _later(day: str, days: int) -> str:
    return (date.fromisoformat(day) + timedelta(days=days)).isoformat()

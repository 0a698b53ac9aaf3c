"""Faults of monitoring itself: no rows, an unreadable journal, a check that crashed. Pure.

A model that cannot be monitored is not a pass. Each kind of fault has an issue, opened at once and closed by the
next complete run. That monitoring does not run at all is reported by `python -m forge overdue`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from monitoring.charts.signals import Unknown
from monitoring.incidents.actions import Action, OpenAlert, PostComment, ResolveAlert
from monitoring.incidents.cause import new_causes_comment
from reporting.markdown import text

#: Begins the marker of an issue about monitoring itself.
MARKER = "monitor:"
_REPORT = "If it is a bug, please report it."
#: By kind: the title, and what to do.
_KINDS = {
    "journal": (
        "the journal cannot be read",
        "Check the location of the journal (the variable `JOURNAL`, or `--journal`) and that its key has read access.",
    ),
    "evidence": (
        "the evidence of the live release cannot be read",
        "Check that the release has all of its files: `make status` names it. Other models can still be released.",
    ),
    "rows": (
        "no rows arrive",
        "Check that the scorer responds (`/health`), that the website calls it, and that its journal is uploaded.",
    ),
    "days": (
        "no day can be evaluated",
        "Fix the cause above, or change the limits in `checks/thresholds.toml`. Until then only counts are monitored.",
    ),
    "checks": ("a check crashed", f"These signals were not evaluated; all others were. See the newest run. {_REPORT}"),
    "settings": ("the settings cannot be used", "Correct the file in a pull request."),
    "run": ("a run failed", f"See the newest run on the Actions page, or type `make watch`. {_REPORT}"),
}


@dataclass(frozen=True)
class MonitoringFault:
    """A fault of a *kind*, with its details; *causes* maps identifiers to details where causes can be added later."""

    kind: str
    details: tuple[str, ...]
    causes: Mapping[str, str] = field(default_factory=dict)


def no_recent_rows(answered: str, live_since: str, now: datetime, days: float) -> list[MonitoringFault]:
    """The fault that no row arrived for *days*, since the newest response or since the version went live."""
    newest = max(filter(None, (answered, live_since)), key=_time, default="")
    if not newest or now - _time(newest) <= timedelta(days=days):
        return []
    what = f"the newest response is of {answered}" if answered else f"no response since {live_since}, when it went live"
    return [MonitoringFault("rows", (f"{what}: more than {days:g} days ago",))]


def crashed_checks(unknown: Sequence[Unknown]) -> list[MonitoringFault]:
    """The fault that checks crashed; one that has too little data yet did not."""
    causes = {each.kind: f"{each.kind}: {each.why}" for each in unknown if each.crashed}
    return [MonitoringFault("checks", tuple(causes.values()), causes)] if causes else []


def fault_of(error: BaseException, kinds: Mapping[type[BaseException], str]) -> MonitoringFault:
    """The fault behind an *error* that ended a run; *kinds* is searched for the first type that fits."""
    kind = next((name for each, name in kinds.items() if isinstance(error, each)), "run")
    return MonitoringFault(kind, (f"{type(error).__name__}: {error}",))


def fault_issues(
    faults: Iterable[MonitoringFault], alerts: Sequence[Any], now: datetime, respect: float, whole: bool = True
) -> list[Action]:
    """Opens, updates and closes the issues of *faults*. After a run that is not *whole* none is closed.

    An issue that a person closed stays closed for *respect* days, unless a new cause is added.
    """
    of_kind = {each.kind: each for each in faults}
    of_marker = {alert.marker: alert for alert in alerts}
    actions: list[Action] = []
    for kind, each in of_kind.items():
        alert = of_marker.get(f"{MARKER}{kind}")
        notes, memory = announce_new(alert, each.causes, now)
        if notes or not _recently_closed_by_person(alert, now, respect):
            title = f"Monitoring: {_KINDS[kind][0]}"
            actions += [*notes, OpenAlert(f"{MARKER}{kind}", title, _body(each), memory)]
    if whole:
        actions += [
            ResolveAlert(alert.marker, f"Resolved: the last run was complete.\n\n{alert.body}", {}, "resolved")
            for alert in alerts
            if alert.marker.startswith(MARKER)
            and alert.state == "open"
            and alert.marker.removeprefix(MARKER) not in of_kind
        ]
    return actions


def announce_new(alert: Any, causes: Mapping[str, str], now: datetime) -> tuple[list[Action], dict[str, Any]]:
    """The comment about *causes* that are new in an *alert*, and its memory with all causes announced so far.

    Editing an alert notifies nobody. There is no comment where the alert opens with the causes, which notifies
    by itself, nor for an alert without recorded causes.
    """
    if not causes:
        return [], {}
    # One that was closed automatically reopens with all causes. A person may have edited the memory.
    continues = alert is not None and (alert.state == "open" or alert.by_hand)
    memory = alert.memory if continues else {}
    announced = memory.get("announced")
    before = [str(each) for each in announced] if isinstance(announced, list) else []
    since = str(memory.get("since") or f"{now:%Y-%m-%dT%H:%M:%SZ}")
    updated = {"announced": [*dict.fromkeys((*before, *causes))], "since": since}
    new = {cause: details for cause, details in causes.items() if cause not in before}
    if not before or not new:
        return [], updated
    marker = f"joined:{since}:{','.join(sorted(new))}"
    lines = [text(details) for details in new.values()]
    return [PostComment(alert.number, marker, new_causes_comment(lines, alert.state))], updated


def _recently_closed_by_person(alert: Any, now: datetime, days: float) -> bool:
    if alert is None or alert.state != "closed" or not (alert.by_hand and alert.closed_at):
        return False
    return now - _time(alert.closed_at) < timedelta(days=days)


def _body(fault: MonitoringFault) -> str:
    what, remedy = _KINDS[fault.kind]
    lines = [f"- {text(details)}" for details in fault.details[:20]]
    return "\n".join(
        [
            f"**{what.capitalize()}.** The model may be healthy, but it is not monitored until this is fixed.",
            "",
            *lines,
            "",
            f"**What to do:** {remedy} The next complete run closes this issue.\n",
        ]
    )


def _time(value: str) -> datetime:
    at = datetime.fromisoformat(value)
    return at if at.tzinfo else at.astimezone()

"""Incidents, experiments, verdicts and releases as entries of the page: a summary that unfolds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from monitoring.dashboard.dashboard_data import DashboardData, Verdict, verdict_in
from monitoring.dashboard.day_charts import Line, line_chart
from monitoring.dashboard.untrusted_markdown import Markdown
from monitoring.incidents.incident_state import IncidentState, days_between
from reporting.html import Chip, Figure

#: How the marker of an experiment's issue begins, and that of the week's digest.
EXPERIMENT, DIGEST = "experiment:", "digest:"
#: Entries of a kind that are shown; the forge has all.
MAX_ENTRIES = 30


@dataclass(frozen=True)
class Entry:
    """What people and robots decided: *chips*, *title* and *facts* in its summary, the rest folded.

    *address* is its web page, "" where the forge has none.
    """

    chips: Sequence[Chip]
    title: str
    address: str = ""
    sentence: str = ""
    facts: Sequence[object] = ()
    texts: Sequence[Markdown] = ()
    chart: Figure | None = None
    history: Sequence[str] = ()
    is_open: bool = False


def is_experiment(alert: Any) -> bool:
    """Whether an alert is an experiment's issue."""
    return str(alert.marker).startswith(EXPERIMENT)


def is_incident(alert: Any) -> bool:
    """Whether an alert is an incident: neither an experiment's issue nor the week's digest."""
    return not str(alert.marker).startswith((EXPERIMENT, DIGEST))


def incidents(data: DashboardData) -> dict[str, Any]:
    """Open incidents, unfolded; past ones, how many older ones are left out, and the week's digest."""
    every = [alert for alert in data.alerts if is_incident(alert)]
    past = [alert for alert in every if alert.state != "open"]
    digests = [a for a in data.alerts if a.state == "open" and str(a.marker).startswith(DIGEST)]
    return {
        "open": [_incident(data, alert, is_open=True) for alert in every if alert.state == "open"],
        "past": [_incident(data, alert) for alert in past[:MAX_ENTRIES]],
        "older": max(len(past) - MAX_ENTRIES, 0),
        "digests": [_incident(data, alert) for alert in digests],
    }


def experiments(data: DashboardData) -> list[Entry]:
    """Each experiment with its confidence sequence, the newest first."""
    return [
        Entry(
            [Chip(str(alert.memory.get("state", alert.state)))],
            alert.title,
            _address(data, "issues", alert.number),
            facts=[str(alert.memory.get("why", ""))],
            texts=[Markdown(alert.body)],
            chart=_sequence(alert.memory),
            is_open=alert.state == "open",
        )
        for alert in data.alerts
        if is_experiment(alert)
    ]


def verdicts(data: DashboardData) -> list[tuple[Verdict, Any, Any]]:
    """Verdict, proposal and release (None where there is none), the newest version first."""
    releases = {each.version: each for each in data.releases}
    by_version: dict[str, tuple[Verdict, Any, Any]] = {}
    for proposal in data.proposals:
        for text in proposal.comments.values():
            verdict = verdict_in(text)
            if verdict is not None:
                key = verdict.version or f"proposal {proposal.number}"
                by_version.setdefault(key, (verdict, proposal, releases.get(verdict.version)))
    for release in data.releases:
        verdict = verdict_in(release.notes)
        if verdict is not None:
            by_version.setdefault(release.version, (verdict, None, release))
    return [by_version[key] for key in sorted(by_version, reverse=True)]


def judged(data: DashboardData) -> dict[str, list[Entry]]:
    """An entry for each verdict with its report, for each other proposal, and for each other release."""
    known = verdicts(data)
    others = [p for p in data.proposals if not any(verdict_in(text) for text in p.comments.values())]
    stored = [r for r in data.releases if verdict_in(r.notes) is None and all(r is not each for _, _, each in known)]
    return {
        "judged": [_verdict(data, *each) for each in known[:MAX_ENTRIES]],
        "proposals": [_proposal(data, each) for each in others[:MAX_ENTRIES]],
        "releases": [
            Entry([Chip(each.state)], each.version, facts=[each.at[:16]], texts=[Markdown(each.notes)])
            for each in stored[:MAX_ENTRIES]
        ],
    }


def _address(data: DashboardData, kind: str, number: int) -> str:
    """The web page of an issue or a pull request; "" where the forge has none."""
    web = data.context.address
    return f"{web}/{kind}/{number}" if web.startswith("https://") else ""


def _incident(data: DashboardData, alert: Any, is_open: bool = False) -> Entry:
    memory = IncidentState.from_json(alert.memory)
    facts = []
    if memory.since and memory.last:
        long = days_between(memory.last, memory.since) + 1
        facts.append(f"{memory.since} to {memory.last} ({long} {'day' if long == 1 else 'days'})")
    if memory.peak:
        facts.append(f"peak {memory.peak:.1f} times its limit on {memory.peak_day}")
    if memory.ack:
        facts.append(f"acknowledged until {memory.ack} by {memory.ack_by}")
    return Entry(
        [Chip(alert.state), *([Chip(memory.severity)] if memory.causes else [])],
        alert.title,
        _address(data, "issues", alert.number),
        facts=facts,
        texts=[Markdown(alert.body)],
        history=alert.history[-10:],
        is_open=is_open,
    )


def _sequence(memory: Mapping[str, Any]) -> Figure | None:
    """The gain of each day with its confidence interval; None where the issue's memory has none that can be read."""
    try:
        first = date.fromisoformat(str(memory["since"])[:10])
        gains = [(int(day), *map(float, rest)) for day, *rest in memory["gain"]]
    except (KeyError, TypeError, ValueError):
        return None
    if not gains or any(len(each) != 4 or not all(map(math.isfinite, each)) for each in gains):
        return None
    days = [first + timedelta(days=day - 1) for day, *_ in gains]
    mean = tuple((day, each[1]) for day, each in zip(days, gains, strict=True))
    band = tuple((day, each[2], each[3]) for day, each in zip(days, gains, strict=True))
    last, measure = gains[-1], str(memory.get("measure", "gain"))
    description = (
        f"gain {last[1]:+.4g}, confidence interval {last[2]:+.4g} to {last[3]:+.4g} after {last[0]} days; above 0 the"
        " challenger is better"
    )
    lines = [
        Line("gain of the challenger; shaded: its confidence interval", 0, mean, band=band),
        Line("no difference", 5, tuple((day, 0.0) for day in days), bare=True, end="0"),
    ]
    title = f"{measure}: the challenger's gain by day"
    return line_chart(title, description, lines, unit=f"gain in {measure}", note=True)


def _verdict(data: DashboardData, verdict: Verdict, proposal: Any, release: Any) -> Entry:
    facts: list[object] = []
    if release is not None:
        facts += [Chip(release.state), release.at[:16].replace("T", " ")]
    if proposal is not None:
        facts.append(f"proposal {proposal.number}, {proposal.state}")
    return Entry(
        [Chip(verdict.decision)],
        verdict.version or (proposal.title if proposal is not None else ""),
        _address(data, "pull", proposal.number) if proposal is not None else "",
        verdict.sentence,
        facts,
        [Markdown(verdict.body)],
    )


def _proposal(data: DashboardData, each: Any) -> Entry:
    return Entry(
        [Chip(each.state)],
        each.title,
        _address(data, "pull", each.number),
        facts=[each.status[1] if each.status else "no verdict yet"],
        texts=[Markdown(text) for text in (each.body, *each.comments.values())],
    )

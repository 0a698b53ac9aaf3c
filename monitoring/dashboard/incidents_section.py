"""Incidents, experiments, verdicts, releases: what people and robots decided. HTML from a story."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from html import escape
from typing import Any

from monitoring.dashboard.chart_svg import Line, chart, table
from monitoring.dashboard.dashboard_data import Story, Verdict, verdict_in
from monitoring.dashboard.untrusted_markdown import prose
from monitoring.incidents.incident_state import IncidentState, days_between

#: Begins the marker of an experiment's alert.
EXPERIMENT = "experiment:"
#: Begins the marker of the week's digest.
DIGEST = "digest:"
#: How each word looks besides its colour.
_SIGNS = {
    "PROMOTE": "✔",
    "HOLD": "◌",
    "REJECT": "✖",
    "page": "▲",
    "issue": "△",
    "open": "●",
    "closed": "○",
    "merged": "✔",
    "published": "●",
    "withdrawn": "✖",
    "candidate": "○",
    "running": "◔",
    "wins": "✔",
    "loses": "✖",
    "equivalent": "≈",
    "broken": "▲",
}
_GOOD = {"PROMOTE", "wins", "published"}
_BAD = {"REJECT", "page", "withdrawn", "broken", "loses"}
#: Closed incidents and verdicts that are shown; the forge has them all.
SHOWN = 30


def chip(word: str) -> str:
    """A word with its sign: told apart without colour."""
    kind = "good" if word in _GOOD else "bad" if word in _BAD else "plain"
    sign = _SIGNS.get(word, "·")
    return f'<span class="chip {kind}"><span aria-hidden="true">{sign}</span> {escape(word)}</span>'


def link(story: Story, kind: str, number: int, words: str) -> str:
    """*words*, leading to an issue or a pull request where the forge has a web page."""
    if not story.told.address.startswith("https://"):
        return escape(words)
    where = f"{story.told.address}/{kind}/{number}"
    return f'<a href="{escape(where, quote=True)}">{escape(words)}</a>'


def is_experiment(alert: Any) -> bool:
    """Whether an alert is an experiment's one issue."""
    return str(alert.marker).startswith(EXPERIMENT)


def is_incident(alert: Any) -> bool:
    """Whether an alert is an incident: neither an experiment's issue nor the week's digest."""
    return not str(alert.marker).startswith((EXPERIMENT, DIGEST))


def incidents(story: Story) -> str:
    """Those that are open, whole; those past, and the week's digest, folded."""
    every = [alert for alert in story.alerts if is_incident(alert)]
    opened = [alert for alert in every if alert.state == "open"]
    past = [alert for alert in every if alert.state != "open"]
    found = "".join(_incident(story, alert, unfolded=True) for alert in opened)
    if not opened:
        found = (
            '<p class="empty">No incident is open. One opens by itself when a signal stays beyond its limits, and'
            " closes itself when that is over: <code>make watch</code>.</p>"
        )
    if past:
        closed = "".join(_incident(story, alert) for alert in past[:SHOWN])
        more = f"<p class='soft'>… and {len(past) - SHOWN} before.</p>" if len(past) > SHOWN else ""
        found += f"<h3>Past</h3>{closed}{more}"
    digests = "".join(
        _incident(story, alert)
        for alert in story.alerts
        if alert.state == "open" and str(alert.marker).startswith(DIGEST)
    )
    return found + (f"<h3>Digest of the week</h3>{digests}" if digests else "")


def _incident(story: Story, alert: Any, unfolded: bool = False) -> str:
    memory = IncidentState.from_json(alert.memory)
    facts = []
    if memory.since and memory.last:
        long = days_between(memory.last, memory.since) + 1
        facts.append(f"{memory.since} to {memory.last} ({long} {'day' if long == 1 else 'days'})")
    if memory.peak:
        facts.append(f"peak {memory.peak:.1f} times its limit on {memory.peak_day}")
    if memory.ack:
        facts.append(f"acknowledged until {memory.ack} by {memory.ack_by}")
    tier = chip(memory.tier) if memory.causes else ""
    head = (
        f"<summary>{chip(alert.state)} {tier} <strong>{link(story, 'issues', alert.number, alert.title)}</strong>"
        f"<span class='soft'>{escape(' · '.join(facts))}</span></summary>"
    )
    history = "".join(f"<li>{escape(line)}</li>" for line in alert.history[-10:])
    inside = prose(alert.body) + (f"<details><summary>history</summary><ul>{history}</ul></details>" if history else "")
    return f'<details class="case"{" open" if unfolded else ""}>{head}{inside}</details>'


def experiments(story: Story) -> str:
    """Each with its sequence, the newest first."""
    found = "".join(_experiment(story, alert) for alert in story.alerts if is_experiment(alert))
    return found or (
        '<p class="empty">Champion against challenger appears here, with the interval of each day, when'
        " <code>[challenger]</code> in <code>serve/live.toml</code> has a share or the shadow and somebody"
        " typed: <code>make experiment</code>.</p>"
    )


def _experiment(story: Story, alert: Any) -> str:
    told: Mapping[str, Any] = alert.memory
    state = str(told.get("state", alert.state))
    head = (
        f"<summary>{chip(state)} <strong>{link(story, 'issues', alert.number, alert.title)}</strong>"
        f"<span class='soft'>{escape(str(told.get('why', '')))}</span></summary>"
    )
    is_open = " open" if alert.state == "open" else ""
    return f'<details class="case"{is_open}>{head}{_sequence(told)}{prose(alert.body)}</details>'


def _sequence(told: Mapping[str, Any]) -> str:
    """The gain of each day between the ends of its interval; "" where the memory has none."""
    try:
        first = date.fromisoformat(str(told["since"])[:10])
        gains = [(int(day), *map(float, rest)) for day, *rest in told["gain"]]
    except (KeyError, TypeError, ValueError):
        return ""
    if not gains or any(len(each) != 4 or not all(map(math.isfinite, each)) for each in gains):
        return ""
    days = [first + timedelta(days=day - 1) for day, *_ in gains]
    mean = tuple((day, each[1]) for day, each in zip(days, gains, strict=True))
    spread = tuple((day, each[2], each[3]) for day, each in zip(days, gains, strict=True))
    last = gains[-1]
    words = (
        f"gain {last[1]:+.4g}, between {last[2]:+.4g} and {last[3]:+.4g} after {last[0]} days; above nought the"
        " challenger is better"
    )
    nought = tuple((day, 0.0) for day in days)
    lines = [
        Line("gain of the challenger; shaded: where it may be", 0, mean, spread=spread),
        Line("no difference", 5, nought, bare=True, end="none"),
    ]
    title = f"{told.get('measure', 'gain')}: the challenger's gain, day by day"
    return f'<div class="charts">{chart(title, words, lines, said=True)}</div>'


def verdicts(story: Story) -> list[tuple[Verdict, Any, Any]]:
    """Verdict, proposal and release (None where there is none), the newest version first."""
    releases = {each.version: each for each in story.releases}
    found: dict[str, tuple[Verdict, Any, Any]] = {}
    for proposal in story.proposals:
        for text in proposal.comments.values():
            verdict = verdict_in(text)
            if verdict is not None:
                key = verdict.version or f"proposal {proposal.number}"
                found.setdefault(key, (verdict, proposal, releases.get(verdict.version)))
    for release in story.releases:
        verdict = verdict_in(release.notes)
        if verdict is not None and release.version not in found:
            found[release.version] = (verdict, None, release)
    return [found[key] for key in sorted(found, reverse=True)]


def judged(story: Story) -> str:
    """The drill's line, a line for each verdict with its report, and the proposals that had none."""
    found = verdicts(story)
    lines = "".join(_verdict(story, *each) for each in found[:SHOWN])
    if not found:
        lines = (
            '<p class="empty">A verdict in words appears here for each candidate: <code>make retrain gate land</code>.'
            "</p>"
        )
    rest = [p for p in story.proposals if not any(verdict_in(t) for t in p.comments.values())]
    other = "".join(_proposal(story, each) for each in rest[:SHOWN])
    stored = [each for each in story.releases if verdict_in(each.notes) is None]
    notes = "".join(
        f"<details class='case'><summary>{chip(each.state)} <strong>{escape(each.version)}</strong>"
        f"<span class='soft'>{escape(each.at[:16])}</span></summary>{prose(each.notes)}</details>"
        for each in stored[:SHOWN]
        if not any(release is each for _, _, release in found)
    )
    return (
        f'<p class="drill">{drill(story)}</p>{lines}'
        + (f"<h3>Other proposals</h3>{other}" if other else "")
        + (f"<h3>Releases without a verdict</h3>{notes}" if notes else "")
    )


def drill(story: Story) -> str:
    """What the last drill said of the gate."""
    when, sentence = story.told.drill
    if not sentence:
        return (
            "How good is the gate itself? Faults are put into your own data, one at a time, by <code>make drill</code>."
        )
    return f"<strong>The drill{f' of {escape(when)}' if when else ''}:</strong> {escape(sentence)}."


def _verdict(story: Story, verdict: Verdict, proposal: Any, release: Any) -> str:
    facts = []
    if release is not None:
        facts += [chip(release.state), f"<span>{escape(release.at[:16].replace('T', ' '))}</span>"]
    if proposal is not None:
        words = f"proposal {proposal.number}, {proposal.state}"
        facts.append(link(story, "pull", proposal.number, words))
    name = verdict.version or (proposal.title if proposal is not None else "")
    return (
        f'<details class="case"><summary>{chip(verdict.decision)} <strong>{escape(name)}</strong>'
        f"<span>{escape(verdict.sentence)}</span><span class='soft'>{' '.join(facts)}</span></summary>"
        f"{prose(verdict.body)}</details>"
    )


def _proposal(story: Story, each: Any) -> str:
    said = each.status[1] if each.status else "no verdict yet"
    more = "".join(prose(comment) for comment in each.comments.values())
    return (
        f'<details class="case"><summary>{chip(each.state)} <strong>'
        f"{link(story, 'pull', each.number, each.title)}</strong>"
        f"<span class='soft'>{escape(said)}</span></summary>{prose(each.body)}{more}</details>"
    )


def changes(rows: Sequence[Sequence[str]]) -> str:
    """Every change of live.toml."""
    told = table(["when", "champion", "why"], rows)
    return f"<figure><figcaption>Every change of live.toml</figcaption>{told}</figure>"

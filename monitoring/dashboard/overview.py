"""The first screen: whether scorers follow, how to roll back, and a tile for the state of each section."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from monitoring.dashboard.dashboard_data import DashboardData
from monitoring.dashboard.forge_entries import is_experiment, is_incident, verdicts
from monitoring.dashboard.metric_charts import short
from monitoring.incidents.incident_state import days_between
from reporting.html import Chip


@dataclass(frozen=True)
class Tile:
    """The state of a *section* in a word and a note; the note is a command where there is no state yet."""

    section: str
    name: str
    value: str | Chip
    note: str
    is_command: bool = False


def tiles(data: DashboardData) -> list[Tile]:
    """A tile for each thing to know at a glance."""
    return [
        _incidents(data),
        _monitoring(data),
        _verdict(data),
        _experiment(data),
        _drill(data),
        _way_back(data),
        _score(data),
    ]


def summary(data: DashboardData) -> str:
    """How many rows were answered, how many outcomes are known, and how many incidents are open."""
    rows, known = sum(d.rows for d in data.days), sum(d.labelled for d in data.days)
    versions = len({d.version for d in data.days})
    opened = sum(a.state == "open" and is_incident(a) for a in data.alerts)
    answered = f"{rows:,} rows were answered by {_count(versions, 'version')}, outcomes are known for {known:,}. "
    return (answered if rows else "") + (f"{_count(opened, 'incident')} open." if opened else "No incident is open.")


def unfollowed(data: DashboardData) -> list[str]:
    """Why scorers may not follow live.toml: by the forge, and by which versions answered since the last change.

    Scorers did not follow where rows of the days after the change were answered by versions without a role, and none
    by the champion.
    """
    reasons = [*data.context.unfollowed]
    champion = data.roles.get("champion")
    if champion is None:
        return reasons
    named = {span.version for span in data.roles.values()}
    until = data.context.at[:10] or "9999"
    days = [each for each in data.days if champion.since[:10] < each.day < until]
    others = [each for each in days if each.version not in named and each.rows]
    if others and not any(each.rows for each in days if each.version == champion.version):
        last = max(others, key=lambda each: each.day)
        reasons.append(
            f"{last.version} answered {last.rows:,} rows of {last.day}, and {champion.version} none:"
            " see /ready of each scorer"
        )
    return reasons


def rollback_workflow(data: DashboardData) -> str:
    """The address of the rollback workflow; "" where the forge has no web page."""
    web = data.context.address
    return f"{web}/actions/workflows/rollback.yml" if web.startswith("https://") else ""


def rollback_command(data: DashboardData) -> str:
    """The command that rolls back this forge, from a checkout."""
    forge = data.context.forge
    return ("" if forge in ("", ".forge") else f"FORGE={shlex.quote(forge)} ") + "make rollback"


def _incidents(data: DashboardData) -> Tile:
    every = [a for a in data.alerts if is_incident(a)]
    opened = [a for a in every if a.state == "open"]
    note = opened[0].title if opened else f"{len(every)} past"
    return Tile("incidents", "Incidents", _state(len(opened), "open"), note)


def _monitoring(data: DashboardData) -> Tile:
    if not data.run:
        return Tile("charts", "Monitoring", "not yet", "make watch", is_command=True)
    newest = max((s.day for _, s in data.signals), default="")
    beyond = {s.name for _, s in data.signals if s.breached and s.day == newest}
    note = f"of {len({s.name for _, s in data.signals})} signals on {newest or 'no day'}"
    return Tile("charts", "Monitoring", _state(len(beyond), "beyond limits"), note)


def _verdict(data: DashboardData) -> Tile:
    known = verdicts(data)
    if not known:
        return Tile("verdicts", "Last verdict", "none yet", "make gate", is_command=True)
    return Tile("verdicts", "Last verdict", Chip(known[0][0].decision), short(known[0][0].version))


def _experiment(data: DashboardData) -> Tile:
    running = next((a for a in data.alerts if is_experiment(a) and a.state == "open"), None)
    if running is None:
        return Tile("experiments", "Experiment", "none", "no challenger has traffic")
    needs = running.memory.get("needs")
    note = f"about {needs} more days" if isinstance(needs, int) else str(running.memory.get("why", ""))
    return Tile("experiments", "Experiment", Chip(str(running.memory.get("state", "open"))), note)


def _drill(data: DashboardData) -> Tile:
    when, sentence = data.context.drill
    if not when:
        return Tile("verdicts", "Drill", "not run", "make drill", is_command=True)
    return Tile("verdicts", "Drill", sentence.partition(" faults caught")[0], f"faults caught, {when}")


def _way_back(data: DashboardData) -> Tile:
    """How long a rollback took in the newest drill, and how long ago that was."""
    run = data.context.way_back
    if not run:
        return Tile("releases", "Drill of a rollback", "not run", "make drill-rollback", is_command=True)
    at, now = str(run.get("at", "")), data.context.at
    days = days_between(now[:10], at[:10]) if now else 0
    ago = "today" if days <= 0 else f"{_count(days, 'day')} ago"
    back = (run.get("seconds") or {}).get("back")
    if not run.get("ok") or not isinstance(back, int | float):
        return Tile("releases", "Drill of a rollback", Chip("failed", "bad", "alarm"), f"{ago}: {run.get('says', '')}")
    return Tile("releases", "Drill of a rollback", f"{back:.1f} s", f"until the older model answered, {ago}")


def _score(data: DashboardData) -> Tile:
    day, score, sections = data.context.score
    if not day:
        return Tile("verdicts", "ML Test Score", "not computed", "make score", is_command=True)
    return Tile("verdicts", "ML Test Score", score, f"{sections}; {day}")


def _state(count: int, what: str) -> Chip:
    """Bad where there are any."""
    return Chip(f"{count} {what}", "bad" if count else "good", "alarm" if count else "tick")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")

"""Carries out actions on a forge, answers comments, starts rollbacks."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from contracts.live_config import LIVE, LiveError, Slot, champion_at, champions_of, moves
from contracts.release_policy import Rollback
from forge.interface import Change, Forge, ForgeError
from forge.releases.observed_state import releases_with, served_on
from forge.releases.online_mode import set_mode
from forge.releases.reconciliation import roll_back
from forge.releases.rollback import back_to
from forge.workflow_output import output, run_address
from monitoring.incidents.actions import (
    Action,
    OpenAlert,
    PostComment,
    ProposeChange,
    ResolveAlert,
    SetOnline,
    StartWorkflow,
)
from monitoring.incidents.auto_rollback import Alarm, decide
from monitoring.incidents.command_parser import read
from monitoring.incidents.comment_commands import CommandContext, answer
from monitoring.incidents.expected_causes import PATH
from monitoring.incidents.self_check import announce_new

#: Days for which comments below a closed alert are still read.
COMMENT_DAYS = 30


def current_champion(forge: Forge) -> tuple[Slot, list[Change]]:
    """The champion that is served, and the history of live.toml. Raises `ForgeError` if nothing is live."""
    live, wrong, history = served_on(forge)
    if wrong:
        _say(f"scorers ignore invalid parts of {LIVE}: {'; '.join(wrong)}")
    if live.champion is None:
        raise ForgeError("nothing is live, so there is nothing to monitor")
    return live.champion, history


def newest_comparison(forge: Forge, live: Mapping[str, Any]) -> dict[str, Any] | None:
    """What the newest training found when it compared its rows with the journal; None if it did not.

    Of the newest candidate, or of the *live* version's manifest if there is none: the nightly compares every day, and its
    candidate need not be released.
    """
    newest = max(
        (each for each in forge.releases() if each.state != "withdrawn"), key=lambda each: each.at, default=None
    )
    try:
        manifest = forge.manifest(newest.version) if newest else live
    except ForgeError as error:
        return {"failed": f"the manifest of {newest.version if newest else 'no candidate'} cannot be read: {error}"}
    found = manifest.get("sent")
    return dict(found) if found else None


def answer_comments(forge: Forge, now: datetime, quiet: int) -> None:
    """Follow the commands in comments below alerts, and reply once to each comment."""
    for number in forge.put_back():
        _say(f"alert {number}: its label or hidden line was missing and is restored")
    oldest = f"{now - timedelta(days=COMMENT_DAYS):%Y-%m-%dT%H:%M:%SZ}"
    may_write = functools.cache(forge.may_write)
    numbers = [a.number for a in forge.alerts() if a.state == "open" or a.closed_at > oldest]
    for number in numbers:
        comments = forge.comments(number)
        for place, comment in enumerate(comments):
            if comment.reply is not None or not read(comment.body):
                continue
            history = forge.history(LIVE)
            context = CommandContext(
                now,
                champion_at(history, datetime.fromisoformat(comment.at)),
                ["", *champions_of(history)][-1],
                functools.partial(_rollback_target, forge),
                quiet,
                run_address(),
                forge.read(PATH),
            )
            alert = next(each for each in forge.alerts() if each.number == number)
            apply(forge, answer(comment, alert, comments[:place], may_write, context))
            comments[place] = replace(comment, reply="")
            _say(f"read comment {comment.id} below alert {number}")


def handle_service_alarms(forge: Forge, alarms: Sequence[Alarm], rules: Rollback) -> bool:
    """Keep the one alert on errors and latency up to date; whether they start a rollback."""
    if alarms:
        kinds = " and ".join(each.kind for each in alarms)
        known = next((each for each in forge.alerts() if each.marker == "service"), None)
        causes = {each.kind: f"{each.kind}: {each.details}" for each in alarms}
        notes, memory = announce_new(known, causes, datetime.now(UTC))
        apply(forge, notes)
        body = "".join(f"- {line}\n" for line in causes.values())
        number = forge.alert("service", f"Scorers: {kinds} above limits", body, memory).number
        _say(f"alert {number} is open: {'; '.join(each.details for each in alarms)}")
    elif forge.resolve("service", "Resolved: errors and latency are within their limits.\n"):
        _say("the scorers' alert is closed: errors and latency are within their limits")
    return roll_back_if_due(forge, rules, alarms)


def roll_back_if_due(forge: Forge, rules: Rollback, alarms: Sequence[Alarm]) -> bool:
    """Start a rollback if *alarms* about a new champion call for one; on GitHub Actions another job does it."""
    champions = [(at, slot.version if slot else "") for at, slot in moves(forge.history(LIVE))]
    decision = decide(alarms, champions, datetime.now(UTC), rules)
    if alarms:
        _say(f"{'rolling back' if decision.roll_back else 'no rollback'}: {decision.why}")
    if decision.roll_back:
        _start(forge, StartWorkflow("rollback", decision.why, bad=decision.bad))
    return decision.roll_back


def apply(forge: Forge, actions: Iterable[Action]) -> None:
    """Carry out *actions* on the *forge*; each can be repeated."""
    for action in actions:
        if isinstance(action, OpenAlert):
            alert = forge.alert(action.marker, action.title, action.body, action.memory)
            _say(f"alert {alert.number} is open: {alert.title}")
        elif isinstance(action, ResolveAlert):
            closed = forge.resolve(action.marker, action.body, action.memory)
            _say(f"alert {closed.number} is closed: {action.why}" if closed else action.why)
        elif isinstance(action, PostComment):
            forge.note(action.number, action.marker, action.body)
        elif isinstance(action, ProposeChange):
            proposal = forge.propose(action.branch, action.title, action.body, {action.path: action.text}, ("waiver",))
            forge.status(action.branch, True, "a waiver of monitoring: merging it is the review")
            note = action.note
            forge.note(note.number, note.marker, note.body.replace("{proposal}", proposal.link))
        elif isinstance(action, StartWorkflow):
            _start(forge, action)
        elif isinstance(action, SetOnline):
            set_mode(forge, action.mode, action.reason)
        else:
            _say(action.text)


def update_digest(forge: Forge, model: str, week: tuple[str, str] | None) -> None:
    """Keep the weekly digest: one issue, closed by a week within limits. One that a person closed stays so for its week."""
    if week is None:
        return
    marker, (title, body) = f"digest:{model}", week
    known = next((alert for alert in forge.alerts() if alert.marker == marker), None)
    if title and known and known.state == "closed" and known.title[-10:] == title[-10:]:  # the week
        return
    if title:
        _say(f"digest {forge.alert(marker, title, body).number}: {title}")
    elif closed := forge.resolve(marker, body):
        _say(f"digest {closed.number} is closed: {body}")


def _rollback_target(forge: Forge, wanted: str) -> tuple[str, str]:
    """The version that a rollback goes to, or why there is none."""
    live, _, history = served_on(forge)
    if live.champion and wanted == live.champion.version:
        return "", f"{wanted} is what is live; `/rollback` without a version goes back from it"
    try:
        return back_to(wanted or None, live, champions_of(history), releases_with(forge, live)), ""
    except ForgeError as error:
        return "", str(error)


def _start(forge: Forge, action: StartWorkflow) -> None:
    """Set the outputs that start a job. Outside GitHub Actions, roll back now, or print the retrain's command."""
    output(action.workflow, "true")
    if action.workflow == "rollback":
        output("version", action.version)
        output("bad", action.bad)
        output("reason", action.reason)
    if run_address():
        _say(f"{action.workflow} is started: {action.reason}")
    elif action.workflow == "rollback":
        try:
            roll_back(forge, action.bad, action.version or None, action.reason, "", datetime.now(UTC))
        except (ForgeError, LiveError) as error:
            raise ForgeError(f"the rollback failed, and the next run tries it again: {error}") from error
    else:
        _say(f"a retrain is due ({action.reason}); type: make retrain gate land")


def _say(line: str) -> None:
    print(line, flush=True)

"""What was decided, done on a forge; what people typed there, answered; the button, pressed."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from contracts.live_config import LIVE, LiveError, Slot, champion_at, champions_of, moves
from contracts.release_policy import Rollback
from forge.interface import Change, Forge, ForgeError
from forge.releases.observed_state import releases_with, served_on
from forge.releases.reconciliation import roll_back
from forge.releases.rollback import back_to
from forge.workflow_output import output, run_address
from monitoring.incidents.actions import Action, OpenAlert, PostComment, ProposeChange, ResolveAlert, StartWorkflow
from monitoring.incidents.auto_rollback import Alarm, decide
from monitoring.incidents.command_parser import read
from monitoring.incidents.comment_commands import CommandContext, answer
from monitoring.incidents.expected_causes import PATH
from monitoring.incidents.self_check import announce_new

#: Days for which comments below a closed alert are still heard.
HEARD = 30


def current_champion(forge: Forge) -> tuple[Slot, list[Change]]:
    """The champion that is served, and live.toml's history. Raises `ForgeError` if nothing is live."""
    live, wrong, history = served_on(forge)
    if wrong:
        _say(f"scorers leave out what is wrong in {LIVE}: {'; '.join(wrong)}")
    if live.champion is None:
        raise ForgeError("nothing is live, so there is nothing to watch")
    return live.champion, history


def answer_comments(forge: Forge, now: datetime, quiet: int) -> None:
    """Comments that are commands -> what they ask for, and one reply to each."""
    for number in forge.put_back():
        _say(f"alert {number} had lost its label or its hidden line: put back")
    oldest = f"{now - timedelta(days=HEARD):%Y-%m-%dT%H:%M:%SZ}"
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
                functools.partial(_back, forge),
                quiet,
                run_address(),
                forge.read(PATH),
            )
            alert = next(each for each in forge.alerts() if each.number == number)
            apply(forge, answer(comment, alert, comments[:place], may_write, context))
            comments[place] = replace(comment, reply="")
            _say(f"looked at comment {comment.id} below alert {number}")


def handle_service_alarms(forge: Forge, alarms: Sequence[Alarm], rules: Rollback) -> bool:
    """Whether the scorers' errors or latency put the champion before back; one alert tells them."""
    words = "".join(f"- {each.kind}: {each.details}\n" for each in alarms)
    if alarms:
        kinds = " and ".join(each.kind for each in alarms)
        known = next((each for each in forge.alerts() if each.marker == "service"), None)
        causes = {each.kind: f"{each.kind}: {each.details}" for each in alarms}
        notes, memory = announce_new(known, causes, datetime.now(UTC))
        apply(forge, notes)
        number = forge.alert("service", f"Scorers: {kinds} beyond limits", words, memory).number
        _say(f"alert {number} is open: {'; '.join(each.details for each in alarms)}")
    elif forge.resolve("service", "Errors and latency are within their limits again.\n"):
        _say("the scorers' alert is closed: errors and latency are within their limits")
    return roll_back_if_due(forge, rules, alarms)


def roll_back_if_due(forge: Forge, rules: Rollback, alarms: Sequence[Alarm]) -> bool:
    """Roll back if a new version's *alarms* call for it; in a workflow, a job of its own does. Returns whether it is due."""
    told = [(at, slot.version if slot else "") for at, slot in moves(forge.history(LIVE))]
    decision = decide(alarms, told, datetime.now(UTC), rules)
    if alarms:
        _say(f"{'rolling back' if decision.roll_back else 'no rollback'}: {decision.why}")
    if decision.roll_back:
        _start(forge, StartWorkflow("rollback", decision.why, bad=decision.bad))
    return decision.roll_back


def _back(forge: Forge, wanted: str) -> tuple[str, str]:
    """The version that a rollback goes to, or why there is none."""
    live, _, history = served_on(forge)
    champions = champions_of(history)
    if live.champion and wanted == live.champion.version:
        return "", f"{wanted} is what is live; /rollback alone goes back from it"
    try:
        return back_to(wanted or None, live, champions, releases_with(forge, live)), ""
    except ForgeError as error:
        return "", str(error)


def apply(forge: Forge, acts: Iterable[Action]) -> None:
    """Carry out what was decided on the *forge*; each may be repeated."""
    for act in acts:
        if isinstance(act, OpenAlert):
            alert = forge.alert(act.marker, act.title, act.body, act.memory)
            _say(f"alert {alert.number} is open: {alert.title}")
        elif isinstance(act, ResolveAlert):
            closed = forge.resolve(act.marker, act.body, act.memory)
            _say(f"alert {closed.number} is closed: {act.why}" if closed else act.why)
        elif isinstance(act, PostComment):
            forge.note(act.number, act.marker, act.body)
        elif isinstance(act, ProposeChange):
            proposal = forge.propose(act.branch, act.title, act.body, {act.path: act.text}, ("waiver",))
            forge.status(act.branch, True, "a waiver of the watch: who merges it has reviewed it")
            note = act.note
            forge.note(note.number, note.marker, note.body.replace("{proposal}", proposal.link))
        elif isinstance(act, StartWorkflow):
            _start(forge, act)
        else:
            _say(act.text)


def update_digest(forge: Forge, model: str, week: tuple[str, str] | None) -> None:
    """One issue a week of what moved and harms nobody yet; it closes with a week where nothing did.

    One that a person closed stays closed for its week.
    """
    if week is None:
        return
    marker, (heading, words) = f"digest:{model}", week
    known = next((alert for alert in forge.alerts() if alert.marker == marker), None)
    if heading and known and known.state == "closed" and known.title == heading:
        return
    if heading:
        _say(f"digest {forge.alert(marker, heading, words).number}: {heading}")
    elif closed := forge.resolve(marker, words):
        _say(f"digest {closed.number} is closed: {words}")


def _start(forge: Forge, act: StartWorkflow) -> None:
    """Start a workflow; outside of GitHub Actions a rollback is carried out here, and a retrain is announced."""
    output(act.workflow, "true")
    if act.workflow == "rollback":
        output("version", act.version)
        output("bad", act.bad)
        output("reason", act.reason)
    if run_address():
        _say(f"{act.workflow} is started: {act.reason}")
    elif act.workflow == "rollback":
        try:
            roll_back(forge, act.bad, act.version or None, act.reason, "", datetime.now(UTC))
        except (ForgeError, LiveError) as error:
            raise ForgeError(f"the rollback failed, and the next run tries it again: {error}") from error
    else:
        _say(f"a retrain is due, {act.reason}; type: make retrain gate land")


def _say(words: str) -> None:
    print(words, flush=True)

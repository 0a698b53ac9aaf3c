"""What was decided, done on a forge; what people typed there, answered; the button, pressed."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from contracts.live_config import LIVE, Slot, champion_at, champions_of, moves
from contracts.release_policy import Rollback
from forge.__main__ import main as press
from forge.interface import Change, Forge, ForgeError
from forge.releases.observed_state import releases_with, served_on
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


def answer_comments(where: str, forge: Forge, now: datetime, quiet: int) -> None:
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
            apply(where, forge, answer(comment, alert, comments[:place], may_write, context))
            comments[place] = replace(comment, reply="")
            _say(f"looked at comment {comment.id} below alert {number}")


def handle_service_alarms(where: str, forge: Forge, alarms: Sequence[Alarm], rules: Rollback) -> bool:
    """Whether the scorers' errors or latency put the champion before back; one alert tells them."""
    words = "".join(f"- {each.kind}: {each.details}\n" for each in alarms)
    if alarms:
        kinds = " and ".join(each.kind for each in alarms)
        known = next((each for each in forge.alerts() if each.marker == "service"), None)
        causes = {each.kind: f"{each.kind}: {each.details}" for each in alarms}
        notes, memory = announce_new(known, causes, datetime.now(UTC))
        apply(where, forge, notes)
        number = forge.alert("service", f"Scorers: {kinds} beyond limits", words, memory).number
        _say(f"alert {number} is open: {'; '.join(each.details for each in alarms)}")
    elif forge.resolve("service", "Errors and latency are within their limits again.\n"):
        _say("the scorers' alert is closed: errors and latency are within their limits")
    return roll_back_if_due(where, forge, rules, alarms)


def roll_back_if_due(where: str, forge: Forge, rules: Rollback, alarms: Sequence[Alarm]) -> bool:
    """Press the button if a new version's *alarms* call for it; in a workflow, a job presses it."""
    told = [(at, slot.version if slot else "") for at, slot in moves(forge.history(LIVE))]
    decision = decide(alarms, told, datetime.now(UTC), rules)
    if alarms:
        _say(f"{'rolling back' if decision.roll_back else 'no rollback'}: {decision.why}")
    if decision.roll_back:
        _start(where, StartWorkflow("rollback", decision.why, bad=decision.bad))
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


def apply(where: str, forge: Forge, acts: Iterable[Action]) -> None:
    """Carry out what was decided on the *forge* at *where*; each may be done again."""
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
            _start(where, act)
        else:
            _say(act.text)


def _start(where: str, act: StartWorkflow) -> None:
    """In a workflow a job starts the robot; on a laptop a rollback is the button's, a retrain a word."""
    output(act.workflow, "true")
    if act.workflow == "rollback":
        output("version", act.version)
        output("bad", act.bad)
        output("reason", act.reason)
    if run_address():
        _say(f"{act.workflow} is started: {act.reason}")
    elif act.workflow == "rollback":
        words = ["rollback", "--forge", where, "--bad", act.bad, "--to", act.version]
        if press([*words, "--reason", act.reason]):
            raise ForgeError("the rollback failed, as said above; it is tried again at the next look")
    else:
        _say(f"a retrain is due, {act.reason}; type: make retrain gate land")


def _say(words: str) -> None:
    print(words, flush=True)

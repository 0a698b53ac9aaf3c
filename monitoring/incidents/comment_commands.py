"""Follows commands in comments below alerts: actions and one reply a comment. Pure.

Anybody may comment. A line that begins with a slash is a command, unless GitHub shows it as code or as a quotation.
It is followed only if its author has write access to the repository; arguments are validated by `command_parser`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

from contracts.live_tables import OFF, ON, SHADOW
from monitoring.incidents.actions import Action, OpenAlert, PostComment, ProposeChange, SetOnline, StartWorkflow
from monitoring.incidents.command_parser import Command, read
from monitoring.incidents.expected_causes import PATH, ExpectedCause, ExpectedError, read_expected, write_expected
from monitoring.incidents.incident_state import IncidentState
from monitoring.incidents.issue_text import command_help, explanation
from reporting.markdown import code, text

#: Commands of one comment that are read.
MAX_COMMANDS = 20
#: A command that starts a workflow expires after this.
EXPIRES = timedelta(days=1)
#: Days.
MAX_WAIVER_DAYS = 366


@dataclass(frozen=True)
class CommandContext:
    """What commands depend on.

    *champion_then* was live when the command was written ("" for none), *champion_now* is live at *now*.
    *rollback_target* returns the version that a rollback goes to, or "" and why there is none. *quiet* are the days
    that resolve an incident. *run* is the URL of the workflow run, "" elsewhere. *waivers* is the text of `PATH`.
    """

    now: datetime
    champion_then: str
    champion_now: str
    rollback_target: Callable[[str], tuple[str, str]]
    quiet: int
    run: str = ""
    waivers: str | None = None


def answer(
    comment: Any, alert: Any, earlier: Sequence[Any], may_write: Callable[[str], bool], context: CommandContext
) -> list[Action]:
    """The actions for the commands of a *comment* below an *alert*; the last one is the reply.

    None if the comment has no command, or a reply already. An author without write access gets one reply
    below an alert (*earlier* are the comments before this one).
    """
    typed = [] if comment.reply is not None else read(comment.body)
    if not typed:
        return []
    if not may_write(comment.author):
        answered = any(each.author == comment.author and each.reply is not None for each in earlier)
        return [] if answered else [_reply(alert, comment, _NO_ACCESS)]
    actions: list[Action] = []
    replies: list[str] = []
    for place, (_, command) in enumerate(typed[:MAX_COMMANDS]):
        refusal = _repeated(command, [each for _, each in typed[:place]])
        refusal = refusal or _refusal(command, comment, alert, context)
        if refusal or isinstance(command, str):
            replies.append(refusal)
            continue
        *first, last = _FOLLOW[command.name](command, comment, alert, context)
        for action in first:
            if isinstance(action, OpenAlert):  # the next command of this comment builds on it
                alert = replace(alert, memory=action.memory)
        actions += first
        if isinstance(last, ProposeChange):
            actions.append(last)
            last = last.note
        if isinstance(last, PostComment):
            replies.append(last.body)
    if any(isinstance(command, str) for _, command in typed[:MAX_COMMANDS]):
        replies[-1] += f"\n{command_help()}\n"
    note = _reply(alert, comment, _joined([line for line, _ in typed], replies))
    return _with_note(actions, note)


def _with_note(actions: Sequence[Action], note: PostComment) -> list[Action]:
    """The *actions* with the reply at the end; a proposal posts it itself, with its link."""
    last: Action = note
    others: list[Action] = []
    for action in actions:
        if isinstance(action, ProposeChange):
            last = replace(action, note=note)
        else:
            others.append(action)
    return [*others, last]


def _joined(lines: Sequence[str], replies: Sequence[str]) -> str:
    """One reply to all commands of a comment, in order."""
    if len(lines) == 1:
        return replies[0]
    parts = [f"{code(line)}: {reply}" for line, reply in zip(lines, replies, strict=False)]
    if len(lines) > len(replies):
        parts.append(
            f"The other {len(lines) - len(replies)} were not read: the limit is {MAX_COMMANDS} commands a comment.\n"
        )
    return "\n".join(parts)


def _repeated(command: Command | str, before: Sequence[Command | str]) -> str:
    """Why a command is not followed after those *before* it in the comment; "" if it is."""
    if command in before:
        return "Ignored: the same command is above.\n"
    named = {each.name for each in before if isinstance(each, Command)}
    if isinstance(command, Command) and command.name in {"expected", "rollback", "online"} & named:
        return f"Ignored: only the first `/{command.name}` of a comment is followed.\n"
    return ""


def _refusal(command: Command | str, comment: Any, alert: Any, context: CommandContext) -> str:
    """The reply to a command that is not followed; "" if it is."""
    if isinstance(command, str):
        return f"{command}\n"
    if command.name == "help":
        return command_help() + "\n"
    starts = command.name in ("retrain", "rollback", "online")
    if starts and context.now - datetime.fromisoformat(comment.at) > EXPIRES:
        return (
            f"Expired: read at {context.now:%Y-%m-%d %H:%M} UTC, more than a day after it was written. Nothing was"
            " done; write it again if it is still needed.\n"
        )
    if not starts and not alert.marker.startswith("watch:"):
        return "This is not an incident of a model: only `/retrain`, `/rollback` and `/online` work here.\n"
    return ""


def _ack(command: Command, comment: Any, alert: Any, _: CommandContext) -> Sequence[Action]:
    if alert.state != "open":
        return [_reply(alert, comment, "The incident is closed: there is nothing to acknowledge.\n")]
    # Counted from when the comment was written, not read.
    until = (date.fromisoformat(comment.at[:10]) + timedelta(days=command.days)).isoformat()
    memory = replace(IncidentState.from_json(alert.memory), ack=until, ack_by=comment.author)
    reply = (
        f"Acknowledged until {until}. Until then no retrain starts automatically, and only new causes of severity page"
        " are announced. The issue is still updated.\n"
    )
    return [*_with_action(alert, memory, comment, f"acknowledged until {until}"), _reply(alert, comment, reply)]


def _expected(command: Command, comment: Any, alert: Any, context: CommandContext) -> Sequence[Action]:
    until, today = date.fromisoformat(command.until), context.now.date()
    memory = IncidentState.from_json(alert.memory)
    existing: list[ExpectedCause] = []
    problem = ""
    try:
        existing = read_expected(context.waivers)
    except ExpectedError as error:
        problem = f"{text(error)}."
    entry = ExpectedCause(memory.causes, until, command.reason, comment.author, alert.link)
    if until < today:
        problem = f"{until} is in the past."
    elif (until - today).days > MAX_WAIVER_DAYS:
        problem = f"{until} is more than {MAX_WAIVER_DAYS} days away; retrain the model on a change that lasts."
    elif not memory.causes:
        problem = "this incident has no recorded causes yet; try again after the next run."
    elif entry in existing:
        problem = f"this waiver exists already, until {until}."
    if problem:
        return [_reply(alert, comment, f"No waiver was proposed: {problem}\n")]
    body = (
        f"Requested by {text(comment.author)} below {alert.link}: **{text(command.reason)}**.\n\nUntil {until} these causes"
        " raise no alert:\n\n"
        + "".join(f"- {text(cause)}\n" for cause in memory.causes)
        + "\nMerging this is the review. It changes neither the gate nor what is served.\n"
    )
    reply = (
        "Waiver proposed: {proposal}. It is valid once it is reviewed and merged; until then the incident stays open.\n"
    )
    return [
        ProposeChange(
            f"expected-{alert.number}",
            f"Expected until {until}: {alert.title}",
            body,
            PATH,
            write_expected([*existing, entry], today),
            _reply(alert, comment, reply),
        )
    ]


def _retrain(_: Command, comment: Any, alert: Any, context: CommandContext) -> Sequence[Action]:
    reply = (
        f"Retrain started by [this run]({context.run}): it trains, gates and releases as every night.\n"
        if context.run
        else "No workflow runs here. Type: `make retrain gate land`\n"
    )
    memory = IncidentState.from_json(alert.memory)
    return [
        StartWorkflow("retrain", f"requested by {comment.author} below {alert.link}"),
        *_with_action(alert, memory, comment, "retrain"),
        _reply(alert, comment, reply),
    ]


def _rollback(command: Command, comment: Any, alert: Any, context: CommandContext) -> Sequence[Action]:
    if context.champion_then != context.champion_now:
        then, now = context.champion_then or "nothing", context.champion_now or "nothing"
        reply = (
            f"Not rolled back: `{then}` was live when this was written, and `{now}` is live now. Write it again to roll"
            f" back from `{now}`.\n"
        )
        return [_reply(alert, comment, reply)]
    version, problem = context.rollback_target(command.version)
    if not version:
        return [_reply(alert, comment, f"Not rolled back: {text(problem)}.\n")]
    reply = (
        f"Rollback to `{version}` is started by [this run]({context.run}).\n"
        if context.run
        else f"Rolled back: `{version}` is live.\n"
    )
    memory = IncidentState.from_json(alert.memory)
    return [
        StartWorkflow("rollback", f"requested by {comment.author} below {alert.link}", version, context.champion_then),
        *_with_action(alert, memory, comment, f"rollback to {version}"),
        _reply(alert, comment, reply),
    ]


def _online(command: Command, comment: Any, alert: Any, context: CommandContext) -> Sequence[Action]:
    """A correction belongs to a version: none is switched on for another than the one that was live."""
    if command.mode == ON and context.champion_then != context.champion_now:
        then, now = context.champion_then or "nothing", context.champion_now or "nothing"
        reply = f"Not switched on: `{then}` was live when this was written, and `{now}` is live now. Write it again.\n"
        return [_reply(alert, comment, reply)]
    memory = IncidentState.from_json(alert.memory)
    reply = (
        f"The mode of online corrections is `{command.mode}`: {_MODES[command.mode]}. Scorers follow after their next sync;"
        " a revert of the change of `serve/live.toml` undoes it.\n"
    )
    return [
        SetOnline(command.mode, f"requested by {comment.author} below {alert.link}"),
        *_with_action(alert, memory, comment, f"online corrections {command.mode}"),
        _reply(alert, comment, reply),
    ]


def _explain(_: Command, comment: Any, alert: Any, context: CommandContext) -> Sequence[Action]:
    return [_reply(alert, comment, explanation(IncidentState.from_json(alert.memory), context.quiet))]


def _with_action(alert: Any, memory: IncidentState, comment: Any, what: str) -> Sequence[Action]:
    """Records the action in the incident; nothing if it is closed, or is another kind of alert."""
    if alert.state != "open" or not alert.marker.startswith("watch:"):
        return []
    memory = memory.with_action(comment.at, f"{what}, by {comment.author}")
    return [OpenAlert(alert.marker, alert.title, alert.body, memory.to_json())]


def _reply(alert: Any, comment: Any, body: str) -> PostComment:
    return PostComment(alert.number, f"reply:{comment.id}", body)


_NO_ACCESS = "Thank you. Commands require write access to this repository, so nothing was done; a maintainer can type it for you.\n"
_MODES = {
    OFF: "none is computed or applied",
    SHADOW: "they are computed and measured, and no answer changes",
    ON: "they are applied while they improve the scores",
}
_FOLLOW: dict[str, Callable[[Command, Any, Any, CommandContext], Sequence[Action]]] = {
    "ack": _ack,
    "expected": _expected,
    "retrain": _retrain,
    "rollback": _rollback,
    "online": _online,
    "explain": _explain,
}

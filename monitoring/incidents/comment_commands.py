"""What people type below an alert -> what is to be done, and the one reply. Pure.

Anybody may write a comment. Each line of it that begins with a slash is a command, unless GitHub shows
the line as code or as a quotation. A command is followed only if the comment's author may write to the
repository, and only what a pattern below accepts is used of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

from monitoring.incidents.actions import Action, OpenAlert, PostComment, ProposeChange, StartWorkflow
from monitoring.incidents.command_parser import Command, read
from monitoring.incidents.expected_causes import PATH, ExpectedCause, ExpectedError, read_expected, write_expected
from monitoring.incidents.incident_state import IncidentState
from monitoring.incidents.issue_text import command_help, explanation
from reporting.markdown import code, text

#: So many commands of one comment are read.
MOST = 20
#: A command that starts something is not followed if it was read later than this.
FRESH = timedelta(days=1)
LONGEST_WAIVER = 366


@dataclass(frozen=True)
class CommandContext:
    """Where a command is answered.

    *at* is the time now; *meant* was live when the command was written, and *live* is now ("" for
    nothing). *back* gives the version that a rollback goes to ("" for none), or why there is none. *run* is the
    address of the workflow's run, "" on a laptop. *waivers* is the text of the file there is.
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
    """What is to be done about the commands of a *comment* below an *alert*; the one reply is the last.

    Nothing if there is none, or if it is answered already. Who may not write here gets one polite word
    below an alert, of *earlier* comments the first.
    """
    typed = [] if comment.reply is not None else read(comment.body)
    if not typed:
        return []
    if not may_write(comment.author):
        answered = any(each.author == comment.author and each.reply is not None for each in earlier)
        return [] if answered else [_reply(alert, comment, _POLITE)]
    acts: list[Action] = []
    replies: list[str] = []
    for place, (_, command) in enumerate(typed[:MOST]):
        words = _repeated(command, [each for _, each in typed[:place]])
        words = words or _refusal(command, comment, alert, context)
        if words or isinstance(command, str):
            replies.append(words)
            continue
        *done, last = _DO[command.name](command, comment, alert, context)
        for act in done:
            if isinstance(act, OpenAlert):  # the next command of this comment adds to it
                alert = replace(alert, memory=act.memory)
        acts += done
        if isinstance(last, ProposeChange):
            acts.append(last)
            last = last.note
        if isinstance(last, PostComment):
            replies.append(last.body)
    if any(isinstance(command, str) for _, command in typed[:MOST]):
        replies[-1] += f"\n{command_help()}\n"
    note = _reply(alert, comment, _joined([line for line, _ in typed], replies))
    return _with_note(acts, note)


def _with_note(acts: Sequence[Action], note: PostComment) -> list[Action]:
    """The *acts* with the reply at the end: that of a proposal holds its link."""
    last: Action = note
    done: list[Action] = []
    for act in acts:
        if isinstance(act, ProposeChange):
            last = replace(act, note=note)
        else:
            done.append(act)
    return [*done, last]


def _joined(lines: Sequence[str], replies: Sequence[str]) -> str:
    """One reply to all commands of a comment, in their order."""
    if len(lines) == 1:
        return replies[0]
    parts = [f"{code(line)}: {words}" for line, words in zip(lines, replies, strict=False)]
    if len(lines) > len(replies):
        parts.append(f"The other {len(lines) - len(replies)} were not read: one comment takes {MOST} commands.\n")
    return "\n".join(parts)


def _repeated(command: Command | str, before: Sequence[Command | str]) -> str:
    """Why a command is not followed after those *before* it in the same comment; "" if it is."""
    if command in before:
        return "This was typed above already, and is done once.\n"
    named = {each.name for each in before if isinstance(each, Command)}
    if isinstance(command, Command) and command.name in {"expected", "rollback"} & named:
        return f"One comment takes one `/{command.name}`, and the first counts: nothing was done about this one.\n"
    return ""


def _refusal(command: Command | str, comment: Any, alert: Any, context: CommandContext) -> str:
    """What is said instead of doing it; "" if it can be done."""
    if isinstance(command, str):
        return f"{command}\n"
    if command.name == "help":
        return command_help() + "\n"
    starts = command.name in ("retrain", "rollback")
    if starts and context.now - datetime.fromisoformat(comment.at) > FRESH:
        return (
            f"This was read at {context.now:%Y-%m-%d %H:%M} UTC, more than a day after it was written, so nothing"
            " was started: write it again if it still holds.\n"
        )
    if not starts and not alert.marker.startswith("watch:"):
        return "This is no incident of the watch: `/retrain` and `/rollback` can be typed here.\n"
    return ""


def _ack(command: Command, comment: Any, alert: Any, _: CommandContext) -> Sequence[Action]:
    if alert.state != "open":
        return [_reply(alert, comment, "This is closed already: there is nothing to acknowledge.\n")]
    # From when it was written, so that it means the same whenever it is read.
    until = (date.fromisoformat(comment.at[:10]) + timedelta(days=command.days)).isoformat()
    memory = replace(IncidentState.from_json(alert.memory), ack=until, ack_by=comment.author)
    words = f"Acknowledged until {until}: until then this calls no retrain, and says below only what joins it as a page. It is kept up to date.\n"
    return [*_noted(alert, memory, comment, f"acknowledged until {until}"), _reply(alert, comment, words)]


def _expected(command: Command, comment: Any, alert: Any, context: CommandContext) -> Sequence[Action]:
    until, today = date.fromisoformat(command.until), context.now.date()
    memory = IncidentState.from_json(alert.memory)
    known: list[ExpectedCause] = []
    wrong = ""
    try:
        known = read_expected(context.waivers)
    except ExpectedError as error:
        wrong = f"{text(error)}."
    entry = ExpectedCause(memory.causes, until, command.reason, comment.author, alert.link)
    if until < today:
        wrong = f"{until} is over."
    elif (until - today).days > LONGEST_WAIVER:
        wrong = (
            f"{until} is more than {LONGEST_WAIVER} days away, and what lasts for longer is no exception:"
            " a retrain learns it."
        )
    elif not memory.causes:
        wrong = "it is not known yet what this is about; the next look tells."
    elif entry in known:
        wrong = f"this is expected already, until {until}."
    if wrong:
        return [_reply(alert, comment, f"Nothing was proposed: {wrong}\n")]
    body = (
        f"Asked for by {text(comment.author)} below {alert.link}: **{text(command.reason)}**.\n\nUntil {until} the watch"
        f" does not raise:\n\n"
        + "".join(f"- {text(cause)}\n" for cause in memory.causes)
        + "\nWho merges this has reviewed it. Nothing that is judged or served changes.\n"
    )
    told = (
        "Proposed as a waiver: {proposal}. It holds once somebody has reviewed and merged it; until then this"
        " incident goes on.\n"
    )
    return [
        ProposeChange(
            f"expected-{alert.number}",
            f"Expected until {until}: {alert.title}",
            body,
            PATH,
            write_expected([*known, entry], today),
            _reply(alert, comment, told),
        )
    ]


def _retrain(_: Command, comment: Any, alert: Any, context: CommandContext) -> Sequence[Action]:
    words = (
        f"A retrain is started, by [this run]({context.run}): it trains, judges and lands as every night does.\n"
        if context.run
        else "Nothing runs by itself here. Type: `make retrain gate land`\n"
    )
    memory = IncidentState.from_json(alert.memory)
    return [
        StartWorkflow("retrain", f"asked for by {comment.author} below {alert.link}"),
        *_noted(alert, memory, comment, "retrain"),
        _reply(alert, comment, words),
    ]


def _rollback(command: Command, comment: Any, alert: Any, context: CommandContext) -> Sequence[Action]:
    if context.champion_then != context.champion_now:
        then, now = context.champion_then or "nothing", context.champion_now or "nothing"
        words = (
            f"This is about `{then}`, which was live when it was written; `{now}` is live now, so nothing was"
            f" done. Write it again if `{now}` is bad, too.\n"
        )
        return [_reply(alert, comment, words)]
    version, problem = context.rollback_target(command.version)
    if not version:
        return [_reply(alert, comment, f"Nothing was rolled back: {text(problem)}.\n")]
    words = (
        f"The way back to `{version}` is started, by [this run]({context.run}).\n"
        if context.run
        else f"Rolled back: `{version}` is live.\n"
    )
    memory = IncidentState.from_json(alert.memory)
    return [
        StartWorkflow("rollback", f"asked for by {comment.author} below {alert.link}", version, context.champion_then),
        *_noted(alert, memory, comment, f"rollback to {version}"),
        _reply(alert, comment, words),
    ]


def _explain(_: Command, comment: Any, alert: Any, context: CommandContext) -> Sequence[Action]:
    return [_reply(alert, comment, explanation(IncidentState.from_json(alert.memory), context.quiet))]


def _noted(alert: Any, memory: IncidentState, comment: Any, what: str) -> Sequence[Action]:
    """The incident, with what was done noted; nothing where it is closed, or is another alert."""
    if alert.state != "open" or not alert.marker.startswith("watch:"):
        return []
    memory = memory.with_action(comment.at, f"{what}, by {comment.author}")
    return [OpenAlert(alert.marker, alert.title, alert.body, memory.to_json())]


def _reply(alert: Any, comment: Any, words: str) -> PostComment:
    return PostComment(alert.number, f"reply:{comment.id}", words)


_POLITE = (
    "Thank you. Commands are taken here only from people who may write to this repository, so nothing was"
    " done; one of them can type it for you.\n"
)
_DO: dict[str, Callable[[Command, Any, Any, CommandContext], Sequence[Action]]] = {
    "ack": _ack,
    "expected": _expected,
    "retrain": _retrain,
    "rollback": _rollback,
    "explain": _explain,
}

"""What people type below an alert -> what is to be done, and the one reply. Pure.

A comment is text of anybody's: it is a command only if its first line begins with a slash, it is heard
only if its author may write here, and of it nothing is used but what a pattern below lets through.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

from checks.markdown import text
from monitoring.acts import Act, Note, Propose, Raise, Start
from monitoring.expected import PATH, Expected, ExpectedError, read_expected, write_expected
from monitoring.memory import Memory
from monitoring.report import commands, explain

NAMES = ("ack", "expected", "retrain", "rollback", "explain", "help")
#: A command that starts something is not followed if it was read later than this.
FRESH = timedelta(days=1)
LONGEST_ACK = 90
LONGEST_WAIVER = 366
_HOURS = {"h": 1, "d": 24, "w": 168}
_VERSION = r"\d{8}T\d{4}-(?:[0-9a-f]{12}|[0-9a-f]{7})"


@dataclass(frozen=True)
class Command:
    """What was asked for; what a command does not take is empty."""

    name: str
    days: int = 0
    until: str = ""
    reason: str = ""
    version: str = ""


@dataclass(frozen=True)
class Desk:
    """Where a command is answered.

    *at* is the time now; *meant* was live when the command was written, and *live* is now ("" for
    nothing). *back* gives the version that a rollback goes to ("" for none), or why there is none. *run* is the
    address of the workflow's run, "" on a laptop. *waivers* is the text of the file there is.
    """

    at: datetime
    meant: str
    live: str
    back: Callable[[str], tuple[str, str]]
    quiet: int
    run: str = ""
    waivers: str | None = None


def read(body: str) -> Command | str | None:
    """The command in a comment; a sentence if it is mistyped; None if there is none."""
    line = body.strip().partition("\n")[0].strip()
    found = re.fullmatch(r"/([A-Za-z]+)(?:\s+(.*))?", line)
    if not found:
        return None
    name, rest = found[1].lower(), (found[2] or "").strip()
    if name not in NAMES:
        close = difflib.get_close_matches(name, NAMES, n=1)
        hint = f"; did you mean `/{close[0]}`?" if close else "."
        return f"`/{name}` is not a command{hint}"
    return _READ[name](rest) if name in _READ else _bare(name, rest)


def answer(
    comment: Any, alert: Any, earlier: Sequence[Any], may_write: Callable[[str], bool], desk: Desk
) -> list[Act]:
    """What is to be done about a *comment* below an *alert*; the reply is the last of it.

    Nothing if it is no command, or is answered already. Who may not write here gets one polite word
    below an alert, of *earlier* comments the first.
    """
    command = read(comment.body)
    if command is None or comment.reply is not None:
        return []
    if not may_write(comment.author):
        told = any(each.author == comment.author and each.reply is not None for each in earlier)
        return [] if told else [_reply(alert, comment, _POLITE)]
    words = _refusal(command, comment, alert, desk)
    if words or isinstance(command, str):
        return [_reply(alert, comment, words)]
    return list(_DO[command.name](command, comment, alert, desk))


def _refusal(command: Command | str, comment: Any, alert: Any, desk: Desk) -> str:
    """What is said instead of doing it; "" if it can be done."""
    if isinstance(command, str):
        return f"{command}\n\n{commands()}\n"
    if command.name == "help":
        return commands() + "\n"
    starts = command.name in ("retrain", "rollback")
    if starts and desk.at - datetime.fromisoformat(comment.at) > FRESH:
        return (
            f"This was read at {desk.at:%Y-%m-%d %H:%M} UTC, more than a day after it was written, so nothing"
            " was started: write it again if it still holds.\n"
        )
    if not starts and not alert.marker.startswith("watch:"):
        return "This is no incident of the watch: `/retrain` and `/rollback` can be typed here.\n"
    return ""


def _ack(command: Command, comment: Any, alert: Any, _: Desk) -> Sequence[Act]:
    if alert.state != "open":
        return [
            _reply(alert, comment, "This is closed already: there is nothing to acknowledge.\n")
        ]
    # From when it was written, so that it means the same whenever it is read.
    until = (date.fromisoformat(comment.at[:10]) + timedelta(days=command.days)).isoformat()
    memory = replace(Memory.from_json(alert.memory), ack=until, ack_by=comment.author)
    words = f"Acknowledged until {until}: until then this calls no retrain, and says nothing more below. It is kept up to date.\n"
    return [
        *_noted(alert, memory, comment, f"acknowledged until {until}"),
        _reply(alert, comment, words),
    ]


def _expected(command: Command, comment: Any, alert: Any, desk: Desk) -> Sequence[Act]:
    until, today = date.fromisoformat(command.until), desk.at.date()
    memory = Memory.from_json(alert.memory)
    known: list[Expected] = []
    wrong = ""
    try:
        known = read_expected(desk.waivers)
    except ExpectedError as error:
        wrong = f"{text(error)}."
    entry = Expected(memory.causes, until, command.reason, comment.author, alert.link)
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
        f" does not raise:\n\n" + "".join(f"- {text(cause)}\n" for cause in memory.causes)
        + "\nWho merges this has reviewed it. Nothing that is judged or served changes.\n"
    )  # fmt: skip
    told = (
        "Proposed as a waiver: {proposal}. It holds once somebody has reviewed and merged it; until then this"
        " incident goes on.\n"
    )
    return [
        Propose(
            f"expected-{alert.number}", f"Expected until {until}: {alert.title}", body,
            PATH, write_expected([*known, entry], today), _reply(alert, comment, told),
        )
    ]  # fmt: skip


def _retrain(_: Command, comment: Any, alert: Any, desk: Desk) -> Sequence[Act]:
    words = (
        f"A retrain is started, by [this run]({desk.run}): it trains, judges and lands as every night does.\n"
        if desk.run
        else "Nothing runs by itself here. Type: `make retrain gate land`\n"
    )
    memory = Memory.from_json(alert.memory)
    return [
        Start("retrain", f"asked for by {comment.author} below {alert.link}"),
        *_noted(alert, memory, comment, "retrain"),
        _reply(alert, comment, words),
    ]


def _rollback(command: Command, comment: Any, alert: Any, desk: Desk) -> Sequence[Act]:
    if desk.meant != desk.live:
        then, now = desk.meant or "nothing", desk.live or "nothing"
        words = (
            f"This is about `{then}`, which was live when it was written; `{now}` is live now, so nothing was"
            f" done. Write it again if `{now}` is bad, too.\n"
        )
        return [_reply(alert, comment, words)]
    version, problem = desk.back(command.version)
    if not version:
        return [_reply(alert, comment, f"Nothing was rolled back: {text(problem)}.\n")]
    words = (
        f"The way back to `{version}` is started, by [this run]({desk.run}).\n"
        if desk.run
        else f"Rolled back: `{version}` is live.\n"
    )
    memory = Memory.from_json(alert.memory)
    return [
        Start("rollback", f"asked for by {comment.author} below {alert.link}", version, desk.meant),
        *_noted(alert, memory, comment, f"rollback to {version}"),
        _reply(alert, comment, words),
    ]


def _explain(_: Command, comment: Any, alert: Any, desk: Desk) -> Sequence[Act]:
    return [_reply(alert, comment, explain(Memory.from_json(alert.memory), desk.quiet))]


def _noted(alert: Any, memory: Memory, comment: Any, what: str) -> Sequence[Act]:
    """The incident, with what was done noted; nothing where it is closed, or is another alert."""
    if alert.state != "open" or not alert.marker.startswith("watch:"):
        return []
    memory = memory.acted(comment.at, f"{what}, by {comment.author}")
    return [Raise(alert.marker, alert.title, alert.body, memory.to_json())]


def _reply(alert: Any, comment: Any, words: str) -> Note:
    return Note(alert.number, f"reply:{comment.id}", words)


def _bare(name: str, rest: str) -> Command | str:
    return f"`/{name}` takes nothing after it." if rest else Command(name)


def _read_ack(rest: str) -> Command | str:
    found = re.fullmatch(r"(\d{1,4})\s*([hdw])", rest.lower() or "7d")
    days = math.ceil(int(found[1]) * _HOURS[found[2]] / 24) if found else 0
    if not 1 <= days <= LONGEST_ACK:
        return (
            f"`/ack` takes hours, days or weeks, of at most {LONGEST_ACK} days, such as `/ack 7d`."
        )
    return Command("ack", days=days)


def _read_expected(rest: str) -> Command | str:
    found = re.fullmatch(
        r"until\s+(\d{4}-\d\d-\d\d)[,;:]?\s+because[,:]?\s+(\S.*)", rest, re.IGNORECASE
    )
    try:
        until = date.fromisoformat(found[1]).isoformat() if found else ""
    except ValueError:
        until = ""
    if not found or not until:
        return "`/expected` takes a day and a reason, such as `/expected until 2026-12-08 because of the sale`."
    return Command("expected", until=until, reason=" ".join(found[2].split())[:300])


def _read_rollback(rest: str) -> Command | str:
    version = rest.strip("`")
    if version and not re.fullmatch(_VERSION, version):
        return "`/rollback` takes nothing, or a version such as `20260101T0317-a1b2c3d4e5f6`."
    return Command("rollback", version=version)


_POLITE = (
    "Thank you. Commands are taken here only from people who may write to this repository, so nothing was"
    " done; one of them can type it for you.\n"
)
_READ = {"ack": _read_ack, "expected": _read_expected, "rollback": _read_rollback}
_DO: dict[str, Callable[[Command, Any, Any, Desk], Sequence[Act]]] = {
    "ack": _ack,
    "expected": _expected,
    "retrain": _retrain,
    "rollback": _rollback,
    "explain": _explain,
}

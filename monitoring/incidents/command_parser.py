"""Parses the commands in a comment. Pure."""

from __future__ import annotations

import difflib
import math
import re
from dataclasses import dataclass
from datetime import date

from contracts.live_tables import MODES, VERSION
from monitoring.incidents.comment_lines import plain_lines

NAMES = ("ack", "expected", "retrain", "rollback", "online", "explain", "help")
MAX_ACK_DAYS = 90
_HOURS = {"h": 1, "d": 24, "w": 168}


@dataclass(frozen=True)
class Command:
    """A command and its arguments; those that it does not take are empty."""

    name: str
    days: int = 0
    until: str = ""
    reason: str = ""
    version: str = ""
    mode: str = ""


def read(body: str) -> list[tuple[str, Command | str]]:
    """(line, command) for each command in a comment, in order; an error message instead of an invalid command."""
    if "/" not in body:
        return []
    return [
        (line, _command(found[1].lower(), (found[2] or "").strip()))
        for line in plain_lines(body)
        if (found := re.fullmatch(r"/([A-Za-z]+)(?:\s+(.*))?", line))
    ]


def _command(name: str, rest: str) -> Command | str:
    if name not in NAMES:
        close = difflib.get_close_matches(name, NAMES, n=1)
        hint = f"; did you mean `/{close[0]}`?" if close else "."
        return f"`/{name}` is not a command{hint}"
    return _READ[name](rest) if name in _READ else _bare(name, rest)


def _bare(name: str, rest: str) -> Command | str:
    return f"`/{name}` takes no argument." if rest else Command(name)


def _read_ack(rest: str) -> Command | str:
    found = re.fullmatch(r"(\d{1,4})\s*([hdw])", rest.lower() or "7d")
    days = math.ceil(int(found[1]) * _HOURS[found[2]] / 24) if found else 0
    if not 1 <= days <= MAX_ACK_DAYS:
        return f"`/ack` takes a duration in hours, days or weeks, at most {MAX_ACK_DAYS} days, such as `/ack 7d`."
    return Command("ack", days=days)


def _read_expected(rest: str) -> Command | str:
    found = re.fullmatch(r"until\s+(\d{4}-\d\d-\d\d)[,;:]?\s+because[,:]?\s+(\S.*)", rest, re.IGNORECASE)
    try:
        until = date.fromisoformat(found[1]).isoformat() if found else ""
    except ValueError:
        until = ""
    if not found or not until:
        return "`/expected` takes a date and a reason, such as `/expected until 2026-12-08 because of the sale`."
    return Command("expected", until=until, reason=" ".join(found[2].split())[:300])


def _read_rollback(rest: str) -> Command | str:
    version = rest.strip("`")
    if version and not VERSION.fullmatch(version):
        return "`/rollback` takes no argument or a version, such as `20260101T0317-a1b2c3d4e5f6`."
    return Command("rollback", version=version)


def _read_online(rest: str) -> Command | str:
    mode = rest.strip("`").lower()
    if mode not in MODES:
        return "`/online` takes `off`, `shadow` or `on`, such as `/online off`."
    return Command("online", mode=mode)


_READ = {"ack": _read_ack, "expected": _read_expected, "rollback": _read_rollback, "online": _read_online}

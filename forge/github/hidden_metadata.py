"""What GitHub keeps for the robots: a hidden line at the head of a body, of an author to be trusted.

Anybody may open an issue or write a comment on a public repository, with any hidden line in it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from forge.records import Meta, parse, render

LIMIT = 65_536  # characters of a body
CUT = "\n\n… cut here: GitHub keeps 65,536 characters.\n"
TITLE, DESCRIPTION = 256, 140
MEMBERS = {"OWNER", "MEMBER", "COLLABORATOR"}


def body_of(meta: Meta, text: str) -> str:
    """The body that hides *meta* and shows *text*, as much of it as GitHub takes."""
    body = render(meta, text)
    return body if len(body) <= LIMIT else body[: LIMIT - len(CUT)] + CUT


def told(body: str | None) -> tuple[Meta, str]:
    """What `body_of` hid and showed; no values at all if it is not ours."""
    # Somebody who edits it in a browser gives it other ends of lines.
    first, newline, rest = (body or "").partition("\n")
    try:
        return parse(first.removesuffix("\r") + newline + rest)
    except ValueError:
        return {}, body or ""


def found_in(body: str | None) -> tuple[Meta, str]:
    """What is left of an alert's hidden line anywhere in *body*, and the text without it.

    Values of another type than a robot writes are left out. Of a line that is no JSON any more, its marker.
    """
    meta, text = told(body)
    for pattern in () if meta else _LEFT:
        match = pattern.search(text)
        if match:
            try:
                meta = dict(json.loads(match[1]))
            except (ValueError, TypeError, RecursionError):
                marker = _MARKER.search(match[1])
                meta = {"marker": marker[1]} if marker else {}
            if meta or "-->" in match[0]:
                text = text[: match.start()] + text[match.end() :]
            if meta:
                break
    return {name: meta[name] for name, kind in _KINDS.items() if _is(meta.get(name), kind)}, text


def _is(value: object, kind: type) -> bool:
    return bool(value) if kind is str and isinstance(value, str) else isinstance(value, kind)


_KINDS = {"marker": str, "history": list, "memory": dict, "left": str}
#: A hidden line that was moved or broken into several, and one that lost its end or its beginning.
_LEFT = [
    re.compile(r"^[ \t]*<!--\s*tidegate:(.*?)-->[ \r]*\n?", re.MULTILINE | re.DOTALL),
    re.compile(r"^[ \t]*(?:<!--\s*)?tidegate:(.*)\n?", re.MULTILINE),
]
_MARKER = re.compile(r'"marker"\s*:\s*"([^"\\]+)"')


def told_by_us(written: Mapping[str, Any], me: Callable[[], str]) -> tuple[Meta, str]:
    """The same of an issue, a proposal or a comment: a stranger's hidden line says nothing.

    *me* gives who we are. GitHub may call somebody a stranger who hides that he is a member.
    """
    meta, text = told(written["body"])
    author = written["user"] or {"type": "User", "login": None}
    robot, member = author["type"] == "Bot", written["author_association"] in MEMBERS
    ours = bool(meta) and (robot or member or author["login"] == me())
    return (meta if ours else {}), text


def one_line(text: str, most: int) -> str:
    """*text* on one line, cut to *most* characters."""
    line = " ".join(text.split())
    return line if len(line) <= most else line[: most - 1] + "…"

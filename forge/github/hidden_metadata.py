"""Metadata of robots in a hidden line at the head of an issue's or comment's body; read from trusted authors only.

On a public repository anybody may write an issue or a comment with a hidden line in it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from forge.records import Meta, parse, render

LIMIT = 65_536  # characters of a body
CUT_MARK = "\n\n… cut here: GitHub keeps 65,536 characters.\n"
TITLE, DESCRIPTION = 256, 140
MEMBERS = {"OWNER", "MEMBER", "COLLABORATOR"}


def body_of(meta: Meta, text: str) -> str:
    """A body with *meta* hidden and *text* visible, cut to GitHub's limit."""
    body = render(meta, text)
    return body if len(body) <= LIMIT else body[: LIMIT - len(CUT_MARK)] + CUT_MARK


def parse_body(body: str | None) -> tuple[Meta, str]:
    """Metadata and text of a body made by `body_of`; no metadata for any other body."""
    # Editing in a browser changes the line ends.
    first, newline, rest = (body or "").partition("\n")
    try:
        return parse(first.removesuffix("\r") + newline + rest)
    except ValueError:
        return {}, body or ""


def recover_metadata(body: str | None) -> tuple[Meta, str]:
    """The remains of an alert's hidden line anywhere in *body*, and the text without it.

    Values of an unexpected type are dropped. From a line that is not valid JSON only the marker is read.
    """
    meta, text = parse_body(body)
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
#: A hidden line that was moved or broken, and one without its end or its beginning.
_LEFT = [
    re.compile(r"^[ \t]*<!--\s*tidegate:(.*?)-->[ \r]*\n?", re.MULTILINE | re.DOTALL),
    re.compile(r"^[ \t]*(?:<!--\s*)?tidegate:(.*)\n?", re.MULTILINE),
]
_MARKER = re.compile(r'"marker"\s*:\s*"([^"\\]+)"')


def parse_trusted(written: Mapping[str, Any], me: Callable[[], str]) -> tuple[Meta, str]:
    """Metadata and text of an issue, a proposal or a comment; metadata only from a trusted author.

    *me* returns our own login. GitHub may not show that an author is a member of the organisation.
    """
    meta, text = parse_body(written["body"])
    author = written["user"] or {"type": "User", "login": None}
    robot, member = author["type"] == "Bot", written["author_association"] in MEMBERS
    ours = bool(meta) and (robot or member or author["login"] == me())
    return (meta if ours else {}), text


def one_line(text: str, most: int) -> str:
    """*text* on one line, cut to *most* characters."""
    line = " ".join(text.split())
    return line if len(line) <= most else line[: most - 1] + "…"

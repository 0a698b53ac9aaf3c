"""What GitHub keeps for the robots: a hidden line at the head of a body, of an author to be trusted.

Anybody may open an issue or write a comment on a public repository, with any hidden line in it.
"""

from __future__ import annotations

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

"""Owners of files by CODEOWNERS, with GitHub's rules for patterns. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

#: Where GitHub looks for the file; the first one counts.
PLACES = (".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS")
#: Prefix of the placeholder owners that this repository comes with.
PLACEHOLDER = "@your-org/"


@dataclass(frozen=True)
class Line:
    """A pattern and its owners; a line without owners excludes files."""

    pattern: re.Pattern[str]
    owners: tuple[str, ...]


def read_owners(text: str) -> list[Line]:
    """The lines of a CODEOWNERS file, in its order."""
    fields = (line.split("#")[0].split() for line in text.splitlines())
    return [Line(_compiled(each[0]), tuple(each[1:])) for each in fields if each]


def owners_of(path: str, lines: Sequence[Line]) -> tuple[str, ...]:
    """The owners of the file *path*: those of the last pattern that matches it."""
    return next((line.owners for line in reversed(lines) if line.pattern.fullmatch(path)), ())


def unowned(paths: Iterable[str], lines: Sequence[Line]) -> list[str]:
    """Those of *paths* without an owner; placeholders do not count."""
    return [path for path in paths if all(owner.startswith(PLACEHOLDER) for owner in owners_of(path, lines))]


def _compiled(pattern: str) -> re.Pattern[str]:
    """The pattern as a regular expression, as in .gitignore: a slash before its end anchors it, a folder includes its files."""
    inner = pattern.rstrip("/")
    anchored = "/" in inner
    parts = re.split(r"(\*\*/|/\*\*$|\*\*|\*|\?)", inner.lstrip("/"))
    wild = {"**/": "(?:.*/)?", "/**": "/.*", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    body = "".join(wild.get(part, re.escape(part)) for part in parts)
    # `docs/*` has the files of the folder itself, and `*` every file.
    below = "/.+" if pattern.endswith("/") else ("" if inner.endswith("/*") else "(?:/.+)?")
    return re.compile(("" if anchored else "(?:.*/)?") + body + below)

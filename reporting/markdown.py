"""Words that are safe to post on GitHub: escaped, folded, and short enough."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

#: GitHub takes 65,536 characters; the rest is for what a robot adds.
MAX_LENGTH = 60_000
#: What would begin or end Markdown, HTML or mathematics, and what GitHub links by itself:
#: people, issues, addresses. An underscore within a word does nothing.
_SPECIAL = re.compile(r"GH-(?=\d)|://|www\.|(?<!\w)_|_(?!\w)|[&<>|@#`\[\]*~$\\]", re.IGNORECASE)
#: GitHub looks for names, issues and addresses after it has put the entities back into signs, so
#: these are broken by a space without width.
_LINKS = {"@": "&#64;&#8203;", "#": "&#35;&#8203;", "://": ":&#8203;//"}


@dataclass(frozen=True)
class Section:
    """A part of a page. A *folded* one opens on a click; a *kept* one is never left out."""

    name: str
    words: str
    folded: bool = False
    kept: bool = False

    def __str__(self) -> str:
        if not self.folded:
            return self.words
        return f"<details><summary>{self.name}</summary>\n\n{self.words}\n\n</details>"


def text(value: object, most: int = 400) -> str:
    """Text from data or from a recipe, kept from breaking its line, mentioning or forging a marker.

    Signs that cannot be seen are dropped: they turn the line round, or hide something.
    """
    words = " ".join(str(value).split())
    words = "".join(sign for sign in words if unicodedata.category(sign)[0] != "C")
    if len(words) > most:
        words = words[: most - 1] + "…"
    return _SPECIAL.sub(_harmless, words)


def code(value: object) -> str:
    """A path or a name, set as code; within `…` nothing could be escaped."""
    return f"<code>{text(value, 120)}</code>"


def table_row(cells: Iterable[str]) -> str:
    """A row of a table, of cells that are safe already."""
    return f"| {' | '.join(cells)} |"


def bullets(heading: str, lines: Sequence[object], most: int = 10, whole: str = "") -> str:
    """A list of texts from data or from a recipe under a heading; "" without any.

    More than *most* are counted; *whole* names the file that has all of them.
    """
    if not lines:
        return ""
    found = [f"**{heading}**", "", *(f"- {text(line, 500)}" for line in lines[:most])]
    if len(lines) > most:
        found.append(f"- … and {len(lines) - most:,} more" + (f": see {whole}" if whole else ""))
    return "\n".join(found)


def page(sections: Sequence[Section], longest: int = MAX_LENGTH, whole: str = "verdict.json") -> str:
    """The sections that say something, one below the other.

    What is too long loses whole sections, so no fence and no fold stays open: first the largest
    folded one. *whole* has what was left out.
    """
    left = [section for section in sections if section.words]
    gone: list[str] = []
    while len(words := _joined(left, gone, whole)) > longest:
        loose = [section for section in left if not section.kept]
        if not loose:
            break
        largest = max(loose, key=lambda section: (section.folded, len(section.words)))
        left.remove(largest)
        gone.append(largest.name)
    return words


def _joined(sections: Sequence[Section], gone: Sequence[str], whole: str) -> str:
    parts = [str(section) for section in sections]
    if gone:
        parts.append(f"Left out, to fit here: {', '.join(gone)}; {whole} has all of it.")
    return "\n\n".join(parts) + "\n"


def _harmless(found: re.Match[str]) -> str:
    sign = found.group()
    if sign in _LINKS:
        return _LINKS[sign]
    if len(sign) > 1:  # GH-12, www.
        return f"{sign[:-1]}&#8203;{sign[-1]}"
    return {"&": "&amp;", "<": "&lt;", ">": "&gt;"}.get(sign, f"&#{ord(sign)};")

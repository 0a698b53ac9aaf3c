"""The lines of a GitHub comment that are shown as the author's plain text. Pure.

Code, quotations, struck-out, folded and hidden text are left out. Blocks and code spans are found by a
CommonMark parser, so fences of any kind end where GitHub ends them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html.parser import HTMLParser
from typing import Any

from markdown_it import MarkdownIt

#: Elements of raw HTML within which a line is not plain text.
_HIDING = {"blockquote", "code", "del", "details", "kbd", "pre", "s", "samp"}
_HIDING |= {"script", "strike", "style", "template", "textarea", "tt"}
_BLOCKS = ["table"]
# Emphasis, links and escapes hide no line, so they are left as typed.
_AS_TYPED = ["autolink", "emphasis", "entity", "escape", "image", "link"]


def plain_lines(body: str) -> list[str]:
    """The plain lines of a comment, in order and stripped."""
    parser = MarkdownIt("commonmark").enable([*_BLOCKS, "strikethrough"]).disable(_AS_TYPED)
    hidden, found = _OpenElements(), []
    before: Any = None
    for token in parser.parse(body):
        if token.type == "html_block":
            hidden.feed(token.content)
        elif token.type == "inline":
            lines = list(_lines(token.children or (), hidden))
            # A line above dashes (an e-mail signature) is a heading in Markdown, but was typed as text.
            if before.level == 0 and (before.type == "paragraph_open" or before.markup in "-="):
                found += [line.strip() for line in lines if line is not None]
        before = token
    return found


def _lines(children: Sequence[Any], hidden: _OpenElements) -> Iterator[str | None]:
    """The lines of a paragraph as typed; None for one that begins hidden."""
    line: str | None = None if hidden.any else ""
    struck = 0
    for token in children:
        if token.type in ("softbreak", "hardbreak"):
            yield line
            line = None if hidden.any or struck else ""
            continue
        if token.type == "html_inline":
            hidden.feed(token.content)
        struck += token.nesting if token.tag == "s" else 0
        typed = token.content if token.type == "code_inline" else token.content or token.markup
        if token.type == "code_inline":
            typed = f"{token.markup}{typed}{token.markup}"
        line = None if line is None else line + typed
    yield line


class _OpenElements(HTMLParser):
    """Counts the open elements whose content is not plain text."""

    def __init__(self) -> None:
        super().__init__()
        self._open = 0

    @property
    def any(self) -> bool:
        """Whether at least one is open."""
        return self._open > 0

    def handle_starttag(self, tag: str, attrs: Any) -> None:  # noqa: ARG002 -- HTMLParser's signature
        self._open += tag in _HIDING

    def handle_endtag(self, tag: str) -> None:
        self._open = max(0, self._open - (tag in _HIDING))

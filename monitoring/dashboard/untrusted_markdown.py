"""Markdown that robots or people wrote -> HTML that cannot load, run or break anything."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML

#: The tags that reports use; a text in which they do not pair is shown as it is.
_PAIRED = ("details", "summary", "strong", "em", "code", "sub", "sup")
_TAG = re.compile(rf"</?(?:{'|'.join(_PAIRED)}|br ?/?)>", re.IGNORECASE)
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
#: Headings of a text within a page begin below the page's own.
_DEEPER = {"h1": "h4", "h2": "h4", "h3": "h5", "h4": "h5", "h5": "h6", "h6": "h6"}


class _Renderer(RendererHTML):
    """The library's renderer, except for tags within the text, headings, tables and charts."""

    def html_block(self, tokens: Sequence[Any], idx: int, *_: Any) -> str:
        return _tags(tokens[idx].content)

    def html_inline(self, tokens: Sequence[Any], idx: int, *_: Any) -> str:
        return _tags(tokens[idx].content)

    def heading_open(self, tokens: Sequence[Any], idx: int, *_: Any) -> str:
        return f"<{_DEEPER[tokens[idx].tag]}>"

    def heading_close(self, tokens: Sequence[Any], idx: int, *_: Any) -> str:
        return f"</{_DEEPER[tokens[idx].tag]}>\n"

    def table_open(self, *_: Any) -> str:
        return '<div class="scroll" tabindex="0"><table>'

    def table_close(self, *_: Any) -> str:
        return "</table></div>\n"

    def fence(self, tokens: Sequence[Any], idx: int, *_: Any) -> str:
        """A Mermaid chart is left out: only GitHub draws it, and the text beside it has its numbers."""
        token = tokens[idx]
        if token.info.strip() == "mermaid":
            return ""
        return f"<pre>{escape(token.content)}</pre>\n"


_MARKDOWN = MarkdownIt("commonmark", {"html": True}, renderer_cls=_Renderer)
_MARKDOWN.enable("table").disable("image")


@dataclass(frozen=True)
class Markdown:
    """A text by robots or people. A template writes it as HTML."""

    text: str

    def __html__(self) -> str:
        """For templates: all but the tags that reports use is escaped."""
        return prose(self.text)


def prose(text: str) -> str:
    """The *text* as HTML; "" for an empty one."""
    text = _COMMENT.sub("", text).strip()
    if not text:
        return ""
    found = str(_MARKDOWN.render(text))
    return f'<div class="prose">{found if _is_paired(found) else f"<pre>{escape(text)}</pre>"}</div>'


def _tags(content: str) -> str:
    """Known tags as they are, everything else as text."""
    found, at = [], 0
    for tag in _TAG.finditer(content):
        found += [escape(content[at : tag.start()]), tag[0].lower()]
        at = tag.end()
    return "".join([*found, escape(content[at:])])


def _is_paired(found: str) -> bool:
    """Whether every closing tag closes the one that was opened last."""
    opened: list[str] = []
    for tag in re.finditer(r"<(/?)([a-z0-9]+)[^>]*?(/?)>", found):
        closes, name, empty = tag.groups()
        if empty or name in ("br", "hr"):
            continue
        if not closes:
            opened.append(name)
        elif not opened or opened.pop() != name:
            return False
    return not opened

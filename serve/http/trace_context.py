"""The header `traceparent` (W3C Trace Context): echoed, and kept in the journal."""

from __future__ import annotations

import re

_SHAPE = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


def read_trace(text: str) -> str:
    """*text* if it is a traceparent; else nothing, as the standard asks."""
    return text if text and _SHAPE.fullmatch(text) else ""


def echo(text: str) -> list[tuple[str, str]]:
    """The headers that give a traceparent back."""
    trace = read_trace(text)
    return [("traceparent", trace)] if trace else []

"""Bodies of HTTP answers; errors are problem details (RFC 9457).

An error also has `problems` (what is wrong with which field of which row) and `error`, the first of them: some
clients, such as Triton's, show nothing else. Of a row, an error shows only values that are invalid, none of private
fields, and no path of a file.
"""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any, NamedTuple

import msgspec
from msgspec import UNSET

from serve.routes.response_bodies import Problem, Wrong
from serve.scoring.validation import RequestError

JSON, PROBLEM = "application/json", "application/problem+json"
_encode = msgspec.json.Encoder().encode


class Reply(NamedTuple):
    """Status, media type and body of an answer."""

    status: int
    kind: str
    body: bytes


def spell(value: Any) -> bytes:
    """*value* as a line of JSON."""
    try:
        return _encode(value) + b"\n"
    except (UnicodeEncodeError, OverflowError):
        # A lone surrogate, which JSON can escape and UTF-8 cannot encode, is returned as it was sent.
        plain = msgspec.to_builtins(value)
        text = json.dumps(plain, ensure_ascii=False, separators=(",", ":")) + "\n"
        return text.encode("utf-8", "backslashreplace")


def refusal(error: RequestError) -> Reply:
    """*error* as problem details."""
    problems = msgspec.convert(error.problems, list[Wrong]) if error.problems else UNSET
    title = _title(error.status)
    body = Problem("about:blank", title, error.status, error.words, error.first(), problems)
    return Reply(error.status, PROBLEM, spell(body))


def _title(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"

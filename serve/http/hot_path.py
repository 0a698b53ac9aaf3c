"""A fast path for `POST /score`: small bodies are scored on the event loop, without Flask.

It calls the same function as the Flask view and returns the same bytes. Requests that arrive in one iteration of
the event loop are scored together. Every request with something unusual, and every error, is left to the Flask view.
"""

from __future__ import annotations

import asyncio
from typing import Any

from serve.http.auth import Access
from serve.http.responses import JSON
from serve.http.trace_context import echo
from serve.scoring.scorer import Scorer
from serve.scoring.validation import RequestError

#: Bytes of the largest body that is scored here: more rows would block the event loop.
MAX_BODY = 8 * 2**10
#: Requests that are scored together at most: the first one waits for the last.
MAX_BATCH = 32
Lines = list[tuple[str, str]]
_KIND: Lines = [("content-type", JSON)]


class HotPath:
    """Answers plain requests with *scorer*, if *access* admits them."""

    def __init__(self, scorer: Scorer, access: Access) -> None:
        self._scorer, self._access = scorer, access
        self._usual = [*_KIND, *access.headers("")]
        self._turn: list[tuple[bytes, str, asyncio.Future[bytes | RequestError | None]]] = []

    async def answer(self, headers: Any, body: bytes) -> tuple[Lines, bytes] | None:
        """The headers and body of the answer to a `POST /score`; None if the Flask view must answer.

        Raises `RequestError` if a valid row could not be scored: the Flask view would fail in the same way.
        """
        if len(body) > MAX_BODY or "content-encoding" in headers:
            return None
        origin, trace = headers.get("origin", ""), headers.get("traceparent", "")
        if origin and headers.get("content-type") != JSON:
            return None
        try:
            self._access.admit("/score", headers.get("authorization", ""))
        except RequestError:
            return None
        loop = asyncio.get_running_loop()
        future: asyncio.Future[bytes | RequestError | None] = loop.create_future()
        self._turn.append((body, trace, future))
        if len(self._turn) == 1:
            loop.call_soon(self._answer_turn)
        content = await future
        if content is None:
            return None
        if isinstance(content, RequestError):
            raise content
        lines = self._usual
        if trace or origin:
            lines = [*_KIND, *echo(trace), *self._access.headers(origin)]
        return lines, content

    def _answer_turn(self) -> None:
        turn, self._turn = self._turn, []
        for start in range(0, len(turn), MAX_BATCH):
            some = turn[start : start + MAX_BATCH]
            found = self._score([(body, trace) for body, trace, _ in some])
            for (*_, future), content in zip(some, found, strict=True):
                if not future.done():
                    answered = isinstance(content, (bytes, RequestError))
                    future.set_result(content if answered else None)  # type: ignore[arg-type]

    def _score(self, requests: list[tuple[bytes, str]]) -> list[bytes | Exception | None]:
        """The scorer's answers. They are counted here, as Flask counts the requests that it answers."""
        if not (metrics := self._scorer.metrics):
            return self._scorer.try_fast(requests)
        metrics.in_progress(len(requests))
        found: list[bytes | Exception | None] = []
        try:
            found = self._scorer.try_fast(requests)
        finally:
            metrics.in_progress(-len(requests), sum(isinstance(each, bytes) for each in found))
        return found

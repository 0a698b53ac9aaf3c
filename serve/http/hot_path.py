"""The one hot route, `POST /score`, past Flask's dispatch: small bodies, scored on the event loop.

It calls what the Flask view calls and answers the same bytes. Requests that come in one turn of the
loop are scored together. Whatever is not plain, or cannot be answered, is the Flask view's.
"""

from __future__ import annotations

import asyncio
from typing import Any

from serve.http.auth import Access
from serve.http.responses import JSON
from serve.http.trace_context import echo
from serve.scoring.scorer import Scorer
from serve.scoring.validation import RequestError

#: Bytes of the largest body that is scored here: more rows would hold up the loop.
LARGEST = 8 * 2**10
#: Requests that are scored together at most: the first of them waits for the last.
TOGETHER = 32
Lines = list[tuple[str, str]]
_KIND: Lines = [("content-type", JSON)]


class HotPath:
    """Answers what is plain with *scorer*, for requests that *access* admits."""

    def __init__(self, scorer: Scorer, access: Access) -> None:
        self._scorer, self._access = scorer, access
        self._usual = [*_KIND, *access.headers("")]
        self._turn: list[tuple[bytes, str, asyncio.Future[bytes | RequestError | None]]] = []

    async def answer(self, headers: Any, body: bytes) -> tuple[Lines, bytes] | None:
        """The answer's headers and body to a `POST /score`; None if the Flask view must answer.

        Raises `RequestError` where a row that fits cannot be answered: it is not tried twice.
        """
        if len(body) > LARGEST or "content-encoding" in headers:
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
        for start in range(0, len(turn), TOGETHER):
            some = turn[start : start + TOGETHER]
            found = self._score([(body, trace) for body, trace, _ in some])
            for (*_, future), content in zip(some, found, strict=True):
                if not future.done():
                    answered = isinstance(content, (bytes, RequestError))
                    future.set_result(content if answered else None)  # type: ignore[arg-type]

    def _score(self, requests: list[tuple[bytes, str]]) -> list[bytes | Exception | None]:
        """What the scorer answers, counted; Flask counts the requests that it gets."""
        if not (metrics := self._scorer.metrics):
            return self._scorer.try_fast(requests)
        metrics.in_progress(len(requests))
        found: list[bytes | Exception | None] = []
        try:
            found = self._scorer.try_fast(requests)
        finally:
            metrics.in_progress(-len(requests), sum(isinstance(each, bytes) for each in found))
        return found

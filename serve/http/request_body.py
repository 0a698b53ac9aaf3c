"""Reads whole request bodies, within a limit of size and of time.

A client that sends slowly does not occupy a thread, and the memory of all bodies together is bounded.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

from serve.scoring.validation import RequestError

#: Memory for bodies, as a multiple of the largest one; a body of at most `SMALL` bytes is always accepted.
MAX_LARGE_BODIES, SMALL = 8, 64 * 2**10
#: The rest of a body that is too long is read and discarded, up to this multiple of the largest body and so many
#: seconds: a client whose connection is closed while it sends reports a failure and does not read the answer.
MAX_DISCARDED_BODIES, MAX_DISCARD_SECONDS = 8, 2.0
#: Seconds between two checks for bodies that take too long.
CHECK_INTERVAL = 0.25


class Bodies:
    """Reads bodies of at most *largest* bytes, each within *seconds*."""

    def __init__(self, largest: int, seconds: float) -> None:
        self._largest, self._seconds, self._held = largest, seconds, 0
        self._since: dict[asyncio.Task[Any], float] = {}
        self._late = set[asyncio.Task[Any]]()

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Start to check for bodies that take too long, on *loop*."""
        self._loop = loop
        self._cancel_late()

    async def read(self, headers: Any, proto: Any) -> tuple[bytes, int]:
        """The body and its length. A body that is too long is empty, with a length above the largest.

        Its memory counts as used until `free`. Raises `RequestError`, and granian's `ProtocolClosed` if the client
        closed the connection.
        """
        declared, coding = headers.get("content-length"), headers.get("transfer-encoding")
        if coding is not None and coding.lower() != "chunked":
            raise RequestError(501, "the only transfer encoding that is supported is chunked")
        if declared is None and coding is None:
            return b"", 0
        length = 0 if declared is None else int(declared)
        if length > self._largest:
            await self._discard(_parts(proto))
            return b"", length
        self._reserve(length, length)
        task = asyncio.current_task(self._loop)
        assert task  # noqa: S101 -- for the type
        self._since[task] = self._loop.time()
        body = b""
        try:
            body = await (self._in_chunks(proto) if declared is None else proto())
        except asyncio.CancelledError:
            if task not in self._late:
                raise
            task.uncancel()
            words = f"the body did not arrive within {self._seconds:g} s"
            raise RequestError(408, words) from None
        finally:
            self._held -= length - len(body)
            del self._since[task]
            self._late.discard(task)
        if len(body) <= self._largest:
            return body, len(body)
        self.free(body)
        return b"", len(body)

    def free(self, body: bytes) -> None:
        """Release the memory of *body*, after its request was answered."""
        self._held -= len(body)

    async def _in_chunks(self, proto: Any) -> bytes:
        """A chunked body, whose length is known only at its end; at most a little more than the largest."""
        body, ends, parts = bytearray(), 0, _parts(proto)
        try:
            async for part in parts:
                # granian yields an empty part at the end, and another one for trailers or an error.
                ends += not part
                self._reserve(len(part), len(body) + len(part))
                body += part
                if len(body) > self._largest:
                    await self._discard(parts)
                    return bytes(body)
            if ends != 1:
                words = "the body ended early, or has trailers, which are not supported"
                raise RequestError(400, words)
        except BaseException:
            self.free(bytes(body))
            raise
        return bytes(body)

    def _reserve(self, size: int, total: int) -> None:
        """Count *size* further bytes of a body that has *total* by now. Raises `RequestError` 503."""
        if total > SMALL and self._held + size > MAX_LARGE_BODIES * self._largest:
            raise RequestError(503, "too many large bodies at once; send it again")
        self._held += size

    async def _discard(self, parts: AsyncIterator[bytes]) -> None:
        """Read and discard the rest of a body that is too long, so that the client reads the answer."""
        size = 0
        with suppress(TimeoutError):
            async with asyncio.timeout(MAX_DISCARD_SECONDS):
                async for part in parts:
                    size += len(part)
                    if size > MAX_DISCARDED_BODIES * self._largest:
                        return

    def _cancel_late(self) -> None:
        self._loop.call_later(CHECK_INTERVAL, self._cancel_late)
        until = self._loop.time() - self._seconds
        for task, since in self._since.items():
            if since < until and task not in self._late:
                self._late.add(task)
                task.cancel()


async def _parts(proto: Any) -> AsyncIterator[bytes]:
    """The parts of a body. granian's own iterator can be used in one loop only."""
    async for part in proto:
        yield part

"""A request's body: whole, within a limit and a time, or a reason why not.

No client holds a thread while it sends, and what all of them send at once is bounded.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

from serve.scoring.validation import RequestError

#: Bodies of the largest size that may be held at once; those up to `SMALL` bytes are always taken.
AT_ONCE, SMALL = 8, 64 * 2**10
#: A client that sends too much is listened to for so many bodies of the largest size, and seconds: it
#: would take a connection that is closed while it sends for a failure, and not read the answer.
HEARD, LINGER = 8, 2.0
#: Seconds between two looks for bodies that take too long.
SWEEP = 0.25


class Bodies:
    """Reads bodies of at most *largest* bytes, each within *seconds*."""

    def __init__(self, largest: int, seconds: float) -> None:
        self._largest, self._seconds, self._held = largest, seconds, 0
        self._since: dict[asyncio.Task[Any], float] = {}
        self._late = set[asyncio.Task[Any]]()

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Look for what takes too long from now on, on *loop*."""
        self._loop = loop
        self._sweep()

    async def read(self, headers: Any, proto: Any) -> tuple[bytes, int]:
        """The body, and its length: more than the largest if it is too long, and was not kept.

        What is returned counts as held until it is freed. Raises `RequestError`, and granian's
        `ProtocolClosed` where the client hung up.
        """
        declared, coding = headers.get("content-length"), headers.get("transfer-encoding")
        if coding is not None and coding.lower() != "chunked":
            raise RequestError(501, "the only transfer encoding that is read is chunked")
        if declared is None and coding is None:
            return b"", 0
        length = 0 if declared is None else int(declared)
        if length > self._largest:
            await self._listen(_parts(proto))
            return b"", length
        self._hold(length, length)
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
            words = f"the body was not there within {self._seconds:g} s"
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
        """Its request was answered."""
        self._held -= len(body)

    async def _in_chunks(self, proto: Any) -> bytes:
        """The body, whose length is known at its end only; a little more than the largest at most."""
        body, ends, parts = bytearray(), 0, _parts(proto)
        try:
            async for part in parts:
                # granian gives an empty part at the end, and another for trailers or an error.
                ends += not part
                self._hold(len(part), len(body) + len(part))
                body += part
                if len(body) > self._largest:
                    await self._listen(parts)
                    return bytes(body)
            if ends != 1:
                words = "the body ended early, or has trailers, which are not read"
                raise RequestError(400, words)
        except BaseException:
            self.free(bytes(body))
            raise
        return bytes(body)

    def _hold(self, size: int, total: int) -> None:
        """Count *size* bytes as held, of a body that has *total* by now; small ones are always taken."""
        if total > SMALL and self._held + size > AT_ONCE * self._largest:
            raise RequestError(503, "too many large bodies at once; send it again")
        self._held += size

    async def _listen(self, parts: AsyncIterator[bytes]) -> None:
        """Let a client finish that sends too much, so that it reads why."""
        size = 0
        with suppress(TimeoutError):
            async with asyncio.timeout(LINGER):
                async for part in parts:
                    size += len(part)
                    if size > HEARD * self._largest:
                        return

    def _sweep(self) -> None:
        self._loop.call_later(SWEEP, self._sweep)
        until = self._loop.time() - self._seconds
        for task, since in self._since.items():
            if since < until and task not in self._late:
                self._late.add(task)
                task.cancel()


async def _parts(proto: Any) -> AsyncIterator[bytes]:
    """What comes of a body; granian's own iterator is of use to one loop only."""
    async for part in proto:
        yield part

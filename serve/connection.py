"""One HTTP/1.1 connection (RFC 9112): bytes become requests, and answers go out in their order.

llhttp reads (through httptools), asyncio waits: no connection holds a thread, however slow its
client is. What is not HTTP, or could be read in two ways, is refused and the connection closed.
"""

from __future__ import annotations

import asyncio
import traceback
from collections import deque
from contextlib import suppress
from enum import Enum
from time import monotonic
from typing import TYPE_CHECKING

import httptools

from serve.request import NOT_HTTP, Request
from serve.scoring import RequestError

if TYPE_CHECKING:
    from serve.front import Front

#: Bytes of a request's line and headers; headers; requests sent ahead while one is answered.
LARGEST_HEAD, MOST_HEADERS, MOST_AHEAD = 32 * 2**10, 200, 1000
#: Bytes that asyncio receives at once.
AT_ONCE = 256 * 2**10
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Awaited(Enum):
    """What a connection waits for: not for ever, as the front says."""

    REQUEST = "another request"
    HEAD = "the head of a request"
    BODY = "the body of a request"
    ANSWER = "our own answer"
    READER = "a client that reads its answers"
    END = "a client that hangs up"


_NONE = Request()


class Connection(asyncio.Protocol):
    """Between one client and the *front*."""

    transport: asyncio.Transport

    def __init__(self, front: Front) -> None:
        self._front, self._parser = front, httptools.HttpRequestParser(self)
        self._request = _NONE
        self._ahead: deque[Request | RequestError | bytes] = deque()
        self._reads, self.since = Awaited.HEAD, monotonic()
        self._received = self._head = self._headers = 0
        self._busy = self._full = self._deaf = self._ending = False

    @property
    def awaits(self) -> Awaited:
        """What it waits for, since `since`."""
        if self._busy:
            return Awaited.ANSWER
        if self._full or self.transport.get_write_buffer_size():
            return Awaited.READER  # also of what is closed: it stays until all of it is sent
        return Awaited.END if self._ending else self._reads

    @property
    def is_idle(self) -> bool:
        """Whether nothing is under way: nothing ever came, or nothing of the next request."""
        awaits = self.awaits
        return awaits is Awaited.REQUEST or (awaits is Awaited.HEAD and self._request is _NONE)

    # What asyncio tells.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Somebody called."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 -- for the type
        self.transport = transport
        self._front.opened(self)

    def connection_lost(self, _: Exception | None) -> None:
        """They hung up, or we did."""
        self._deaf = True
        for request in (self._request, *self._ahead):
            if isinstance(request, Request):
                self._front.release(request)
        self._ahead.clear()
        self._front.closed(self)
        del self._parser  # it knows this connection, and this connection knows it

    def data_received(self, data: bytes) -> None:
        """Some bytes; those behind a refusal are read for nothing, lest a reset overtakes it."""
        if self._deaf:
            return
        self._received = len(data)
        self._head += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            pass  # answered as if it had not been asked for
        except httptools.HttpParserCallbackError:  # it is ours: a bug, not what was sent
            traceback.print_exc()
            self.transport.abort()
        except httptools.HttpParserError:
            if not self._deaf:
                self.refuse(RequestError(400, NOT_HTTP))
        if self._head > LARGEST_HEAD + AT_ONCE and not self._deaf:
            self._too_long()
        if self._ahead:
            self._pause()  # what was sent ahead is answered first

    def eof_received(self) -> bool:
        """They have asked all; what they asked is still answered."""
        self._deaf = True
        return self._busy or bool(self._ahead)

    def pause_writing(self) -> None:
        """The client asks faster than it reads."""
        self._full, self.since = True, monotonic()
        self._pause()

    def resume_writing(self) -> None:
        """It reads on."""
        self._full = False
        self._go_on()

    # What llhttp tells, in this order.

    def on_message_begin(self) -> None:
        """A request begins."""
        if not self._deaf:
            # At most so much of it came: something else may be before it in what was received.
            self._request, self._head, self._headers = Request(), self._received, 0
            self._reads, self.since = Awaited.HEAD, monotonic()

    def on_url(self, part: bytes) -> None:
        """Its target."""
        if not self._deaf:
            self._request.method = self._parser.get_method()  # a refusal of HEAD has no body
            self._request.target += part

    def on_header(self, name: bytes, value: bytes) -> None:
        """One of its headers; or of its trailers, which say nothing to us."""
        if self._reads is not Awaited.HEAD or self._deaf:
            return
        self._headers += 1
        if self._headers > MOST_HEADERS:
            self.refuse(RequestError(431, f"the head has more than {MOST_HEADERS} headers"))
        else:
            headers, name = self._request.headers, name.lower()
            headers[name] = headers[name] + b"," + value if name in headers else value

    def on_headers_complete(self) -> None:
        """Its head is there."""
        if self._deaf:
            return
        request, headers = self._request, self._request.headers
        request.version = self._parser.get_http_version()
        if self._head > LARGEST_HEAD:  # then it is worth counting
            lengths = (len(name) + len(value) + 4 for name, value in headers.items())
            if sum(lengths, len(request.target)) > LARGEST_HEAD:
                self._too_long()
                return
        if problem := request.problem():
            self.refuse(problem)
            return
        self._reads, self.since = Awaited.BODY, monotonic()
        if length := headers.get(b"content-length"):
            request.size = int(length)
        if request.size > self._front.most:
            self._complete(whole=False)  # it is refused for its length
        elif self._hold(request.size) and b"expect" in headers and request.version == "1.1":
            if self._busy or self._ahead:
                self._ahead.append(CONTINUE)
            else:
                self.transport.write(CONTINUE)

    def on_body(self, part: bytes) -> None:
        """Some of its body."""
        if self._deaf:
            return
        self._head = self._received  # what comes without a body is counted: trailers, say
        request = self._request
        request.take(part)
        if b"transfer-encoding" in request.headers:
            request.size += len(part)
            if request.size > self._front.most:
                self._complete(whole=False)
            else:
                self._hold(len(part))

    def on_message_complete(self) -> None:
        """All of it is there."""
        if not self._deaf:
            self._complete(whole=True)

    # What becomes of it.

    def tell(self, request: Request, answer: bytes) -> None:
        """Send the *answer* to *request*, and turn to the next."""
        self._front.release(request)
        self._busy = False
        if self.transport.is_closing():
            return
        self.transport.write(answer)
        if request.keep:
            self._go_on()
        else:
            self._end()

    def refuse(self, error: RequestError) -> None:
        """Say what is wrong, behind the answers that are due, and hang up."""
        self._deaf = True
        if self._busy or self._ahead:
            self._ahead.append(error)
        else:
            self.transport.write(self._front.refusal(error, self._request))
            self._end()

    def give_up(self, seconds: float) -> None:
        """It was waited for *seconds*, and that is enough."""
        awaits = self.awaits
        if self.is_idle:
            self.transport.close()
        elif awaits in (Awaited.HEAD, Awaited.BODY):
            what = "head" if awaits is Awaited.HEAD else "body"
            self.refuse(RequestError(408, f"the {what} was not there within {seconds:g} s"))
        else:
            self.transport.abort()

    def _complete(self, *, whole: bool) -> None:
        request, parser = self._request, self._parser
        self._request, self._reads, self.since = _NONE, Awaited.REQUEST, monotonic()
        request.keep = (
            whole
            and parser.should_keep_alive()
            and not (parser.should_upgrade() or self._front.ending)
        )
        self._deaf = not request.keep
        if not (self._busy or self._full or self._ahead):
            self._begin(request)
        elif len(self._ahead) < MOST_AHEAD:
            self._ahead.append(request)
        else:
            self.transport.abort()

    def _begin(self, request: Request) -> None:
        self._busy = True
        self._front.ask(self, request)

    def _go_on(self) -> None:
        """With what was sent ahead, else with what comes."""
        if self._busy or self._full or self._ending:
            return
        self.since = monotonic()
        if self._ahead:
            # Not from here: a long line of requests would be a deep recursion.
            self._front.loop.call_soon(self._next)
        elif self._deaf:
            self.transport.close()  # they had asked all
        else:
            self.transport.resume_reading()

    def _next(self) -> None:
        if self._ahead and not (self._busy or self._full or self._ending):
            first = self._ahead.popleft()
            if isinstance(first, Request):
                self._begin(first)
            elif isinstance(first, bytes):
                self.transport.write(first)
                self._go_on()
            else:
                self.refuse(first)

    def _pause(self) -> None:
        """Take no more until what was asked is answered, and read."""
        if not self.transport.is_closing():
            self.transport.pause_reading()

    def _hold(self, size: int) -> bool:
        """Count *size* bytes more in memory; False, and a refusal, if there are too many."""
        if self._front.hold(self._request, size):
            return True
        self.refuse(RequestError(503, "too many large requests at once; send it again"))
        return False

    def _too_long(self) -> None:
        self.refuse(RequestError(431, f"the head is longer than {LARGEST_HEAD:,} bytes"))

    def _end(self) -> None:
        """Hang up, but read on for a moment: what is unread would reset what was told."""
        self._deaf = self._ending = True
        self.since = monotonic()
        if not self.transport.is_closing():
            with suppress(OSError):  # it was reset since
                self.transport.write_eof()
            self.transport.resume_reading()

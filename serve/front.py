"""Between connections and the application: who answers what, and what is too much or too slow.

A plain `POST /score` is answered on the event loop by the short cut, for that takes microseconds;
everything else is the WSGI application's, in one of a few threads. Bodies are held in memory up to
a limit, connections up to a number, and no client is waited for without end.
"""

from __future__ import annotations

import asyncio
import io
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from email.utils import formatdate
from functools import cache
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote_to_bytes

from httptools import HttpParserInvalidURLError, parse_url

from serve.connection import Awaited, Connection
from serve.replies import refusal
from serve.request import NOT_HTTP, Request
from serve.scoring import RequestError
from serve.shortcut import FAILED, LARGEST, ShortCut

#: Bodies of the largest size that may be held at once.
AT_ONCE = 8
#: Requests that are answered together at most: the first of them waits for the last.
TOGETHER = 32
#: Seconds within which a request comes; slower clients make room when connections are short.
SOON = 1.0
#: Seconds for which a client may go on sending when it was told why it is not listened to.
LINGER = 2.0
_PLAIN = {"CONTENT_TYPE": "CONTENT_TYPE", "CONTENT_LENGTH": "CONTENT_LENGTH"}
_NOWHERE = ("", 0)
Application = Callable[..., Iterable[bytes]]


class Front:
    """Answers with *short* what that takes, and with the WSGI application *app* the rest.

    *most* is the largest body in bytes; *patience* says how many seconds a connection may wait for
    what. Not *inline*, nothing is answered on the event loop: every answer waits for the disk.
    """

    loop: asyncio.AbstractEventLoop

    def __init__(
        self,
        app: Application,
        short: ShortCut | None,
        most: int,
        patience: Mapping[Awaited, float],
        *,
        threads: int = 2,
        connections: int = 1000,
        inline: bool = True,
    ) -> None:
        self._app, self._short, self.most, self._inline = app, short, most, inline
        self._patience = {**patience, Awaited.END: LINGER}
        self._most_connections, self._connections = connections, set[Connection]()
        self._pool = ThreadPoolExecutor(threads, "answer")
        self._turn: list[tuple[Connection, Request]] = []
        self._held, self.ending, self._date = 0, False, b""

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Look after the connections from now on, on *loop*."""
        self.loop = loop
        self._sweep()

    async def end(self, seconds: float) -> None:
        """Finish what is under way, within *seconds*; each connection closes behind its answer."""
        self.ending = True
        until = time.monotonic() + seconds
        while self._connections and time.monotonic() < until:
            for one in list(self._connections):
                if one.is_idle:
                    one.transport.close()
            await asyncio.sleep(0.01)
        for one in list(self._connections):
            one.transport.abort()
        self._pool.shutdown(wait=False, cancel_futures=True)

    # What connections tell and ask.

    def opened(self, connection: Connection) -> None:
        """One more; if that is too many, one makes room: idle, else slow; or it goes itself."""
        if len(self._connections) >= self._most_connections:
            here = [one for one in self._connections if not one.transport.is_closing()]
            soon = time.monotonic() - SOON
            spared = [one for one in here if one.is_idle] or [
                one
                for one in here
                if one.awaits in (Awaited.HEAD, Awaited.BODY) and one.since < soon
            ]
            if spared:
                min(spared, key=lambda one: one.since).transport.abort()
            else:
                connection.refuse(RequestError(503, "too many connections; come again"))
        self._connections.add(connection)

    def closed(self, connection: Connection) -> None:
        """One less."""
        self._connections.discard(connection)

    def hold(self, request: Request, size: int) -> bool:
        """Count *size* bytes of *request* as held; False if large requests hold too many."""
        if request.size > LARGEST and self._held + size > AT_ONCE * self.most:
            return False
        self._held += size
        request.held += size
        return True

    def release(self, request: Request) -> None:
        """Nothing of *request* is held any more."""
        self._held -= request.held
        request.held = 0

    def ask(self, connection: Connection, request: Request) -> None:
        """The connection is told the answer to *request* once it is there."""
        plain = self._short is not None and self._short.takes(request)
        if plain and self._inline:
            # What comes in one turn of the loop is answered in the next, together.
            self._turn.append((connection, request))
            if len(self._turn) == 1:
                self.loop.call_soon(self._answer_turn)
            return
        client = connection.transport.get_extra_info("peername")
        server = connection.transport.get_extra_info("sockname")

        def work() -> None:
            found = self._plain([request])[0] if plain else None
            answer = self.answer(request, found, client, server)
            self.loop.call_soon_threadsafe(connection.tell, request, answer)

        self._pool.submit(work)

    def _answer_turn(self) -> None:
        turn, self._turn = self._turn, []
        for start in range(0, len(turn), TOGETHER):
            some = turn[start : start + TOGETHER]
            answers = self._plain([request for _, request in some])
            for (connection, request), found in zip(some, answers, strict=True):
                connection.tell(request, self.answer(request, found))

    def _plain(self, requests: Sequence[Request]) -> Sequence[tuple[bytes, bytes] | Exception]:
        assert self._short is not None  # noqa: S101 -- for the type
        try:
            return self._short.answers(requests)
        except Exception as error:
            return [error] * len(requests)

    def answer(
        self,
        request: Request,
        found: tuple[bytes, bytes] | Exception | None = None,
        client: Any = None,
        server: Any = None,
    ) -> bytes:
        """The whole answer, head and body; *client* and *server* are addresses (host, port, …).

        *found* is what the short cut found, or raised, if it was asked.
        """
        if isinstance(found, tuple):
            return self._spell(request, 200, *found)
        try:
            environ = self._environ(request, client or _NOWHERE, server or _NOWHERE)
            if found:
                # The view raises it again, and Flask's handlers say it: one place for every route.
                environ[FAILED] = found
            return self._asked(request, environ)
        except HttpParserInvalidURLError:
            return self.refusal(RequestError(400, f"{NOT_HTTP}: it asks for no path"), request)
        except Exception:
            traceback.print_exc()
            return self.refusal(RequestError(500, "the scorer failed; its log says why"), request)

    def refusal(self, error: RequestError, request: Request | None = None) -> bytes:
        """The answer that says what is wrong; without a *request*, the last of its connection."""
        told = refusal(error)
        lines = f"Content-Type: {told.kind}\r\n".encode()
        return self._spell(request or Request(), told.status, lines, told.body)

    # How.

    def _asked(self, request: Request, environ: dict[str, Any]) -> bytes:
        """What the application answers (PEP 3333)."""
        told: list[Any] = []
        body = self._app(environ, lambda status, headers, _=None: told.extend((status, headers)))
        try:
            content = b"".join(body)
        finally:
            if close := getattr(body, "close", None):
                close()
        length = len(content)
        lines = []
        for name, value in told[1]:
            if name.lower() == "content-length":
                length = int(value)  # of a HEAD, whose body is left out
            elif name.lower() != "connection":  # the connection is ours
                lines.append(f"{name}: {value}\r\n")
        head = "".join(lines).encode("latin-1")
        if request.method == b"HEAD":
            content = b""
        return self._spell(request, int(told[0][:3]), head, content, length)

    def _spell(
        self, request: Request, status: int, lines: bytes, body: bytes, length: int | None = None
    ) -> bytes:
        if status not in (204, 304):
            lines += b"Content-Length: %d\r\n" % (len(body) if length is None else length)
        if request.method == b"HEAD":
            body = b""
        if not request.keep:
            lines += b"Connection: close\r\n"
        elif request.version == "1.0":
            lines += b"Connection: keep-alive\r\n"
        return b"%b%b%b\r\n%b" % (_line(status), self._date, lines, body)

    def _environ(self, request: Request, client: Any, server: Any) -> dict[str, Any]:
        """The request as WSGI has it (PEP 3333)."""
        target = parse_url(request.target)
        found: dict[str, Any] = {
            "REQUEST_METHOD": request.method.decode("latin-1"),
            "SCRIPT_NAME": "",
            "PATH_INFO": unquote_to_bytes(target.path or b"/").decode("latin-1"),
            "QUERY_STRING": (target.query or b"").decode("latin-1"),
            "SERVER_NAME": server[0],
            "SERVER_PORT": str(server[1]),
            "SERVER_PROTOCOL": f"HTTP/{request.version}",
            "REMOTE_ADDR": client[0],
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(request.body),
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": True,
            "wsgi.run_once": False,
        }
        for name, value in request.headers.items():
            if b"_" not in name:  # a-b and a_b would be one and the same
                known = name.decode("latin-1").upper().replace("-", "_")
                found[_PLAIN.get(known, "HTTP_" + known)] = value.decode("latin-1")
        if found.pop("HTTP_TRANSFER_ENCODING", None):
            found["CONTENT_LENGTH"] = str(request.size)  # it is whole, so it has one
        return found

    def _sweep(self) -> None:
        """Once in a while, end the waits that are too long; dearer if each had its own clock."""
        # First: whatever a connection does, the others are looked after.
        self.loop.call_later(min(1.0, *(each / 4 for each in self._patience.values())), self._sweep)
        now = time.monotonic()
        self._date = f"Date: {formatdate(usegmt=True)}\r\n".encode()
        for one in list(self._connections):
            patience = self._patience.get(one.awaits)
            if patience is not None and now - one.since > patience:
                one.give_up(patience)


@cache
def _line(status: int) -> bytes:
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = ""
    return f"HTTP/1.1 {status} {phrase}\r\n".encode()

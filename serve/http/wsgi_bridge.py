"""Calls the WSGI application (PEP 3333) in a thread, for a request whose whole body was received over RSGI."""

from __future__ import annotations

import asyncio
import io
import os
import socket
import struct
import sys
import traceback
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

from granian.rsgi import ProtocolClosed  # type: ignore[attr-defined]

from serve.http.responses import refusal
from serve.scoring.validation import RequestError

Lines = list[tuple[str, str]]
Application = Callable[..., Iterable[bytes]]
#: Requests that may wait for a thread.
MAX_QUEUED = 1000
#: An answer larger than this stays in memory until its client has read it. The sum of such answers is limited, and
#: a client must read at least so many bytes a second.
LARGE_ANSWER, MAX_UNREAD_BYTES, MIN_READ_RATE = 32 * 2**10, 32 * 2**20, 64 * 2**10
#: Seconds between two checks whether a large answer was read.
CHECK_INTERVAL = 0.2
#: Methods with a separate thread, so that probes and people do not wait behind requests that score rows.
READ_METHODS = ("GET", "HEAD", "OPTIONS")
_PLAIN = {"content-type": "CONTENT_TYPE", "content-length": "CONTENT_LENGTH"}


class Bridge:
    """Calls *app* in a pool of *threads*.

    A client has *seconds*, and the time that its size takes at `MIN_READ_RATE`, to read a large answer.
    """

    def __init__(self, app: Application, threads: int, seconds: float) -> None:
        self._app, self._seconds = app, seconds
        self._answering = ThreadPoolExecutor(threads, "answer")
        self._reading = ThreadPoolExecutor(1, "read")
        self._waiting = self._unread = 0

    async def answer(self, scope: Any, body: bytes, length: int, proto: Any, more: Lines) -> None:
        """Call the application and send its answer, with *more* headers.

        *length* is the length of the request's body, which may be too long and then is not in *body*.
        Raises `RequestError` 503 when too many requests wait.
        """
        environ = environ_of(scope, body, length)
        pool = self._reading if scope.method in READ_METHODS else self._answering
        if self._waiting >= MAX_QUEUED:
            raise RequestError(503, "too many requests wait; send it again")
        self._waiting += 1
        try:
            loop = asyncio.get_running_loop()
            status, lines, content = await loop.run_in_executor(pool, self._call, environ)
        finally:
            self._waiting -= 1
        lines += more
        if len(content) <= LARGE_ANSWER:
            proto.response_bytes(status, lines, content)
        else:
            await self._send(scope.client, proto, status, lines, content)

    def close(self) -> None:
        """Refuse further requests."""
        for pool in (self._answering, self._reading):
            pool.shutdown(wait=False, cancel_futures=True)

    def _call(self, environ: dict[str, Any]) -> tuple[int, Lines, bytes]:
        started: list[Any] = []
        try:
            body = self._app(environ, lambda status, lines, _=None: started.extend((status, lines)))
            try:
                content = b"".join(body)
            finally:
                if close := getattr(body, "close", None):
                    close()
        except Exception:
            traceback.print_exc()
            found = refusal(RequestError(500, "the scorer failed; the reason is in its log"))
            return found.status, [("content-type", found.kind)], found.body
        return int(started[0][:3]), list(started[1]), content

    async def _send(self, client: str, proto: Any, status: int, lines: Lines, content: bytes) -> None:
        """Send a large answer and wait until its client has read it, since it stays in memory until then."""
        if self._unread + len(content) > MAX_UNREAD_BYTES:
            raise RequestError(503, "too many large answers are not read yet; send it again")
        self._unread += len(content)
        loop = asyncio.get_running_loop()
        until = loop.time() + self._seconds + len(content) / MIN_READ_RATE
        try:
            lines = [pair for pair in lines if pair[0].lower() != "content-length"]
            transport = proto.response_stream(status, [*lines, ("content-length", str(len(content)))])
            await transport.send_bytes(content)
            # granian accepts all bytes at once, however slowly the client reads; it raises an error for further
            # bytes as soon as the whole answer was sent.
            while loop.time() < until:
                await asyncio.sleep(CHECK_INTERVAL)
                await transport.send_bytes(b"")
            await loop.run_in_executor(self._reading, reset_connection, client)
        except ProtocolClosed:
            pass
        finally:
            self._unread -= len(content)


def environ_of(scope: Any, body: bytes, length: int) -> dict[str, Any]:
    """The request as a WSGI environment. Raises `RequestError` for a request that two servers could read differently."""
    hosts = [value for name, value in scope.headers.items() if name == "host"]
    if len(hosts) > 1 or (not hosts and scope.http_version == "1.1"):
        raise RequestError(400, f"the request has {len(hosts)} headers Host; expected one")
    if not scope.path.startswith("/") and scope.path != "*":
        raise RequestError(400, "the request asks for no path")
    host, _, port = scope.server.rpartition(":")
    found: dict[str, Any] = {
        "REQUEST_METHOD": scope.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": scope.path.encode().decode("latin-1"),
        "QUERY_STRING": scope.query_string,
        "SERVER_NAME": host,
        "SERVER_PORT": port,
        "SERVER_PROTOCOL": f"HTTP/{scope.http_version}",
        "REMOTE_ADDR": scope.client.rpartition(":")[0],
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for name, value in scope.headers.items():
        if "_" in name or name in ("content-length", "transfer-encoding"):
            continue  # a-b and a_b would have the same key; the body is complete
        key = _PLAIN.get(name) or "HTTP_" + name.upper().replace("-", "_")
        found[key] = f"{found[key]},{value}" if key in found else value
    if length or "content-length" in scope.headers:
        found["CONTENT_LENGTH"] = str(length)
    return found


def reset_connection(client: str) -> None:
    """Reset the connection from *client* (`address:port`), which granian's interface does not offer."""
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(OSError), socket.socket(fileno=os.dup(int(descriptor.name))) as found:
            if found.family in (socket.AF_INET, socket.AF_INET6):
                host, port = found.getpeername()[:2]
                if f"{host}:{port}" == client:
                    # A reset and not a close: the kernel would keep the socket for the bytes that wait.
                    found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    found.shutdown(socket.SHUT_RDWR)

"""From RSGI to the WSGI application: a request whose body is here, answered in a thread (PEP 3333)."""

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
MOST_WAITING = 1000
#: A larger answer may stay in memory for as long as its client does not read it: they are counted, up
#: to so many bytes, and read at so many bytes a second.
LARGE, MOST_UNREAD, SLOWEST = 32 * 2**10, 32 * 2**20, 64 * 2**10
#: Seconds between two looks whether it was read.
LOOK_EVERY = 0.2
#: Methods whose answers wait for no other method's: those that orchestrators and people use.
READS = ("GET", "HEAD", "OPTIONS")
_PLAIN = {"content-type": "CONTENT_TYPE", "content-length": "CONTENT_LENGTH"}


class Bridge:
    """Asks *app* in one of so many *threads*; a client has *seconds* to begin to read a large answer."""

    def __init__(self, app: Application, threads: int, seconds: float) -> None:
        self._app, self._seconds = app, seconds
        self._answering = ThreadPoolExecutor(threads, "answer")
        self._reading = ThreadPoolExecutor(1, "read")
        self._waiting = self._unread = 0

    async def answer(self, scope: Any, body: bytes, length: int, proto: Any, more: Lines) -> None:
        """Ask the application, and send what it answers, with *more* headers.

        *length* is the body's, also of one that is too long and is not here.
        """
        environ = environ_of(scope, body, length)
        pool = self._reading if scope.method in READS else self._answering
        if self._waiting >= MOST_WAITING:
            raise RequestError(503, "too many requests wait; send it again")
        self._waiting += 1
        try:
            loop = asyncio.get_running_loop()
            status, lines, content = await loop.run_in_executor(pool, self._ask, environ)
        finally:
            self._waiting -= 1
        lines += more
        if len(content) <= LARGE:
            proto.response_bytes(status, lines, content)
        else:
            await self._send(scope.client, proto, status, lines, content)

    def close(self) -> None:
        """Take no more requests."""
        for pool in (self._answering, self._reading):
            pool.shutdown(wait=False, cancel_futures=True)

    def _ask(self, environ: dict[str, Any]) -> tuple[int, Lines, bytes]:
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
            found = refusal(RequestError(500, "the scorer failed; its log says why"))
            return found.status, [("content-type", found.kind)], found.body
        return int(started[0][:3]), list(started[1]), content

    async def _send(self, client: str, proto: Any, status: int, lines: Lines, content: bytes) -> None:
        """Send a large answer, and wait until its client has read it; for so long it is in memory."""
        if self._unread + len(content) > MOST_UNREAD:
            raise RequestError(503, "too many large answers are not read yet; send it again")
        self._unread += len(content)
        loop = asyncio.get_running_loop()
        until = loop.time() + self._seconds + len(content) / SLOWEST
        try:
            lines = [pair for pair in lines if pair[0].lower() != "content-length"]
            transport = proto.response_stream(status, [*lines, ("content-length", str(len(content)))])
            await transport.send_bytes(content)
            # granian takes what is sent at once, whatever the client reads, and refuses more
            # once the whole answer left.
            while loop.time() < until:
                await asyncio.sleep(LOOK_EVERY)
                await transport.send_bytes(b"")
            await loop.run_in_executor(self._reading, hang_up, client)
        except ProtocolClosed:
            pass
        finally:
            self._unread -= len(content)


def environ_of(scope: Any, body: bytes, length: int) -> dict[str, Any]:
    """The request as WSGI has it. Raises `RequestError` where it can be read in two ways."""
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
            continue  # a-b and a_b would be one and the same; the body is whole
        key = _PLAIN.get(name) or "HTTP_" + name.upper().replace("-", "_")
        found[key] = f"{found[key]},{value}" if key in found else value
    if length or "content-length" in scope.headers:
        found["CONTENT_LENGTH"] = str(length)
    return found


def hang_up(client: str) -> None:
    """End the connection from *client* (`address:port`), for which granian has no call."""
    for found_at in Path("/proc/self/fd").iterdir():
        with suppress(OSError), socket.socket(fileno=os.dup(int(found_at.name))) as found:
            if found.family in (socket.AF_INET, socket.AF_INET6):
                host, port = found.getpeername()[:2]
                if f"{host}:{port}" == client:
                    # Reset it: what waits to be sent would keep the socket.
                    found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    found.shutdown(socket.SHUT_RDWR)

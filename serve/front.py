"""In front of the WSGI application: waits for requests' bodies without a thread each.

Under granian's WSGI interface a client that sends its body slowly holds a thread, and a few of them
hold all. Its RSGI interface hands a request over when its head is there; here its body is waited
for on the event loop, not longer than *patience*, and only then the application is called: a small
`POST /score` at once, for that takes microseconds, everything else in a thread of its own.
"""

from __future__ import annotations

import asyncio
import io
import sys
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from serve.replies import refusal
from serve.scoring import RequestError
from serve.shortcut import LARGEST

#: Bodies of the largest size that may be held at once.
AT_ONCE = 8
_PLAIN = {"content-type": "CONTENT_TYPE", "content-length": "CONTENT_LENGTH"}
Application = Callable[..., Iterable[bytes]]


class Front:
    """A RSGI application that answers with the WSGI application *app*.

    Not *inline*, nothing is answered on the event loop: every answer waits for the disk.
    """

    def __init__(
        self, app: Application, most: int, patience: float, threads: int, *, inline: bool = True
    ) -> None:
        self._app, self._most, self._patience = app, most, patience
        self._inline = LARGEST if inline else -1
        self._pool = ThreadPoolExecutor(threads, "answer")
        self._waiting: dict[asyncio.Task[Any], float] = {}
        self._held = 0
        self._names: dict[str, str] = dict(_PLAIN)

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._sweep(loop)

    async def __rsgi__(self, scope: Any, proto: Any) -> None:
        environ = self._environ(scope)
        length = environ.get("CONTENT_LENGTH")
        size = int(length) if length and length.isdecimal() else 0
        if size > LARGEST and self._held + size > AT_ONCE * self._most:
            _say(proto, RequestError(503, "too many large requests at once; send it again"))
            return
        self._held += size
        try:
            body = await self._body(environ, proto, size)
            if body is None:
                return
            environ["wsgi.input"] = io.BytesIO(body)
            if scope.path == "/score" and size <= self._inline:
                told = self._answer(environ)
            else:
                loop = asyncio.get_running_loop()
                told = await loop.run_in_executor(self._pool, self._answer, environ)
        finally:
            self._held -= size
        proto.response_bytes(*told)

    async def _body(self, environ: dict[str, Any], proto: Any, size: int) -> bytes | None:
        """The body; None when the client was too slow, which is said."""
        if size > self._most or not (size or "HTTP_TRANSFER_ENCODING" in environ):
            return b""  # too large to be read: the application refuses it by its length
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 -- for the type: a coroutine runs in one
        self._waiting[task] = time.monotonic()
        try:
            return await self._read(environ, proto, size)
        except asyncio.CancelledError:
            if task in self._waiting:
                raise
            task.uncancel()
            _say(proto, RequestError(408, f"the body was not there within {self._patience:g} s"))
            return None
        finally:
            self._waiting.pop(task, None)

    async def _read(self, environ: dict[str, Any], proto: Any, size: int) -> bytes:
        if size:
            found: bytes = await proto()
            return found
        # Without a length: as much as is taken, and one byte that makes it too much.
        parts, total = [], 0
        async for part in proto:
            parts.append(part)
            total += len(part)
            if total > self._most:
                break
        del environ["HTTP_TRANSFER_ENCODING"]
        environ["CONTENT_LENGTH"] = str(total)
        return b"".join(parts)

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        """Once in a while, end the waits that are too long; dearer when each has its own clock."""
        late = time.monotonic() - self._patience
        for task, since in list(self._waiting.items()):
            if since < late:
                del self._waiting[task]
                task.cancel()
        loop.call_later(min(1.0, self._patience / 4), self._sweep, loop)

    def _answer(self, environ: dict[str, Any]) -> tuple[int, list[tuple[str, str]], bytes]:
        told: list[Any] = []
        body = self._app(environ, lambda status, headers, _=None: told.extend((status, headers)))
        try:
            content = b"".join(body)
        finally:
            if close := getattr(body, "close", None):
                close()
        return int(told[0][:3]), told[1], content

    def _environ(self, scope: Any) -> dict[str, Any]:
        """The request as WSGI has it (PEP 3333)."""
        host, _, port = scope.server.rpartition(":")
        path = scope.path  # granian took the percents out
        if not path.isascii():
            path = path.encode("utf-8", "replace").decode("latin-1")
        found: dict[str, Any] = {
            "REQUEST_METHOD": scope.method,
            "SCRIPT_NAME": "",
            "PATH_INFO": path,
            "QUERY_STRING": scope.query_string,
            "SERVER_NAME": host,
            "SERVER_PORT": port,
            "SERVER_PROTOCOL": f"HTTP/{scope.http_version}",
            "REMOTE_ADDR": scope.client.rpartition(":")[0],
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": scope.scheme,
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": True,
            "wsgi.run_once": False,
        }
        names = self._names
        for name, value in scope.headers.items():
            known = names.get(name)
            if known is None:
                known = "HTTP_" + name.upper().replace("-", "_")
                if len(names) < 1000:
                    names[name] = known
            found[known] = f"{found[known]},{value}" if known in found else value
        return found


def _say(proto: Any, error: RequestError) -> None:
    told = refusal(error)
    proto.response_bytes(
        told.status, [("Content-Type", told.kind), ("Connection", "close")], told.body
    )

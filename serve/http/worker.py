"""A worker process: the application, created after the fork, behind granian's RSGI interface.

https://github.com/emmett-framework/granian/blob/master/docs/spec/RSGI.md
"""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import os
import time
import traceback
from dataclasses import dataclass
from typing import Any

from granian.rsgi import ProtocolClosed  # type: ignore[attr-defined]

from serve.app import create_app
from serve.http.hot_path import HotPath
from serve.http.request_body import Bodies
from serve.http.responses import JSON, refusal, spell
from serve.http.wsgi_bridge import Bridge
from serve.journal.service_counts import SCORING_ROUTES
from serve.scoring.validation import RequestError
from serve.settings import Settings
from serve.traffic.shadow import Offers

#: Seconds between two heartbeats.
HEARTBEAT_INTERVAL = 0.25
HEALTHY = spell({"ok": True})
CLOSE = [("connection", "close")]
_fork = multiprocessing.get_context("fork")


@dataclass(frozen=True)
class Shared:
    """State that the supervisor and its workers share, in shared memory."""

    #: The time of each worker's last heartbeat (`time.monotonic`); 0 until it is ready.
    alive: Any
    #: 1 after the first SIGTERM.
    stopping: Any

    @classmethod
    def of(cls, workers: int) -> Shared:
        """The state for a number of *workers*."""
        return cls(_fork.RawArray("d", workers), _fork.RawValue("b", 0))


class Worker:
    """The RSGI application of worker *number*; its process ends when the process *parent* does."""

    def __init__(self, settings: Settings, shared: Shared, offers: Offers, parent: int, number: int) -> None:
        # Ctrl-C in a terminal goes to the supervisor alone, which decides when the workers stop.
        os.setpgid(0, 0)
        self._shared, self._parent, self._number = shared, parent, number
        app = create_app(
            settings.store,
            settings.journal,
            settings=settings,
            follow_every=settings.follow_every,
            stopping=lambda: bool(shared.stopping.value),
            offers=offers,
        )
        self._scorer = app.extensions["tidegate"]
        self._access = app.extensions["tidegate.access"]
        self._bodies = Bodies(settings.largest_body, settings.body_timeout)
        self._bridge = Bridge(app.wsgi_app, settings.threads, settings.body_timeout)
        self._hot: HotPath | None = None
        if settings.journal_fsync == "off":  # otherwise each answer waits for the disk, in a thread
            self._hot = HotPath(self._scorer, self._access)

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Called before the event loop runs."""
        # Objects that exist now live as long as the process: the garbage collector need not visit them.
        gc.collect()
        gc.freeze()
        # A request creates many objects and few cycles: the default of 700 costs a tenth of the CPU time.
        gc.set_threshold(20_000, 20, 20)
        self._loop = loop
        loop.call_soon(self._send_heartbeat)
        loop.call_soon(self._bodies.start, loop)

    def __rsgi_del__(self, _: asyncio.AbstractEventLoop) -> None:
        """Called after the last request was answered."""
        self._bridge.close()
        self._scorer.close()

    async def __rsgi__(self, scope: Any, proto: Any) -> None:
        """Answer a request."""
        more = CLOSE if self._shared.stopping.value else []
        try:
            if scope.path == "/health" and scope.method in ("GET", "HEAD"):
                # A liveness probe never waits for a thread.
                proto.response_bytes(200, [("content-type", JSON), *more], HEALTHY)
                self._count("/health", 200)
                return
            body, length = await self._bodies.read(scope.headers, proto)
            try:
                hot = self._hot if scope.path == "/score" and scope.method == "POST" else None
                if hot and (answer := await hot.answer(scope.headers, body)):
                    lines, content = answer
                    proto.response_bytes(200, [*lines, *more] if more else lines, content)
                    return
                await self._bridge.answer(scope, body, length, proto, more)
            finally:
                self._bodies.free(body)
        except RequestError as error:
            self._count(scope.path if scope.path in SCORING_ROUTES else "none", error.status)
            said = refusal(error)
            lines = [("content-type", said.kind), *CLOSE]
            lines += self._access.headers(scope.headers.get("origin", ""))
            if error.status == 503:
                lines.append(("retry-after", "1"))
            proto.response_bytes(said.status, lines, said.body)
        except ProtocolClosed:
            pass  # the client hung up
        except Exception:
            traceback.print_exc()
            raise

    def _count(self, route: str, status: int) -> None:
        if self._scorer.metrics:
            self._scorer.metrics.request(route, status)

    def _send_heartbeat(self) -> None:
        """Record a heartbeat, or exit if the supervisor was killed: the port would stay in use."""
        if os.getppid() != self._parent:
            os._exit(1)
        self._shared.alive[self._number] = time.monotonic()
        self._loop.call_later(HEARTBEAT_INTERVAL, self._send_heartbeat)

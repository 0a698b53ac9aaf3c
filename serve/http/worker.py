"""A worker: the application, made after the fork, behind granian's RSGI interface.

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
from serve.journal.service_counts import ASKED
from serve.scoring.validation import RequestError
from serve.settings import Settings
from serve.traffic.shadow import Offers

#: Seconds between two signs of life.
BEAT = 0.25
WELL = spell({"ok": True})
CLOSE = [("connection", "close")]
_fork = multiprocessing.get_context("fork")


@dataclass(frozen=True)
class Shared:
    """What the parent and its workers know of each other, in shared memory."""

    #: For each worker, when it last moved (`time.monotonic`); 0 until it answers.
    alive: Any
    #: 1 from the first SIGTERM on.
    stopping: Any

    @classmethod
    def of(cls, workers: int) -> Shared:
        """For so many *workers*."""
        return cls(_fork.RawArray("d", workers), _fork.RawValue("b", 0))


class Worker:
    """What granian calls in the process of worker *number*; it ends when the process *parent* does."""

    def __init__(self, settings: Settings, shared: Shared, offers: Offers, parent: int, number: int) -> None:
        # A terminal's Ctrl-C is the parent's alone, which says when the workers stop.
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
        if settings.journal_fsync == "off":  # else each answer waits for the disk, in a thread
            self._hot = HotPath(self._scorer, self._access)

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """The loop is about to run."""
        # What exists now exists until the end: the collector need not look at it again.
        gc.collect()
        gc.freeze()
        # A request makes few cycles and many objects: the usual 700 cost a tenth of the processor time.
        gc.set_threshold(20_000, 20, 20)
        self._loop = loop
        loop.call_soon(self._beat)
        loop.call_soon(self._bodies.start, loop)

    def __rsgi_del__(self, _: asyncio.AbstractEventLoop) -> None:
        """The last request was answered."""
        self._bridge.close()
        self._scorer.close()

    async def __rsgi__(self, scope: Any, proto: Any) -> None:
        """Answer a request."""
        more = CLOSE if self._shared.stopping.value else []
        try:
            if scope.path == "/health" and scope.method in ("GET", "HEAD"):
                # Whoever asks whether the process is up waits for no thread.
                proto.response_bytes(200, [("content-type", JSON), *more], WELL)
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
            self._count(scope.path if scope.path in ASKED else "none", error.status)
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

    def _beat(self) -> None:
        """A sign of life; none for a parent that was killed: its workers would keep the port."""
        if os.getppid() != self._parent:
            os._exit(1)
        self._shared.alive[self._number] = time.monotonic()
        self._loop.call_later(BEAT, self._beat)

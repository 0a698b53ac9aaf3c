"""A worker's process: the application, made after the fork, and the loop that waits for clients."""

from __future__ import annotations

import asyncio
import gc
import os
import resource
import signal
import socket
import sys
import threading
from contextlib import suppress

from serve.app import create_app
from serve.connection import Awaited, Connection
from serve.front import Front
from serve.scorer import Scorer
from serve.settings import Settings
from serve.shadow import Offers
from serve.shortcut import ShortCut
from serve.supervisor import READY

#: Connections that wait to be accepted.
QUEUE = 1024
LOOK_EVERY = 0.5
#: Seconds within which a second SIGTERM is the first: to a group, which the parent hands on.
SAME = 0.5
#: File descriptors for all that is no connection: files, sockets that wait to be refused.
OTHERS = 100


class _Listener(socket.socket):
    """Asyncio would have as many wait as it takes at once, at every start of a worker."""

    def listen(self, _: int = QUEUE) -> None:  # type: ignore[override]
        """Let `QUEUE` wait, whatever is asked."""
        super().listen(QUEUE)


def work(settings: Settings, listener: socket.socket, offers: socket.socket, parent: int) -> None:
    """Answer those who call *listener*, until SIGTERM; then finish what is under way.

    It ends when the process *parent* does, which is told when it answers. *offers* takes what a
    shadow is to score.
    """
    stopping = threading.Event()
    front, scorer = application(settings, stopping, Offers(offers))
    asyncio.run(_serve(settings, listener, parent, front, stopping))
    scorer.close()


def application(
    settings: Settings, stopping: threading.Event, offers: Offers
) -> tuple[Front, Scorer]:
    """What answers; not ready while *stopping* is set. A session's threads do not survive a fork."""
    app = create_app(
        settings.store,
        settings.journal,
        settings=settings,
        follow_every=settings.follow_every,
        stopping=stopping.is_set,
        offers=offers,
    )
    # What stands now stands until the end: the collector need not look at it again and again.
    gc.collect()
    gc.freeze()
    short: ShortCut = app.extensions["tidegate.shortcut"]
    front = Front(
        app.wsgi_app,
        short,
        settings.largest_body,
        {
            Awaited.REQUEST: settings.keep_alive,
            Awaited.HEAD: settings.header_timeout,
            Awaited.BODY: settings.body_timeout,
            Awaited.READER: settings.body_timeout,
        },
        threads=settings.threads,
        connections=room(settings.connections),
        inline=settings.journal_fsync == "off",
    )
    return front, app.extensions["tidegate"]


def room(connections: int) -> int:
    """As many *connections* as there are file descriptors for; their soft limit is raised."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + OTHERS
    if resource.RLIM_INFINITY != soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        if soft < wanted:
            connections = max(1, soft - OTHERS)
            print(
                f"warning: the limit of open files (ulimit -Hn) is {hard:,}: of --connections"
                f" {wanted - OTHERS:,} there are {connections:,}",
                file=sys.stderr,
                flush=True,
            )
    return connections


async def _serve(
    settings: Settings,
    listener: socket.socket,
    parent: int,
    front: Front,
    stopping: threading.Event,
) -> None:
    loop, hurry = asyncio.get_running_loop(), asyncio.Event()
    told: asyncio.Future[float] = loop.create_future()

    def stop() -> None:
        if not told.done():
            told.set_result(loop.time())
        elif loop.time() - told.result() > SAME:
            hurry.set()

    loop.add_signal_handler(signal.SIGTERM, stop)
    front.start(loop)
    # One connection at a time, that the other workers get theirs; asyncio takes *backlog* at once.
    shared = _Listener(fileno=listener.detach())
    server = await loop.create_server(lambda: Connection(front), sock=shared, backlog=1)
    _end_with(parent, loop)
    os.kill(parent, READY)
    await told
    # Readiness goes red first: who shares requests out looks there, and needs a moment to.
    # Answers end their connections from now on, that clients turn to another.
    stopping.set()
    front.ending = True
    with suppress(TimeoutError):  # told twice, somebody is in a hurry; once, nobody
        await asyncio.wait_for(hurry.wait(), settings.drain)
    server.close()
    await front.end(settings.stop_within)


def _end_with(parent: int, loop: asyncio.AbstractEventLoop) -> None:
    # A parent killed by force stops nobody: its workers would go on, and keep the port.
    if os.getppid() != parent:
        os._exit(1)
    loop.call_later(LOOK_EVERY, _end_with, parent, loop)

"""The parent: granian starts the workers, which answer on one shared socket, and this looks after them.

granian's own parent gives each worker a separate socket, so that what waits at a stopped worker's
is lost, and ends at the second death of a worker within seconds. Here the socket is shared, a worker
that dies or hangs is replaced, readiness goes red before the port closes, and one more process, which
no answer waits for, proves releases and scores for a shadow.
"""

from __future__ import annotations

import multiprocessing
import os
import resource
import signal
import socket
import time
from collections.abc import Callable
from functools import partial
from multiprocessing.connection import wait
from typing import Any

from granian._granian import SocketHolder
from granian.constants import HTTPModes, Interfaces, Loops
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server.mp import MPServer

from serve.http.worker import Shared, Worker
from serve.log import log
from serve.settings import Settings
from serve.traffic import background as aside
from serve.traffic.shadow import Offers

#: Connections that wait to be accepted.
QUEUE = 1024
#: Bytes of a request's line and headers.
LARGEST_HEAD = 32 * 2**10
#: File descriptors for all that is no connection.
OTHERS = 100
#: Seconds between two looks at the workers, and until the first has answered.
LOOK_EVERY, LOOK_EARLY = 0.5, 0.02
#: Seconds without a sign of life after which a worker is replaced; those that its start may take besides.
HANGS, STARTS = 10.0, 120.0
#: Seconds that a worker lives if it can, and before it fails; how many in a row that cannot are too
#: many; seconds until another is started.
LIVES, FAILS, TOO_MANY, PAUSE = 1.0, 30.0, 3, 0.5
#: Seconds between two starts of the process aside.
ASIDE_EVERY = 5.0
#: Seconds within which a second SIGTERM is the first one again.
SAME = 0.5
#: Errors of the HTTP server go to stderr: stdout has the address.
LOGS = {
    "handlers": {
        "console": {"class": "logging.StreamHandler", "formatter": "generic", "stream": "ext://sys.stderr"},
        "access": {"class": "logging.NullHandler"},
    }
}
_fork = multiprocessing.get_context("fork")


class Server(MPServer):
    """Answers on *listener* until SIGTERM or SIGINT; *started* is called once, with the first worker.

    A *worker* is made in each process, and replaced when it shows no sign of life for *hangs* seconds.
    `failed` says afterwards whether workers could not live.
    """

    def __init__(
        self,
        settings: Settings,
        listener: socket.socket,
        started: Callable[[], None],
        worker: Callable[..., Any] = Worker,
        hangs: float = HANGS,
    ) -> None:
        super().__init__(
            "serve",
            interface=Interfaces.RSGI,
            workers=settings.workers,
            loop=Loops.uvloop,
            http=HTTPModes.http1,
            websockets=False,
            backlog=QUEUE,
            backpressure=room(settings.connections),
            http1_settings=HTTP1Settings(header_read_timeout=settings.keep_alive * 1000, max_buffer_size=LARGEST_HEAD),
            log_level=LogLevels.error,
            log_dictconfig=LOGS,
            workers_kill_timeout=settings.stop_within,
        )
        self.failed = False
        self._listener, self._settings = listener, settings
        self._started: Callable[[], None] | None = started
        self._worker, self._hangs = worker, hangs
        self._shared = Shared.of(settings.workers)
        self._closes = self._asked = float("inf")
        self._short_lived, self._pause_until, self._dead = 0, 0.0, set[int]()
        self._offers, self._offered = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._aside: Any = None
        self._aside_after = 0.0

    def run(self) -> None:
        """Start the workers, and look after them until the end."""
        make: Any = partial(self._worker, self._settings, self._shared, Offers(self._offers), os.getpid())
        try:
            self.serve(target_loader=make, wrap_loader=False)
        finally:
            if self._aside:
                self._aside.terminate()
                self._aside.join(self._settings.stop_within)
                self._aside.kill()

    def signal_handler_interrupt(self, *_: Any) -> None:
        """Readiness goes red, the port closes later; a second signal closes it now."""
        now = time.monotonic()
        if self._asked == float("inf"):
            self._shared.stopping.value = 1
            self._asked, self._closes = now, now + self._settings.drain
        elif now - self._asked > SAME:
            self._closes = now

    def _init_shared_socket(self) -> None:
        self._sso = None
        self._shd: Any = SocketHolder(self._listener.fileno(), False, QUEUE)  # type: ignore[call-arg]

    def _spawn_worker(  # type: ignore[override]  # as granian has it
        self, idx: int, target: Any, callback_loader: Any
    ) -> Any:
        self._shared.alive[idx] = 0.0
        return super()._spawn_worker(idx, target, partial(callback_loader, idx))

    def _serve_loop(self, spawn_target: Any, target_loader: Any) -> None:
        # Not an event: its lock may be held where a signal's handler would wait for it.
        woken, waking = os.pipe()
        os.set_blocking(waking, False)
        signal.set_wakeup_fd(waking, warn_on_full_buffer=False)
        looked = time.monotonic()
        while (now := time.monotonic()) < self._closes and not self.failed:
            stopping = self._shared.stopping.value
            if not stopping:
                # Who was stopped itself cannot say that others were.
                self._replace(now, now - looked > 2 * LOOK_EVERY, spawn_target, target_loader)
            looked = now
            answers = any(self._shared.alive)
            if answers and self._started:
                self._started()
                self._started = None
            if answers and not stopping:
                self._look_aside(now)
            every = LOOK_EVERY if not self._started else LOOK_EARLY
            deaths = [w.inner.sentinel for n, w in enumerate(self.wrks) if n not in self._dead]
            ready = wait([woken, *deaths], min(every, max(0.0, self._closes - now)))
            if woken in ready:
                os.read(woken, 64)
        self.interrupt_children.clear()  # the exit code is ours

    def _replace(self, now: float, late: bool, target: Any, loader: Any) -> None:
        """Start another worker for each that died or hangs; *late*: this process was slow itself."""
        for idx, worker in enumerate(list(self.wrks)):
            seen = self._shared.alive[idx] or worker.birth + STARTS
            # Not `is_alive`, which lags behind where granian's thread waits for the same process.
            ended = bool(wait([worker.inner.sentinel], 0))
            if not ended and now - seen > self._hangs and not late:
                say(f"worker {idx + 1} has not moved for {self._hangs:g} s and is replaced")
                self._shared.alive[idx] = now
                worker.kill()
            if not ended:
                continue
            if idx not in self._dead:
                self._dead.add(idx)
                short = now - worker.birth <= (FAILS if _exit_code(worker) > 0 else LIVES)
                self._short_lived = self._short_lived + 1 if short else 0
                self._pause_until = now + PAUSE if short else 0.0
            if self._short_lived >= TOO_MANY:
                log("error: workers end as soon as they start")
                self.failed = True
            elif now >= self._pause_until:
                self._start(idx, now, target, loader)

    def _start(self, idx: int, now: float, target: Any, loader: Any) -> None:
        try:
            worker = self._spawn_worker(idx, target, loader)
            worker.start()
        except OSError as error:  # processes or memory are short, which may pass
            say(f"cannot start a worker: {error.strerror}; it is tried again")
            self._pause_until = now + PAUSE
            return
        self.wrks[idx] = worker
        self._dead.discard(idx)

    def _look_aside(self, now: float) -> None:
        """Start the process aside, and another when it ended."""
        if now < self._aside_after or (self._aside and self._aside.is_alive()):
            return
        if self._aside:
            say("the process aside ended; another is started")
        self._aside_after = now + ASIDE_EVERY
        self._aside = _fork.Process(target=aside.work, args=(self._settings, self._offered, os.getpid()))
        try:
            self._aside.start()
        except OSError as error:
            say(f"cannot start the process aside: {error.strerror}; it is tried again")
            self._aside = None


def _exit_code(worker: Any) -> int:
    """Of one that ended: granian's thread has it first, and keeps it a moment later."""
    until = time.monotonic() + 1
    while worker.inner.exitcode is None and time.monotonic() < until:
        time.sleep(0.005)
    return worker.inner.exitcode or 0


def room(connections: int) -> int:
    """As many *connections* as there are file descriptors for; their soft limit is raised."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + OTHERS
    if resource.RLIM_INFINITY != soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        if soft < wanted:
            connections = max(1, soft - OTHERS)
            say(
                f"the limit of open files (ulimit -Hn) is {hard:,}: of --connections"
                f" {wanted - OTHERS:,} there are {connections:,}"
            )
    return connections


def say(words: str) -> None:
    """A warning on stderr."""
    log(f"warning: {words}")

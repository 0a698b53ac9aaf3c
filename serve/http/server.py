"""The supervisor: starts granian's worker processes on one shared socket, and restarts them.

It differs from granian's own supervisor, which gives each worker a separate socket (connections that wait at a
stopped worker are lost) and exits when a worker dies twice within seconds:

- the workers share one socket;
- a worker that dies or hangs is replaced;
- on SIGTERM, readiness turns to "not ready" before the port closes, so that a load balancer stops sending requests;
- a background process validates releases and scores the rows of a shadow. No answer waits for it.
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

from serve.http.corrections_process import CorrectionsProcess, command
from serve.http.worker import Shared, Worker
from serve.log import log
from serve.settings import Settings
from serve.traffic import background
from serve.traffic.shadow import Offers

#: Connections that may wait to be accepted (the socket's backlog).
BACKLOG = 1024
#: Bytes of a request line and its headers.
MAX_HEAD_BYTES = 32 * 2**10
#: File descriptors that are reserved for files, pipes and libraries.
RESERVED_DESCRIPTORS = 100
#: Seconds between two checks of the workers; a shorter interval holds until the first worker answers.
CHECK_INTERVAL, STARTUP_INTERVAL = 0.5, 0.02
#: Seconds without a heartbeat after which a worker is replaced, and seconds that its start may take.
HEARTBEAT_TIMEOUT, START_TIMEOUT = 10.0, 120.0
#: A worker that ends within the first number of seconds (the second, if with an error) failed to start. After
#: three such failures in a row the server gives up; it waits for half a second before each new start.
MIN_LIFETIME, MIN_LIFETIME_ON_ERROR, MAX_FAILED_STARTS, RESTART_DELAY = 1.0, 30.0, 3, 0.5
#: Seconds between two starts of the background process.
BACKGROUND_RESTART_INTERVAL = 5.0
#: A second SIGTERM within so many seconds counts as the first one: process managers often send two.
REPEATED_SIGNAL = 0.5
#: Errors of the HTTP server are written to stderr: stdout holds the address.
LOG_CONFIG = {
    "handlers": {
        "console": {"class": "logging.StreamHandler", "formatter": "generic", "stream": "ext://sys.stderr"},
        "access": {"class": "logging.NullHandler"},
    }
}
_fork = multiprocessing.get_context("fork")


class Server(MPServer):
    """Answers requests on *listener* until SIGTERM or SIGINT.

    *started* is called once, when the first worker is ready. *worker* is called in each new process and makes its
    application; a process without a heartbeat for *heartbeat_timeout* seconds is replaced. Afterwards, `failed`
    says whether the server gave up because workers did not start.
    """

    def __init__(
        self,
        settings: Settings,
        listener: socket.socket,
        started: Callable[[], None],
        worker: Callable[..., Any] = Worker,
        heartbeat_timeout: float = HEARTBEAT_TIMEOUT,
    ) -> None:
        super().__init__(
            "serve",
            interface=Interfaces.RSGI,
            workers=settings.workers,
            loop=Loops.uvloop,
            http=HTTPModes.http1,
            websockets=False,
            backlog=BACKLOG,
            backpressure=max_connections(settings.connections),
            http1_settings=HTTP1Settings(
                header_read_timeout=settings.keep_alive * 1000, max_buffer_size=MAX_HEAD_BYTES
            ),
            log_level=LogLevels.error,
            log_dictconfig=LOG_CONFIG,
            workers_kill_timeout=settings.stop_within,
        )
        self.failed = False
        self._listener, self._settings = listener, settings
        self._started: Callable[[], None] | None = started
        self._worker, self._heartbeat_timeout = worker, heartbeat_timeout
        self._shared = Shared.of(settings.workers)
        self._stop_requested = self._closes = float("inf")
        self._failed_starts, self._restart_after, self._dead = 0, 0.0, set[int]()
        self._offers, self._offered = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._background: Any = None
        self._background_after = 0.0
        self._corrections = CorrectionsProcess(command(settings, os.getpid()))

    def run(self) -> None:
        """Start the workers, and restart them until the server stops."""
        make: Any = partial(self._worker, self._settings, self._shared, Offers(self._offers), os.getpid())
        try:
            self.serve(target_loader=make, wrap_loader=False)
        finally:
            self._corrections.stop(self._settings.stop_within)
            if self._background:
                self._background.terminate()
                self._background.join(self._settings.stop_within)
                self._background.kill()

    def signal_handler_interrupt(self, *_: Any) -> None:
        """Report "not ready" now and close the port after the drain time; a second signal closes it at once."""
        now = time.monotonic()
        if self._stop_requested == float("inf"):
            self._shared.stopping.value = 1
            self._stop_requested, self._closes = now, now + self._settings.drain
        elif now - self._stop_requested > REPEATED_SIGNAL:
            self._closes = now

    def _init_shared_socket(self) -> None:
        self._sso = None
        self._shd: Any = SocketHolder(self._listener.fileno(), False, BACKLOG)  # type: ignore[call-arg]

    def _spawn_worker(  # type: ignore[override]  # granian's signature
        self, idx: int, target: Any, callback_loader: Any
    ) -> Any:
        self._shared.alive[idx] = 0.0
        return super()._spawn_worker(idx, target, partial(callback_loader, idx))

    def _serve_loop(self, spawn_target: Any, target_loader: Any) -> None:
        # A pipe and not a `threading.Event`: a signal handler could wait for the event's lock for ever.
        wakeup, wakeup_writer = os.pipe()
        os.set_blocking(wakeup_writer, False)
        signal.set_wakeup_fd(wakeup_writer, warn_on_full_buffer=False)
        checked = time.monotonic()
        while (now := time.monotonic()) < self._closes and not self.failed:
            stopping = self._shared.stopping.value
            if not stopping:
                # A supervisor that was suspended itself (SIGSTOP, a paused machine) must not blame its workers.
                self._replace(now, now - checked > 2 * CHECK_INTERVAL, spawn_target, target_loader)
            checked = now
            ready = any(self._shared.alive)
            if ready and self._started:
                self._started()
                self._started = None
            if ready and not stopping:
                self._keep_background(now)
                self._corrections.keep(now)
            interval = CHECK_INTERVAL if not self._started else STARTUP_INTERVAL
            deaths = [w.inner.sentinel for n, w in enumerate(self.wrks) if n not in self._dead]
            events = wait([wakeup, *deaths], min(interval, max(0.0, self._closes - now)))
            if wakeup in events:
                os.read(wakeup, 64)
        self.interrupt_children.clear()  # else granian sets the exit code

    def _replace(self, now: float, late: bool, target: Any, loader: Any) -> None:
        """Start another worker for each that died or hangs; *late*: this process itself was suspended."""
        for idx, worker in enumerate(list(self.wrks)):
            heartbeat = self._shared.alive[idx] or worker.birth + START_TIMEOUT
            # Not `is_alive`: it is late while a thread of granian waits for the same process.
            ended = bool(wait([worker.inner.sentinel], 0))
            if not ended and now - heartbeat > self._heartbeat_timeout and not late:
                warn(f"worker {idx + 1} has sent no heartbeat for {self._heartbeat_timeout:g} s and is replaced")
                self._shared.alive[idx] = now
                worker.kill()
            if not ended:
                continue
            if idx not in self._dead:
                self._dead.add(idx)
                lifetime = MIN_LIFETIME_ON_ERROR if _exit_code(worker) > 0 else MIN_LIFETIME
                failed = now - worker.birth <= lifetime
                self._failed_starts = self._failed_starts + 1 if failed else 0
                self._restart_after = now + RESTART_DELAY if failed else 0.0
            if self._failed_starts >= MAX_FAILED_STARTS:
                log("error: workers end as soon as they start")
                self.failed = True
            elif now >= self._restart_after:
                self._start(idx, now, target, loader)

    def _start(self, idx: int, now: float, target: Any, loader: Any) -> None:
        try:
            worker = self._spawn_worker(idx, target, loader)
            worker.start()
        except OSError as error:  # too many processes or too little memory, which may pass
            warn(f"cannot start a worker: {error.strerror}; it is tried again")
            self._restart_after = now + RESTART_DELAY
            return
        self.wrks[idx] = worker
        self._dead.discard(idx)

    def _keep_background(self, now: float) -> None:
        """Start the background process, or another one after it ended."""
        if now < self._background_after or (self._background and self._background.is_alive()):
            return
        if self._background:
            warn("the background process ended; another is started")
        self._background_after = now + BACKGROUND_RESTART_INTERVAL
        self._background = _fork.Process(target=background.run, args=(self._settings, self._offered, os.getpid()))
        try:
            self._background.start()
        except OSError as error:
            warn(f"cannot start the background process: {error.strerror}; it is tried again")
            self._background = None


def _exit_code(worker: Any) -> int:
    """The exit code of a worker that ended: a thread of granian waits for it, and stores it a moment later."""
    until = time.monotonic() + 1
    while worker.inner.exitcode is None and time.monotonic() < until:
        time.sleep(0.005)
    return worker.inner.exitcode or 0


def max_connections(connections: int) -> int:
    """*connections*, or fewer if the limit of open files is lower; the soft limit is raised first."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + RESERVED_DESCRIPTORS
    if resource.RLIM_INFINITY != soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        if soft < wanted:
            connections = max(1, soft - RESERVED_DESCRIPTORS)
            warn(
                f"--connections is {wanted - RESERVED_DESCRIPTORS:,}, but the limit of open files (ulimit -Hn) is"
                f" {hard:,}: {connections:,} connections are accepted"
            )
    return connections


def warn(message: str) -> None:
    """Write a warning to stderr."""
    log(f"warning: {message}")

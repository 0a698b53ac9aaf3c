"""Run the scorer under granian, a production server.

python -m serve --store DIR --journal DIR [--port 8000]
python -m serve ship --journal DIR --to URL [--every 60]    what is closed becomes Parquet, and goes there
python -m serve prune --journal DIR --days 90               what is old is deleted
"""

from __future__ import annotations

import errno
import multiprocessing
import os
import socket
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from serve.commands import run

# What is done with a closed journal runs where the scorer's server is not installed.
if __name__ == "__main__" and (done := run(sys.argv[1:])) is not None:
    sys.exit(done)

from granian import Granian
from granian.constants import HTTPModes, Interfaces, Loops
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.net import SocketHolder  # type: ignore[attr-defined]

from serve.settings import Settings, SettingsError, read_settings
from serve.worker import application

OK, USAGE, PORT_IN_USE = 0, 2, 7
QUEUE = 1024
#: Seconds that a worker lives if it can.
LIVES = 1.0


def main(arguments: list[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT; returns the exit code."""
    try:
        asked = read_settings(sys.argv[1:] if arguments is None else arguments, os.environ)
    except SettingsError as error:
        print("error: " + "\n       ".join(error.problems), file=sys.stderr)
        return USAGE
    try:
        listener = _listen(asked.host, asked.port)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            print(
                f"error: cannot listen on {asked.host}:{asked.port}: {error.strerror}",
                file=sys.stderr,
            )
            return USAGE
        print(
            f"error: port {asked.port} of {asked.host} is in use; type --port 0 for a free one, or name another",
            file=sys.stderr,
        )
        return PORT_IN_USE
    _forget(asked.ready_file)
    with listener:
        _serve(asked, listener)
    _forget(asked.ready_file)
    return OK


def _serve(asked: Settings, listener: socket.socket) -> None:
    host, port = listener.getsockname()[:2]
    stopped, stopping = threading.Event(), multiprocessing.Value("b", 0, lock=False)
    announcing = threading.Thread(
        target=_announce, args=(host, port, asked.ready_file, stopped), daemon=True
    )
    server = Server(
        listener,
        announcing.start,
        partial(_stop_after, asked.drain, stopping),
        "the scorer",
        address=host,
        port=port,
        interface=Interfaces.RSGI,
        http=HTTPModes.http1,
        websockets=False,
        loop=Loops.auto,
        workers=asked.workers,
        respawn_failed_workers=True,
        workers_kill_timeout=asked.stop_within,
        http1_settings=HTTP1Settings(header_read_timeout=asked.header_timeout * 1000),
        log_level=LogLevels.warning,
    )
    server.serve(target_loader=partial(application, asked, stopping), wrap_loader=False)
    stopped.set()


def _stop_after(drain: float, stopping: Any, stop: Callable[[], None]) -> None:
    """Readiness goes red first: who shares requests out looks there, and needs a moment to."""
    if stopping.value or not drain:
        stop()  # told twice, somebody is in a hurry
        return
    stopping.value = 1
    timer = threading.Timer(drain, stop)
    timer.daemon = True
    timer.start()


class Server(Granian):  # type: ignore[misc,valid-type]  # granian chooses the class as it runs
    """Granian with one listening socket that all workers share.

    On Linux it would open one per worker, by SO_REUSEPORT: what waits at a worker that dies is reset,
    with a single worker nobody listens until the next one is up, and a port in use is shared in
    silence. Here a request waits, as it does with granian on macOS.
    """

    def __init__(
        self,
        listener: socket.socket,
        started: Callable[[], None],
        stop: Callable[[Callable[[], None]], None],
        *arguments: Any,
        **more: Any,
    ) -> None:
        super().__init__(*arguments, **more)
        self._listener, self._started, self._stop = listener, started, stop

    def startup(self, *arguments: Any, **more: Any) -> None:
        """Fork the workers, then call *started*: a thread that is there before does not fork well."""
        super().startup(*arguments, **more)
        self._started()

    def _respawn_workers(self, workers: Any, *arguments: Any, **more: Any) -> None:
        # Granian gives up when a worker dies twice within seconds, also one that is killed twice.
        # Only one that does not live for a second cannot live.
        now = time.monotonic()
        lived = [idx for idx in workers if now - self.wrks[idx].birth > LIVES]
        super()._respawn_workers(workers, *arguments, **more)
        for idx in lived:
            self.respawned_wrks.pop(idx, None)

    def signal_handler_interrupt(self, *arguments: Any, **more: Any) -> None:
        """Stop, at once or in a moment, as *stop* says."""
        self._stop(partial(super().signal_handler_interrupt, *arguments, **more))

    def _init_shared_socket(self) -> None:
        self._listener.set_inheritable(True)
        self._sfd = self._listener.fileno()
        self._ssp, self._sso = None, self._listener
        self._shd = SocketHolder(self._sfd, False, QUEUE)  # type: ignore[call-arg]


def _listen(host: str, port: int) -> socket.socket:
    """A socket that listens on *port* (0: a free one), and nobody else on it. Raises OSError."""
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listener = socket.socket(family, kind, protocol)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # What it accepts inherits this: an answer's body must not wait for the ack of its head (40 ms).
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        listener.bind(address)
        listener.listen(QUEUE)
    except OSError:
        listener.close()
        raise
    return listener


def _announce(host: str, port: int, ready_file: Path | None, stopped: threading.Event) -> None:
    """Say the address once it answers."""
    address = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    while not stopped.is_set():
        try:
            with urllib.request.urlopen(f"{address}/health", timeout=5):  # noqa: S310 -- our own address
                break
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    else:
        return
    print(f"serving on {address}", flush=True)
    if ready_file:
        work = ready_file.with_name(f".{ready_file.name}-{os.getpid()}")
        work.write_text(address + "\n")
        work.replace(ready_file)


def _forget(ready_file: Path | None) -> None:
    if ready_file:
        ready_file.unlink(missing_ok=True)


if __name__ == "__main__":
    sys.exit(main())

"""Run the scorer under granian, a production WSGI server.

python -m serve --store DIR --journal DIR [--port 8000]
"""

from __future__ import annotations

import argparse
import errno
import json
import os
import socket
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from granian import Granian
from granian.constants import Interfaces
from granian.log import LogLevels
from granian.net import SocketHolder  # type: ignore[attr-defined]

from serve.app import SETTINGS

OK, USAGE, PORT_IN_USE = 0, 2, 7
QUEUE = 1024


def main(arguments: list[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT; returns the exit code."""
    asked = _parser().parse_args(arguments)
    problems = list(_problems(asked))
    if problems:
        print("error: " + "\n       ".join(problems), file=sys.stderr)
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
        host, port = listener.getsockname()[:2]
        os.environ[SETTINGS] = json.dumps(
            {"store": str(asked.store), "journal": str(asked.journal)}
        )
        stopped = threading.Event()
        announcing = threading.Thread(
            target=_announce, args=(host, port, asked.ready_file, stopped), daemon=True
        )
        server = Server(
            listener,
            announcing.start,
            "serve.app:from_environment",
            address=host,
            port=port,
            interface=Interfaces.WSGI,
            factory=True,
            workers=asked.workers,
            blocking_threads=asked.threads,
            respawn_failed_workers=True,
            workers_kill_timeout=10,
            log_level=LogLevels.warning,
        )
        server.serve()
        stopped.set()
    _forget(asked.ready_file)
    return OK


class Server(Granian):  # type: ignore[misc,valid-type]  # granian chooses the class as it runs
    """Granian with one listening socket that all workers share.

    On Linux it would open one per worker, by SO_REUSEPORT: what waits at a worker that dies is reset,
    with a single worker nobody listens until the next one is up, and a port in use is shared in
    silence. Here a request waits, as it does with granian on macOS.
    """

    def __init__(
        self, listener: socket.socket, started: Callable[[], None], *arguments: Any, **more: Any
    ) -> None:
        super().__init__(*arguments, **more)
        self._listener, self._started = listener, started

    def startup(self, *arguments: Any, **more: Any) -> None:
        """Fork the workers, then call *started*: a thread that is there before does not fork well."""
        super().startup(*arguments, **more)
        self._started()

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


def _problems(asked: argparse.Namespace) -> Iterable[str]:
    if not 0 <= asked.port <= 65535:
        yield f"--port is {asked.port}; expected 0 (a free one) to 65535"
    for name in ("workers", "threads"):
        if not 1 <= getattr(asked, name) <= 256:
            yield f"--{name} is {getattr(asked, name)}; expected 1 to 256"
    for name in ("store", "journal"):
        path: Path = getattr(asked, name)
        if path.exists() and not path.is_dir():
            yield f"--{name} is {path}, which is not a folder"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m serve", description=__doc__.split("\n")[0])
    parser.add_argument(
        "--store", type=Path, required=True, help="folder with live.toml and bundles/"
    )
    parser.add_argument(
        "--journal", type=Path, required=True, help="folder to keep answers and outcomes in"
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000, help="0 takes a free one (default: 8000)")
    parser.add_argument("--workers", type=int, default=1, help="processes (default: 1)")
    parser.add_argument("--threads", type=int, default=2, help="threads of a worker (default: 2)")
    parser.add_argument("--ready-file", type=Path, help="write the address here once it answers")
    return parser


if __name__ == "__main__":
    sys.exit(main())

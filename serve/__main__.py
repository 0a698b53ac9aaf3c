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
from collections.abc import Iterable
from pathlib import Path

from granian import Granian
from granian.constants import Interfaces
from granian.log import LogLevels

from serve.app import SETTINGS

OK, USAGE, PORT_IN_USE = 0, 2, 7


def main(arguments: list[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT; returns the exit code."""
    asked = _parser().parse_args(arguments)
    problems = list(_problems(asked))
    if problems:
        print("error: " + "\n       ".join(problems), file=sys.stderr)
        return USAGE
    try:
        held = _hold(asked.host, asked.port)
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
    with held:
        host, port = held.getsockname()[:2]
        os.environ[SETTINGS] = json.dumps(
            {"store": str(asked.store), "journal": str(asked.journal)}
        )
        server = Granian(
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
        stopped = threading.Event()
        announcing = threading.Thread(
            target=_announce, args=(host, port, asked.ready_file, stopped), daemon=True
        )
        announcing.start()
        server.serve()
        stopped.set()
    return OK


def _hold(host: str, port: int) -> socket.socket:
    """Bind *port* (0: a free one) so that nobody else gets it; the workers share it, by SO_REUSEPORT.

    Granian's workers bind with SO_REUSEPORT, under which a second server would share the port in
    silence; so it is tried without first.
    """
    with socket.socket() as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        tried.bind((host, port))
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind((host, port))
    return held


def _announce(host: str, port: int, ready_file: Path | None, stopped: threading.Event) -> None:
    """Say the address once it answers."""
    address = f"http://{host}:{port}"
    while not stopped.is_set():
        try:
            with urllib.request.urlopen(f"{address}/health", timeout=1):  # noqa: S310 -- our own address
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

"""Run the scorer: a supervisor, and workers that answer on one port.

python -m serve --store DIR --journal DIR [--port 8000]
python -m serve explain ID --store DIR --journal DIR     why an answer has its score
python -m serve at TIME --store DIR --journal DIR        what served then
python -m serve forget KEY --journal DIR                 erase what is about one key
"""

from __future__ import annotations

import errno
import os
import socket
import sys
from functools import partial
from pathlib import Path

from forge.closed_pipes import ignore_closed_pipes

# Commands of other packages, which also run where the server is not installed.
if __name__ == "__main__":
    ignore_closed_pipes()
    commands = {"ship": "archive", "prune": "archive", "learn": "online", "explain": "audit", "at": "audit"}
    commands |= {"forget": "audit"}
    if package := commands.get("".join(sys.argv[1:2])):
        os.execv(sys.executable, [sys.executable, "-m", package, *sys.argv[1:]])  # noqa: S606

# NumPy's threads would be idle, and a process with fewer threads forks more safely.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from contracts.atomic_file import write_atomically
from serve.http.server import BACKLOG, Server
from serve.metrics.counters import begin_run
from serve.settings import SettingsError, read_settings

OK, FAILED, USAGE, PORT_IN_USE = 0, 1, 2, 7
#: Seconds after which a connection is closed whose client acknowledges no data.
UNACKNOWLEDGED_SECONDS = 30
#: Bytes of the send buffer of a connection.
SEND_BUFFER = 128 * 2**10


def main(arguments: list[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT; returns the exit code."""
    try:
        settings = read_settings(sys.argv[1:] if arguments is None else arguments, os.environ)
    except SettingsError as error:
        print("error: " + "\n       ".join(error.problems), file=sys.stderr)
        return USAGE
    try:
        listener = listen(settings.host, settings.port)
    except OSError as error:
        why = f"cannot listen on {settings.host}:{settings.port}: {error.strerror}"
        if in_use := error.errno == errno.EADDRINUSE:
            why = f"port {settings.port} of {settings.host} is in use; type --port 0 for a free one, or name another"
        print(f"error: {why}", file=sys.stderr)
        return PORT_IN_USE if in_use else USAGE
    _remove(settings.ready_file)
    begin_run(settings.journal)
    with listener:
        host, port = listener.getsockname()[:2]
        server = Server(settings, listener, partial(_announce, host, port, settings.ready_file))
        server.run()
    _remove(settings.ready_file)
    return FAILED if server.failed else OK


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens on *port* (0: a free one), which no other process uses. Raises OSError."""
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listener = socket.socket(family, kind, protocol)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # Accepted connections inherit this: a body must not wait for the acknowledgement of its head (40 ms).
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        # Close the connection of a client that reads nothing; slow readers are limited in `wsgi_bridge`.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNACKNOWLEDGED_SECONDS * 1000)
        # The kernel's buffers count towards the container's memory.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        listener.bind(address)
        listener.listen(BACKLOG)
        listener.setblocking(False)
    except OSError:
        listener.close()
        raise
    return listener


def _announce(host: str, port: int, ready_file: Path | None) -> None:
    """Print the address and write the ready file, when the first worker is ready."""
    address = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    print(f"serving on {address}", flush=True)
    if ready_file:
        write_atomically(ready_file, address + "\n")


def _remove(ready_file: Path | None) -> None:
    if ready_file:
        ready_file.unlink(missing_ok=True)


if __name__ == "__main__":
    sys.exit(main())

"""The load generator used if wrk is not installed; it needs more CPU.

python client.py PORT PATH BODIES CONNECTIONS SECONDS
"""

from __future__ import annotations

import json
import selectors
import socket
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Connection:
    """One connection with at most one request on its way."""

    socket: socket.socket
    began: float = 0.0
    got: bytes = field(default=b"")

    def answer(self) -> int | None:
        """The status, once head and body are here."""
        head, end, body = self.got.partition(b"\r\n\r\n")
        if not end:
            return None
        words = head.lower().partition(b"content-length:")[2].split(b"\r\n")[0]
        return int(head[9:12]) if words and len(body) >= int(words) else None


def main(port: int, path: str, bodies: list[str], connections: int, seconds: float) -> dict[str, float]:
    """Post *bodies* in turn; returns the results in the format of drive.lua."""
    requests = [
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body.encode())}\r\n\r\n{body}".encode()
        for body in bodies
    ]
    waiting = selectors.DefaultSelector()
    took: list[float] = []
    failed = sent = 0
    began = time.perf_counter()

    def send(one: Connection) -> None:
        nonlocal sent
        one.began, one.got = time.perf_counter(), b""
        one.socket.sendall(requests[sent % len(requests)])
        sent += 1

    def connect() -> None:
        one = Connection(socket.create_connection(("127.0.0.1", port), timeout=10))
        waiting.register(one.socket, selectors.EVENT_READ, one)
        send(one)

    for _ in range(connections):
        connect()
    while time.perf_counter() - began < seconds:
        for key, _ in waiting.select(0.1):
            one: Connection = key.data
            received = one.socket.recv(65536)
            one.got += received
            status = one.answer()
            if status:
                took.append(time.perf_counter() - one.began)
                failed += status != 200
            if received and status and b"connection: close" not in one.got.lower():
                send(one)
            elif status or not received:
                failed += not status
                waiting.unregister(one.socket)
                one.socket.close()
                connect()
    for key in list(waiting.get_map().values()):
        key.data.socket.close()
    waiting.close()
    took.sort()
    return {
        "answered": len(took),
        "seconds": time.perf_counter() - began,
        "p50": 1e3 * took[len(took) // 2] if took else 0.0,
        "p99": 1e3 * took[len(took) * 99 // 100] if took else 0.0,
        "failed": failed,
    }


if __name__ == "__main__":
    port, path, bodies, connections, seconds = sys.argv[1:]
    lines = Path(bodies).read_text().splitlines()
    print(json.dumps(main(int(port), path, lines, int(connections), float(seconds))))

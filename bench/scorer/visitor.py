"""A client of the soak test: requests scores without pauses, and logs each answer.

python visitor.py PORT ROWS.json OUTCOME.json LOG SECONDS THREADS

A line of the log is one of: `answer ID VERSION ROW SCORE`, `outcome ID`, `failed WORDS`, `cut`.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any, TextIO

#: An outcome is sent for one in so many answers.
ANSWERS_PER_OUTCOME = 10
HEADERS = {"Content-Type": "application/json"}


class Visitor:
    """Threads that send requests, each over a separate connection."""

    def __init__(self, port: int, rows: list[Any], outcome: Any, log: TextIO) -> None:
        self.port, self.rows, self.outcome = port, rows, outcome
        self._log, self._lock = log, threading.Lock()

    def run(self, seconds: float, threads: int) -> None:
        """Send requests for *seconds*."""
        until = time.monotonic() + seconds
        asking = [threading.Thread(target=self._ask, args=(until, n)) for n in range(threads)]
        for each in asking:
            each.start()
        for each in asking:
            each.join()

    def _ask(self, until: float, turn: int) -> None:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=20)
        while time.monotonic() < until:
            turn += 1
            number = turn % len(self.rows)
            try:
                status, body = _post(connection, "/score", self.rows[number])
                if status != 200:
                    self._write(f"failed {status} {body}")
                    continue
                self._write(f"answer {body['id']} {body['version']} {number} {body['score']!r}")
                if turn % ANSWERS_PER_OUTCOME == 0:
                    sent = {"id": body["id"], "outcome": self.outcome}
                    status, answer = _post(connection, "/outcome", sent)
                    self._write(f"outcome {body['id']}" if status == 202 else f"failed {status} {answer}")
            except (OSError, HTTPException):
                # A worker was killed before it acknowledged the request, so that nothing is promised.
                self._write("cut")
                time.sleep(0.02)
                connection.close()
        connection.close()

    def _write(self, line: str) -> None:
        with self._lock:
            self._log.write(line + "\n")


def _post(connection: HTTPConnection, path: str, body: Any) -> tuple[int, Any]:
    connection.request("POST", path, json.dumps(body), HEADERS)
    answer = connection.getresponse()
    return answer.status, json.loads(answer.read())


if __name__ == "__main__":
    port, rows, outcome, log, seconds, threads = sys.argv[1:]
    with Path(log).open("w") as written:
        visitor = Visitor(int(port), json.loads(Path(rows).read_text()), json.loads(outcome), written)
        visitor.run(float(seconds), int(threads))

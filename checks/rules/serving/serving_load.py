"""The scorer, started in its own environment with each bundle and sent rows of the holdout.

Candidate and champion answer in turns, so that other load on the machine affects both. Answers are compared with the
evaluated scores, latency at the 95th percentile.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

import numpy as np

from bundles.bundle import Bundle
from checks.evidence import Array
from contracts.tolerance import relative, spread_of

ROOT = Path(__file__).parents[3]
#: Variable with the path of the Python of the scorer's environment, where that is not .venv/serve.
VARIABLE = "TIDEGATE_SERVE_PYTHON"
#: Environment variables that the server gets: no token, and no setting of another scorer.
PASSED_VARIABLES = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR")
#: Seconds to wait for a start; rows of the request that checks answers; requests of a turn; least number of turns.
START_TIMEOUT, BATCH, REQUESTS_PER_ROUND, MIN_ROUNDS = 30.0, 500, 10, 10
#: Scores may differ by this: scorer and gate may have different versions of ONNX Runtime.
TOLERANCE = 1e-5


class ServingError(Exception):
    """The server did not start, or did not answer a row; the message has the end of its log."""


@dataclass(frozen=True)
class Served:
    """The server with one bundle: *worst* is the largest difference of an answer from the evaluated score.

    *seconds* has the latency of single rows, in order; *size* and *memory* are bytes, memory None if unknown.
    """

    version: str
    rows: int
    worst: float
    size: int
    memory: int | None
    seconds: Sequence[float] = field(repr=False, default=())

    @property
    def p95(self) -> float:
        """Seconds within which 95 % of single rows were answered."""
        return float(np.percentile(self.seconds, 95)) if len(self.seconds) else float("nan")


@dataclass(frozen=True)
class Load:
    """A bundle with the rows that it is sent, as JSON values, and the expected scores."""

    bundle: Bundle
    rows: Sequence[Mapping[str, Any]]
    scores: Array


def interpreter() -> Path | None:
    """The Python of the scorer's environment: the one that `VARIABLE` names, else .venv/serve; None without either."""
    named = os.environ.get(VARIABLE)
    path = Path(named) if named else ROOT / ".venv/serve/bin/python"
    return path if path.is_file() else None


def serve(loads: Sequence[Load], python: Path, seconds: float) -> list[Served]:
    """Serve each bundle, check its answers, then send all of them rows in turns for *seconds* each.

    Raises `ServingError`.
    """
    with ExitStack() as stack:
        work = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        servers = [
            stack.enter_context(_server(each.bundle, python, work / f"{number}")) for number, each in enumerate(loads)
        ]
        worst = [server.worst(each) for server, each in zip(servers, loads, strict=True)]
        times = _in_turns(servers, loads, seconds)
        return [
            Served(
                each.bundle.version,
                min(len(each.rows), BATCH),
                off,
                sum(path.stat().st_size for path in each.bundle.folder.glob("*.onnx")),
                server.memory(),
                took,
            )
            for each, server, off, took in zip(loads, servers, worst, times, strict=True)
        ]


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> tuple[float, float]:
    """Latency of *ours* over *theirs* at the 95th percentile, and a lower bound of that.

    The bound is exceeded in nine of ten periods, so that a short pause of the machine does not count.
    """
    parts = [
        float(np.percentile(one, 95) / np.percentile(other, 95))
        for one, other in zip(np.array_split(ours, MIN_ROUNDS), np.array_split(theirs, MIN_ROUNDS), strict=True)
        if len(one) and len(other)
    ]
    whole = float(np.percentile(ours, 95) / np.percentile(theirs, 95))
    return whole, min(whole, float(np.percentile(parts, 10)))


class _Server:
    """A scorer that answers at *port*."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, log: Path) -> None:
        self._process, self._log = process, log
        self._connection = HTTPConnection("127.0.0.1", port, timeout=START_TIMEOUT)

    def ask(self, body: bytes) -> Any:
        """The answer to a row or a list of rows. Raises `ServingError` unless it is 200."""
        try:
            self._connection.request("POST", "/score", body, {"Content-Type": "application/json"})
            answer = self._connection.getresponse()
            content = answer.read()
        except (OSError, HTTPException) as error:
            raise ServingError(f"it does not answer: {error!r}; {tail(self._log)}") from error
        if answer.status != 200:
            raise ServingError(f"it answers {answer.status}: {content[:300].decode(errors='replace')}")
        return json.loads(content)

    def worst(self, load: Load) -> float:
        """The largest difference of its answers from the expected scores (see `contracts.tolerance.relative`)."""
        rows = load.rows[:BATCH]
        answers = self.ask(json.dumps(rows).encode())
        versions = {each["version"] for each in answers}
        if versions != {load.bundle.version}:
            raise ServingError(f"{', '.join(sorted(versions))} answered instead of {load.bundle.version}")
        scores = np.array([_scores(each) for each in answers], dtype=float)
        expected = load.scores[: len(rows)]
        if scores.shape != expected.shape:
            raise ServingError(f"its scores have the shape {scores.shape}, expected {expected.shape}")
        probability = load.bundle.contract.task != "regression"
        return float(relative(scores, expected, spread_of(load.scores), TOLERANCE, probability).max())

    def memory(self) -> int | None:
        """Resident bytes of the server and its workers; None without a usable `ps`."""
        try:
            listed = subprocess.run(
                ["ps", "-A", "-o", "pid=,ppid=,rss="], capture_output=True, text=True, check=True
            ).stdout
        except (OSError, subprocess.CalledProcessError):
            return None
        rows = [[int(part) for part in line.split()] for line in listed.splitlines()]
        mine = {self._process.pid}
        for pid, parent, _ in sorted(rows):
            if parent in mine:
                mine.add(pid)
        return 1024 * sum(size for pid, _, size in rows if pid in mine)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def _scores(answer: Mapping[str, Any]) -> Any:
    """The score of a row, or the probabilities of all classes in their order."""
    probabilities = answer.get("probabilities")
    return list(probabilities.values()) if probabilities and len(probabilities) > 2 else answer["score"]


@contextmanager
def _server(bundle: Bundle, python: Path, folder: Path) -> Iterator[_Server]:
    store, ready, log = folder / "store", folder / "ready", folder / "log"
    (store / "bundles").mkdir(parents=True)
    (store / "bundles" / bundle.version).symlink_to(bundle.folder.resolve(), target_is_directory=True)
    live = f'[champion]\nversion = "{bundle.version}"\ndigest = "{bundle.digest}"\n'
    (store / "live.toml").write_text(live)
    command = [
        str(python),
        "-m",
        "serve",
        "--store",
        str(store),
        "--journal",
        str(folder / "journal"),
        "--port",
        "0",
        "--ready-file",
        str(ready),
        "--drain",
        "0",
    ]
    environment = {name: os.environ[name] for name in PASSED_VARIABLES if name in os.environ}
    with (
        log.open("wb") as output,
        subprocess.Popen(
            command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        ) as process,
    ):
        server = None
        try:
            server = _Server(process, _port(process, ready, log), log)
            yield server
        finally:
            if server:
                server.close()
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


def _port(process: subprocess.Popen[bytes], ready: Path, log: Path) -> int:
    end = time.monotonic() + START_TIMEOUT
    while time.monotonic() < end:
        if ready.is_file():
            return int(ready.read_text().strip().rpartition(":")[2])
        if process.poll() is not None:
            raise ServingError(f"it ended with {process.returncode}: {tail(log)}")
        time.sleep(0.02)
    raise ServingError(f"it did not start within {START_TIMEOUT:.0f} s: {tail(log)}")


def _in_turns(servers: Sequence[_Server], loads: Sequence[Load], seconds: float) -> list[list[float]]:
    bodies = [[json.dumps(row).encode() for row in each.rows[:BATCH]] for each in loads]
    for server, rows in zip(servers, bodies, strict=True):  # warm-up
        for body in rows[:50]:
            server.ask(body)
    times: list[list[float]] = [[] for _ in servers]
    place, end = 0, time.monotonic() + seconds * len(servers)
    while time.monotonic() < end or place < REQUESTS_PER_ROUND * MIN_ROUNDS:
        for server, rows, took in zip(servers, bodies, times, strict=True):
            for number in range(place, place + REQUESTS_PER_ROUND):
                body, began = rows[number % len(rows)], time.perf_counter()
                server.ask(body)
                took.append(time.perf_counter() - began)
        place += REQUESTS_PER_ROUND
    return times


def tail(log: Path) -> str:
    """The end of the log, on one line."""
    lines = log.read_text(errors="replace") if log.is_file() else ""
    return " ".join(lines.split())[-300:] or "the log is empty"

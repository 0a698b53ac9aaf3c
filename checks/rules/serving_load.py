"""The real server, started in its own environment and sent real rows before anything is blessed.

Candidate and champion are asked in turns, so whatever else the machine does befalls both. The answers
must be the scores that were judged; how fast they come is compared at the 95th percentile.
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

from checks.evidence import Array
from contracts.tolerance import relative, spread_of
from serve.release.bundle import Bundle

ROOT = Path(__file__).parents[2]
#: Names the interpreter of the scorer's environment, where it is not beside ours.
VARIABLE = "TIDEGATE_SERVE_PYTHON"
#: What the server is told of our environment: no token, no setting of another scorer's.
KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR")
#: Seconds for a start; rows of the one request that checks answers; requests of a turn; turns at least.
PATIENCE, BATCH, TURN, TURNS = 30.0, 500, 10, 10
#: Scores may differ by this: the scorer's ONNX Runtime may be another than the gate's.
CLOSE = 1e-5


class ServingError(Exception):
    """The server did not start, or did not answer a row. The message says which, with its log's end."""


@dataclass(frozen=True)
class Served:
    """What the server did with one bundle: *worst* is how far its answers were from what was judged.

    *seconds* are those of single rows, in order; *memory* is in bytes, None where it is not known.
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
class Asked:
    """A bundle with the rows it is sent, as JSON values, and the scores that they should have."""

    bundle: Bundle
    rows: Sequence[Mapping[str, Any]]
    scores: Array


def interpreter() -> Path | None:
    """The Python of the scorer's environment: named by a variable, or installed beside the gate's."""
    named = os.environ.get(VARIABLE)
    found = Path(named) if named else ROOT / ".venv/serve/bin/python"
    return found if found.is_file() else None


def serve(asked: Sequence[Asked], python: Path, seconds: float) -> list[Served]:
    """Serve each bundle, check its answers, then ask all in turns for *seconds* each.

    Raises `ServingError`.
    """
    with ExitStack() as stack:
        work = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        servers = [
            stack.enter_context(_server(each.bundle, python, work / f"{number}")) for number, each in enumerate(asked)
        ]
        worst = [server.worst(each) for server, each in zip(servers, asked, strict=True)]
        times = _in_turns(servers, asked, seconds)
        return [
            Served(
                each.bundle.version,
                min(len(each.rows), BATCH),
                off,
                sum(path.stat().st_size for path in each.bundle.folder.glob("*.onnx")),
                server.memory(),
                took,
            )
            for each, server, off, took in zip(asked, servers, worst, times, strict=True)
        ]


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> tuple[float, float]:
    """How many times slower *ours* is than *theirs* at the 95th percentile, and at least so many.

    The second is what it is in nine of ten stretches of time: a moment's noise is no slowness.
    """
    parts = [
        float(np.percentile(one, 95) / np.percentile(other, 95))
        for one, other in zip(np.array_split(ours, TURNS), np.array_split(theirs, TURNS), strict=True)
        if len(one) and len(other)
    ]
    whole = float(np.percentile(ours, 95) / np.percentile(theirs, 95))
    return whole, min(whole, float(np.percentile(parts, 10)))


class _Server:
    """A scorer that answers at *port*."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, log: Path) -> None:
        self._process, self._log = process, log
        self._connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE)

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

    def worst(self, asked: Asked) -> float:
        """How far its answers are from the scores at most, in units of `CLOSE` (`contracts.tolerance`)."""
        rows = asked.rows[:BATCH]
        answers = self.ask(json.dumps(rows).encode())
        versions = {each["version"] for each in answers}
        if versions != {asked.bundle.version}:
            raise ServingError(f"{', '.join(sorted(versions))} answered for {asked.bundle.version}")
        found = np.array([_scores(each) for each in answers], dtype=float)
        wanted = asked.scores[: len(rows)]
        if found.shape != wanted.shape:
            raise ServingError(f"it gives scores of shape {found.shape}, expected {wanted.shape}")
        probability = asked.bundle.contract.task != "regression"
        return float(relative(found, wanted, spread_of(asked.scores), CLOSE, probability).max())

    def memory(self) -> int | None:
        """Bytes that it and its workers hold; None where `ps` does not tell."""
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
        """Hang up."""
        self._connection.close()


def _scores(answer: Mapping[str, Any]) -> Any:
    """The score of a row, or those of all classes in their order."""
    chances = answer.get("probabilities")
    return list(chances.values()) if chances and len(chances) > 2 else answer["score"]


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
    environment = {name: os.environ[name] for name in KEPT if name in os.environ}
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
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if ready.is_file():
            return int(ready.read_text().strip().rpartition(":")[2])
        if process.poll() is not None:
            raise ServingError(f"it ended with {process.returncode}: {tail(log)}")
        time.sleep(0.02)
    raise ServingError(f"it did not start within {PATIENCE:.0f} s: {tail(log)}")


def _in_turns(servers: Sequence[_Server], asked: Sequence[Asked], seconds: float) -> list[list[float]]:
    bodies = [[json.dumps(row).encode() for row in each.rows[:BATCH]] for each in asked]
    for server, rows in zip(servers, bodies, strict=True):  # the first ones are slow
        for body in rows[:50]:
            server.ask(body)
    times: list[list[float]] = [[] for _ in servers]
    place, end = 0, time.monotonic() + seconds * len(servers)
    while time.monotonic() < end or place < TURN * TURNS:
        for server, rows, took in zip(servers, bodies, times, strict=True):
            for number in range(place, place + TURN):
                body, began = rows[number % len(rows)], time.perf_counter()
                server.ask(body)
                took.append(time.perf_counter() - began)
        place += TURN
    return times


def tail(log: Path) -> str:
    """The end of its log, on one line."""
    words = log.read_text(errors="replace") if log.is_file() else ""
    return " ".join(words.split())[-300:] or "it said nothing"

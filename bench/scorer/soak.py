"""The soak test: full load with swaps, kills of workers, and outcomes; then answers and journal are compared."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from bench.peers.server_process import Server, ask, free_port, memory
from bench.scorer.answer_ledger import Books, compare
from bench.scorer.benchmark_model import ROOT, Store

SWAP_EVERY, KILL_EVERY, VISITORS, THREADS = 1.0, 5.0, 2, 4
#: How many MB the memory of the worker that is never killed may grow from the second quarter of the time to the last.
GROWTH = 6.0
Say = Callable[[str], None]


@dataclass(frozen=True)
class Soak:
    """A soak test: bundles to swap between, rows to send, and duration."""

    folder: Path
    bundles: list[Path]
    rows: list[dict[str, Any]]
    seconds: float


@dataclass
class Outcome:
    """The results of a soak test."""

    books: Books
    swaps: int = 0
    kills: int = 0
    memory: list[float] = field(default_factory=list)
    ended: str = ""  # the server's output, if it ended early

    def growth(self) -> float:
        """The growth of the oldest worker's memory in MB, from the second quarter to the last."""
        quarter = len(self.memory) // 4
        if not quarter:
            return 0.0
        return median(self.memory[-quarter:]) - median(self.memory[quarter : 2 * quarter])

    def problems(self) -> list[str]:
        """All failures; empty if there are none."""
        found = self.books.problems()
        if self.ended:
            found.append(f"the server did not live until the end: {self.ended}")
        if not all(self.memory):
            found.append("the worker that was to live throughout did not")
        elif self.growth() > GROWTH:
            found.append(f"memory grew by {self.growth():.1f} MB; at most {GROWTH:g} are flat")
        return found

    def lines(self) -> list[str]:
        """The results as text."""
        b = self.books
        return [
            (
                f"{b.answers:,} answers and {b.outcomes:,} outcomes acknowledged, {b.cut:,} requests cut"
                f" off by {self.kills} kills, {self.swaps} swaps"
            ),
            (
                f"memory of the worker that was spared: {min(self.memory, default=0):.0f} to"
                f" {max(self.memory, default=0):.0f} MB, grew by {self.growth():.1f}"
            ),
            *(self.problems() or ["no row is lost, no answer is of another version, memory is flat"]),
        ]


def soak(what: Soak, say: Say) -> Outcome:
    """Run it. At the end everything is killed by force, the server first, under load."""
    store = Store.of(what.folder / "store", what.bundles)
    rows = what.folder / "rows.json"
    rows.write_text(json.dumps(what.rows))
    port, journal = free_port(), what.folder / "journal"
    server = Server(
        [
            sys.executable,
            "-m",
            "serve",
            "--store",
            store.folder,
            "--journal",
            journal,
            "--port",
            str(port),
            "--workers",
            "2",
        ],
        ROOT,
        what.folder / "log",
    )
    visitors: list[subprocess.Popen[bytes]] = []
    try:
        server.wait(port, "/ready", None)
        expected = _expected(port, store, what.rows)
        outcome = json.dumps(_target(what.bundles[0]))
        for number in range(VISITORS):
            command = [
                sys.executable,
                ROOT / "bench/scorer/visitor.py",
                port,
                rows,
                outcome,
                what.folder / f"visitor-{number}",
                what.seconds + 1,
                THREADS,
            ]
            visitors.append(subprocess.Popen([str(word) for word in command]))
        found = _trouble(server, store, what.seconds, say)
        found.ended = server.said() if server.process.poll() is not None else ""
        _kill_all(server)  # the clients continue for a second: their answers must be in the journal, too
        for visitor in visitors:
            visitor.wait(40)
    finally:
        for visitor in visitors:
            visitor.kill()
            visitor.wait(10)
        server.stop()
    found.books = compare(sorted(what.folder.glob("visitor-*")), journal, expected)
    return found


def _trouble(server: Server, store: Store, seconds: float, say: Say) -> Outcome:
    """Swap and kill on schedule; record the memory of the worker that is never killed every half second."""
    found, began = Outcome(Books()), time.monotonic()
    spared, swap_at, kill_at, say_at = workers(server)[0], SWAP_EVERY, KILL_EVERY, 15.0
    while (now := time.monotonic() - began) < seconds:
        found.memory.append(memory(spared))
        if now >= swap_at:
            found.swaps += 1
            store.serve(store.versions[found.swaps % len(store.versions)])
            swap_at += SWAP_EVERY
        if now >= kill_at:
            for pid in [pid for pid in workers(server) if pid != spared][:1]:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                    found.kills += 1
            kill_at += KILL_EVERY
        if now >= say_at:
            say(f"  {now:.0f} s: {found.swaps} swaps, {found.kills} kills, {found.memory[-1]:.0f} MB")
            say_at += 15
        time.sleep(0.5)
    return found


def workers(server: Server) -> list[int]:
    """The workers, the oldest first: what was forked from the server, and runs its code."""
    own = _command(server.process.pid)
    return [pid for pid in server.children() if _command(pid) == own]


def _kill_all(server: Server) -> None:
    for pid in [*workers(server), server.process.pid]:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def _target(bundle: Path) -> Any:
    """An outcome that the contract takes."""
    contract = json.loads((bundle / "manifest.json").read_text())["contract"]
    return contract["target"]["classes"][0]


def _expected(port: int, store: Store, rows: list[dict[str, Any]]) -> dict[str, list[float]]:
    """version -> the scores of *rows*: each bundle is made live once, and queried without load."""
    found = {}
    for version in (*store.versions[1:], store.versions[0]):
        store.serve(version)
        end = time.monotonic() + 30
        scores: list[float] = []
        # Each worker follows by itself: until ten answers in a row are of the version.
        while len(scores) < 10 * len(rows):
            answers = json.loads(ask(port, "/score", json.dumps(rows).encode())[1])
            new = [answer["score"] for answer in answers if answer["version"] == version]
            scores = [*scores, *new] if len(new) == len(rows) else []
            if time.monotonic() > end:
                raise TimeoutError(f"{version} is not served within 30 s")
        found[version] = scores[: len(rows)]
    return found

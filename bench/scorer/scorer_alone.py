"""Measurements of the scorer only: start, size, batches, swaps and shadows."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

from bench.peers.own_servers import OURS, SHADOWED
from bench.peers.server_process import Server, memory
from bench.peers.server_rounds import Contestant, Measurement, Say, contestants, launch, place
from bench.scorer.benchmark_model import ROOT, SERVE, Store, Subject, SubjectError
from bench.scorer.load import Load, drive

SWAPS, SWAP_EVERY = 50, 0.8
READY = "/ready"


def floor(subject: Subject, seconds: float) -> dict[str, dict[str, float]]:
    """What `bench.scorer.raw_session` says, from the scorer's own environment."""
    return _measured("raw_session", subject.bundles[0], subject, seconds)


def lists(subject: Subject, folder: Path, seconds: float) -> dict[str, dict[str, float]]:
    """What `bench.scorer.lists` says of a store in *folder*, from the scorer's own environment."""
    return _measured("lists", subject.store(folder / "lists").folder, subject, seconds)


def _measured(module: str, of: Path, subject: Subject, seconds: float) -> dict[str, Any]:
    command = [SERVE, "-m", f"bench.scorer.{module}", of, subject.folder / "rows.json", seconds]
    done = subprocess.run([str(word) for word in command], cwd=ROOT, check=True, capture_output=True, text=True)
    return dict(json.loads(done.stdout))


def lowest(floors: list[dict[str, dict[str, float]]]) -> dict[str, dict[str, float]]:
    """The lowest measurement of each run, as other load must not raise the floor."""
    return {name: min((each[name] for each in floors), key=_cpu) for name in floors[0]}


def _cpu(timed: dict[str, float]) -> float:
    return timed["cpu"]


def ready(subject: Subject, folder: Path, times: int = 5) -> float:
    """Seconds from the start of the process until /ready says 200; the median of a few starts."""
    found = []
    for _ in range(times):
        where = place(OURS[0], SERVE, subject, folder)
        server = launch(OURS[0], where)
        try:
            found.append(server.wait(where.ports[0], READY, None))
        finally:
            server.stop()
    return median(found)


def installed(folder: Path) -> float:
    """Megabytes on the disk; a file with several names counts once."""
    stats = {s.st_ino: s.st_blocks * 512 for p in folder.rglob("*") if (s := p.lstat())}
    return sum(stats.values()) / 1e6


def largest(folder: Path, count: int = 4) -> str:
    """The largest packages, and the share of compiled bytecode, as text."""
    places = next(folder.glob("lib/python3*/site-packages")).iterdir()
    found = sorted(((installed(p), p.name) for p in places if p.is_dir()), reverse=True)[:count]
    compiled = sum(installed(p) for p in folder.rglob("__pycache__"))
    words = ", ".join(f"{name} {size:.0f}" for size, name in found)
    return f"{words}; {compiled:.0f} of all is bytecode, compiled for a quick start"


def batch(one: Contestant, subject: Subject, seconds: float, rounds: int) -> float:
    """CPU µs of one request with all the rows."""
    bodies = one.bodies.with_name("batch")
    bodies.write_text(json.dumps(subject.rows, separators=(",", ":")) + "\n")
    batches = replace(one, bodies=bodies)
    return median(batches.measure(1, number, seconds).cpu for number in range(rounds))


def resident(one: Contestant) -> float:
    """Megabytes of its largest worker."""
    return max(memory(pid) for pid in one.server.children())


@dataclass(frozen=True)
class Shadows:
    """The load without a shadow and with one, in turns."""

    without: list[Measurement]
    with_one: list[Measurement]

    @property
    def ratio(self) -> float:
        """The median over the turns of the median latency with a shadow over that without."""
        pairs = zip(self.without, self.with_one, strict=True)
        return median(shadowed.p50 / plain.p50 for plain, shadowed in pairs)


def shadows(subject: Subject, folder: Path, say: Say, turns: int = 15) -> Shadows:
    """Two servers alone, one of which has a shadow: one second each, turn by turn."""
    found: dict[str, list[Measurement]] = {OURS[0].name: [], SHADOWED.name: []}
    with contestants([OURS[0], SHADOWED], subject, folder, say) as (up, absent):
        if absent:
            raise SubjectError(f"the load with a shadow cannot be measured: {'; '.join(absent.values())}")
        for turn in range(turns):
            for one in up if turn % 2 else up[::-1]:
                found[one.entrant.name].append(one.measure(8, turn, 1))
    return Shadows(*found.values())


@dataclass(frozen=True)
class Swaps:
    """The load without swaps, and with them: turn by turn, a measurement each."""

    quiet: list[Load]
    swapping: list[Load]
    swaps: int

    @property
    def ratio(self) -> float:
        """The 99th percentile with, over that without: the median turn's."""
        pairs = zip(self.quiet, self.swapping, strict=True)
        return median(loud.p99 / quiet.p99 for quiet, loud in pairs)

    @property
    def failed(self) -> int:
        """How many requests failed."""
        return sum(load.failed for load in self.swapping)


def swaps(subject: Subject, folder: Path, number: int = SWAPS, connections: int = 8, turns: int = 10) -> Swaps:
    """Load on one worker while nothing happens, and while *number* bundles are swapped in, in *turns*."""
    shutil.rmtree(folder / "ours", ignore_errors=True)
    where = place(OURS[0], SERVE, subject, folder)
    store = Store(where.folder / "store", tuple(bundle.name for bundle in subject.bundles))
    server = launch(OURS[0], where)
    each, seconds = number // turns, number / turns * SWAP_EVERY
    quiet, loud = [], []

    def load() -> Load:
        return drive(where.ports[0], "/score", where.folder / "bodies", connections, seconds)

    try:
        server.wait(where.ports[0], READY, None)
        load()
        for turn in range(turns):
            quiet.append(load())
            some = range(turn * each + 1, (turn + 1) * each + 1)
            swapping = threading.Thread(target=_swap, args=(store, server, some))
            swapping.start()
            loud.append(load())
            swapping.join()
        seen = _seen(server)
    finally:
        server.stop()
    return Swaps(quiet, loud, seen - 1)


def _swap(store: Store, server: Server, some: range) -> None:
    """Swap one at a time: the next when the scorer serves the one before."""
    for turn in some:
        began = time.perf_counter()
        store.serve(store.versions[turn % 2])
        while _seen(server) <= turn and time.perf_counter() - began < 10:
            time.sleep(0.02)
        time.sleep(max(0.0, SWAP_EVERY - 0.05 - (time.perf_counter() - began)))


def _seen(server: Server) -> int:
    lines = server.log.read_text(errors="replace").splitlines()
    return sum(line.startswith("live: ") for line in lines)

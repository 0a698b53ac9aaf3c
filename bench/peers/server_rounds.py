"""Rounds of measurements: all entrants run at once, and are measured in turn."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.environments import InstallError, install
from bench.peers.entrant import Entrant, Place
from bench.peers.server_process import Server, ServerError, ask, free_port, share
from bench.scorer.benchmark_model import ROOT, SERVE, WORK, Subject
from bench.scorer.load import drive

#: The tolerance of a peer's scores: the graph computes in float32.
TOLERANCE = 1e-4
Say = Callable[[str], None]


@dataclass(frozen=True)
class Measurement:
    """One measurement of an entrant under a load; CPU µs per request of all its processes."""

    entrant: str
    connections: int
    number: int
    cpu: float
    rate: float
    p50: float
    p99: float
    answered: int
    failed: int


@dataclass
class Contestant:
    """A running entrant with the pipeline's scores."""

    entrant: Entrant
    server: Server
    port: int
    bodies: Path

    def measure(self, connections: int, number: int, seconds: float) -> Measurement:
        """Load for *seconds*.

        Each connection has one open request when the load ends. These count as answered, since the server processes them
        as well (`settled`), which favours slow servers.
        """
        before = self.server.settled()
        load = drive(self.port, self.entrant.path, self.bodies, connections, seconds)
        spent = self.server.settled() - before
        return Measurement(
            self.entrant.name,
            connections,
            number,
            spent * 1e6 / (load.answered + connections),
            load.answered / load.seconds,
            load.p50,
            load.p99,
            load.answered,
            load.failed,
        )

    def memory(self) -> float:
        """Megabytes of all its processes."""
        return sum(share(pid) for pid in self.server.pids())


@contextmanager
def contestants(
    entrants: Iterable[Entrant], subject: Subject, folder: Path, say: Say
) -> Iterator[tuple[list[Contestant], dict[str, str]]]:
    """The entrants that start with the right scores, and why others do not. All are stopped in the end."""
    known, up, absent = {e.name: e for e in entrants}, [], {}
    servers: list[Server] = []

    def start(entrant: Entrant) -> Contestant | None:
        try:
            place = _place(entrant, known, subject, folder)
            one = _start(entrant, place, subject, servers)
        except (InstallError, ServerError, RuntimeError, OSError) as error:
            absent[entrant.name] = " ".join(str(error).split())[-300:]
            say(f"  {entrant.name}: left out: {absent[entrant.name]}")
            return None
        say(f"  {entrant.name} is up")
        return one

    try:
        with ThreadPoolExecutor(2) as pool:
            up = [one for one in pool.map(start, known.values()) if one]
        for one in up:
            one.measure(8, 0, 1)  # a warm-up, once all of its workers are there
        yield up, absent
    finally:
        for server in servers:
            server.stop()


def rounds(
    up: list[Contestant], levels: Iterable[int], number_of_rounds: int, seconds: float, done: Path, say: Say
) -> list[Measurement]:
    """All measurements. Those in the file *done* are not repeated."""
    taken = read(done)
    known = {(m.entrant, m.connections, m.number) for m in taken}
    for number in range(1, number_of_rounds + 1):
        for connections in levels:
            # Each round starts with another entrant, so that none always follows the slowest.
            for one in up[number % len(up) :] + up[: number % len(up)]:
                if (one.entrant.name, connections, number) in known:
                    continue
                found = one.measure(connections, number, seconds)
                taken.append(found)
                with done.open("a") as file:
                    file.write(json.dumps(asdict(found)) + "\n")
                say(
                    f"  round {number}, {connections:2} connections: {one.entrant.name:20}"
                    f" {found.cpu:9,.0f} CPU µs {found.rate:9,.0f}/s"
                    f" p50 {found.p50:.1f} p99 {found.p99:.1f} ms"
                )
    return taken


def read(done: Path) -> list[Measurement]:
    """The existing measurements."""
    lines = done.read_text().splitlines() if done.is_file() else []
    return [Measurement(**json.loads(line)) for line in lines]


def place(entrant: Entrant, python: Path, subject: Subject, folder: Path) -> Place:
    """A fresh folder for *entrant*, with a store and the rows in it."""
    own = folder / entrant.name
    shutil.rmtree(own, ignore_errors=True)
    own.mkdir(parents=True)
    if entrant.family in ("ours", "floor"):
        subject.store(own / "store")
    (own / "rows.json").write_text(json.dumps(subject.rows[:100]))
    (own / "bodies").write_bytes(b"\n".join(entrant.bodies(subject.rows)) + b"\n")
    ports = (free_port(), free_port(), free_port())
    return Place(own, python, subject.pipeline, subject.model, own / "rows.json", ports)


def launch(entrant: Entrant, where: Place) -> Server:
    """Start the server's process, without waiting for it."""
    environment = {**where.environment(), **entrant.environment}
    if entrant.family in ("ours", "floor"):
        environment["PYTHONPATH"] = str(ROOT)
    words = [word.format_map(where.words()) for word in entrant.command.split()]
    return Server(words, where.folder, where.folder / "log", environment)


def _place(entrant: Entrant, known: dict[str, Entrant], subject: Subject, folder: Path) -> Place:
    python = SERVE
    if entrant.packages or entrant.environment_of:
        of = known.get(entrant.environment_of, entrant)
        python = install(folder.parent / "peers" / of.name, of.packages, WORK)
    return place(entrant, python, subject, folder)


def _start(entrant: Entrant, where: Place, subject: Subject, servers: list[Server]) -> Contestant:
    if entrant.prepare:
        entrant.prepare(where)
    server = launch(entrant, where)
    servers.append(server)
    server.wait(where.ports[0], entrant.path, entrant.bodies(subject.rows[:1])[0], 90)
    one = Contestant(entrant, server, where.ports[0], where.folder / "bodies")
    _agrees(one, subject)
    return one


def _agrees(one: Contestant, subject: Subject) -> None:
    """Raise `ServerError` if the scores of a few rows differ from the pipeline's."""
    if one.entrant.family == "floor":
        return
    for (row, expected), body in zip(subject.pairs[:5], one.entrant.bodies(subject.rows[:5]), strict=True):
        _, answer = ask(one.port, one.entrant.path, body)
        found = one.entrant.score(json.loads(answer))
        if abs(found - expected) > TOLERANCE:
            raise ServerError(f"{one.entrant.name} says {found} of {row}, the pipeline {expected}")

"""The measurements, and their medians."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

from bench.peers.entrant import Entrant
from bench.peers.server_rounds import Measurement

LEVELS = (1, 8, 32)
#: The number of connections for single figures per server.
MAIN = 8


@dataclass
class Results:
    """All results in BENCHMARKS.md."""

    entrants: Sequence[Entrant]
    taken: Sequence[Measurement]
    floor: Mapping[str, Mapping[str, float]]
    extra: dict[str, float] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    memory: dict[str, float] = field(default_factory=dict)
    absent: Mapping[str, str] = field(default_factory=dict)

    def cpu(self, name: str, connections: int = MAIN) -> float | None:
        """The median of its CPU µs per request; None if it was not measured."""
        found = [m.cpu for m in self.of(name, connections)]
        return median(found) if found else None

    def of(self, name: str, connections: int) -> list[Measurement]:
        """One entrant's measurements under one load, without those that have no answers."""
        return [m for m in self.taken if (m.entrant, m.connections) == (name, connections) and m.answered]

    def best(self, families: Iterable[str]) -> tuple[str, float] | None:
        """Name and CPU µs of the cheapest server of *families*."""
        wanted = set(families)
        found = [(cpu, e.name) for e in self.entrants if e.family in wanted and (cpu := self.cpu(e.name))]
        return (min(found)[1], min(found)[0]) if found else None

    def measured(self) -> list[Entrant]:
        """The measured entrants, the cheapest first."""
        found = [(cpu, e.name, e) for e in self.entrants if (cpu := self.cpu(e.name)) is not None]
        return [entrant for _, _, entrant in sorted(found, key=lambda each: each[:2])]

    @property
    def floor_one(self) -> float:
        """CPU µs of one run of one row."""
        return self.floor["model 1"]["cpu"]

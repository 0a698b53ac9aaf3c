"""A signal: one metric on one day, against its limits."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Signal:
    """A metric of *kind* on *day*; *feature* is "" where it is about the whole row.

    *expected* is the mean of the reference's days, *lower* and *upper* are the limits (None where
    there is none on that side).
    """

    kind: str
    metric: str
    feature: str
    day: str
    value: float
    expected: float
    lower: float | None
    upper: float | None
    rows: int

    @property
    def breached(self) -> bool:
        """Whether the value lies beyond a limit."""
        above = self.upper is not None and self.value > self.upper
        return above or (self.lower is not None and self.value < self.lower)

    @property
    def name(self) -> str:
        """What tells the series that the signal belongs to."""
        return " ".join(part for part in (self.kind, self.metric, self.feature) if part)

    def to_json(self) -> dict[str, Any]:
        """Plain values, for the file of a run."""
        return asdict(self) | {"breached": self.breached}


@dataclass(frozen=True)
class Unknown:
    """Something that could not be watched, and why: no alarm, and no pass either."""

    kind: str
    why: str


def by_series(signals: list[Signal]) -> dict[str, list[Signal]]:
    """The signals of each series, in order of days."""
    found: dict[str, list[Signal]] = {}
    for signal in sorted(signals, key=lambda each: each.day):
        found.setdefault(signal.name, []).append(signal)
    return found

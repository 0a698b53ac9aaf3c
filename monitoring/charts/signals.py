"""A signal: one metric on one day, on its control chart."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Protocol, TypeVar

#: Kinds that are about how the scorers answer, and about no row.
SERVICE = ("latency", "errors")
#: Kinds that are counted, of however few rows, and so judged on every whole day.
COUNTS = ("missing_values", "unseen_categories", "row_rate", "label_coverage")


@dataclass(frozen=True)
class Measure:
    """A metric of *kind* on *day*, over *rows*, before any limit; *feature* is "" for the whole row."""

    kind: str
    metric: str
    feature: str
    day: str
    value: float
    rows: int

    @property
    def name(self) -> str:
        """What tells the series that it belongs to."""
        return named(self.kind, self.metric, self.feature)


@dataclass(frozen=True)
class Signal:
    """A metric of *kind* on *day*; *feature* is "" where it is about the whole row.

    *expected* is the mean of the reference's days, *lower* and *upper* are the limits of the day
    (Shewhart's chart; None where there is none on that side). *level* is where the series has been
    lately, with limits of its own (EWMA); the level has no verdict where it is None. *tier*: page, issue
    or digest. *run_length*: days from one false alarm of this chart to the next.
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
    level: float | None = None
    level_lower: float | None = None
    level_upper: float | None = None
    tier: str = "issue"
    run_length: float | None = None

    @property
    def breached(self) -> bool:
        """Whether the day's value or the level lies beyond a limit."""
        return _beyond(self.value, self.lower, self.upper) or _beyond(self.level, self.level_lower, self.level_upper)

    @property
    def name(self) -> str:
        """What tells the series that the signal belongs to."""
        return named(self.kind, self.metric, self.feature)

    def told(self, value: float, plain: str = ".3f") -> str:
        """A *value* of the series for people: in its unit, or as *plain* formats it where it has none."""
        if self.kind == "latency":
            return f"{value:,.0f} ms" if value >= 100 else f"{value:.3g} ms"
        return f"{value:.2%}" if self.kind == "errors" else format(value, plain)

    def to_json(self) -> dict[str, Any]:
        """Plain values, for the file of a run."""
        return asdict(self) | {"breached": self.breached}


@dataclass(frozen=True)
class Unknown:
    """Something that could not be watched, and why: no alarm, and no pass either.

    With *yet* nothing is broken: there are not enough days so far. *crashed* tells of a mistake.
    """

    kind: str
    why: str
    yet: bool = False
    crashed: bool = False


class Dated(Protocol):
    """What belongs to a series and to a day."""

    @property
    def name(self) -> str: ...
    @property
    def day(self) -> str: ...


OfSeries = TypeVar("OfSeries", bound=Dated)


def by_series(signals: list[OfSeries]) -> dict[str, list[OfSeries]]:
    """The signals (or measures) of each series, in order of days."""
    found: dict[str, list[OfSeries]] = {}
    for signal in sorted(signals, key=lambda each: each.day):
        found.setdefault(signal.name, []).append(signal)
    return found


def named(kind: str, metric: str, feature: str) -> str:
    """The name of a series."""
    return " ".join(part for part in (kind, metric, feature) if part)


def _beyond(value: float | None, lower: float | None, upper: float | None) -> bool:
    above = value is not None and upper is not None and value > upper
    return above or (value is not None and lower is not None and value < lower)

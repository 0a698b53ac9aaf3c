"""A signal: a metric on a day, with its control limits."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Protocol, TypeVar

#: Kinds that are about the scorers' responses, not about rows.
SERVICE = ("latency", "errors")
#: Training-serving skew: from the newest training, not from the window.
SKEW = "serving_skew"
#: Kinds that are counts, which are evaluated on every whole day, with any number of rows.
COUNTS = ("missing_values", "unseen_categories", "row_rate", "label_coverage")

#: The metric of label coverage at the age at which half of the outcomes of a class are known.
EARLY = "share_early"


@dataclass(frozen=True)
class Measure:
    """A metric of *kind* on *day*, over *rows*, without limits; *feature* is "" for whole rows.

    *positives* is the number of rows of the positive class, for a ROC AUC of two classes. The value is that of *days*
    days, of which *day* is the last.
    """

    kind: str
    metric: str
    feature: str
    day: str
    value: float
    rows: int
    positives: int = 0
    days: int = 1

    @property
    def name(self) -> str:
        """The name of its series."""
        return named(self.kind, self.metric, self.feature)


@dataclass(frozen=True)
class Signal:
    """A metric of *kind* on *day*, with its control limits; *feature* is "" for whole rows.

    *expected* is the mean of the reference's days; *lower* and *upper* are the limits of the day (Shewhart; None on a
    side without a limit). *level* is the EWMA, or a CUSUM as a shift of the mean, with its limits. *severity* is page,
    issue or digest. *run_length* is the chart's in-control run length in days. The value is that of *days* days, of
    which *day* is the last. *holiday* is the name of a holiday on which the value is no alarm.
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
    severity: str = "issue"
    run_length: float | None = None
    days: int = 1
    holiday: str = ""

    @property
    def breached(self) -> bool:
        """Whether the day's value or the level is outside its limits, and the day is no holiday."""
        if self.holiday:
            return False
        return _outside(self.value, self.lower, self.upper) or _outside(self.level, self.level_lower, self.level_upper)

    @property
    def name(self) -> str:
        """The name of its series."""
        return named(self.kind, self.metric, self.feature)

    @property
    def when(self) -> str:
        """The day, or the days of a period: "2026-11-23", "3 days to 2026-11-23", "week to 2026-11-22"."""
        period = {1: "", 7: "week to "}.get(self.days, f"{self.days} days to ")
        return f"{period}{self.day}"

    def formatted(self, value: float, plain: str = ".3f") -> str:
        """A *value* of the series in its unit, or in the format *plain* without one."""
        if self.kind == "latency":
            return f"{value:,.0f} ms" if value >= 100 else f"{value:.3g} ms"
        return f"{value:.2%}" if self.kind == "errors" else format(value, plain)

    def to_json(self) -> dict[str, Any]:
        """As JSON values, for the file of a run."""
        values = asdict(self) | {"breached": self.breached}
        values["tier"] = values.pop("severity")  # the key in existing files
        return values


@dataclass(frozen=True)
class Unknown:
    """A kind that could not be monitored, and why: neither an alarm nor a pass.

    With *yet* it only needs more days. With *crashed* the check failed.
    """

    kind: str
    why: str
    yet: bool = False
    crashed: bool = False


class Dated(Protocol):
    """Has the name of a series and a day."""

    @property
    def name(self) -> str: ...
    @property
    def day(self) -> str: ...


OfSeries = TypeVar("OfSeries", bound=Dated)


def by_series(signals: Iterable[OfSeries]) -> dict[str, list[OfSeries]]:
    """The signals (or measures) of each series, in order of days."""
    series: dict[str, list[OfSeries]] = {}
    for signal in sorted(signals, key=lambda each: each.day):
        series.setdefault(signal.name, []).append(signal)
    return series


def named(kind: str, metric: str, feature: str) -> str:
    """The name of a series."""
    return " ".join(part for part in (kind, metric, feature) if part)


def _outside(value: float | None, lower: float | None, upper: float | None) -> bool:
    above = value is not None and upper is not None and value > upper
    return above or (value is not None and lower is not None and value < lower)

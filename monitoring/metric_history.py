"""The history of signals and daily metrics, for the dashboard: `series.json` in the folder of the runs.

A run covers a few weeks; the dashboard shows a quarter, and the file keeps a year. A later run replaces the values of
a day.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass, field, fields
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from contracts.atomic_file import write_atomically
from monitoring.charts.signals import Signal
from monitoring.metrics.daily_metrics import Day

NAME = "series.json"
#: The artifact of the workflow that contains the file.
ARTIFACT = "signals"
#: How many days are kept, back from the newest: a year, and some to compare it with the year before.
MAX_DAYS = 400
#: Names in the file, where `severity` keeps its first key.
_SIGNAL = ["tier" if each.name == "severity" else each.name for each in fields(Signal)]
_DAY = [each.name for each in fields(Day)]
#: Names that files of earlier releases do not have, with their values there.
_LATER = {"days": 1, "holiday": ""}


class SeriesError(ValueError):
    """The file cannot be read. The message says what to do."""


@dataclass(frozen=True)
class Series:
    """Signals with their version, daily metrics, and the state of the newest run."""

    signals: tuple[tuple[str, Signal], ...] = ()
    days: tuple[Day, ...] = ()
    run: Mapping[str, Any] = field(default_factory=dict)

    def updated(self, version: str, signals: Iterable[Signal], days: Iterable[Day], run: Mapping[str, Any]) -> Series:
        """The history after a run with the state *run*, and the *signals* and *days* of *version*."""
        known = {(v, s.name, s.day): (v, s) for v, s in self.signals}
        known |= {(version, s.name, s.day): (version, s) for s in signals}
        metrics = {(d.version, d.day): d for d in self.days}
        metrics |= {(d.version, d.day): d for d in days}
        first = _first([*(key[2] for key in known), *(key[1] for key in metrics)])
        return Series(
            tuple(known[key] for key in sorted(known, key=_by_day) if key[2] >= first),
            tuple(metrics[key] for key in sorted(metrics, key=lambda key: key[::-1]) if key[1] >= first),
            run,
        )

    def to_json(self) -> str:
        """The names once, then rows of values: a tenth of the size of objects."""
        content = {
            "format": 1,
            "run": dict(self.run),
            "day": _DAY,
            "days": [astuple(day) for day in self.days],
            "signal": ["version", *_SIGNAL],
            "signals": [[version, *astuple(signal)] for version, signal in self.signals],
        }
        return json.dumps(content, separators=(",", ":")) + "\n"


def read_series(folder: Path, elsewhere: Callable[[], bytes | None] = lambda: None) -> Series:
    """The history in *folder*, or the one that *elsewhere* returns; empty at first. Raises `SeriesError`."""
    path = folder / NAME
    try:
        content = path.read_bytes() if path.exists() else elsewhere()
        if content is None:
            return Series()
        found = json.loads(content)
        return Series(
            tuple((row[0], Signal(*row[1:])) for row in _rows(found, "signal", ["version", *_SIGNAL], _LATER)),
            tuple(Day(*row) for row in _rows(found, "day", _DAY)),
            dict(found["run"]),
        )
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        raise SeriesError(f"{path} cannot be read ({error!r}); delete it, and the next run starts a new one") from error


def keep_series(folder: Path, series: Series) -> None:
    """Write the history to *folder* atomically."""
    write_atomically(folder / NAME, series.to_json(), durable=True)


def _rows(
    found: Mapping[str, Any], names: str, expected: Sequence[str], later: Mapping[str, Any] | None = None
) -> Iterable[list[Any]]:
    """The rows, with their values in the *expected* order; *later* has values of names that the file may lack."""
    there = list(found[names])
    lacking = [name for name in later or {} if name not in there]
    order = [[*there, *lacking].index(name) for name in expected]
    for row in found[f"{names}s"]:
        values = [*row, *((later or {})[name] for name in lacking)]
        yield [values[place] for place in order]


def _first(days: Sequence[str]) -> str:
    newest = max(days, default="")
    return f"{date.fromisoformat(newest) - timedelta(days=MAX_DAYS - 1)}" if newest else ""


def _by_day(key: tuple[str, str, str]) -> tuple[str, ...]:
    version, name, day = key
    return day, version, name

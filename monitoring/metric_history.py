"""What the watch has seen so far, in one file that stays small: `series.json` in the folder of its runs.

A run looks a few weeks back; the control room shows a quarter and keeps a year. A later run's word on a
day is the last.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass, field, fields
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from monitoring.charts.signals import Signal
from monitoring.metrics.daily_metrics import Day
from monitoring.run_files import write_whole

NAME = "series.json"
#: What the watch's workflow calls the artifact that has it.
ARTIFACT = "signals"
#: Days that are kept, back from the newest: a year, and some to compare it with the one before.
KEPT = 400
_SIGNAL, _DAY = ([each.name for each in fields(of)] for of in (Signal, Day))


class SeriesError(ValueError):
    """The file is none of ours. The message says what to do."""


@dataclass(frozen=True)
class Series:
    """Signals with their version, days of versions, and what the newest run said of itself."""

    signals: tuple[tuple[str, Signal], ...] = ()
    days: tuple[Day, ...] = ()
    run: Mapping[str, Any] = field(default_factory=dict)

    def updated(self, version: str, signals: Iterable[Signal], days: Iterable[Day], run: Mapping[str, Any]) -> Series:
        """It, after a run said *run* of itself, and *signals* and *days* of *version*."""
        known = {(v, s.name, s.day): (v, s) for v, s in self.signals}
        known |= {(version, s.name, s.day): (version, s) for s in signals}
        seen = {(d.version, d.day): d for d in self.days}
        seen |= {(d.version, d.day): d for d in days}
        first = _first([*(key[2] for key in known), *(key[1] for key in seen)])
        return Series(
            tuple(known[key] for key in sorted(known, key=_by_day) if key[2] >= first),
            tuple(seen[key] for key in sorted(seen, key=lambda key: key[::-1]) if key[1] >= first),
            run,
        )

    def to_json(self) -> str:
        """Names once, then values: a tenth of what a name for each value would take."""
        told = {
            "format": 1,
            "run": dict(self.run),
            "day": _DAY,
            "days": [astuple(day) for day in self.days],
            "signal": ["version", *_SIGNAL],
            "signals": [[version, *astuple(signal)] for version, signal in self.signals],
        }
        return json.dumps(told, separators=(",", ":")) + "\n"


def read_series(folder: Path, elsewhere: Callable[[], bytes | None] = lambda: None) -> Series:
    """What *folder* keeps, else what is kept *elsewhere*; nothing at first. Raises `SeriesError`."""
    path = folder / NAME
    try:
        content = path.read_bytes() if path.exists() else elsewhere()
        if content is None:
            return Series()
        told = json.loads(content)
        return Series(
            tuple((row[0], Signal(*row[1:])) for row in _rows(told, "signal", ["version", *_SIGNAL])),
            tuple(Day(*row) for row in _rows(told, "day", _DAY)),
            dict(told["run"]),
        )
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        raise SeriesError(
            f"{path} cannot be read ({error!r}); take it away, and it begins anew with the next watch"
        ) from error


def keep_series(folder: Path, series: Series) -> None:
    """Write it, whole or not at all."""
    write_whole(folder / NAME, series.to_json())


def _rows(told: Mapping[str, Any], names: str, expected: Sequence[str]) -> Iterable[list[Any]]:
    """The rows, their values in the order that is *expected*."""
    order = [list(told[names]).index(name) for name in expected]
    for row in told[f"{names}s"]:
        yield [row[place] for place in order]


def _first(days: Sequence[str]) -> str:
    newest = max(days, default="")
    return f"{date.fromisoformat(newest) - timedelta(days=KEPT - 1)}" if newest else ""


def _by_day(key: tuple[str, str, str]) -> tuple[str, ...]:
    version, name, day = key
    return day, version, name

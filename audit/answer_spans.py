"""Which version answered when, by the journal: spans of each variant, and the answers next to a time. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from contracts.row_contract import read_time

Line = Mapping[str, Any]
#: The columns of a line that are read.
NAMES = ("id", "at", "version", "arm", "correction", "share", "salt")


@dataclass(frozen=True)
class Span:
    """A time in which *version* answered as the variant *arm*: from its *first* answer to its *last*."""

    arm: str
    version: str
    first: datetime
    last: datetime
    answers: int = 1


@dataclass
class Answered:
    """What a journal has: the *spans*, sorted, and by variant the last answer until a time and the first one after it."""

    spans: list[Span] = field(default_factory=list)
    before: dict[str, Line] = field(default_factory=dict)
    after: dict[str, Line] = field(default_factory=dict)

    @property
    def first(self) -> datetime | None:
        """The time of the first answer."""
        return min((span.first for span in self.spans), default=None)

    @property
    def last(self) -> datetime | None:
        """The time of the last answer."""
        return max((span.last for span in self.spans), default=None)


def answered(files: Iterable[Iterable[Line]], when: datetime) -> Answered:
    """What the *files* have: each the lines of one process, in order. *when* is the time for `before` and `after`."""
    found, runs = Answered(), list[Span]()
    for lines in files:
        runs += _runs(lines, found, when)
    found.spans = _joined(runs)
    return found


def _runs(lines: Iterable[Line], found: Answered, when: datetime) -> Iterator[Span]:
    """The spans within a file."""
    open_: dict[str, Span] = {}
    for line in lines:
        at = read_time(str(line.get("at")))
        if at is None or not (line.get("version") and line.get("arm")):
            continue
        arm, version = str(line["arm"]), str(line["version"])
        near = found.before if at <= when else found.after
        other = near.get(arm)
        if other is None or (at >= _at(other) if at <= when else at < _at(other)):
            near[arm] = line
        run = open_.get(arm)
        if run and run.version == version:
            open_[arm] = replace(run, last=max(run.last, at), answers=run.answers + 1)
        else:
            if run:
                yield run
            open_[arm] = Span(arm, version, at, at)
    yield from open_.values()


def _joined(runs: Iterable[Span]) -> list[Span]:
    """The spans of all files: processes and files of one version one after the other, or side by side, are one span."""
    found: list[Span] = []
    newest: dict[str, list[int]] = {}
    for run in sorted(runs, key=lambda each: (each.first, each.last, each.version)):
        places = newest.setdefault(run.arm, [])
        same = [n for n in places if found[n].version == run.version]
        # Another version since then ends a span, unless a process still answers with this one.
        if same and (same[-1] == places[-1] or found[same[-1]].last >= run.first):
            span = found[same[-1]]
            found[same[-1]] = replace(span, last=max(span.last, run.last), answers=span.answers + run.answers)
        else:
            places.append(len(found))
            found.append(run)
    return found


def _at(line: Line) -> datetime:
    found = read_time(str(line["at"]))
    if found is None:
        raise ValueError(f"{line['at']} is not a time")  # `_runs` leaves out such lines
    return found

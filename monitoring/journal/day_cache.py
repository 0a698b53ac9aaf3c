"""A cache of the journal's closed days: the counts of each day, and a sample of its rows.

A day is a folder of the journal: the lines that were written then. It is read again when a file was added. Outcomes are
kept by the day that they came on, and joined with their answers in each run, so a late outcome changes no earlier day.
Segment files that are still open are read in each run.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, reduce
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from contracts.journal_format import Listing, Part, Place, lines, parsed
from contracts.row_contract import Contract
from monitoring.journal import raw_rows
from monitoring.journal.frame_store import FrameStore, digest_of

#: Counts that are kept in an earlier format are read again.
FORMAT = 3


@dataclass(frozen=True)
class Reading:
    """Which *version*'s rows are read ("": every version's), and how: the SQL *engine*, and the *folder* of the cache (None: no cache).

    *seen* are the categories of training, by feature. *sample* is the number of rows of a usual day in the sample.
    """

    contract: Contract
    version: str
    seen: Mapping[str, Sequence[str]]
    sample: int
    engine: Literal["duckdb", "spark"] = "duckdb"
    folder: Path | None = None


@dataclass(frozen=True)
class Day:
    """The lines of one kind of a day.

    *counts* are by the day that rows are about (see `queries.daily`); *odd* counts lines that were left out; *frame*
    is the sample of *level*: 1 row in 2 ** level. *lines* is the number of all lines. *traffic* is the number of
    answers by version and the day that they are about.
    """

    counts: pd.DataFrame
    odd: Counter[str]
    lines: int
    level: int
    frame: pd.DataFrame
    traffic: pd.DataFrame = field(default_factory=pd.DataFrame)

    def at(self, level: int) -> pd.DataFrame:
        """The sample of the same or a higher *level*."""
        if level == self.level:
            return self.frame
        return self.frame[self.frame["hash"].astype(str) < _below(level)]


class Days:
    """The days of a journal; "" is the day of segments. Raises OSError."""

    def __init__(self, place: Place, reading: Reading) -> None:
        self._place, self._reading = place, reading
        self._listing = Listing(place)
        #: Rows of a day that are kept: twice what is needed, because the next day may have few.
        self._share = 2 * reading.sample
        self._known: dict[tuple[str, str], Day] = {}
        self._cache = FrameStore(reading.folder)

    def back(self, kind: str) -> Iterator[str]:
        """The days with lines of a *kind*: segments, then days from the newest; each is listed when it is needed."""
        return (day for day in ["", *reversed(self._listing.days)] if self._listing.of(kind, day))

    def since(self, kind: str, first: str) -> list[str]:
        """The days from *first* on with lines of a *kind*, oldest first, segments last."""
        return sorted(self._listing.every(kind, first), key=lambda day: day or "9")

    def answers(self, day: str, level: int | None = None) -> Day:
        """A day's answers, with a sample of *level* or lower."""
        return self._day("answers", day, level)

    def outcomes(self, day: str, level: int) -> Day:
        """A day's outcomes, with a sample of *level* or lower."""
        return self._day("outcomes", day, level)

    def _day(self, kind: str, day: str, level: int | None) -> Day:
        found = self._known.get((kind, day)) or self._load(kind, day)
        if found is None or (level is not None and found.level > level):
            wanted = None if level is None else max(level - 1, 0)
            found = (self._answers if kind == "answers" else self._outcomes)(day, wanted)
            self._keep(kind, day, found)
        self._known[kind, day] = found
        return found

    @cached_property
    def _engine(self) -> Any:
        from monitoring.journal.sql_engine import Engine  # noqa: PLC0415 -- a second, if not all days are cached

        return Engine(self._reading.engine)

    def _answers(self, day: str, level: int | None) -> Day:
        from monitoring.journal import queries  # noqa: PLC0415

        contract, version = self._reading.contract, self._reading.version
        odd: Counter[str] = Counter()
        names, files = queries.names_of(contract), self._listing.of("answers", day)
        tables, raw = self._columns(files, names) if day else ([], self._lines(files, names))
        for table in tables:
            there = [name for name in names if name in table.columns]
            untyped = self._engine.lines(queries.untyped(table).select(*there))
            raw += [raw_rows.line_of(each) for each in untyped]
        rows = [queries.typed(table, contract, version) for table in tables]
        others = raw_rows.answers(raw, contract, version, odd)
        if len(others) or not rows:
            rows.append(queries.memtable(others, contract))
        with self._engine.computed_once(reduce(lambda one, other: one.union(other), rows)) as every:
            unique, totals = every, self._totals(every)
            if totals["ids"] < totals["lines"]:
                odd[raw_rows.REPEATED_ANSWERS] = totals["lines"] - totals["ids"]
                unique = queries.first_of_each_id(every)
                totals = self._totals(unique)
            odd["answers that do not fit the contract"] = totals["mine"] - totals["fitting"]
            if level is None:
                level = level_for(totals["lines"], self._share)
            counts = self._engine.frame(queries.daily(unique, contract, self._reading.seen))
            traffic = self._engine.frame(queries.traffic(unique, contract))
            frame = self._engine.frame(queries.sampled(unique, level))
        counts = _local(counts, contract.zone).set_index("day").rename_axis(None)
        traffic = _local(traffic, contract.zone)
        frame = frame.drop(columns="version")
        return Day(counts, +odd, totals["lines"], level, frame, traffic)

    def _totals(self, rows: Any) -> dict[str, int]:
        from monitoring.journal import queries  # noqa: PLC0415

        found = self._engine.frame(queries.totals(rows)).fillna(0).iloc[0]
        return {str(name): int(count) for name, count in found.items()}

    def _outcomes(self, day: str, level: int | None) -> Day:
        from monitoring.journal import queries  # noqa: PLC0415

        odd: Counter[str] = Counter()
        names, files = ("id", "outcome", "at"), self._listing.of("outcomes", day)
        tables, raw = self._columns(files, names) if day else ([], self._lines(files, names))
        complete = [table for table in tables if {"id", "outcome"} <= {*table.columns}]
        found = [line for table in complete for line in self._engine.lines(queries.outcomes(table, level or 0))]
        frame = raw_rows.outcomes([*found, *raw], self._reading.contract, odd)
        repeated = frame["id"].duplicated()
        odd[raw_rows.REPEATED_OUTCOMES] = int(repeated.sum())
        frame = frame[~repeated]
        if not day and level:
            frame = frame[frame["hash"] < _below(level)]
        return Day(pd.DataFrame(), +odd, len(frame), level or 0, frame)

    def _lines(self, files: Sequence[Part], names: Sequence[str]) -> list[Any]:
        return [line for part in files for line in lines(self._place, part, names)]

    def _columns(self, files: Sequence[Part], names: Sequence[str]) -> tuple[list[Any], list[Any]]:
        """A day's files as tables of lines, and the lines that did not fit into columns."""
        tables = self._engine.tables(self._place, files, {*names, "form", "line"})
        raw = [
            parsed(each["line"])
            for table in tables
            for each in self._engine.lines(table.filter(table.form.isnull()).select("line"))  # noqa: PD003 -- Ibis
        ]
        return [table.filter(table.form.notnull()) for table in tables], raw  # noqa: PD004

    def _name(self, kind: str, day: str) -> tuple[str, str]:
        """The entry of a day in the cache, and the digest of everything that it depends on."""
        by = self._reading
        reading = [FORMAT, by.version, by.contract.to_json(), {n: [*v] for n, v in by.seen.items()}]
        depends = [reading, [part.name for part in self._listing.of(kind, day)]]
        return f"{kind}-{day}-{by.version}", digest_of(depends)

    def forget(self, first: str) -> None:
        """Remove from the cache the days before *first*, and those that are no longer in the journal."""
        for kind in ("answers", "outcomes"):
            days = self.since(kind, first)
            for name in self._cache.names(f"{kind}-"):
                if _day_in(name) not in days:
                    self._cache.remove(name)

    def _load(self, kind: str, day: str) -> Day | None:
        if not day:
            return None
        name = "-".join(self._name(kind, day))
        values, frame = self._cache.values(name), self._cache.frame(name)
        if values is None or frame is None:
            return None
        try:
            counts = pd.DataFrame.from_dict(values["counts"], orient="index")
            traffic = pd.DataFrame(values["traffic"], columns=["day", "version", "rows"])
            return Day(counts, Counter(values["odd"]), values["lines"], values["level"], frame, traffic)
        except (ValueError, KeyError, TypeError):
            return None  # changed by hand: the day is read again

    def _keep(self, kind: str, day: str, found: Day) -> None:
        if not day:
            return
        values = {
            "counts": json.loads(found.counts.to_json(orient="index", double_precision=15)),
            "odd": {what: int(count) for what, count in found.odd.items()},
            "lines": found.lines,
            "level": found.level,
            "traffic": found.traffic.to_numpy().tolist(),
        }
        self._cache.keep(*self._name(kind, day), values, found.frame)


def level_for(lines: int, most: int) -> int:
    """The lowest level at which a sample of so many *lines* has at most *most*."""
    level = 0
    while lines > most * 2**level and level < 24:
        level += 1
    return level


def _local(found: pd.DataFrame, zone: str) -> pd.DataFrame:
    """The result of `queries.daily` or `queries.traffic`, with days of *zone* instead of quarters of an hour."""
    if not zone:
        return found
    from monitoring.journal.queries import QUARTER  # noqa: PLC0415

    at = pd.to_datetime(found["day"].astype("int64") * QUARTER, unit="s", utc=True)
    found = found.assign(day=at.dt.tz_convert(zone).dt.strftime("%Y-%m-%d"))
    how = {name: {"asked": "min", "answered": "max"}.get(name, "sum") for name in found}
    keys = [name for name in ("day", "version") if name in found]
    return found.groupby(keys, as_index=False).agg({n: h for n, h in how.items() if n not in keys})


def _below(level: int) -> str:
    from monitoring.journal.queries import below  # noqa: PLC0415

    return below(level) if level else "g"  # greater than every hexadecimal digit


def _day_in(name: str) -> str:
    """The day of an entry; "" if it has no day."""
    named = re.match(r"[a-z]+-(\d{4}-\d\d-\d\d)-", name)
    return named[1] if named else ""

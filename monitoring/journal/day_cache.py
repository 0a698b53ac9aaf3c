"""The journal's days, each read once: what was counted of a day, and its sample, are kept.

A day is a folder of the journal: what was written then. It is read again when another file came to it.
Outcomes are kept by the day that they were told on, and meet their answers in each run: one that comes
late changes no day but its own. What is still in segments is read each time.
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
from monitoring.journal import raw_rows as loose
from monitoring.journal.frame_store import Shelf, digest_of

FORMAT = 2


@dataclass(frozen=True)
class Reading:
    """Whose rows are read, and how: by which *engine*, what is kept in which *folder* (None: nothing).

    *seen* are the categories of training. *sample* is how many rows of a usual day are looked at by themselves.
    """

    contract: Contract
    version: str
    seen: Mapping[str, Sequence[str]]
    sample: int
    engine: Literal["duckdb", "spark"] = "duckdb"
    folder: Path | None = None


@dataclass(frozen=True)
class Day:
    """What is known of one kind of lines of a day.

    *counts* are by the day that rows are about, as `query.daily` says; *odd* is what was odd; *frame*
    is the sample of *level*: 1 row of 2 ** level. *lines* are all of the day. *traffic* is how many answers each
    version gave, by the day that they are about.
    """

    counts: pd.DataFrame
    odd: Counter[str]
    lines: int
    level: int
    frame: pd.DataFrame
    traffic: pd.DataFrame = field(default_factory=pd.DataFrame)

    def at(self, level: int) -> pd.DataFrame:
        """The sample of a *level* that is no finer."""
        if level == self.level:
            return self.frame
        return self.frame[self.frame["hash"].astype(str) < _below(level)]


class Days:
    """The days of a journal, "" for what is in segments. Raises OSError."""

    def __init__(self, place: Place, reading: Reading) -> None:
        self._place, self._reading = place, reading
        self._listing = Listing(place)
        #: Rows of a day that are kept: twice what is needed, for the next day may be a quiet one.
        self._share = 2 * reading.sample
        self._known: dict[tuple[str, str], Day] = {}
        self._shelf = Shelf(reading.folder)

    def back(self, kind: str) -> Iterator[str]:
        """The days with lines of a *kind*, segments first, then from the newest on; each is listed when it is due."""
        return (day for day in ["", *reversed(self._listing.days)] if self._listing.of(kind, day))

    def since(self, kind: str, first: str) -> list[str]:
        """The days from *first* on with lines of a *kind*, oldest first, segments last."""
        return sorted(self._listing.every(kind, first), key=lambda day: day or "9")

    def answers(self, day: str, level: int | None = None) -> Day:
        """A day's answers, sampled at *level* or finer."""
        return self._day("answers", day, level)

    def outcomes(self, day: str, level: int) -> Day:
        """A day's outcomes, those of the sample of *level* or a finer one."""
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
        from monitoring.journal.sql_engine import Engine  # noqa: PLC0415 -- a second, where all days are kept

        return Engine(self._reading.engine)

    def _answers(self, day: str, level: int | None) -> Day:
        from monitoring.journal import queries as query  # noqa: PLC0415

        contract, version = self._reading.contract, self._reading.version
        odd: Counter[str] = Counter()
        names, files = query.names_of(contract), self._listing.of("answers", day)
        tables, raw = self._columns(files, names) if day else ([], self._lines(files, names))
        for table in tables:
            there = [name for name in names if name in table.columns]
            others = self._engine.lines(query.rest(table).select(*there))
            raw += [loose.line_of(each) for each in others]
        rows = [query.typed(table, contract, version) for table in tables]
        rest = loose.answers(raw, contract, version, odd)
        if len(rest) or not rows:
            rows.append(query.memtable(rest, contract))
        with self._engine.once(reduce(lambda one, other: one.union(other), rows)) as every:
            whole, told = every, self._totals(every)
            if told["ids"] < told["lines"]:
                odd["answers whose id came before (the first stands)"] = told["lines"] - told["ids"]
                whole = query.firsts(every)
                told = self._totals(whole)
            odd["answers that do not fit the contract"] = told["mine"] - told["fitting"]
            if level is None:
                level = level_for(told["lines"], self._share)
            counts = self._engine.frame(query.daily(whole, contract, self._reading.seen))
            traffic = self._engine.frame(query.traffic(whole, contract))
            frame = self._engine.frame(query.sampled(whole, level))
        counts = _local(counts, contract.zone).set_index("day").rename_axis(None)
        traffic = _local(traffic, contract.zone)
        frame = frame.drop(columns="version")
        return Day(counts, +odd, told["lines"], level, frame, traffic)

    def _totals(self, rows: Any) -> dict[str, int]:
        from monitoring.journal import queries as query  # noqa: PLC0415

        found = self._engine.frame(query.totals(rows)).fillna(0).iloc[0]
        return {str(name): int(count) for name, count in found.items()}

    def _outcomes(self, day: str, level: int | None) -> Day:
        from monitoring.journal import queries as query  # noqa: PLC0415

        odd: Counter[str] = Counter()
        names, files = ("id", "outcome", "at"), self._listing.of("outcomes", day)
        tables, raw = self._columns(files, names) if day else ([], self._lines(files, names))
        whole = [table for table in tables if {"id", "outcome"} <= {*table.columns}]
        told = [line for table in whole for line in self._engine.lines(query.told(table, level or 0))]
        frame = loose.outcomes([*told, *raw], self._reading.contract, odd)
        repeated = frame["id"].duplicated()
        odd["outcomes told again (the first stands)"] = int(repeated.sum())
        frame = frame[~repeated]
        if not day and level:
            frame = frame[frame["hash"] < _below(level)]
        return Day(pd.DataFrame(), +odd, len(frame), level or 0, frame)

    def _lines(self, files: Sequence[Part], names: Sequence[str]) -> list[Any]:
        return [line for part in files for line in lines(self._place, part, names)]

    def _columns(self, files: Sequence[Part], names: Sequence[str]) -> tuple[list[Any], list[Any]]:
        """A day's files as tables of lines, and the lines that are in no columns."""
        found = self._engine.tables(self._place, files, {*names, "form", "line"})
        raw = [
            parsed(each["line"])
            for table in found
            for each in self._engine.lines(table.filter(table.form.isnull()).select("line"))  # noqa: PD003 -- Ibis's own
        ]
        return [table.filter(table.form.notnull()) for table in found], raw  # noqa: PD004

    def _name(self, kind: str, day: str) -> tuple[str, str]:
        """Of a day that is kept: what it is, and the digest of all that it depends on."""
        mine = self._reading
        whose = [FORMAT, mine.version, mine.contract.to_json(), {n: [*v] for n, v in mine.seen.items()}]
        told = [whose, [part.name for part in self._listing.of(kind, day)]]
        return f"{kind}-{day}-{mine.version}", digest_of(told)

    def forget(self, first: str) -> None:
        """What was kept of days before *first* goes, and of those that are no longer in the journal."""
        for kind in ("answers", "outcomes"):
            days = self.since(kind, first)
            for name in self._shelf.names(f"{kind}-"):
                if _day_in(name) not in days:
                    self._shelf.remove(name)

    def _load(self, kind: str, day: str) -> Day | None:
        if not day:
            return None
        name = "-".join(self._name(kind, day))
        told, frame = self._shelf.told(name), self._shelf.frame(name)
        if told is None or frame is None:
            return None
        try:
            counts = pd.DataFrame.from_dict(told["counts"], orient="index")
            traffic = pd.DataFrame(told["traffic"], columns=["day", "version", "rows"])
            return Day(counts, Counter(told["odd"]), told["lines"], told["level"], frame, traffic)
        except (ValueError, KeyError, TypeError):
            return None  # by another hand: read anew

    def _keep(self, kind: str, day: str, found: Day) -> None:
        if not day:
            return
        told = {
            "counts": json.loads(found.counts.to_json(orient="index", double_precision=15)),
            "odd": {what: int(count) for what, count in found.odd.items()},
            "lines": found.lines,
            "level": found.level,
            "traffic": found.traffic.to_numpy().tolist(),
        }
        self._shelf.keep(*self._name(kind, day), told, found.frame)


def level_for(lines: int, most: int) -> int:
    """The level at which of so many *lines* no more than *most* are in the sample."""
    level = 0
    while lines > most * 2**level and level < 24:
        level += 1
    return level


def _local(found: pd.DataFrame, zone: str) -> pd.DataFrame:
    """What `query.daily` or `query.traffic` gave, with the days of *zone* instead of quarters of an hour."""
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

    return below(level) if level else "g"  # after every hexadecimal digit


def _day_in(name: str) -> str:
    """The day that an entry is of; "" for what is none."""
    named = re.match(r"[a-z]+-(\d{4}-\d\d-\d\d)-", name)
    return named[1] if named else ""

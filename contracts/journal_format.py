"""The journal's files, lines by lines: segments of JSON, and the Parquet that they become, by the day.

A segment and what is made of it are never both read: the segment goes when its Parquet is whole.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from glob import glob
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import pandas as pd
import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet as pq

Line = dict[str, Any]
#: What a journal consists of: segments, folders of days, and what a day's has.
SEGMENTS, DAYS, WITHIN = "*.jsonl", "day=????-??-??", "day={}/kind=*/*.parquet"
#: Lines that are put into one frame.
LOT = 500_000
#: In a file's metadata: the names that lines of each form have. The row's begin with "row.".
_FORMS, _ROW = b"forms", "row."


class Place(Protocol):
    """Where a journal lies."""

    def days(self) -> list[str]:
        """The days that have a folder, such as 2026-11-23. Raises OSError."""

    def names(self, day: str) -> list[str]:
        """The Parquet of a *day*, by its path from there; for "" the segments. Raises OSError."""

    def open(self, name: str) -> BinaryIO:
        """One of them, to be read. Raises OSError."""

    def url(self, name: str) -> str:
        """Where an engine finds it."""


@dataclass(frozen=True)
class Folder:
    """A journal in a folder of this machine."""

    path: Path

    def days(self) -> list[str]:
        """From the folders' names."""
        return [name.removeprefix("day=") for name in glob(DAYS, root_dir=self.path)]  # noqa: PTH207

    def names(self, day: str) -> list[str]:
        """Without a path for each: a day has hundreds."""
        return glob(WITHIN.format(day) if day else SEGMENTS, root_dir=self.path)  # noqa: PTH207

    def open(self, name: str) -> BinaryIO:
        """One of them."""
        return (self.path / name).open("rb")

    def url(self, name: str) -> str:
        """Its path."""
        return str(self.path / name)


@dataclass(frozen=True)
class Part:
    """A file of the journal: a segment, or ("day" is not empty) what its lines of a day became."""

    name: str
    day: str

    @property
    def stem(self) -> str:
        """The segment's name without its ending, whatever it became."""
        return _stem(self.name)


class Listing:
    """The files of a journal by kind and day. A day is looked into once, when it is asked for: a year has many."""

    def __init__(self, place: Place) -> None:
        self._place = place
        # First: a segment that becomes Parquet meanwhile must not be missed.
        segments = place.names("")
        self._unfinished = {*map(_stem, segments)}
        self.days = sorted(day for day in place.days() if re.fullmatch(r"\d{4}-\d\d-\d\d", day))
        kinds = ((name.partition("-")[0], Part(name, "")) for name in segments)
        self._found = {"": _grouped(kinds)}

    def of(self, kind: str, day: str) -> list[Part]:
        """The files with lines of *kind* of a *day*, "" for segments, in the order in which they were begun."""
        if day not in self._found:
            self._found[day] = _grouped(self._in(day) if day in self.days else ())
        return self._found[day].get(kind, [])

    def _in(self, day: str) -> Iterator[tuple[str, Part]]:
        """A day's files by their kind."""
        for name in self._place.names(day):
            _, kind, file = name.split("/")
            if not file.startswith(".") and _stem(file) not in self._unfinished:
                yield kind.removeprefix("kind="), Part(name, day)

    def every(self, kind: str, since: str = "") -> dict[str, list[Part]]:
        """Those of segments and of all days from *since* on that have any, by the day."""
        days = ["", *(day for day in self.days if day >= since)]
        return {day: found for day in days if (found := self.of(kind, day))}


def _grouped(kinds: Iterable[tuple[str, Part]]) -> dict[str, list[Part]]:
    found: dict[str, list[Part]] = {}
    for kind, part in sorted(kinds, key=lambda each: in_order(each[1])):
        found.setdefault(kind, []).append(part)
    return found


def in_order(part: Part) -> tuple[str, str]:
    """What files are sorted by: when they were begun."""
    return part.stem, part.day


def parts(place: Place, kind: str) -> list[Part]:
    """The files with lines of *kind* in *place*, in the order in which they were begun."""
    found = Listing(place).every(kind)
    return sorted((part for some in found.values() for part in some), key=in_order)


def _stem(name: str) -> str:
    return name.rpartition("/")[2].rpartition(".")[0]


def lines(place: Place, part: Part, names: Collection[str]) -> Iterator[Line | None]:
    """Every line of a file; None for one that is torn.

    From Parquet only what *names* says is read: a line's "id", its row's "row.pages".
    """
    try:
        file = place.open(part.name)
    except FileNotFoundError:
        # Between two looks the segment became Parquet.
        made = [each for each in parts(place, part.stem.partition("-")[0]) if each.stem == part.stem]
        if part in made or part.day:
            raise
        for each in made:
            yield from lines(place, each, names)
        return
    with file:
        if part.day:
            yield from _records(part, file, names)
        else:
            yield from (parsed(line) for line in file.read().splitlines() if line)


def shape(place: Place, part: Part, names: Collection[str]) -> tuple[tuple[str, str], ...]:
    """Which of *names* the Parquet file *part* has, each with its type. Raises OSError."""
    try:
        with place.open(part.name) as file:
            told = pq.ParquetFile(file).schema_arrow
        if {"form", "line"} - {*told.names} or _FORMS not in (told.metadata or {}):
            raise ValueError("it lacks what each has")
    except (pa.ArrowException, ValueError) as error:
        raise OSError(f"{part.name} is not of the journal's kind: {error!r}") from error
    return tuple((each.name, str(each.type)) for each in told if each.name in names)


def frames(place: Place, some: Iterable[Part], names: Sequence[str]) -> Iterator[tuple[pd.DataFrame, int]]:
    """The lines of files as frames, for who needs many, and how many were torn.

    A column for each of *names* ("row.pages"); what a line has not is missing. Whole numbers stay
    whole where some are missing. "at" are times, where all of a frame are in one of the usual spellings.
    Files with the same columns are put together, some `LOT` lines of them: each costs little by itself.
    """
    alike: list[pa.Table] = []

    def together() -> tuple[pd.DataFrame, int]:
        found = _with_times(pa.concat_tables(alike)).to_pandas(integer_object_nulls=True)
        alike.clear()
        return found.reindex(columns=names), 0

    for part in some:
        table, raw = _table(place, part, names) if part.day else (None, [])
        apart = raw or table is None or (alike and table.schema != alike[0].schema)
        if alike and (apart or sum(map(len, alike)) >= LOT):
            yield together()
        if table is None:
            yield _flat(lines(place, part, names), names)
        elif raw:
            others, torn = _flat(map(parsed, raw), names)
            found = table.to_pandas(integer_object_nulls=True).reindex(columns=names)
            yield pd.concat([found.astype(object), others], ignore_index=True), torn
        else:
            alike.append(table)
    if alike:
        yield together()


def _table(place: Place, part: Part, names: Sequence[str]) -> tuple[pa.Table, list[bytes]]:
    """What a Parquet file has of *names*, and the lines that are in no columns."""
    with place.open(part.name) as file:
        try:
            whole = pq.ParquetFile(file)
            there = {*whole.schema_arrow.names}
            mine = [name for name in names if name in there]
            # A file is small: threads would cost more than they save.
            table = whole.read(columns=["form", "line", *mine], use_threads=False)
        except (pa.ArrowException, ValueError) as error:
            raise OSError(f"{part.name} is not of the journal's kind: {error!r}") from error
    raw: list[bytes] = []
    if table["form"].null_count:
        fits = table["form"].is_valid()
        raw = table.filter(pa.compute.invert(fits))["line"].to_pylist()
        table = table.filter(fits)
    return table.select(mine).replace_schema_metadata(None), raw


def _with_times(table: pa.Table) -> pa.Table:
    """The *table*, "at" as times if each can be read at once; pandas knows every spelling, slowly."""
    if "at" not in table.column_names or table["at"].type != pa.string():
        return table
    try:
        at = table["at"].cast(pa.timestamp("us", "UTC"))
    except pa.ArrowException:
        return table
    return table.set_column(table.column_names.index("at"), "at", at)


def _flat(found: Iterable[Line | None], names: Sequence[str]) -> tuple[pd.DataFrame, int]:
    """Lines as a frame of objects, and how many were torn."""
    torn = 0
    columns: dict[str, list[Any]] = {name: [] for name in names}
    inner = [(name, name[len(_ROW) :]) for name in names if name.startswith(_ROW)]
    outer = [name for name in names if not name.startswith(_ROW)]
    for line in found:
        if line is None:
            torn += 1
            continue
        row = line.get("row")
        row = row if isinstance(row, dict) else {}
        for name in outer:
            columns[name].append(line.get(name))
        for name, key in inner:
            columns[name].append(row.get(key))
    return pd.DataFrame({name: pd.Series(v, dtype=object) for name, v in columns.items()}), torn


def _records(part: Part, file: BinaryIO, names: Collection[str]) -> Iterator[Line | None]:
    try:
        whole = pq.ParquetFile(file)
        told = json.loads((whole.schema_arrow.metadata or {})[_FORMS])
        there = set(whole.schema_arrow.names)
        forms = [[name for name in form if name in names or name == _ROW] for form in told]
        inner = [_has_row(form) for form in told]
        asked = sorted({name for form in forms for name in form} & there)
        for batch in whole.iter_batches(columns=["form", "line", *asked]):
            columns = {name: batch.column(name).to_pylist() for name in asked}
            numbers = batch.column("form").to_pylist()
            raw = batch.column("line").to_pylist()
            for at, number in enumerate(numbers):
                if number is None:
                    yield parsed(raw[at])
                else:
                    yield _line(forms[number], inner[number], columns, at)
    except (pa.ArrowException, KeyError, ValueError, IndexError, TypeError) as error:
        raise OSError(f"{part.name} is not of the journal's kind: {error!r}") from error


def _has_row(form: Sequence[str]) -> bool:
    return any(name.startswith(_ROW) for name in form)


def _line(form: Sequence[str], has_row: bool, columns: dict[str, list[Any]], at: int) -> Line:
    line: Line = {"row": {}} if has_row else {}
    for name in form:
        if not name.startswith(_ROW):
            line[name] = columns[name][at]
        elif name != _ROW:
            line["row"][name[len(_ROW) :]] = columns[name][at]
    return line


def parsed(line: bytes) -> Line | None:
    """A line as it was written; None if it is torn."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None

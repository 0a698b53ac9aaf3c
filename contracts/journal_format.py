"""The journal's files: segment files of JSON lines, and the Parquet files by day that replace them.

A segment and its Parquet files are never both read: the segment is deleted when its Parquet files are complete.
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
#: Segments, folders of days, and the files in the folder of a day.
SEGMENTS, DAYS, WITHIN = "*.jsonl", "day=????-??-??", "day={}/kind=*/*.parquet"
#: Lines of one frame.
LINES_PER_FRAME = 500_000
#: The key in a Parquet file's metadata with the names of each form of line; names of the row have a prefix.
_FORMS, _ROW = b"forms", "row."


class Place(Protocol):
    """The storage of a journal."""

    def days(self) -> list[str]:
        """The days that have a folder, such as 2026-11-23. Raises OSError."""

    def names(self, day: str) -> list[str]:
        """Paths of the Parquet files of a *day*; for "" of the segments. Raises OSError."""

    def open(self, name: str) -> BinaryIO:
        """One of them, opened for reading. Raises OSError."""

    def url(self, name: str) -> str:
        """Its address for a SQL engine."""


@dataclass(frozen=True)
class Folder:
    """A journal in a folder of this machine."""

    path: Path

    def days(self) -> list[str]:
        """From the folders' names."""
        return [name.removeprefix("day=") for name in glob(DAYS, root_dir=self.path)]  # noqa: PTH207

    def names(self, day: str) -> list[str]:
        """As texts, because a day has hundreds."""
        return glob(WITHIN.format(day) if day else SEGMENTS, root_dir=self.path)  # noqa: PTH207

    def open(self, name: str) -> BinaryIO:
        """One of them."""
        return (self.path / name).open("rb")

    def url(self, name: str) -> str:
        """Its path."""
        return str(self.path / name)


@dataclass(frozen=True)
class Part:
    """A file of the journal: a segment, or (*day* is not empty) the Parquet file of its lines of a day."""

    name: str
    day: str

    @property
    def stem(self) -> str:
        """The segment's name without suffix, of a Parquet file, too."""
        return _stem(self.name)


class Listing:
    """The files of a journal by kind and day. The folder of a day is listed once, on first use."""

    def __init__(self, place: Place) -> None:
        self._place = place
        # Before the days: a segment that becomes Parquet meanwhile must not be missed.
        segments = place.names("")
        self._unfinished = {*map(_stem, segments)}
        self.days = sorted(day for day in place.days() if re.fullmatch(r"\d{4}-\d\d-\d\d", day))
        kinds = ((name.partition("-")[0], Part(name, "")) for name in segments)
        self._found = {"": _grouped(kinds)}

    def of(self, kind: str, day: str) -> list[Part]:
        """The files with lines of *kind* of a *day* ("": segments), the oldest first."""
        if day not in self._found:
            self._found[day] = _grouped(self._in(day) if day in self.days else ())
        return self._found[day].get(kind, [])

    def _in(self, day: str) -> Iterator[tuple[str, Part]]:
        """The files of a day with their kinds."""
        for name in self._place.names(day):
            _, kind, file = name.split("/")
            if not file.startswith(".") and _stem(file) not in self._unfinished:
                yield kind.removeprefix("kind="), Part(name, day)

    def every(self, kind: str, since: str = "") -> dict[str, list[Part]]:
        """The files of *kind* by day, from *since* on; segments are at ""."""
        days = ["", *(day for day in self.days if day >= since)]
        return {day: found for day in days if (found := self.of(kind, day))}


def _grouped(kinds: Iterable[tuple[str, Part]]) -> dict[str, list[Part]]:
    found: dict[str, list[Part]] = {}
    for kind, part in sorted(kinds, key=lambda each: in_order(each[1])):
        found.setdefault(kind, []).append(part)
    return found


def in_order(part: Part) -> tuple[str, str]:
    """The key that sorts files by the time at which they were begun."""
    return part.stem, part.day


def parts(place: Place, kind: str) -> list[Part]:
    """The files with lines of *kind* in *place*, the oldest first."""
    found = Listing(place).every(kind)
    return sorted((part for some in found.values() for part in some), key=in_order)


def _stem(name: str) -> str:
    return name.rpartition("/")[2].rpartition(".")[0]


def lines(place: Place, part: Part, names: Collection[str]) -> Iterator[Line | None]:
    """Every line of a file; None for an incomplete one.

    Of Parquet only the columns *names* are read: "id" of a line, "row.pages" of its row.
    """
    try:
        file = place.open(part.name)
    except FileNotFoundError:
        # The segment has become Parquet since it was listed.
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
    """The columns among *names* of the Parquet file *part*, with their types. Raises OSError."""
    try:
        with place.open(part.name) as file:
            schema = pq.ParquetFile(file).schema_arrow
        if {"form", "line"} - {*schema.names} or _FORMS not in (schema.metadata or {}):
            raise ValueError("a column or the metadata that every file has is missing")
    except (pa.ArrowException, ValueError) as error:
        raise OSError(f"{part.name} is not a file of the journal: {error!r}") from error
    return tuple((each.name, str(each.type)) for each in schema if each.name in names)


def frames(place: Place, some: Iterable[Part], names: Sequence[str]) -> Iterator[tuple[pd.DataFrame, int]]:
    """The lines of files as frames, each with its number of incomplete lines.

    A frame has a column for each of *names* ("row.pages"), with missing values where a line lacks it. Whole numbers stay
    whole where some are missing. "at" has times if Arrow can parse all of a frame. Files with the same columns are
    combined to frames of about `LINES_PER_FRAME` lines.
    """
    alike: list[pa.Table] = []

    def together() -> tuple[pd.DataFrame, int]:
        found = _with_times(pa.concat_tables(alike)).to_pandas(integer_object_nulls=True)
        alike.clear()
        return found.reindex(columns=names), 0

    for part in some:
        table, raw = _table(place, part, names) if part.day else (None, [])
        apart = raw or table is None or (alike and table.schema != alike[0].schema)
        if alike and (apart or sum(map(len, alike)) >= LINES_PER_FRAME):
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
    """The columns *names* of a Parquet file, and its lines that have no columns."""
    with place.open(part.name) as file:
        try:
            whole = pq.ParquetFile(file)
            there = {*whole.schema_arrow.names}
            mine = [name for name in names if name in there]
            # A file is small: threads would cost more than they save.
            table = whole.read(columns=["form", "line", *mine], use_threads=False)
        except (pa.ArrowException, ValueError) as error:
            raise OSError(f"{part.name} is not a file of the journal: {error!r}") from error
    raw: list[bytes] = []
    if table["form"].null_count:
        fits = table["form"].is_valid()
        raw = table.filter(pa.compute.invert(fits))["line"].to_pylist()
        table = table.filter(fits)
    return table.select(mine).replace_schema_metadata(None), raw


def _with_times(table: pa.Table) -> pa.Table:
    """The *table*, "at" as times if Arrow can parse all; pandas parses the others, slowly."""
    if "at" not in table.column_names or table["at"].type != pa.string():
        return table
    try:
        at = table["at"].cast(pa.timestamp("us", "UTC"))
    except pa.ArrowException:
        return table
    return table.set_column(table.column_names.index("at"), "at", at)


def _flat(found: Iterable[Line | None], names: Sequence[str]) -> tuple[pd.DataFrame, int]:
    """Lines as a frame of objects, and the number of incomplete ones."""
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
        written = json.loads((whole.schema_arrow.metadata or {})[_FORMS])
        there = set(whole.schema_arrow.names)
        forms = [[name for name in form if name in names or name == _ROW] for form in written]
        inner = [_has_row(form) for form in written]
        needed = sorted({name for form in forms for name in form} & there)
        for batch in whole.iter_batches(columns=["form", "line", *needed]):
            columns = {name: batch.column(name).to_pylist() for name in needed}
            numbers = batch.column("form").to_pylist()
            raw = batch.column("line").to_pylist()
            for at, number in enumerate(numbers):
                if number is None:
                    yield parsed(raw[at])
                else:
                    yield _line(forms[number], inner[number], columns, at)
    except (pa.ArrowException, KeyError, ValueError, IndexError, TypeError) as error:
        raise OSError(f"{part.name} is not a file of the journal: {error!r}") from error


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
    """A line as it was written; None if it is incomplete."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None

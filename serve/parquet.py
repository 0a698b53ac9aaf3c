"""A closed segment of the journal becomes Parquet, a file a day: `day=2026-03-01/kind=answers/….parquet`.

Nothing is lost on the way. What is said of a row is in columns of its own (`row.pages`); a line that
fits no columns (torn, by hand, text where others have a number) is kept as it is, in `line`. Lines
come in forms, since a name that is missing is not one that is null: `form` is the number of a line's
form in the file's metadata. Files are named after the segment, so doing it again does it once.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import lru_cache
from itertools import chain, islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from serve.segments import closed, kind_of, sync_folder

#: Lines that are held in memory at once.
CHUNK = 20_000
#: Forms and columns that a file has at most; lines of more are kept as they are.
MOST = 1_000
#: In the file's metadata: the names that lines of each form have.
FORMS = b"forms"
#: A column's kind -> its type. "mixed" is 41 and 41.5, which are one kind to a browser.
TYPES = {
    "text": pa.string(),
    "boolean": pa.bool_(),
    "whole": pa.int64(),
    "number": pa.float64(),
    "mixed": pa.float64(),
    "numbers": pa.list_(pa.float64()),
}
#: What the row's fields are called, in front of their names; alone, a row without fields.
ROW = "row."
#: Columns that are not names of a line.
OURS = frozenset({"form", "line"})
Values = Mapping[str, Any]
Line = tuple[bytes, str, Values | None]
_KINDS = {bool: "boolean", str: "text", int: "whole", float: "number", list: "numbers"}


def convert(segment: Path, chunk: int = CHUNK) -> list[Path]:
    """The Parquet files made of *segment*, which is gone then; none if it is open or gone already.

    Killed anywhere, it leaves the segment, and the next time does it all again: the segment goes
    last, when every file of it is whole, in its place and on the disk.
    """
    with closed(segment) as ours:
        if not ours:
            return []
        made = _write(segment, *_shape(segment, chunk))
        segment.unlink()
        return made


def partition(segment: Path, day: str) -> Path:
    """Where the lines of *segment* that were written on *day* go."""
    place = segment.parent / f"day={day}" / f"kind={kind_of(segment)}"
    return place / f"{segment.stem}.parquet"


@dataclass
class _Shape:
    """What the lines of a segment have in common: their days, forms, and columns with their kinds."""

    days: set[str] = field(default_factory=set)
    forms: dict[tuple[str, ...], int] = field(default_factory=dict)
    columns: dict[str, str] = field(default_factory=dict)

    def schema(self) -> pa.Schema:
        columns = [pa.field(name, TYPES[kind]) for name, kind in self.columns.items()]
        columns += [pa.field("form", pa.int16()), pa.field("line", pa.binary())]
        return pa.schema(columns, metadata={FORMS: json.dumps(list(self.forms)).encode()})

    def batch(self, lines: Sequence[Line], schema: pa.Schema) -> pa.RecordBatch:
        """Lines as they stand in the columns; the ones that do not fit, in `line`."""
        forms = [values and self.forms.get(tuple(values)) for _, _, values in lines]
        found = [values or {} for _, _, values in lines]
        columns = {name: [values.get(name) for values in found] for name in self.columns}
        misfits = {at for at, form in enumerate(forms) if form is None}
        for name, kind in self.columns.items():
            misfits.update(_misfits(columns[name], kind))
        for column in (*columns.values(), forms):
            for at in misfits:
                column[at] = None
        columns["form"] = forms
        columns["line"] = [line if at in misfits else None for at, (line, _, _) in enumerate(lines)]
        arrays = [pa.array(columns[each.name], each.type) for each in schema]
        return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _shape(segment: Path, chunk: int) -> tuple[_Shape, Iterable[list[Line]]]:
    """What the lines have in common, and the lines, a *chunk* of them at a time."""
    found = _Shape()
    seen: dict[str, Counter[str]] = {}
    lots = 0
    for lots, lines in enumerate(_chunks(segment, chunk), 1):  # noqa: B007 -- how many there were
        found.days.update(day for _, day, _ in lines)
        values = [each for _, _, each in lines if each]
        for form in dict.fromkeys(map(tuple, values)):
            room = len(found.forms) < MOST and len({*seen, *form}) <= MOST
            if form not in found.forms and room and _spelt(form):
                found.forms[form] = len(found.forms)
                seen |= {name: Counter() for name in form if name not in seen}
        for name, kinds in seen.items():
            kinds.update(_kinds(name, [each.get(name) for each in values]))
    found.columns = {name: _chosen(name, kinds) for name, kinds in seen.items()}
    return found, [lines] if lots == 1 else _chunks(segment, chunk)


def _write(segment: Path, shape: _Shape, lots: Iterable[list[Line]]) -> list[Path]:
    paths = {day: partition(segment, day) for day in sorted(shape.days)}
    works = {day: path.with_name(f".{path.name}-work") for day, path in paths.items()}
    schema = shape.schema()
    with ExitStack() as files:
        writers: dict[str, pq.ParquetWriter] = {}
        for day, work in works.items():
            work.parent.mkdir(parents=True, exist_ok=True)
            writer = pq.ParquetWriter(work, schema, compression="zstd")
            writers[day] = files.enter_context(writer)
        for lines in lots:
            for day in sorted({day for _, day, _ in lines}):
                theirs = [line for line in lines if line[1] == day]
                writers[day].write_batch(shape.batch(theirs, schema))
    for day, path in paths.items():
        with works[day].open("rb") as file:
            os.fsync(file.fileno())
        works[day].replace(path)
        for folder in (path.parent, path.parent.parent, segment.parent):
            sync_folder(folder)
    return list(paths.values())


def _chunks(segment: Path, chunk: int) -> Iterator[list[Line]]:
    lines = _lines(segment)
    while found := list(islice(lines, chunk)):
        yield found


def _lines(segment: Path) -> Iterator[Line]:
    """Every line that is not empty, the day it was written on, and its values where it has any."""
    began = re.search(r"-(\d{4})(\d{2})(\d{2})T\d{12}", segment.name)
    usual = _day("-".join(began.groups())) if began else None
    usual = usual or f"{datetime.fromtimestamp(segment.stat().st_mtime, UTC):%Y-%m-%d}"
    with segment.open("rb") as file:
        for ended in file:
            for line in ended.splitlines():  # as whoever reads the segment itself takes it apart
                if line:
                    values = _values(line)
                    at = values.get("at") if values else None
                    yield line, (isinstance(at, str) and _day(at[:10])) or usual, values


def _values(line: bytes) -> Values | None:
    """The names and values of a line, the row's among them; None if it is not of that kind."""
    try:
        found = json.loads(line.decode())
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict) or not found:
        return None
    if not OURS.isdisjoint(found):
        return None
    # Looked for in the line first: nearly none has such a name.
    if (b'"row.' in line or b"\\u" in line) and any(name.startswith(ROW) for name in found):
        return None
    if "row" in found:
        row = found.pop("row")
        if not isinstance(row, dict) or "" in row:
            return None
        found |= {ROW + name: value for name, value in row.items()} or {ROW: None}
    return found


def _kinds(name: str, column: Sequence[Any]) -> Counter[str]:
    """How many of each kind a column has; "fraction" are numbers that are not whole."""
    found = Counter(
        {_KINDS.get(each, ""): count for each, count in Counter(map(type, column)).items()}
    )
    if not name.startswith(ROW):
        floats = [value for value in column if type(value) is float]
        found["fraction"] = len(floats) - sum(map(float.is_integer, floats))
    return found


def _chosen(name: str, kinds: Counter[str]) -> str:
    """The kind of a column: the one that most of its values have."""
    found = {kind: kinds[kind] for kind in ("text", "boolean", "whole", "number", "numbers")}
    if found["number"] and (name.startswith(ROW) or kinds["fraction"]):
        found["mixed"] = found.pop("number") + found.pop("whole")
    return max(found, key=found.__getitem__)


def _misfits(column: Sequence[Any], kind: str) -> list[int]:
    """Where in *column* a value is of another kind."""
    if _fit([value for value in column if value is not None], kind):  # nearly always: at once
        return []
    return [at for at, value in enumerate(column) if value is not None and not _fit([value], kind)]


def _fit(values: Sequence[Any], kind: str) -> bool:
    """Whether a column of *kind* can hold *values* as they are."""
    kinds = {_KINDS.get(each, "") for each in set(map(type, values))}
    if not kinds <= ({"whole", "number"} if kind == "mixed" else {kind}):
        return False
    if kind == "text":
        return _spelt(values)
    if kind == "numbers":
        return _fit(list(chain.from_iterable(values)), "number")
    if kind == "mixed":
        whole = [value for value in values if type(value) is int]
        return all(-(2**53) <= value <= 2**53 for value in whole) and all(
            map(math.isfinite, values)
        )
    if kind == "whole":
        return all(-(2**63) <= value < 2**63 for value in values)
    return kind != "number" or all(map(math.isfinite, values))


def _spelt(texts: Sequence[str]) -> bool:
    """Whether UTF-8 can spell *texts*: a lone surrogate it cannot."""
    try:
        "".join(texts).encode()
    except UnicodeEncodeError:
        return False
    return True


@lru_cache(maxsize=100)
def _day(text: str) -> str | None:
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        return None

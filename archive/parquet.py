"""Converts a closed segment to Parquet, one file per day: `day=2026-03-01/kind=answers/….parquet`.

Nothing is lost. The row's values are in columns such as `row.pages`. Lines differ in their names, and a
name that is missing is not a null: `form` is the index of a line's names in the list in the file's
metadata. A line that does not fit the columns (incomplete, edited, text where others have a number) is
kept as it is, in `line`. Files are named after the segment, so converting again replaces them.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import lru_cache
from itertools import chain, groupby, islice
from operator import attrgetter
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from archive.closed_segments import closed, kind_of
from serve.journal.segments import sync_folder

#: Lines that are held in memory at once.
CHUNK = 20_000
#: The most forms, and the most columns, of a file; lines with others are kept as they are.
MAX_FORMS = 1_000
#: In the file's metadata: the names that lines of each form have.
FORMS = b"forms"
#: The prefix of a row's columns; alone, a row without fields.
ROW = "row."
#: Columns that are not names in a line.
OURS = frozenset({"form", "line"})
Types = frozenset[type]
#: A column's type, by the types of the values that it takes.
COLUMNS: dict[Types, pa.DataType] = {
    frozenset({str}): pa.string(),
    frozenset({bool}): pa.bool_(),
    frozenset({int}): pa.int64(),
    frozenset({float}): pa.float64(),
    frozenset({list}): pa.list_(pa.float64()),
    frozenset({int, float}): pa.float64(),
}


class Line(NamedTuple):
    """A line as it was written, its day, and its values by column, or None."""

    content: bytes
    day: str
    values: Mapping[str, Any] | None


@dataclass
class Shape:
    """What the lines of a segment have in common: forms with their index, and columns."""

    forms: dict[tuple[str, ...], int] = field(default_factory=dict)
    columns: dict[str, Types] = field(default_factory=dict)

    def schema(self) -> pa.Schema:
        """The schema of each file."""
        columns = [(name, COLUMNS[types]) for name, types in self.columns.items()]
        columns += [("form", pa.int16()), ("line", pa.binary())]
        return pa.schema(columns, metadata={FORMS: json.dumps([*self.forms]).encode()})


def convert(segment: Path, chunk: int = CHUNK) -> list[Path]:
    """Replace *segment* by Parquet files, and return them; none if it is open or does not exist.

    The segment is deleted last, when its files are complete, in their place and on the disk.
    """
    with closed(segment) as ours:
        if not ours:
            return []
        shape = _shape(_chunks(segment, chunk))
        made = _write(segment, shape, _chunks(segment, chunk))
        segment.unlink()
        return made


def _shape(chunks: Iterable[Sequence[Line]]) -> Shape:
    found = Shape()
    seen: dict[str, Counter[type]] = {}
    fractions: set[str] = set()
    for lines in chunks:
        values = [line.values for line in lines if line.values]
        for form in dict.fromkeys(map(tuple, values)):
            room = len(found.forms) < MAX_FORMS and len({*seen, *form}) <= MAX_FORMS
            if form not in found.forms and room and _fit(form, frozenset({str})):
                found.forms[form] = len(found.forms)
                seen |= {name: Counter() for name in form if name not in seen}
        for name, types in seen.items():
            column = [each.get(name) for each in values]
            types.update(map(type, column))
            if any(type(value) is float and not value.is_integer() for value in column):
                fractions.add(name)
    for name, types in seen.items():
        # 41 and 41.0 are the same in a row and among fractions; elsewhere they are two labels.
        found.columns[name] = _usual(types, mixed=name.startswith(ROW) or name in fractions)
    return found


def _usual(counts: Counter[type], *, mixed: bool) -> Types:
    """The types of a column that takes most of the values; numbers of both types only if *mixed*."""
    allowed = [types for types in COLUMNS if mixed or len(types) == 1]
    return max(allowed, key=lambda types: sum(counts[each] for each in types))


def _write(segment: Path, shape: Shape, chunks: Iterable[Sequence[Line]]) -> list[Path]:
    schema, drafts = shape.schema(), dict[str, Path]()
    by_day = attrgetter("day")
    with ExitStack() as files:
        writers: dict[str, pq.ParquetWriter] = {}
        for lines in chunks:
            for day, some in groupby(sorted(lines, key=by_day), by_day):
                if day not in writers:
                    folder = segment.parent / f"day={day}" / f"kind={kind_of(segment)}"
                    folder.mkdir(parents=True, exist_ok=True)
                    drafts[day] = folder / f".{segment.stem}.parquet-work"
                    writer = pq.ParquetWriter(drafts[day], schema, compression="zstd")
                    writers[day] = files.enter_context(writer)
                writers[day].write_batch(_batch(shape, schema, [*some]))
    made = []
    for _, draft in sorted(drafts.items()):
        with draft.open("rb") as file:
            os.fsync(file.fileno())
        made.append(draft.replace(draft.with_name(f"{segment.stem}.parquet")))
        for folder in (draft.parent, draft.parent.parent, segment.parent):
            sync_folder(folder)
    return made


def _batch(shape: Shape, schema: pa.Schema, lines: Sequence[Line]) -> pa.RecordBatch:
    """The *lines* in columns; those that do not fit, in `line`."""
    values = [line.values or {} for line in lines]
    forms = [shape.forms.get(tuple(each)) for each in values]
    columns = {name: [each.get(name) for each in values] for name in shape.columns}
    misfits = {at for at, form in enumerate(forms) if form is None}
    for name, types in shape.columns.items():
        if not _fit(columns[name], types):
            misfits |= {n for n, value in enumerate(columns[name]) if not _fit([value], types)}
    columns["form"] = forms
    for column in columns.values():
        for at in misfits:
            column[at] = None
    columns["line"] = [line.content if at in misfits else None for at, line in enumerate(lines)]
    return pa.RecordBatch.from_pydict(columns, schema=schema)


def _fit(values: Sequence[Any], types: Types) -> bool:
    """Whether a column for *types* holds *values*, or None, as they are."""
    if not {*map(type, values)} <= {*types, type(None)}:
        return False
    if list in types:
        numbers = [*chain.from_iterable(filter(None, values))]
        return None not in numbers and _fit(numbers, frozenset({float}))
    try:
        found = pa.array(values, COLUMNS[types])
    except (pa.ArrowException, OverflowError, UnicodeEncodeError):
        return False
    return float not in types or bool(pc.all(pc.is_finite(found), min_count=0).as_py())


def _chunks(segment: Path, chunk: int) -> Iterator[list[Line]]:
    lines = _lines(segment)
    while found := list(islice(lines, chunk)):
        yield found


def _lines(segment: Path) -> Iterator[Line]:
    """Every line that is not empty. The day of one that does not say it is that of the segment."""
    began = _day(segment.name.partition("-")[2][:8])
    began = began or f"{datetime.fromtimestamp(segment.stat().st_mtime, UTC):%Y-%m-%d}"
    with segment.open("rb") as file:
        for ended in file:
            for content in ended.splitlines():  # as `contracts.journal_format` does
                if content:
                    values = _values(content)
                    at = values.get("at") if values else None
                    yield Line(content, (isinstance(at, str) and _day(at[:10])) or began, values)


def _values(content: bytes) -> dict[str, Any] | None:
    """A line's values by column; None if it is not an object, or has names of our columns."""
    try:
        found = json.loads(content.decode())
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict) or not found or not OURS.isdisjoint(found):
        return None
    # Few lines contain such a name, and searching the text is faster.
    if (b'"row.' in content or b"\\u" in content) and any(name.startswith(ROW) for name in found):
        return None
    if "row" in found:
        row = found.pop("row")
        if not isinstance(row, dict) or "" in row:
            return None
        found |= {ROW + name: value for name, value in row.items()} or {ROW: None}
    return found


@lru_cache(maxsize=100)
def _day(text: str) -> str | None:
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        return None

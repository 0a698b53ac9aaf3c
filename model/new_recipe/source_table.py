"""A table that a recipe is written for: a file, a folder, a URL or an SQL query."""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import sqlalchemy

from model.features.recipe_syntax import literal
from model.recipe_errors import words_of

#: At most so many rows of a query are looked at, at random; of a file as many.
MAX_ROWS = 200_000
#: What SQLAlchemy adds to an error: the statement, and an address.
_ABOUT = re.compile(r"\s*(\[SQL: .*|\(Background on this error at: .*)")
_ISO = r"\d{4}-\d\d"
#: How URLs of databases in a file begin.
DUCKDB, SQLITE = "duckdb:///", "sqlite:///"
_SELECT = re.compile(r"\s*(select|with)\b", re.IGNORECASE)
_CSV, _PARQUET = (".csv", ".csv.gz", ".tsv", ".tsv.gz", ".txt", ".txt.gz"), (".parquet", ".pq")
#: Ways to read a CSV file, one after the other: a column of numbers may have its first word late.
_CSV_OPTIONS: tuple[dict[str, Any], ...] = ({}, {"sample_size": -1})
#: Encodings of files that are not UTF-8, of Excel and of Windows; every file can be read as the last one.
_ENCODINGS = ("utf-16", "cp1252", "latin-1")


class SourceError(ValueError):
    """A table cannot be read. The message says what was expected."""


@dataclass(frozen=True)
class SourceTable:
    """*rows* to look at, and the lines of a recipe that read all of them: *imports*, and the expression *reading*.

    *constant* is the value of TABLE, which *reading* uses.
    """

    rows: pd.DataFrame
    constant: str
    imports: tuple[str, ...]
    reading: str


def read_table(table: str) -> SourceTable:
    """The *table*: a CSV or Parquet file, a folder of them, a glob, or a URL that DuckDB reads. Raises `SourceError`."""
    place, kind = _located(table)
    try:
        rows, reading = _csv(place) if kind == "csv" else _read("read_parquet", place)
    except (duckdb.Error, ValueError) as error:
        raise SourceError(f"{table} cannot be read as {kind}: {words_of(error)}") from error
    imports = ("import duckdb",) if "duckdb" in reading else ()
    return SourceTable(_complete(rows, table), place, imports, reading)


def _csv(place: str) -> tuple[pd.DataFrame, str]:
    """Rows of the CSV files at *place*, and the expression that reads them.

    Times that are not ISO 8601 stay texts: 01.02.25 is read by DuckDB as a day of 2001 without a question.
    """
    failed: duckdb.Error | None = None
    for options in _CSV_OPTIONS:
        try:
            rows, reading = _read("read_csv", place, **options)
            moments = [name for name in rows if pd.api.types.is_datetime64_any_dtype(rows[name])]
            if moments:
                texts = _read("read_csv", place, **options, dtype=dict.fromkeys(moments, "VARCHAR"))[0]
                other = [name for name in moments if not texts[name].dropna().astype(str).str.match(_ISO).all()]
                if other:
                    return _read("read_csv", place, **options, dtype=dict.fromkeys(other, "VARCHAR"))
        except duckdb.Error as error:
            failed = failed or error
        else:
            return rows, reading
    return _encoded(place, failed or duckdb.Error(""))


def _read(reader: str, place: str, **options: Any) -> tuple[pd.DataFrame, str]:
    some = f"SELECT * FROM found USING SAMPLE reservoir({MAX_ROWS} ROWS) REPEATABLE (0)"  # noqa: S608 -- a constant
    rows = getattr(duckdb, reader)(place, **options).query("found", some).df()
    words = "".join(f", {name}={literal(value)}" for name, value in options.items())
    return rows, f"duckdb.{reader}(TABLE{words}).df()"


def _encoded(place: str, failed: duckdb.Error) -> tuple[pd.DataFrame, str]:
    """Rows of one file that is not UTF-8, by pandas: DuckDB reads other encodings by an extension from the network only.

    Raises *failed*, the error of DuckDB, for what is no such file.
    """
    path = Path(place)
    if not path.is_file():
        raise failed
    with path.open("rb") as file:
        start = file.read(2**16)
    wide = start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    if not wide and "unicode" not in str(failed):
        raise failed
    for encoding in _ENCODINGS[:1] if wide else _ENCODINGS[1:]:
        with suppress(UnicodeDecodeError, csv.Error):
            header = start.decode(encoding, errors="replace").partition("\n")[0]
            separator = csv.Sniffer().sniff(header, delimiters=",;\t|").delimiter
            rows = pd.read_csv(path, encoding=encoding, sep=separator)
            some = rows.sample(min(len(rows), MAX_ROWS), random_state=0).sort_index()
            return some, f"pd.read_csv(TABLE, encoding={literal(encoding)}, sep={literal(separator)})"
    raise failed


def write_parquet(rows: Any, path: Path) -> None:
    """Store *rows*, a data frame of pandas or polars or an Arrow table, at *path*. Raises `SourceError`."""
    try:
        if isinstance(rows, pd.DataFrame):
            rows.to_parquet(path, index=False)
        else:
            with duckdb.connect() as connection:
                connection.sql("FROM rows").write_parquet(str(path))
    except (duckdb.Error, ValueError, TypeError) as error:
        raise SourceError(
            f"{type(rows).__name__} cannot be stored as Parquet: {words_of(error)}; expected a data frame of pandas or"
            " polars, or an Arrow table, with one type in each column"
        ) from error


def read_query(url: str, query: str) -> SourceTable:
    """The rows of *query*, a SELECT or the name of a table, in the database at the SQLAlchemy *url*. Raises `SourceError`.

    A DuckDB database, duckdb:///FILE, is read by DuckDB itself. The recipe reads the URL from the environment variable
    DATABASE_URL, so that no password is in the file.
    """
    select = query if _SELECT.match(query) else f"SELECT * FROM {query}"  # noqa: S608 -- the user's query
    try:
        rows, reading = _by_duckdb(url, select) if url.startswith(DUCKDB) else _by_sqlalchemy(url, select)
    except (
        duckdb.Error,
        sqlalchemy.exc.SQLAlchemyError,
        pd.errors.DatabaseError,
        ModuleNotFoundError,
        ValueError,
    ) as error:
        raise SourceError(
            f"the query failed: {_ABOUT.sub('', words_of(error)).replace(url, 'URL')}; expected a SQLAlchemy URL such as"
            " sqlite:///shop.db, duckdb:///shop.duckdb or postgresql+psycopg://USER:PASSWORD@HOST/NAME, and a table's"
            " name or a SELECT"
        ) from error
    if len(rows) > MAX_ROWS:
        rows = rows.sample(MAX_ROWS, random_state=0)
    imports = ("import os", f"import {'duckdb' if url.startswith(DUCKDB) else 'sqlalchemy'}")
    return SourceTable(_complete(rows, "the query"), select, imports, reading)


def database_url(given: str) -> str:
    """The URL of a database that is *given* as a URL, or as a SQLite or DuckDB file. Raises `SourceError`.

    A file of another name than expected would be created, empty, by SQLite: one that does not exist is refused.
    """
    scheme = next((each for each in (DUCKDB, SQLITE) if given.startswith(each)), "")
    if not scheme and "://" in given:
        return given
    path = Path(given.removeprefix(scheme)).expanduser()
    if not path.is_file():
        raise SourceError(f"--sql: there is no file {path}; expected a database's file, or a SQLAlchemy URL")
    with path.open("rb") as file:
        start = file.read(16)
    if scheme:
        return given
    if not (start.startswith(b"SQLite format 3") or start[8:12] == b"DUCK"):
        raise SourceError(f"--sql: {given} is no SQLite or DuckDB database; expected such a file, or a SQLAlchemy URL")
    return f"{DUCKDB if start[8:12] == b'DUCK' else SQLITE}{given}"


def _by_sqlalchemy(url: str, select: str) -> tuple[pd.DataFrame, str]:
    with sqlalchemy.create_engine(url).connect() as connection:
        rows = pd.read_sql(sqlalchemy.text(select), connection)
    return rows, 'pd.read_sql(sqlalchemy.text(TABLE), sqlalchemy.create_engine(os.environ["DATABASE_URL"]))'


def _by_duckdb(url: str, select: str) -> tuple[pd.DataFrame, str]:
    with duckdb.connect(url.removeprefix(DUCKDB), read_only=True) as connection:
        rows = connection.sql(select).df()
    name = f'os.environ["DATABASE_URL"].removeprefix({literal(DUCKDB)})'
    return rows, f"duckdb.connect({name}, read_only=True).sql(TABLE).df()"


def _located(table: str) -> tuple[str, str]:
    """Where the *table* is, as DuckDB and the recipe name it, and whether it is csv or parquet."""
    if "://" in table:
        return table, _kind_of([table.partition("?")[0]], table)
    path = Path(table).expanduser()
    if path.is_dir():
        files = [each for each in path.rglob("*") if each.is_file() and not each.name.startswith((".", "_"))]
        kind = _kind_of([each.name for each in files], table)
        ending = max((each.suffix for each in files), key=[each.suffix for each in files].count)
        return f"{_shown(path)}/**/*{ending}", kind
    if not path.is_file() and not any(sign in table for sign in "*?["):
        raise SourceError(f"there is no {table}; expected a CSV or Parquet file, a folder of them, a glob, or a URL")
    return _shown(path), _kind_of([path.name], table)


def _kind_of(names: Iterable[str], table: str) -> str:
    lower = [name.lower() for name in names]
    for kind, endings in (("parquet", _PARQUET), ("csv", _CSV)):
        if lower and any(name.endswith(endings) for name in lower):
            return kind
    raise SourceError(f"{table} has no file that ends in {', '.join((*_PARQUET, *_CSV))}; convert it to CSV or Parquet")


def _shown(path: Path) -> str:
    """*path* relative to the current folder, from where commands are typed, or absolute if it is elsewhere."""
    full = path.absolute()
    return str(full.relative_to(Path.cwd()) if full.is_relative_to(Path.cwd()) else full)


def _complete(rows: pd.DataFrame, what: str) -> pd.DataFrame:
    names = [str(each) for each in rows.columns]
    if len(rows) < 2:
        raise SourceError(f"{what} has {len(rows)} rows; expected a table with a row for each event")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise SourceError(f"{what} has two columns called {', '.join(twice)}; rename one (AS, in SQL)")
    rows = rows.set_axis(names, axis=1)
    enumerated = [name for name in rows if isinstance(rows[name].dtype, pd.CategoricalDtype)]
    return rows.astype(dict.fromkeys(enumerated, object))

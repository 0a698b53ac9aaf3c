"""A table that a recipe is written for: a file, a folder, a URL or an SQL query."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pandas as pd
import sqlalchemy

from model.recipe_errors import words_of

#: At most so many rows of a query are looked at, at random; of a file as many.
MOST_ROWS = 200_000
#: What SQLAlchemy adds to an error: the statement, and an address.
_ABOUT = re.compile(r"\s*(\[SQL: .*|\(Background on this error at: .*)")
_SELECT = re.compile(r"\s*(select|with)\b", re.IGNORECASE)
_CSV, _PARQUET = (".csv", ".csv.gz", ".tsv", ".tsv.gz", ".txt", ".txt.gz"), (".parquet", ".pq")


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
    reader = "read_csv" if kind == "csv" else "read_parquet"
    some = f"SELECT * FROM found USING SAMPLE reservoir({MOST_ROWS} ROWS) REPEATABLE (0)"  # noqa: S608 -- a constant
    try:
        rows = getattr(duckdb, reader)(place).query("found", some).df()
    except duckdb.Error as error:
        raise SourceError(f"{table} cannot be read as {kind}: {words_of(error)}") from error
    return SourceTable(_complete(rows, table), place, ("import duckdb",), f"duckdb.{reader}(TABLE).df()")


def read_query(url: str, query: str) -> SourceTable:
    """The rows of *query*, a SELECT or the name of a table, in the database at the SQLAlchemy *url*. Raises `SourceError`.

    The recipe reads the URL from the environment variable DATABASE_URL, so that no password is in the file.
    """
    select = query if _SELECT.match(query) else f"SELECT * FROM {query}"  # noqa: S608 -- the user's query
    try:
        with sqlalchemy.create_engine(url).connect() as connection:
            rows = pd.read_sql(sqlalchemy.text(select), connection)
    except (sqlalchemy.exc.SQLAlchemyError, pd.errors.DatabaseError, ModuleNotFoundError, ValueError) as error:
        raise SourceError(
            f"the query failed: {_ABOUT.sub('', words_of(error)).replace(url, 'URL')}; expected a SQLAlchemy URL such as"
            " sqlite:///shop.db or postgresql+psycopg://USER:PASSWORD@HOST/NAME, and a table's name or a SELECT"
        ) from error
    if len(rows) > MOST_ROWS:
        rows = rows.sample(MOST_ROWS, random_state=0)
    reading = 'pd.read_sql(sqlalchemy.text(TABLE), sqlalchemy.create_engine(os.environ["DATABASE_URL"]))'
    return SourceTable(_complete(rows, "the query"), select, ("import os", "import sqlalchemy"), reading)


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
    return rows.set_axis(names, axis=1)

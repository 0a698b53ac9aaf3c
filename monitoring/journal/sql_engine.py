"""The engine that runs the queries on a day of the journal: DuckDB on this machine, or Spark."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal

import ibis
import ibis.expr.types as ir
import pandas as pd

from contracts.journal_format import Part, Place, shape

Name = Literal["duckdb", "spark"]
#: DuckDB's memory limit; the rest of a larger day is spilled to disk.
MEMORY = "1GB"


class Engine:
    """Reads Parquet and runs queries. Errors of the engine are raised as OSError."""

    def __init__(self, name: Name) -> None:
        self.name = name
        self._registered = False
        self._backend: Any = _duckdb() if name == "duckdb" else _spark()

    def tables(self, place: Place, parts: Sequence[Part], names: Sequence[str]) -> list[ir.Table]:
        """The files *parts* as tables, one for all files that have *names* with the same types."""
        by_shape: dict[tuple[tuple[str, str], ...], list[str]] = {}
        for part in parts:
            by_shape.setdefault(shape(place, part, names), []).append(place.url(part.name))
        return [self._read(place, urls) for urls in by_shape.values()]

    @contextmanager
    def computed_once(self, table: ir.Table) -> Iterator[ir.Table]:
        """The *table*, computed once for several queries; Spark computes it for each."""
        if self.name == "spark":
            yield table
            return
        name = ibis.util.gen_name("day")
        with self._errors_as_oserror():
            found = self._backend.create_table(name, table, temp=True)
        try:
            yield found
        finally:
            self._backend.raw_sql(f'DROP TABLE temp."{name}"')

    def frame(self, table: ir.Table) -> pd.DataFrame:
        """The result of a query."""
        with self._errors_as_oserror():
            found: pd.DataFrame = self._backend.to_pandas(table)
            return found

    def lines(self, table: ir.Table) -> list[dict[str, Any]]:
        """The result of a query, as JSON values."""
        with self._errors_as_oserror():
            found: list[dict[str, Any]] = self._backend.to_pyarrow(table).to_pylist()
            return found

    def _read(self, place: Place, urls: list[str]) -> ir.Table:
        name = ibis.util.gen_name("journal")
        # In each engine's own syntax: with Ibis, DuckDB would download an extension, and Spark would read one file.
        with self._errors_as_oserror():
            if self.name == "spark":
                session = self._backend._session  # noqa: SLF001
                session.read.parquet(*urls).createOrReplaceTempView(name)
            else:
                files = getattr(place, "filesystem", None)
                if files is not None and not self._registered:
                    self._backend.con.register_filesystem(files)
                    self._registered = True
                paths = ", ".join("'" + url.replace("'", "''") + "'" for url in urls)
                self._backend.raw_sql(f"CREATE VIEW {name} AS FROM read_parquet([{paths}], hive_partitioning = false)")
            found: ir.Table = self._backend.table(name)
        return found

    @contextmanager
    def _errors_as_oserror(self) -> Iterator[None]:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)  # about how Ibis uses DuckDB
                yield
        except Exception as error:  # each engine has other exceptions
            raise OSError(f"{self.name} could not read it: {error}") from error


def _duckdb() -> Any:
    found = ibis.duckdb.connect(memory_limit=MEMORY)
    found.raw_sql("SET TimeZone='UTC'; SET enable_progress_bar=false")
    return found


def _spark() -> Any:
    """A session as Spark's configuration files say, or a local one."""
    try:
        from pyspark.sql import SparkSession  # noqa: PLC0415 -- installed only where Spark is used
    except ImportError as error:
        raise OSError(
            'monitoring.engine is "spark", and pyspark is not installed here: type requirements/install.sh spark,'
            " and run monitoring with .venv/spark/bin/python"
        ) from error
    session = SparkSession.builder.config("spark.sql.session.timeZone", "UTC").getOrCreate()
    return ibis.pyspark.connect(session)

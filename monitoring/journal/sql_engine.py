"""Who answers the queries about a day of the journal: DuckDB on this machine, or Spark wherever it runs."""

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
#: What DuckDB holds in memory; the rest of a larger day lies on the disk meanwhile.
MEMORY = "1GB"


class Engine:
    """Reads Parquet and answers queries. What an engine raises while it reads comes as OSError."""

    def __init__(self, name: Name) -> None:
        self.name = name
        self._registered = False
        self._asked: Any = _duckdb() if name == "duckdb" else _spark()

    def tables(self, place: Place, parts: Sequence[Part], names: Sequence[str]) -> list[ir.Table]:
        """The files *parts*, those together that have *names* in the same types."""
        alike: dict[tuple[tuple[str, str], ...], list[str]] = {}
        for part in parts:
            alike.setdefault(shape(place, part, names), []).append(place.url(part.name))
        return [self._read(place, urls) for urls in alike.values()]

    @contextmanager
    def once(self, table: ir.Table) -> Iterator[ir.Table]:
        """The *table*, computed once for several queries, where that is one machine's work."""
        if self.name == "spark":
            yield table
            return
        name = ibis.util.gen_name("day")
        with self._saying():
            found = self._asked.create_table(name, table, temp=True)
        try:
            yield found
        finally:
            self._asked.raw_sql(f'DROP TABLE temp."{name}"')

    def frame(self, table: ir.Table) -> pd.DataFrame:
        """What comes of a query."""
        with self._saying():
            found: pd.DataFrame = self._asked.to_pandas(table)
            return found

    def lines(self, table: ir.Table) -> list[dict[str, Any]]:
        """The same, with each value as JSON would have it."""
        with self._saying():
            found: list[dict[str, Any]] = self._asked.to_pyarrow(table).to_pylist()
            return found

    def _read(self, place: Place, urls: list[str]) -> ir.Table:
        name = ibis.util.gen_name("journal")
        # By the engines' own words: Ibis would have DuckDB fetch an extension, and Spark read one file.
        with self._saying():
            if self.name == "spark":
                session = self._asked._session  # noqa: SLF001
                session.read.parquet(*urls).createOrReplaceTempView(name)
            else:
                files = getattr(place, "filesystem", None)
                if files is not None and not self._registered:
                    self._asked.con.register_filesystem(files)
                    self._registered = True
                told = ", ".join("'" + url.replace("'", "''") + "'" for url in urls)
                self._asked.raw_sql(f"CREATE VIEW {name} AS FROM read_parquet([{told}], hive_partitioning = false)")
            found: ir.Table = self._asked.table(name)
        return found

    @contextmanager
    def _saying(self) -> Iterator[None]:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)  # of Ibis's own use of DuckDB
                yield
        except Exception as error:  # each engine has errors of its own
            raise OSError(f"{self.name} could not read it: {error}") from error


def _duckdb() -> Any:
    found = ibis.duckdb.connect(memory_limit=MEMORY)
    found.raw_sql("SET TimeZone='UTC'; SET enable_progress_bar=false")
    return found


def _spark() -> Any:
    """A session that is set up as Spark's own files say, or a local one."""
    try:
        from pyspark.sql import SparkSession  # noqa: PLC0415 -- installed by who has a Spark
    except ImportError as error:
        raise OSError(
            'monitoring.engine is "spark", and pyspark is not installed here: type requirements/install.sh spark,'
            " and run the watch with .venv/spark/bin/python"
        ) from error
    session = SparkSession.builder.config("spark.sql.session.timeZone", "UTC").getOrCreate()
    return ibis.pyspark.connect(session)

"""A day of the journal reads the same on Spark as on DuckDB. Runs where pyspark is: `make test-spark`."""

import json
import os
from datetime import date

import pandas as pd
import pytest

from archive.closed_segments import segments
from archive.parquet import convert
from monitoring.journal.window import read_window
from tests.monitoring.conftest import answered, reading, write

pytest.importorskip("pyspark", reason="no Spark here; type: make test-spark")

MONDAY = date(2026, 2, 23)
LOCAL = "--master local[1] --conf spark.ui.enabled=false --conf spark.driver.bindAddress=127.0.0.1 --conf spark.driver.host=127.0.0.1 --conf spark.sql.shuffle.partitions=1"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),
    # Of pyspark's own.
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]


@pytest.fixture(scope="module")
def spark():
    """A Spark of this machine, for as long as these tests run."""
    before = os.environ.get("PYSPARK_SUBMIT_ARGS")
    os.environ["PYSPARK_SUBMIT_ARGS"] = f"{LOCAL} pyspark-shell"
    yield
    from pyspark.sql import SparkSession

    session = SparkSession.getActiveSession()
    if session:
        session.stop()
    os.environ.pop("PYSPARK_SUBMIT_ARGS")
    if before is not None:
        os.environ["PYSPARK_SUBMIT_ARGS"] = before


@pytest.mark.parametrize("task", ["multiclass"])
@pytest.mark.parametrize("sample", [20_000, 40], ids=["all rows", "a sample"])
def test_both_engines_read_the_same(made, journal, spark, task, sample):
    """What is counted, which rows are the sample, their outcomes, and what is odd: repeated ids, misfits, torn lines."""
    each = made(task)
    answers, outcomes = answered(each, MONDAY, 3)
    write(journal, answers[:300], outcomes, name="1")
    write(journal, answers[280:], name="2")
    odd = json.dumps(answers[0] | {"id": "odd", "score": "high"})
    (journal / "answers-3.jsonl").write_text('{"id": "torn\n' + odd + "\n")
    for path in segments(journal):
        convert(path)
    one, two = (read_window(journal, reading(each, sample, engine=engine), 21) for engine in ("duckdb", "spark"))

    assert len(one.rows) > 50
    pd.testing.assert_frame_equal(one.rows, two.rows)
    pd.testing.assert_frame_equal(one.counts, two.counts)
    assert one.oddities == two.oddities
    assert (one.weight, one.answered) == (two.weight, two.answered)

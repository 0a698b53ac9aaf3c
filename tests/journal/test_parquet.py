"""What is converted is what was written, to the last torn line."""

import json
import subprocess
import sys
import threading
from datetime import UTC, datetime

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from archive.closed_segments import segments
from archive.parquet import convert
from contracts.journal_format import Folder, lines, parts
from serve.journal.segments import Segment
from tests.journal.conftest import ROOT

pytestmark = pytest.mark.slow

ANY_NAMES = type("All", (), {"__contains__": lambda *_: True})()


def kept(journal, kind="answers"):
    """Every line of the journal, wherever it lies; None for one that is torn."""
    place = Folder(journal)
    return [line for part in parts(place, kind) for line in lines(place, part, ANY_NAMES)]


def test_a_closed_segment_becomes_a_file_a_day(put, answer, journal):
    """By the day on which a line was written; the segment is gone."""
    path = put([answer(1), answer(2, day="2026-03-02"), answer(3)])
    made = convert(path)

    assert [each.relative_to(journal).as_posix() for each in made] == [
        f"day=2026-03-0{n}/kind=answers/{path.stem}.parquet" for n in (1, 2)
    ]
    assert not path.exists()
    assert [line["id"] for line in kept(journal)] == ["i1", "i3", "i2"]


def test_what_is_said_of_a_row_is_in_columns_of_its_own(put, answer):
    """For whoever asks with SQL."""
    (path,) = convert(put([answer(1), answer(2)]))
    found = pq.read_table(path).to_pydict()

    assert found["row.country"] == ["AT", "AT"]
    assert found["row.pages"] == [1, 2]
    assert found["score"] == [0.25, 0.25]
    assert found["line"] == [None, None]


values = st.none() | st.booleans() | st.text(max_size=5) | st.integers() | st.floats()
names = st.sampled_from(["age", "pages", "country", "", "row", "line", "form", "row.age"])
records = st.dictionaries(
    st.sampled_from(["id", "at", "score", "row", "key", "line", "form", "row.age", "\ud800"]),
    values | st.lists(st.floats() | st.integers(), max_size=3) | st.dictionaries(names, values, max_size=4),
)
anything = records.map(lambda found: json.dumps(found).encode()) | st.binary(max_size=9).filter(
    lambda found: b"\n" not in found
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(anything, max_size=8))
def test_whatever_is_in_a_segment_is_in_its_parquet(tmp_path_factory, found):
    """Numbers that no column holds, names that are ours, halves of lines."""
    journal = tmp_path_factory.mktemp("journal")
    path = journal / "answers-20260301T120000000000-0.jsonl"
    path.write_bytes(b"".join(line + b"\n" for line in found))
    before = kept(journal)
    convert(path)

    assert not path.exists()
    assert sorted(map(repr, map(plain, kept(journal)))) == sorted(map(repr, map(plain, before)))


def plain(line):
    """41 and 41.0 are one number of a row; the order of names says nothing."""
    if line is None:
        return None
    row = line.get("row")
    if isinstance(row, dict):
        row = {n: float(v) if type(v) is int and abs(v) <= 2**53 else v for n, v in row.items()}
        line = line | {"row": dict(sorted(row.items()))}
    score = line.get("score")
    if type(score) in (int, float) and abs(score) <= 2**53:
        line = line | {"score": float(score)}
    for name in ("id", "at", "key"):
        if type(line.get(name)) is int and abs(line[name]) <= 2**53:
            line = line | {name: float(line[name])}
    return dict(sorted(line.items()))


def test_outcomes_keep_their_type(put, journal):
    """1, 1.0 and true are three labels to a contract."""
    sent = [{"id": f"i{n}", "outcome": outcome} for n, outcome in enumerate([1, 1.0, True, "1", 1])]
    convert(put(sent, "outcomes"))

    found = [line["outcome"] for line in kept(journal, "outcomes")]
    assert [repr(each) for each in found] == ["1", "1.0", "True", "'1'", "1"]


def test_a_name_that_is_missing_is_not_one_that_is_null(put, answer, journal):
    """A private field is left out by one model's contract, and another's knows none."""
    rows = [{"age": None, "pages": 1}, {"pages": 2}, {}]
    convert(put([answer(n, row=row) for n, row in enumerate(rows)]))

    assert [line["row"] for line in kept(journal)] == rows


def test_a_segment_that_is_open_is_left_alone(journal):
    """Its writer holds it until it closes it, or is killed."""
    writing = Segment(journal, "answers", datetime.now(UTC), 900, durable=False)
    writing.append(b'{"id": "i1"}\n')
    (path,) = segments(journal)
    assert convert(path) == []
    writing.close()

    assert len(convert(path)) == 1


def test_what_is_put_away_while_it_is_written_is_all_there(journal):
    """A file that somebody takes for a closed one, for it is not locked yet, gets no line."""
    ended = threading.Event()

    def put_away():
        while not ended.is_set():
            for path in segments(journal):
                convert(path)

    thread = threading.Thread(target=put_away)
    thread.start()
    for n in range(300):
        writing = Segment(journal, "answers", datetime.now(UTC), 900, durable=False)
        writing.append(b'{"id": "i%d"}\n' % n)
        writing.close()
    ended.set()
    thread.join()

    assert sorted(line["id"] for line in kept(journal)) == sorted(f"i{n}" for n in range(300))


def test_an_empty_segment_leaves_nothing(put, journal):
    """A worker that was killed before its first line."""
    assert convert(put([])) == []
    assert list(journal.iterdir()) == []


KILLED = """
import os, sys
from pathlib import Path
import archive.parquet as module
count = int(sys.argv[2])
def kill(real):
    def counted(*words, **more):
        global count
        count -= 1
        if count < 0:
            os._exit(9)
        return real(*words, **more)
    return counted
for name in ("replace", "unlink", "mkdir"):
    setattr(Path, name, kill(getattr(Path, name)))
os.fsync = kill(os.fsync)
module.pq.ParquetWriter.write_batch = kill(module.pq.ParquetWriter.write_batch)
module.convert(Path(sys.argv[1]))
"""


@pytest.mark.parametrize("count", range(0, 18, 2))
def test_killed_anywhere_it_loses_nothing_and_repeats_nothing(put, answer, journal, count):
    """The next run does what is left."""
    path = put([answer(1), answer(2, day="2026-03-02"), b"{torn"])
    subprocess.run([sys.executable, "-c", KILLED, str(path), str(count)], cwd=ROOT, check=False)
    meanwhile = kept(journal)
    convert(path)

    for found in (meanwhile, kept(journal)):
        assert sorted(line["id"] if line else "torn" for line in found) == ["i1", "i2", "torn"]
    assert not segments(journal)


def test_more_lines_than_are_held_at_once(put, answer, journal):
    """In several lots."""
    convert(put([answer(n) for n in range(25)]), chunk=10)

    assert [line["id"] for line in kept(journal)] == [f"i{n}" for n in range(25)]

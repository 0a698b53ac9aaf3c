"""A journal that was converted reads as it did before: the same rows, from as little as is needed."""

import json
from datetime import date

import pandas as pd
import pytest

from archive.closed_segments import segments
from archive.parquet import convert
from archive.upload import Shipping
from contracts.journal_format import Folder
from monitoring.journal.remote_files import journal_at
from monitoring.journal.window import JournalError, read_window
from tests.monitoring.conftest import answered, reading, write

pytestmark = pytest.mark.slow

MONDAY = date(2026, 2, 23)
BY_HAND = (
    b'{"id": "0223-0", "ver\n[7]\n{"id": "x"}\n'
    b'{"id":"x","version":"VERSION","time":"2026-02-23","row":{"pages":"many"},"score":0.5}\n'
    b'{"id":"y","version":"VERSION","time":"2026-02-23","row":{},"score":NaN}\n'
)


@pytest.fixture(params=["binary", "multiclass", "regression"])
def each(request, made):
    return made(request.param)


@pytest.fixture
def buys(made):
    return made("binary")


def read(made, journal, days=21, **more):
    return read_window(journal, reading(made), days, **more)


def put_away(journal):
    for path in segments(journal):
        convert(path)
    assert not segments(journal)


class Watched:
    """A place that remembers what was listed and opened."""

    def __init__(self, folder):
        self.folder, self.opened, self.listed = Folder(folder), [], []

    def days(self):
        return self.folder.days()

    def names(self, day):
        self.listed.append(day)
        return self.folder.names(day)

    def open(self, name):
        self.opened.append(name)
        return self.folder.open(name)

    def url(self, name):
        return self.folder.url(name)

    def read(self, kind):
        return sorted({name[4:14] for name in self.opened if f"kind={kind}" in name})


@pytest.mark.parametrize("whole", [True, False], ids=["all converted", "half of it"])
def test_the_frame_is_the_same_from_json_and_from_parquet(each, journal, tmp_path, whole):
    """And so is what is odd about it, and from behind a URL."""
    answers, outcomes = answered(each, MONDAY, 4)
    write(journal, answers[:300], outcomes[:300], name="1")
    write(journal, answers[200:], outcomes[200:-50], name="2")
    content = BY_HAND.replace(b"VERSION", each.bundle.version.encode())
    (journal / "answers-3.jsonl").write_bytes(content)
    before = read(each, journal)
    for path in segments(journal)[: None if whole else 3]:
        convert(path)
    after = read(each, journal)

    pd.testing.assert_frame_equal(before.rows, after.rows)
    assert before.oddities == after.oddities
    with journal_at(f"file://{journal}") as place:
        pd.testing.assert_frame_equal(before.rows, read(each, place).rows)


def test_what_was_shipped_reads_as_what_was_written(buys, journal, tmp_path):
    """JOURNAL=file://… as well as s3://…."""
    before = read(buys, write(journal, *answered(buys, MONDAY, 3)))
    Shipping(journal, f"file://{tmp_path}/far").once()
    with journal_at(f"file://{tmp_path}/far") as place:
        after = read(buys, place)

    pd.testing.assert_frame_equal(before.rows, after.rows)
    assert before.oddities == after.oddities


def test_only_the_days_of_the_window_are_read(buys, journal):
    """And one more, for clocks that differ; of outcomes as well."""
    answers, outcomes = answered(buys, MONDAY, 12)
    sent = [outcome | {"at": answer["at"]} for answer, outcome in zip(answers, outcomes, strict=True)]
    before = read(buys, write(journal, answers, sent), days=3, least=100)
    put_away(journal)
    place = Watched(journal)
    after = read(buys, place, days=3, least=100)

    pd.testing.assert_frame_equal(before.rows, after.rows)
    assert place.read("answers") == [f"2026-03-0{n}" for n in (2, 3, 4, 5, 6)]
    assert place.read("outcomes") == place.read("answers")
    # One more is listed, to see that it is too old; a year before it is not even that.
    assert sorted(place.listed) == ["", *(f"2026-03-0{n}" for n in range(1, 7))]


@pytest.mark.parametrize("days", [2, 21])
def test_rows_about_days_to_come_are_found_where_they_were_answered(buys, journal, days):
    """Next month's flights are scored today: the window is theirs, the files are today's."""
    answers, outcomes = answered(buys, MONDAY, 12)
    for answer in answers:
        answer["at"] = (pd.Timestamp(answer["time"]) - pd.Timedelta(days=30)).isoformat()
    before = read(buys, write(journal, answers, outcomes), days=days, least=100)
    put_away(journal)

    pd.testing.assert_frame_equal(before.rows, read(buys, journal, days=days, least=100).rows)


def test_a_past_day_can_be_looked_at(buys, journal):
    """With the days before it."""
    until = pd.Timestamp("2026-02-27", tz="UTC")
    write(journal, *answered(buys, MONDAY, 12))
    before = read(buys, journal, days=2, least=100, until=until)
    put_away(journal)

    after = read(buys, journal, days=2, least=100, until=until)
    pd.testing.assert_frame_equal(before.rows, after.rows)


def test_a_segment_that_is_put_away_between_two_looks_is_found(buys, journal):
    """The watch reads while `ship` works."""
    before = read(buys, write(journal, *answered(buys, MONDAY, 1)))

    class Late(Watched):
        def open(self, name):
            if not self.opened:
                put_away(journal)
            return super().open(name)

    pd.testing.assert_frame_equal(before.rows, read(buys, Late(journal)).rows)


def test_a_segment_and_its_parquet_are_not_both_read(buys, journal):
    """`ship` was killed before it deleted the segment."""
    before = read(buys, write(journal, *answered(buys, MONDAY, 1)))
    contents = {path: path.read_bytes() for path in segments(journal)}
    put_away(journal)
    for path, content in contents.items():
        path.write_bytes(content)
    after = read(buys, journal)

    pd.testing.assert_frame_equal(before.rows, after.rows)
    assert before.oddities == after.oddities


@pytest.mark.parametrize("content", [b"", b"PAR1cut", None], ids=["empty", "cut", "another's"])
def test_parquet_that_cannot_be_read_is_said(buys, journal, content):
    """With its name; it is not passed over in silence."""
    write(journal, *answered(buys, MONDAY, 1))
    put_away(journal)
    path = next(journal.glob("day=*/kind=answers/*.parquet"))
    if content is None:
        pd.DataFrame({"a": [1]}).to_parquet(path)
    else:
        path.write_bytes(content)

    with pytest.raises(JournalError, match=f"{path.name} is not a file of the journal"):
        read(buys, journal)


def test_only_the_columns_that_are_needed_are_read(buys, journal):
    """What else a line says costs nothing: here it could not even be read."""
    answers, outcomes = answered(buys, MONDAY, 1)
    more = [answer | {"trace": "x" * 2000 + json.dumps(answer)} for answer in answers]
    before = read(buys, write(journal, more, outcomes))
    put_away(journal)
    path = next(journal.glob("day=*/kind=answers/*.parquet"))
    content = bytearray(path.read_bytes())
    spoil(path, content, "trace")
    path.write_bytes(content)

    pd.testing.assert_frame_equal(before.rows, read(buys, journal).rows)


def spoil(path, content, column):
    """Overwrite the pages of *column*."""
    import pyarrow.parquet as pq

    group = pq.ParquetFile(path).metadata.row_group(0)
    for n in range(group.num_columns):
        found = group.column(n)
        if found.path_in_schema == column:
            start = found.dictionary_page_offset or found.data_page_offset
            size = found.total_compressed_size
            content[start : start + size] = b"\xff" * size
            return
    raise AssertionError(f"there is no column {column}")

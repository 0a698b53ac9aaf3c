"""The days a year before: from the journal, of every version, and only those; or from training rows."""

from datetime import date

import pytest

from archive.closed_segments import segments
from archive.parquet import convert
from contracts.journal_format import Folder
from monitoring.journal.last_year import last_year_of, read_last_year
from tests.monitoring.conftest import answered, reading, write

pytestmark = pytest.mark.slow

THEN = date(2026, 2, 23)
#: 364 days after `THEN`.
FIRST, UNTIL = "2027-02-22", "2027-03-01"


class Opened:
    """A folder that remembers what was opened."""

    def __init__(self, folder):
        self.folder, self.opened = Folder(folder), []

    def __getattr__(self, name):
        return getattr(self.folder, name)

    def url(self, name):
        self.opened.append(name)
        return self.folder.url(name)


@pytest.fixture
def buys(made):
    return made("binary")


@pytest.fixture
def kept(buys, journal):
    """A week of a year ago, half of it of another version, and three days of now."""
    answers, outcomes = answered(buys, THEN, 7)
    for line in answers[::2]:
        line["version"] = "an-earlier-version"
    write(journal, answers, [line | {"at": "2026-03-02T05:00:00+00:00"} for line in outcomes])
    now, known = answered(buys, THEN, 3)
    for line in (*now, *known):
        line["id"] = f"now {line['id']}"
    for line in now:
        line |= {"time": line["time"].replace("2026", "2027"), "at": line["at"].replace("2026", "2027")}
    write(journal, now, known, name="2")
    for path in segments(journal):
        convert(path)
    return journal


def test_the_days_a_year_before_are_read_whoever_answered(buys, kept, tmp_path):
    """With their outcomes, from the files of those days alone, and from the cache the second time."""
    by = reading(buys, folder=tmp_path / "kept")
    place = Opened(kept)
    window = read_last_year(place, by, FIRST, UNTIL)
    week, _ = answered(buys, THEN, 7)

    assert len(window.rows) == len(week)
    assert window.traffic.sum() == len(week)
    assert window.rows[buys.contract.target.name].notna().all()
    assert not any("2027" in name for name in place.opened)

    again = Opened(kept)
    assert read_last_year(again, by, FIRST, UNTIL).rows.equals(window.rows)
    assert again.opened == []


def test_a_journal_without_those_days_has_none(buys, kept, journal):
    """Nor has one of segments, which are of today."""
    assert read_last_year(kept, reading(buys), "2026-02-23", "2026-03-02") is None
    assert (
        read_last_year(write(journal.parent / "other", *answered(buys, THEN, 3)), reading(buys), FIRST, UNTIL) is None
    )


def test_training_rows_that_reach_back_a_year_are_one(buys):
    """Without traffic: they are a sample."""
    train = buys.reference
    days = train[buys.contract.time].dt.strftime("%Y-%m-%d")
    first = f"{date.fromisoformat(days.min()).replace(year=2027)}"
    window = last_year_of(train, buys.contract, first, f"{date.fromisoformat(days.max()).replace(year=2027)}")

    assert len(window.rows) > 0.5 * len(train)
    assert window.traffic.empty
    assert window.answered == ""
    assert last_year_of(train, buys.contract, "2029-01-01", "2029-02-01") is None
    assert last_year_of(train.iloc[:0], buys.contract, first, "2027-03-01") is None

"""What is old is deleted and recorded; what has not arrived where it is shipped to stays."""

import json
import os
from datetime import UTC, datetime

import pytest

from archive.__main__ import main
from archive.closed_segments import segments
from archive.parquet import convert
from archive.retention import partitions, prune
from archive.upload import Shipping
from serve.journal.segments import Segment

NOW = datetime(2026, 3, 11, 9, tzinfo=UTC)


@pytest.fixture
def three_days(put, answer):
    """A day each in Parquet: the 28th, the 1st and the 2nd."""
    days = ("2026-02-28", "2026-03-01", "2026-03-02")
    for path in [put([answer(n, day=day)]) for n, day in enumerate(days)]:
        convert(path)
    return days


def left(journal):
    return [path.parts[-3].removeprefix("day=") for path in partitions(journal)]


def test_days_before_the_last_ones_go(three_days, journal):
    """Ten days back from the 11th is the 1st."""
    found = prune(journal, 10, NOW)

    assert left(journal) == ["2026-03-01", "2026-03-02"]
    assert [name.partition("/")[0] for name in found.deleted] == ["day=2026-02-28"]
    assert not (journal / "day=2026-02-28").exists()


def test_what_was_deleted_is_recorded(three_days, journal):
    """In a log that stays."""
    prune(journal, 10, NOW)
    prune(journal, 9, NOW)
    found = [json.loads(line) for line in (journal / "deleted.log").read_text().splitlines()]

    assert [each["day"] for each in found] == ["2026-02-28", "2026-03-01"]
    assert all(each["bytes"] > 0 and each["at"].startswith("2026-03-11") for each in found)


def test_nothing_goes_that_has_not_arrived(three_days, journal, put, answer, tmp_path):
    """Once a journal is shipped, only what a marker names goes."""
    Shipping(journal, f"file://{tmp_path}/far").once()
    late = journal / "answers-20260227T120000000000-0.jsonl"
    late.write_text(json.dumps(answer(9, day="2026-02-27")) + "\n")
    convert(late)
    found = prune(journal, 1, NOW)

    assert left(journal) == ["2026-02-27"]
    assert len(found.waiting) == 1
    Shipping(journal, f"file://{tmp_path}/far").once()
    prune(journal, 1, NOW)
    assert left(journal) == []


@pytest.mark.parametrize("shipped", [False, True])
def test_an_old_segment_goes_if_nobody_is_to_ship_it(put, answer, journal, tmp_path, shipped):
    """By its last line; one that is open stays."""
    journal.mkdir(exist_ok=True)
    if shipped:
        Shipping(journal, f"file://{tmp_path}/far").once()
    path = journal / "answers-20260201T120000000000-0.jsonl"
    path.write_text(json.dumps(answer(1)))
    writing = Segment(journal, "answers", datetime(2026, 2, 1, tzinfo=UTC), 900, durable=False)
    for each in segments(journal):
        os.utime(each, (1_770_000_000, 1_770_000_000))
    found = prune(journal, 10, NOW)
    writing.close()

    assert path.exists() == shipped
    assert len(segments(journal)) == 1 + shipped
    assert (found.waiting if shipped else found.deleted) == [path.name]


def test_the_command_says_what_it_did(three_days, journal, capsys):
    """A line for each file."""
    assert main(["prune", "--journal", str(journal), "--days", "1"]) == 0
    printed = capsys.readouterr().out

    assert printed.count("deleted day=") == 3
    assert "3 deleted, 0 wait to be shipped" in printed


def test_one_file_that_cannot_be_deleted_does_not_stop_the_others(three_days, journal, put, answer, capsys):
    """It is reported, and the command fails; the others are deleted."""
    segment = put([answer(9)], day="20260228")
    os.utime(segment, (1_770_000_000, 1_770_000_000))
    stuck = next(journal.glob("day=2026-02-28/*/*.parquet"))
    stuck.unlink()
    stuck.mkdir()

    assert main(["prune", "--journal", str(journal), "--days", "1"]) == 8
    assert left(journal) == ["2026-02-28"]
    assert not segment.exists()
    assert f"{stuck.name} cannot be deleted: " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("days", "words"), [("0", "--days is 0"), ("9", "there is no journal"), ("99999999999", "expected 1 to 36,500")]
)
def test_a_mistake_in_how_it_is_started_is_said(tmp_path, capsys, days, words):
    """Before anything is deleted."""
    assert main(["prune", "--journal", str(tmp_path / "nowhere"), "--days", days]) == 2
    assert words in capsys.readouterr().err

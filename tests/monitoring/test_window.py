"""The journal as a frame: what is odd about it is counted and said, and never stops the watch."""

import json
import shutil
from datetime import date

import numpy as np
import pandas as pd
import pytest

from archive.closed_segments import segments
from archive.parquet import convert
from monitoring.journal.window import JournalError, full_days, read_window
from monitoring.reference_period import EvidenceError, read_reference
from tests.monitoring.conftest import answered, reading, write

pytestmark = pytest.mark.slow

MONDAY = date(2026, 2, 23)


@pytest.fixture(params=["binary", "multiclass", "regression"])
def each(request, made):
    return made(request.param)


@pytest.fixture
def buys(made):
    return made("binary")


def read(made, folder, days=21, **more):
    return read_window(folder, reading(made), days, **more)


def test_a_window_is_shaped_like_the_evidence(each, journal):
    """So that one can be compared with the other (private fields are in neither)."""
    window = read(each, write(journal, *answered(each, MONDAY, 2)))

    assert len(window.rows) == 300
    for name in window.rows.columns.drop([each.contract.key, each.contract.target.name]):
        found, expected = (frame[name].dropna().map(type).iloc[0] for frame in (window.rows, each.reference))
        assert found is expected, name
    assert window.rows[each.contract.time].is_monotonic_increasing


def test_an_answer_without_an_outcome_has_no_label(each, journal):
    """It is never taken for a negative."""
    answers, outcomes = answered(each, MONDAY, 1)
    window = read(each, write(journal, answers, outcomes[:100]))

    assert window.rows[each.contract.target.name].notna().sum() == 100


def test_outcomes_are_joined_by_id(buys, journal):
    """In whatever order they come."""
    answers, outcomes = answered(buys, MONDAY, 1)
    one, two = (read(buys, write(journal, answers, found)).rows for found in (outcomes, outcomes[::-1]))

    pd.testing.assert_frame_equal(one, two)


def test_private_fields_are_named_as_not_watched(buys, journal):
    """Silence would look like quiet."""
    window = read(buys, write(journal, *answered(buys, MONDAY, 1)))

    assert "age" not in window.rows
    assert "private, so not in the journal and not monitored: age" in window.oddities


def test_only_the_versions_own_rows_count(buys, journal):
    """Another model's answers say nothing about this one."""
    answers, outcomes = answered(buys, MONDAY, 1)
    for answer in answers[:50]:
        answer["version"] = "another"

    assert len(read(buys, write(journal, answers, outcomes)).rows) == 100


def test_the_window_ends_with_the_newest_full_day(buys, journal):
    """A row that says 2113 must not hide the present."""
    answers, outcomes = answered(buys, MONDAY, 4)
    answers[0]["time"] = "2113-01-01T00:00:00Z"
    window = read(buys, write(journal, answers, outcomes), days=2, least=100)

    assert window.rows["at"].dt.day.unique().tolist() == [24, 25, 26]
    assert "1 rows of later days, too few to evaluate" in window.oddities


def test_the_window_can_end_earlier(buys, journal):
    """To see what a past day looked like."""
    window = read(buys, write(journal, *answered(buys, MONDAY, 4)), until=pd.Timestamp("2026-02-25", tz="UTC"))

    assert window.rows["at"].dt.day.unique().tolist() == [23, 24]


ODD = {
    "torn": (b'{"id": "0223-0", "ver\n', "1 lines of answers that are torn"),
    "not an object": (b"[1]\n7\n", "2 lines of answers that are torn"),
    "not UTF-8": (b"\xff\xfe\n", "1 lines of answers that are torn"),
    "deep": (b"[" * 100_000 + b"\n", "1 lines of answers that are torn"),
    "no version": (b'{"id": "x"}\n', "1 answers that lack something"),
    "score is text": (
        b'{"id":"x","version":"VERSION","time":"2026-02-23","row":{},"score":"high"}\n',
        "1 answers that lack something",
    ),
    "score is two": (
        b'{"id":"x","version":"VERSION","time":"2026-02-23","row":{},"score":[0.1,0.9]}\n',
        "1 answers that do not fit the contract",
    ),
    "score is NaN": (
        b'{"id":"x","version":"VERSION","time":"2026-02-23","row":{},"score":NaN}\n',
        "1 answers that do not fit the contract",
    ),
    "no time": (
        b'{"id":"x","version":"VERSION","time":"noon","row":{},"score":0.5}\n',
        "1 answers that do not fit the contract",
    ),
    "a wrong value": (
        b'{"id":"x","version":"VERSION","time":"2026-02-23","row":{"pages":"many"},"score":0.5}\n',
        "1 answers that do not fit the contract",
    ),
    "empty lines": (b"\n\n", None),
}


@pytest.mark.parametrize("name", ODD)
def test_what_does_not_belong_is_counted_and_the_rest_is_read(buys, journal, name):
    """A crash tears a line; people edit files."""
    content, words = ODD[name]
    folder = write(journal, *answered(buys, MONDAY, 1))
    content = content.replace(b"VERSION", buys.bundle.version.encode())
    (folder / "answers-2.jsonl").write_bytes(content)
    window = read(buys, folder)

    assert len(window.rows) == 150
    assert [odd for odd in window.oddities if not odd.startswith("private")] == ([words] if words else [])


def test_what_came_twice_counts_once(buys, journal):
    """A website that tried again; the first stands."""
    answers, outcomes = answered(buys, MONDAY, 1)
    opposite = {"no": "yes", "yes": "no"}
    again = [o | {"outcome": opposite[o["outcome"]]} for o in outcomes]
    folder = write(journal, answers, outcomes)
    write(folder, answers, again, name="2")
    once, twice = read(buys, write(journal, answers, outcomes)), read(buys, folder)

    pd.testing.assert_frame_equal(once.rows, twice.rows)
    assert "150 answers with the id of an earlier one (the first counts)" in twice.oddities
    assert "150 outcomes for an id that had one (the first counts)" in twice.oddities


def test_outcomes_that_belong_to_nothing_are_counted(buys, journal):
    """Or that are no outcome."""
    answers, outcomes = answered(buys, MONDAY, 1)
    more = [{"id": "nobody's", "outcome": "yes"}, {"id": answers[0]["id"], "outcome": "perhaps"}, {}]
    window = read(buys, write(journal, answers, outcomes + more))

    assert "1 outcomes of answers that are not in the journal" in window.oddities
    assert "2 outcomes that do not fit the contract" in window.oddities


def test_a_feature_that_the_website_no_longer_sends_is_missing_everywhere(buys, journal):
    """Which the watch must see."""
    answers, outcomes = answered(buys, MONDAY, 1)
    for answer in answers:
        del answer["row"]["campaign"]

    assert read(buys, write(journal, answers, outcomes)).rows["campaign"].isna().all()


def test_an_empty_journal_is_an_empty_window(buys, journal):
    """Nobody came."""
    journal.mkdir()

    assert read(buys, journal).rows.empty


def test_no_journal_is_a_mistake(buys, journal):
    """Somebody named the wrong folder."""
    with pytest.raises(JournalError, match="there is no journal at"):
        read(buys, journal)


def test_days_that_are_cut_or_thin_are_not_judged():
    """The first and the last need half of a usual day, each needs the least."""
    counts = {"2026-01-01": 20, "2026-01-02": 100, "2026-01-03": 5, "2026-01-04": 100, "2026-01-05": 60}
    at = [pd.Timestamp(day, tz="UTC") + pd.Timedelta(minutes=n) for day, size in counts.items() for n in range(size)]
    rows, unjudged = full_days(pd.DataFrame({"at": at}), "at", 10)

    assert sorted(rows["at"].dt.strftime("%d").unique()) == ["02", "04", "05"]
    assert unjudged == ["2026-01-01", "2026-01-03"]


@pytest.mark.parametrize("spoil", [lambda p: p.unlink(), lambda p: p.write_bytes(b"PAR1cut")])
def test_evidence_that_cannot_be_read_is_said(buys, tmp_path, spoil):
    """With the bundle's name."""
    folder = tmp_path / "20260220T0317-0000000"
    (folder / "evidence").mkdir(parents=True)
    path = folder / "evidence/holdout.parquet"
    path.write_bytes((buys.folder / "evidence/holdout.parquet").read_bytes())
    spoil(path)

    with pytest.raises(EvidenceError, match="20260220T0317-0000000: holdout.parquet cannot be read"):
        read_reference(folder, buys.contract)


def test_evidence_that_lacks_a_column_is_said(buys, tmp_path):
    """All of them at once."""
    (tmp_path / "b/evidence").mkdir(parents=True)
    rows = buys.reference.drop(columns=["country", "pages"])
    rows.to_parquet(tmp_path / "b/evidence/holdout.parquet")

    with pytest.raises(EvidenceError, match="lacks country, pages"):
        read_reference(tmp_path / "b", buys.contract)


def test_what_the_scorer_writes_is_what_is_read(buys, journal):
    """The one format between the two packages."""
    from serve.journal.writer import Journal
    from serve.scoring.answer_lines import Answer

    answers, outcomes = answered(buys, MONDAY, 1)
    by_hand = read(buys, write(journal, answers, outcomes)).rows
    for path in journal.iterdir():
        path.unlink()
    writing = Journal(journal)
    writing.answers([Answer(**answer) for answer in answers], buys.contract.private, buys.contract.key)
    writing.outcomes(outcomes)
    written = read(buys, journal).rows

    key = buys.contract.key
    pd.testing.assert_frame_equal(by_hand.drop(columns=key), written.drop(columns=key))
    assert written[key].str.startswith("sha256:").all()
    assert json.dumps(by_hand["score"].tolist()) == json.dumps(written["score"].tolist())
    assert np.isfinite(written["score"]).all()


@pytest.mark.parametrize("closed", [False, True], ids=["open segments", "Parquet"])
def test_scores_are_those_of_the_model_where_answers_were_corrected(each, journal, closed):
    """Else a correction hides that the model below it decays; some lines of a file have none."""
    answers, outcomes = answered(each, MONDAY, 3)
    moved = [line["score"] if n % 3 else _moved(line["score"]) for n, line in enumerate(answers)]
    corrected = [
        line if n % 3 else {**line, "score": score, "plain": line["score"], "correction": "0123456789ab"}
        for n, (line, score) in enumerate(zip(answers, moved, strict=True))
    ]
    write(journal, answers, outcomes)
    before = read(each, journal).rows
    shutil.rmtree(journal)
    write(journal, corrected, outcomes)
    if closed:
        for path in segments(journal):
            convert(path)
    scores = [name for name in before if name.startswith("score")]
    pd.testing.assert_frame_equal(read(each, journal).rows[scores], before[scores])


def _moved(score):
    return score[::-1] if isinstance(score, list) else score / 2

"""What is counted of all rows is what the rows say; a sample estimates them, and says so."""

from datetime import date
from typing import ClassVar

import pandas as pd
import pytest

from archive.closed_segments import segments
from archive.parquet import convert
from contracts.journal_format import Folder
from monitoring.journal.day_cache import level_for
from monitoring.journal.sample_correction import counted
from monitoring.journal.window import days_of, read_window
from monitoring.measure import measure_window
from monitoring.metrics.drift import means, shares, unseen_categories
from tests.monitoring.conftest import answered, measure_once, reading, write

pytestmark = pytest.mark.slow

MONDAY = date(2026, 2, 23)


@pytest.fixture(params=["binary", "multiclass", "regression"])
def each(request, made):
    return made(request.param)


def put_away(journal):
    for path in segments(journal):
        convert(path)


def spoilt(answers, contract):
    """Every seventh row has a value gone, or one that nobody saw before."""
    for number, answer in enumerate(answers):
        for feature in contract.features:
            if number % 7 == 0 and feature.name in answer["row"]:
                if feature.nullable:
                    answer["row"][feature.name] = None
                elif feature.kind == "category" and not feature.choices:
                    answer["row"][feature.name] = "never seen"
    return answers


def from_rows(window, made):
    """The measures that counts give, from the rows one by one."""
    rows, contract = window.rows, made.contract
    days = days_of(rows, contract.time)
    features = [f for f in contract.features if f.name in rows]
    yield from shares(rows[[f.name for f in features]].isna(), days, "missing_values")
    yield from unseen_categories(rows, contract, made.seen)
    columns = [(f.name, "univariate_drift", f.name) for f in features if f.kind == "number"]
    for name, kind, feature in [
        *columns,
        *((n, "score_drift", n.removesuffix("score")) for n in rows if n.startswith("score")),
    ]:
        yield from means(made.reference[name], rows[name], days, kind, feature)


@pytest.mark.parametrize("whole", [True, False], ids=["columns", "segments"])
def test_counts_give_what_the_rows_give(each, journal, whole):
    """Missing values, categories never seen, means: each day, each column."""
    answers, outcomes = answered(each, MONDAY, 4)
    write(journal, spoilt(answers, each.contract), outcomes)
    if whole:
        put_away(journal)
    window = read_window(journal, reading(each), 21)
    before = list(from_rows(window, each))
    after = counted(before, window.counts, 1, each.reference)

    assert {m.kind for m in before if m.value > 0} >= {"score_drift"}
    assert any(m.value > 0 for m in before if m.kind in ("missing_values", "unseen_categories"))
    assert [(m.name, m.day, m.rows) for m in before] == [(m.name, m.day, m.rows) for m in after]
    assert [m.value for m in after] == pytest.approx([m.value for m in before], abs=1e-9)


def test_signals_are_the_same_from_kept_days(made, journal, tmp_path, rules):
    """From segments, from Parquet, and from what was kept of it."""
    buys = made("binary")
    write(journal, *answered(buys, MONDAY, 8))
    found = []
    for step in range(3):
        if step == 1:
            put_away(journal)
        window = read_window(journal, reading(buys, folder=tmp_path / "kept" if step else None), 21)
        signals, _, _ = measure_window(window, buys.reference, buys.contract, buys.seen, rules, measuring=measure_once)
        found.append(signals)

    assert found[0]
    for other in found[1:]:
        assert [s.name for s in other] == [s.name for s in found[0]]
        assert [s.value for s in other] == pytest.approx([s.value for s in found[0]])


class Counting(Folder):
    """A folder that counts what is opened."""

    opened: ClassVar[list[str]] = []

    def open(self, name):
        self.opened.append(name)
        return super().open(name)


def test_a_day_that_is_kept_is_not_opened_again(made, journal, tmp_path):
    """Unless another file came to it; an outcome that comes late is found."""
    buys = made("binary")
    answers, outcomes = answered(buys, MONDAY, 4)
    sent = [o | {"at": a["at"]} for o, a in zip(outcomes, answers, strict=True)]
    write(journal, answers, sent[:100])
    put_away(journal)
    place = Counting(journal)
    place.opened.clear()
    how = reading(buys, folder=tmp_path / "kept")
    first = read_window(place, how, 21)
    assert place.opened
    place.opened.clear()
    again = read_window(place, how, 21)

    pd.testing.assert_frame_equal(first.rows, again.rows)
    pd.testing.assert_frame_equal(first.counts, again.counts, check_dtype=False)
    assert place.opened == []

    late = [o | {"at": "2026-02-26T12:00:00+00:00"} for o in outcomes[100:150]]
    write(journal, [], late, name="late")
    put_away(journal)
    after = read_window(place, how, 21)

    assert after.rows[buys.contract.target.name].notna().sum() == 150
    assert {name[:14] for name in place.opened} == {"day=2026-02-26"}
    assert all("kind=outcomes" in name for name in place.opened)


def test_what_is_kept_goes_with_its_day(made, journal, tmp_path):
    """Rows that were deleted from the journal are nowhere else either."""
    buys = made("binary")
    write(journal, *answered(buys, MONDAY, 3))
    put_away(journal)
    read_window(journal, reading(buys, folder=tmp_path / "kept"), 21)
    for path in (journal / "day=2026-02-23").glob("kind=*/*.parquet"):
        path.unlink()
    read_window(journal, reading(buys, folder=tmp_path / "kept"), 21)

    assert {path.name[8:18] for path in (tmp_path / "kept").glob("answers-*")} == {"2026-02-24", "2026-02-25"}


def test_what_is_kept_goes_when_no_run_looks_back_so_far(made, journal, tmp_path):
    """Else it would grow with each day; a look further back reads it again."""
    buys, kept = made("binary"), tmp_path / "kept"
    write(journal, *answered(buys, MONDAY, 12))
    put_away(journal)
    for days in (21, 3):
        window = read_window(journal, reading(buys, folder=kept), days, least=100)
    assert min(path.name[8:18] for path in kept.glob("answers-*")) == "2026-03-02"

    read_window(journal, reading(buys, folder=kept), 21, least=100)
    again = read_window(journal, reading(buys, folder=kept), 3, least=100)
    pd.testing.assert_frame_equal(window.rows, again.rows)


def test_a_sample_is_the_same_rows_with_their_outcomes(each, journal):
    """From segments as from Parquet; all rows are counted, and it is said."""
    write(journal, *answered(each, MONDAY, 4))
    one = read_window(journal, reading(each, sample=40), 21)
    put_away(journal)
    two = read_window(journal, reading(each, sample=40), 21)
    whole = read_window(journal, reading(each), 21)

    pd.testing.assert_frame_equal(one.rows, two.rows)
    assert one.weight == two.weight == 4
    assert 0.15 < len(two.rows) / len(whole.rows) < 0.35
    assert two.rows[each.contract.target.name].notna().all()
    assert two.counts["rows"].sum() == len(whole.rows)
    assert any("1 in 4 of" in said for said in two.oddities)


@pytest.mark.parametrize(("lines", "level"), [(0, 0), (100, 0), (101, 1), (200, 1), (201, 2), (1600, 4)])
def test_a_level_halves_the_rows_until_they_are_few(lines, level):
    """A power of two: the sample of a level holds that of the next."""
    assert level_for(lines, 100) == level

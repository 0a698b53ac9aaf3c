"""Where it is worst: slices, each held against the rows that the model was judged with."""

from datetime import date

import pytest

from monitoring.journal.window import read_window
from monitoring.metrics.slice_metrics import since, slices, table
from tests.monitoring.conftest import answered, reading, write


@pytest.fixture
def rows(made, journal):
    buys = made("binary")
    write(journal, *answered(buys, date(2026, 3, 2), 5))
    return read_window(journal, reading(buys), 30).rows


def test_a_new_segment_is_the_slice_that_moved_the_most(made, rows):
    """It had no share before."""
    buys = made("binary")
    first = slices(buys.reference, rows, buys.contract, 100)[0]

    assert (first.feature, first.value, first.usual, first.usual_score) == ("country", "CH", 0.0, None)
    assert first.share == pytest.approx(first.rows / len(rows))
    assert first.metric > 0
    shown = table([first], "log_loss")
    assert f"| country = CH | {first.rows:,} | {first.share:.1%} / 0.0% |" in shown
    assert "log loss of labelled rows" in shown


def test_thin_slices_and_those_that_are_not_there_are_left_out(made, rows):
    """A handful of rows shows nothing."""
    buys = made("binary")

    assert slices(buys.reference, rows, buys.contract, 10**6) == []
    assert slices(buys.reference, rows.drop(columns=["country", "device"]), buys.contract, 1) == []
    assert table([], "log_loss") == ""


def test_the_rows_since_a_day_are_looked_at(rows):
    """Without a day, all."""
    assert len(since(rows, "at", "")) == len(rows)
    assert 0 < len(since(rows, "at", "2026-03-04")) < len(rows)

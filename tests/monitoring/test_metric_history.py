"""What the watch keeps from run to run: whole, bounded, and the later word is the last."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from monitoring.charts.signals import Signal
from monitoring.metric_history import MAX_DAYS, NAME, Series, SeriesError, keep_series, read_series
from monitoring.metrics.daily_metrics import Day
from monitoring.run_files import MAX_FILES as RUNS
from monitoring.run_files import write_run

SIGNAL = Signal("score_drift", "mean", "", "2026-02-20", 0.5, 0.1, None, 0.9, 150)


def test_what_was_kept_is_read_as_it_was(tmp_path):
    """Nothing at first."""
    found = Series().updated("v", [SIGNAL], [Day("v", "2026-02-20", 9, 3, {"log_loss": 0.1})], {"at": "x"})
    assert read_series(tmp_path) == Series()

    keep_series(tmp_path, found)

    assert read_series(tmp_path) == found


def test_where_the_folder_has_none_it_is_what_the_last_run_left_elsewhere(tmp_path):
    """A runner begins with an empty folder; the forge has what the run before kept."""
    found = Series().updated("v", [SIGNAL], [], {})

    assert read_series(tmp_path, lambda: found.to_json().encode()) == found
    keep_series(tmp_path, Series())
    assert read_series(tmp_path, lambda: found.to_json().encode()) == Series()


def test_a_later_runs_word_on_a_day_is_the_last():
    """Outcomes come late, and limits are solved again."""
    found = Series().updated("v", [SIGNAL], [Day("v", "2026-02-20", 9, 3, {})], {})
    found = found.updated("v", [replace(SIGNAL, value=0.7)], [Day("v", "2026-02-20", 9, 8, {})], {"n": 2})

    assert [signal.value for _, signal in found.signals] == [0.7]
    assert [day.labelled for day in found.days] == [8]
    assert found.run == {"n": 2}


def test_it_stays_small():
    """Of a thousand days the newest are kept."""
    days = [f"{date(2024, 1, 1) + timedelta(days=n)}" for n in range(1000)]
    found = Series().updated(
        "v", [replace(SIGNAL, day=day) for day in days], [Day("v", day, 1, 0, {}) for day in days], {}
    )

    assert [len(found.signals), len(found.days)] == [MAX_DAYS, MAX_DAYS]
    assert found.days[-1].day == days[-1]


@pytest.mark.parametrize("text", ["torn", "{}", '{"run": {}, "signal": [], "signals": [[]]}'])
def test_a_file_that_is_none_of_ours_says_what_to_do(tmp_path, text):
    """It is not written over: somebody may want it."""
    (tmp_path / NAME).write_text(text)

    with pytest.raises(SeriesError, match="delete it"):
        read_series(tmp_path)


def test_the_files_of_runs_do_not_pile_up(tmp_path):
    """An hourly watch would leave nine thousand a year."""
    for _ in range(RUNS + 5):
        write_run(tmp_path, {})

    left = sorted(path.name for path in tmp_path.glob("watch-*.json"))
    assert len(left) == RUNS
    assert left[-1] == f"watch-{RUNS + 5:04}.json"

"""Rows whose trend the training rows show, through the measuring of monitoring."""

from dataclasses import replace
from datetime import date
from functools import partial

import pandas as pd
import pytest

from monitoring.journal.window import read_window
from monitoring.measure import measure_window
from monitoring.reference_period import read_training
from tests.monitoring.conftest import answered, measure_once, reading, write

pytestmark = pytest.mark.slow

measure_window = partial(measure_window, measuring=measure_once)
TODAY = date(2026, 2, 20)
DAYS = 9
#: Standard deviations of the feature a day, and of a jump, which comes on the last three days.
SLOPE, JUMP = 0.08, 1.5


@pytest.fixture(scope="module")
def buys(made):
    return made("binary")


@pytest.fixture
def window(buys, journal):
    return read_window(write(journal, *answered(buys, TODAY, DAYS)), reading(buys), 21)


def grown(rows, spread, jump=0.0):
    """The rows, with a number that grows."""
    day = (rows["at"] - pd.Timestamp(TODAY, tz="UTC")) / pd.Timedelta(days=1)
    late = day >= DAYS - 3
    return rows.assign(pages=rows["pages"] + spread * (SLOPE * day + jump * late))


def sums(window):
    """The window with the sums of its rows."""
    day = window.rows["at"].dt.strftime("%Y-%m-%d")
    return replace(window, counts=window.counts.assign(**{"sum pages": window.rows["pages"].groupby(day).sum()}))


def breached(buys, window, rules, jump=0.0, **more):
    """The kinds and days of the feature, and of all features together, that are beyond their limits."""
    spread = buys.reference["pages"].std()
    moved = sums(replace(window, rows=grown(window.rows, spread, jump)))
    signals, _, _ = measure_window(moved, grown(buys.reference, spread), buys.contract, buys.seen, rules, **more)
    mine = [s for s in signals if s.feature == "pages" or s.kind == "multivariate_drift"]
    return {(s.kind, s.metric) for s in mine if s.breached}


def test_a_trend_that_the_training_rows_show_is_no_alarm(buys, window, rules):
    """The same rows are beyond the limits of a fixed reference; a jump is, with the trend, too."""
    train = grown(read_training(buys.folder, buys.contract), buys.reference["pages"].std())

    assert breached(buys, window, rules) != set()
    assert breached(buys, window, rules, train=train) == set()
    assert breached(buys, window, rules, JUMP, train=train) != set()

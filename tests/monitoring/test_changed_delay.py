"""A feed of outcomes that became slower, or stopped for one class, is found at equal age; the usual delay is no alarm."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest

from contracts.row_contract import Contract, Feature, Target
from monitoring.charts.charting import charts, signals_of
from monitoring.charts.signals import EARLY
from monitoring.journal.arrival_times import day_of, number_of
from monitoring.journal.window import Window
from monitoring.metrics.label_delay import by_age
from monitoring.metrics.volume import delay_text, volume

pytestmark = pytest.mark.slow

UNTIL, DAYS = "2026-02-06", 50
CLASSES = ("back=False", "back=True")
#: Mean delays in days by class: outcomes that are not the event take three times as long.
MEANS = (4.5, 1.5)
#: Days before the end from which the delay is another one.
SINCE = 8


def stream(seed, change=lambda late, y, day: late, rows=400, share=0.3, classes=CLASSES):
    """A window of days with outcomes of two classes; *change* changes the delays."""
    random = np.random.default_rng(seed)
    sizes = random.poisson(rows, DAYS)
    first = number_of(UNTIL) - DAYS
    day = np.repeat(np.arange(DAYS), sizes)
    y = (random.random(len(day)) < share).astype(int)
    at = day + random.random(len(day))
    late = change(random.exponential(np.array(MEANS)[y]), y, at)
    seen = at + late
    age = np.where(seen < DAYS, np.floor(seen) - day, np.nan)
    came = pd.DataFrame({"day": day + first, "late": 0.0, "age": age, "value": np.where(np.isnan(age), np.nan, y)})
    traffic = pd.Series(sizes, [day_of(first + n) for n in range(DAYS)])
    return Window(pd.DataFrame(), (), until=UNTIL, traffic=traffic, arrivals=came, classes=classes)


def alarms(window, rules):
    """The classes whose feed is found to be slower."""
    before, now, _ = volume(window, rules)
    signals = [signal for chart in charts([(before, now)], {}, rules) for signal in signals_of(chart, rules)]
    return {signal.feature for signal in signals if signal.metric == EARLY and signal.breached}


def stopped(number):
    """No outcome of a class is reported in the last days."""
    return lambda late, y, at: np.where((y == number) & (at + late >= DAYS - SINCE), np.nan, late)


def doubled(late, y, at):
    return np.where(at >= DAYS - SINCE - 4, 2 * late, late)


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda late, y, at: late, set()),
        (stopped(1), {CLASSES[1]}),
        (stopped(0), {CLASSES[0]}),
        (doubled, {*CLASSES}),
        (lambda late, y, at: np.where((y == 1) & (at >= DAYS - SINCE), 2.5 * late, late), {CLASSES[1]}),
    ],
    ids=["as ever", "the event's feed stops", "the other feed stops", "twice the delay", "the event's delay, longer"],
)
@pytest.mark.parametrize("seed", [1, 2])
def test_a_change_of_the_delay_is_found_for_the_class_that_has_it(rules, change, found, seed):
    assert alarms(stream(seed, change), rules) == found


def test_a_share_of_the_event_that_moves_by_a_fifth_is_no_change_of_the_delay(rules):
    """Where outcomes come as ever, more or fewer of them are the concern of bias and drift."""
    usual, other = stream(3, rows=3000), stream(4, rows=3000, share=0.25)
    start = number_of(UNTIL) - 10
    mixed = pd.concat([usual.arrivals[usual.arrivals["day"] < start], other.arrivals[other.arrivals["day"] >= start]])

    assert alarms(replace(usual, arrivals=mixed), rules) == set()


def test_a_regression_has_one_feed(rules):
    """Of all its outcomes."""
    window = stream(1, doubled, classes=())

    assert alarms(window, rules) == {""}
    assert alarms(stream(1, classes=()), rules) == set()


def test_half_of_the_delay_is_said_by_class(rules):
    """Beside the time until a day is judged."""
    assert "; half of the outcomes back=False after 3 days, back=True after 1 day; maturity_days" in delay_text(
        stream(1), rules
    )


def test_figures_of_young_days_are_beside_those_of_whole_days():
    """Early outcomes are mostly the event, so the young days' bias is of the delay."""
    contract = Contract(
        name="late",
        task="binary",
        key="who",
        time="at",
        features=(Feature("x", "number"),),
        target=Target("back", (False, True)),
    )
    random = np.random.default_rng(0)
    at = pd.Timestamp(UNTIL, tz="UTC") - pd.to_timedelta(random.random(4000) * 20, unit="D")
    y = (random.random(4000) < 0.3).astype(float)
    known = at + pd.to_timedelta(random.exponential(np.array(MEANS)[y.astype(int)]), unit="D") < datetime(
        2026, 2, 6, tzinfo=UTC
    )
    rows = pd.DataFrame({"at": at, "x": 0.0, "score": 0.3, "back": np.where(known, y, np.nan)})

    youngest, young, whole = by_age(rows, contract, UNTIL, 12)

    assert youngest.startswith("days 0 to 5 days old, not judged yet: ")
    assert young.startswith("days 6 to 11 days old, not judged yet: ")
    assert whole.startswith("days 12 days old or older: 9")
    bias = [float(line.split("mean prediction ")[1].split(",")[0]) for line in (youngest, young, whole)]
    assert bias[0] < bias[1] < 0
    assert abs(bias[2]) < 0.05
    assert by_age(rows.head(0), contract, UNTIL, 12) == []

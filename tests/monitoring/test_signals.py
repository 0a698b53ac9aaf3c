"""What the watch sees in the stream, for each task: quiet where nothing moved, loud where it did."""

from dataclasses import replace
from datetime import date
from functools import partial

import numpy as np
import pandas as pd
import pytest

from monitoring.charts.charting import charts, signals_of
from monitoring.charts.signals import Measure, Signal
from monitoring.journal.window import read_window
from monitoring.measure import NOT_OF_ROWS, measure_window
from monitoring.metrics.drift import attempt
from tests.monitoring.conftest import answered, measure_once, reading, write

pytestmark = pytest.mark.slow

measure_window = partial(measure_window, measuring=measure_once)
BEFORE = date(2026, 2, 20)  # the ten days before Swiss visitors arrive
SWISS = date(2026, 3, 2)


def seen(made, folder, rules, *arguments, **more):
    """The signals of what was answered, and what could not be evaluated."""
    write(folder, *answered(made, *arguments, **more))
    window = read_window(folder, reading(made), 21)
    signals, unknown, _ = measure_window(window, made.reference, made.contract, made.seen, rules)
    return signals, unknown


def breached(signals, kind):
    """The share of its days on which each series of *kind* was beyond its limit."""
    found = {}
    for signal in signals:
        if signal.kind == kind:
            found.setdefault(signal.feature or signal.metric, []).append(signal.breached)
    return {name: sum(days) / len(days) for name, days in found.items()}


@pytest.fixture(params=["binary", "multiclass", "regression"])
def each(request, made):
    return made(request.param)


def test_a_stream_like_the_reference_is_quiet(each, journal, rules):
    """No feature and no score is beyond its limit on most days."""
    signals, unknown = seen(each, journal, rules, BEFORE, 8)

    assert all(one.yet for one in unknown)
    for kind in (*rules.page, *rules.issue):
        assert all(share <= 0.5 for share in breached(signals, kind).values()), kind


def test_every_kind_of_signal_is_there_for_each_task(each, journal, rules):
    """And each says its limit."""
    signals, _ = seen(each, journal, rules, BEFORE, 8)
    kinds = {signal.kind for signal in signals}

    assert kinds == {
        "univariate_drift",
        "multivariate_drift",
        "score_drift",
        "missing_values",
        "unseen_categories",
        "estimated_performance",
        "realised_performance",
        "prediction_bias",
    }
    assert all(np.isfinite([signal.value, signal.level, signal.run_length]).all() for signal in signals)
    assert {s.day for s in signals if s.kind == "score_drift"} == {f"2026-02-{day}" for day in range(20, 28)}


def test_a_new_segment_is_seen(each, journal, rules):
    """Swiss visitors: a country never seen, and the rows' structure changes."""
    signals, _ = seen(each, journal, rules, SWISS, 6, labelled=False)

    assert breached(signals, "unseen_categories")["country"] == 1
    assert breached(signals, "univariate_drift")["country"] == 1
    assert "realised_performance" not in {signal.kind for signal in signals}


def test_a_feature_that_goes_missing_is_seen(each, journal, rules):
    """A join upstream that no longer finds anything."""

    def gone(rows):
        return rows.assign(campaign=None)

    signals, _ = seen(each, journal, rules, BEFORE, 6, change=gone)

    assert breached(signals, "missing_values")["campaign"] == 1
    assert breached(signals, "missing_values")["country"] == 0


@pytest.mark.parametrize(("rows", "strange", "alarms"), [(250, 4, False), (250, 6, True), (10_000, 110, True)])
def test_a_handful_of_rows_is_no_share(rows, strange, alarms, rules):
    """Four of 250 are more than a hundredth, and luck; a hundredth of many rows is not."""

    def day(number, value):
        at = f"{date.fromordinal(SWISS.toordinal() + number)}"
        return Measure("unseen_categories", "share", "country", at, value, rows)

    before = [day(number, 0.0) for number in range(28)]
    (chart,) = charts([(before, [day(28, strange / rows)])], {}, rules)
    (signal,) = signals_of(chart, rules)

    assert signal.breached is alarms


def test_scores_that_move_are_seen(each, journal, rules):
    """Everybody suddenly sees twice as many pages."""

    def double(rows):
        return rows.assign(pages=rows["pages"] * 3 + 4)

    signals, _ = seen(each, journal, rules, BEFORE, 6, change=double)

    assert max(breached(signals, "score_drift").values()) == 1
    assert breached(signals, "univariate_drift")["pages"] == 1


def test_outcomes_that_turn_are_seen_in_what_is_realised(made, journal, rules):
    """The estimate cannot see it: it assumes that features still mean what they meant."""

    def turned(rows):
        return rows.assign(bought=rows["bought"].map({"yes": "no", "no": "yes"}))

    signals, _ = seen(made("binary"), journal, rules, BEFORE, 6, change=turned)

    assert breached(signals, "realised_performance")["roc_auc"] == 1
    assert breached(signals, "estimated_performance")["roc_auc"] < 0.5


def test_outcomes_and_rows_that_stop_coming_are_alarms_that_page(made, journal, rules):
    """Three quiet weeks, then a third of the rows, and outcomes for half of them."""
    buys = made("binary")
    answers, outcomes = answered(buys, date(2026, 1, 20), 27)
    late = {each["id"] for each in answers if each["time"] >= "2026-02-12"}
    few = [each for n, each in enumerate(answers) if each["id"] not in late or n % 3 == 0]
    known = {each["id"] for n, each in enumerate(few) if each["id"] not in late or n % 2}
    write(journal, few, [each for each in outcomes if each["id"] in known])
    window = read_window(journal, reading(buys), 35)
    loose = replace(rules, min_rows=30)
    signals, _, _ = measure_window(window, buys.reference, buys.contract, buys.seen, loose)

    for kind in ("row_rate", "label_coverage"):
        beyond = [s.day for s in signals if s.kind == kind and s.breached]
        assert beyond, kind
        assert min(beyond) >= "2026-02-12", kind
    assert {s.severity for s in signals if s.kind in NOT_OF_ROWS} == {"page"}


def test_an_error_that_grows_is_seen_for_regression(made, journal, rules):
    """Its loss is above, not below."""

    def dearer(rows):
        return rows.assign(spent=rows["spent"] + 100)

    signals, _ = seen(made("regression"), journal, rules, BEFORE, 6, change=dearer)

    assert breached(signals, "realised_performance")["mae"] == 1


def test_a_few_days_of_reference_give_no_limits(made, journal, rules):
    """That is no alarm, and no pass either."""
    strict = replace(rules, min_reference_days=60)
    signals, unknown = seen(made("binary"), journal, strict, BEFORE, 3)

    assert signals == []
    failed = [each for each in unknown if not each.yet]
    assert {each.kind for each in failed} == {*rules.page, *rules.issue} - set(NOT_OF_ROWS)
    assert "60 are needed for limits" in failed[0].why


def test_an_empty_window_has_no_signals(made, journal, rules):
    """And loads nothing heavy."""
    buys = made("binary")
    journal.mkdir()
    window = read_window(journal, reading(buys), 21)

    assert measure_window(window, buys.reference, buys.contract, buys.seen, rules) == ([], [], [])


def test_a_step_that_crashes_is_something_that_could_not_be_evaluated():
    """The others go on."""
    signal = Signal("score_drift", "m", "", "2026-01-01", 1, 1, None, None, 1)

    def crashes():
        raise ValueError("no such column")

    signals, unknown = attempt([("a", crashes), ("b", lambda: [signal]), ("c", list)])

    assert signals == [signal]
    assert [(each.kind, each.why) for each in unknown] == [
        ("a", "ValueError: no such column"),
        ("c", "no value for any day"),
    ]


@pytest.mark.parametrize(
    ("value", "lower", "upper", "expected"),
    [(1, None, 2, False), (3, None, 2, True), (2, None, 2, False), (1, 2, None, True), (9, None, None, False)],
)
def test_a_signal_is_beyond_its_limit_or_not(value, lower, upper, expected):
    """A limit itself is within."""
    assert Signal("k", "m", "", "d", value, 0, lower, upper, 1).breached is expected


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("latency", 0.0713, "0.0713 ms"),
        ("latency", 12.345, "12.3 ms"),
        ("latency", 1234.5, "1,234 ms"),
        ("errors", 0.0123, "1.23%"),
        ("row_rate", 1234.5, "1234.500"),
    ],
)
def test_a_value_is_shown_in_its_unit(kind, value, expected):
    """Where it has one."""
    assert Signal(kind, "m", "", "d", value, 0, None, None, 1).formatted(value) == expected


def test_a_signal_travels_as_json():
    """The file of a run is read by the page."""
    signal = Signal("k", "m", "f", "2026-01-01", 1.0, 0.5, None, 0.9, 10)

    assert signal.to_json()["breached"] is True
    values = signal.to_json() | {"severity": "issue"}
    assert values["tier"] == "issue"  # the key in files of earlier versions
    assert Signal(**{key: value for key, value in values.items() if key not in ("breached", "tier")}) == signal


def test_the_estimate_is_near_the_truth_while_features_mean_what_they_meant(made, journal, rules):
    """CBPE on its own assumption (Kivimäki et al. 2024): the mean over days, within 0.05."""
    signals, _ = seen(made("binary"), journal, rules, BEFORE, 9)
    means = pd.DataFrame([s.to_json() for s in signals if s.metric == "accuracy"]).groupby("kind")["value"].mean()

    assert abs(means["estimated_performance"] - means["realised_performance"]) < 0.05


@pytest.mark.parametrize(
    ("kind", "rows", "bad", "alarms"),
    [
        ("missing_values", 60, 45, True),  # of few rows as of many
        ("missing_values", 12, 4, False),  # a handful
        ("missing_values", 12, 12, True),
        ("missing_values", 3, 3, False),
        ("errors", 60, 60, True),
        ("errors", 60, 1, False),
    ],
)
def test_a_share_of_few_rows_is_judged_by_limits_that_are_wider(kind, rows, bad, alarms, rules):
    """As a binomial one varies; a handful of rows is never an alarm."""

    def day(number, value, of):
        at = f"{date.fromordinal(SWISS.toordinal() + number)}"
        return Measure(kind, "share", "country", at, value, of)

    usual = 0.2 if kind == "missing_values" else 0.0
    before = [day(number, usual + 0.01 * (number % 3 - 1) * usual, 1000) for number in range(28)]
    (chart,) = charts([(before, [day(28, bad / rows, rows)])], {}, rules)
    (signal,) = signals_of(chart, rules)

    assert signal.breached is alarms


def test_counts_of_a_day_with_few_rows_are_judged(made, journal, rules):
    """Below `min_rows` there is no distance; a feature that is missing is seen."""
    buys = made("binary")
    answers, outcomes = answered(buys, BEFORE, 8)
    few = [a for n, a in enumerate(answers) if a["time"] < "2026-02-26" or n % 3 == 0]
    for each in few:
        if each["time"] >= "2026-02-26":
            each["row"]["campaign"] = None
    write(journal, few, outcomes)
    window = read_window(journal, reading(buys), 21, pd.Timestamp("2026-02-28", tz="UTC"))
    signals, _, unjudged = measure_window(window, buys.reference, buys.contract, buys.seen, rules)

    assert unjudged == ["2026-02-26", "2026-02-27"]
    gone = {s.day for s in signals if s.kind == "missing_values" and s.breached}
    assert gone == {"2026-02-26", "2026-02-27"}
    assert "2026-02-27" not in {s.day for s in signals if s.kind == "score_drift"}


def test_a_stream_of_few_rows_has_its_counts_and_outcomes_evaluated(made, journal, rules):
    """Twelve rows a day: everything by two days; the reference is too short for distances by week."""
    buys = made("binary")
    answers, outcomes = answered(buys, BEFORE, 8)
    for each in answers:
        each["row"]["campaign"] = None
    write(journal, answers[::12], outcomes[::12])
    window = read_window(journal, reading(buys), 21, pd.Timestamp("2026-02-28", tz="UTC"))
    signals, _, _ = measure_window(window, buys.reference, buys.contract, buys.seen, rules)

    by_days = {s.kind: s.days for s in signals}
    assert {"missing_values", "unseen_categories", "realised_performance", "prediction_bias"} <= {*by_days}
    assert (by_days["missing_values"], by_days["realised_performance"]) == (2, 2)
    assert breached(signals, "missing_values")["campaign"] == 1
    assert breached(signals, "missing_values")["country"] == 0
    assert "univariate_drift" not in by_days

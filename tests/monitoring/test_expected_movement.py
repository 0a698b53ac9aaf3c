"""Movement that an owner expects is no alarm; a jump, and another movement than before, is one."""

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest

from contracts.row_contract import Contract, Feature, Target
from contracts.thresholds import read_rules
from monitoring.charts.expected_charts import Part, holiday_remarks, movement_remarks
from monitoring.charts.expected_charts import chart_expected as drawn_of
from monitoring.charts.expected_movement import YEAR, expected
from monitoring.charts.signals import Measure, by_series
from monitoring.earlier_days import of_last_year, series_trends
from monitoring.journal.window import Window
from monitoring.metrics.robust_trend import trend_of
from monitoring.metrics.row_trends import row_trends, training_distances, without_trends

FIRST = date(2026, 3, 1)
CONTRACT = Contract(
    name="account",
    task="binary",
    features=(
        Feature("age", "number", "account age"),
        Feature("orders", "number", "orders so far"),
        Feature("income", "number", "income"),
        Feature("country", "category", "country"),
    ),
    target=Target("buys", (False, True), "buys"),
    key="visitor",
    time="at",
)


@pytest.fixture(scope="module")
def rules(root):
    return replace(read_rules(root / "checks/thresholds.toml").monitoring, draws=100)


def chart_expected(parts, influences, rules, holidays):
    """The signals, and the kinds whose season is unknown."""
    drawn = drawn_of(parts, influences, rules, holidays)
    return drawn.signals, drawn.unknown


def rows(first, days, a_day=150, seed=0, growing=1.0):
    """Visits in which accounts grow older by a day a day; the count of orders grows, and with it its spread."""
    random = np.random.default_rng((seed, first + 1000))
    day = np.repeat(np.arange(first, first + days), a_day)
    n = len(day)
    share = np.clip(0.2 + growing * 0.002 * day, 0, 1)
    frame = pd.DataFrame(
        {
            "visitor": "v",
            "at": pd.Timestamp(FIRST, tz="UTC") + pd.to_timedelta(day, "D") + pd.to_timedelta(random.random(n), "D"),
            "age": 500 + 100 * random.normal(size=n) + growing * day,
            "orders": random.poisson(8 * np.exp(growing * 0.003 * day)).astype(float),
            "income": 50 + 10 * random.normal(size=n),
            "country": np.where(random.random(n) < share, "CH", "DE").astype(object),
            "buys": (random.random(n) < 0.3).astype(float),
            "score": 0.3 + 0.1 * random.normal(size=n),
        }
    )
    return frame.sort_values("at").reset_index(drop=True)


TRAIN, REFERENCE = rows(-90, 76), rows(-14, 14)


def series(values, first, kind="univariate_drift", metric="mean", feature="age"):
    """A measure a day from the day *first* on."""
    return [
        Measure(kind, metric, feature, f"{FIRST + timedelta(days=first + n)}", float(value), 250)
        for n, value in enumerate(values)
    ]


def noise(days, seed=1, size=0.05):
    return size * np.random.default_rng(seed).normal(size=days)


def line(first, days, slope=0.01, seed=1):
    return slope * np.arange(first, first + days) + noise(days, (seed, days))


def charted(now, rules, slope=0.01, trends=True):
    """The signals of days from `FIRST` on, after 14 days of reference and a trend of 90 days."""
    before = series(line(-14, 14, slope) + 0.07, -14)
    every = np.concatenate([line(-90, 76, slope, 2), line(-14, 14, slope)])
    trend = trend_of(
        np.arange(-90.0, 0.0) + pd.Timestamp(FIRST).toordinal() - 719163,
        every,
        float(np.mean(np.arange(-14, 0)) + pd.Timestamp(FIRST).toordinal() - 719163),
    )
    known = {before[0].name: trend} if trends and trend else {}
    signals, unknown = chart_expected([Part(before, series(now, 0), trends=known)], {}, rules, {})
    return signals, unknown


def test_a_growing_feature_is_charted_after_its_trend(rules):
    """Without the trend it is beyond its limits within weeks, and stays there."""
    now = line(0, 91) + 0.07
    fixed, _ = charted(now, rules, trends=False)
    after, _ = charted(now, rules)

    assert sum(each.breached for each in fixed) > 50
    assert sum(each.breached for each in after) == 0
    assert [each.value for each in after] == pytest.approx(now)
    assert after[-1].expected - after[0].expected == pytest.approx(0.9, abs=0.1)
    assert "expected on 2026-05-30" not in movement_remarks(fixed)
    assert movement_remarks(after)[0].startswith("univariate drift mean age: 0.0")


@pytest.mark.parametrize(
    "change",
    [
        lambda day: 0.5 * (day >= 30),
        lambda day: -0.5 * (day >= 30),
        lambda day: -0.01 * np.maximum(day - 30, 0),
        lambda day: 0.02 * np.maximum(day - 30, 0),
    ],
    ids=["jump up", "jump down", "the trend stops", "the trend triples"],
)
def test_another_movement_than_the_trend_is_an_alarm(change, rules):
    """A jump within days, another trend within six weeks; and nothing before."""
    signals, _ = charted(line(0, 91) + 0.07 + change(np.arange(91)), rules)
    alarms = [n for n, each in enumerate(signals) if each.breached]

    assert alarms
    assert 30 <= alarms[0] <= 75


def test_limits_are_wider_the_further_a_trend_is_extrapolated(rules):
    """By the uncertainty of its slope."""
    signals, _ = charted(line(0, 91) + 0.07, rules)
    widths = [each.upper - each.lower for each in signals]

    assert widths[-1] > widths[0] * 1.05
    assert sorted(widths) == widths


def test_a_series_without_a_trend_is_charted_as_before(rules):
    """No movement is taken from noise."""
    for seed in range(20):
        assert trend_of(np.arange(90.0), noise(90, seed), 45.0) is None
    before, now = series(noise(28), -28), series(noise(30, 2), 0)
    plain, unknown = chart_expected([Part(before, now)], {}, rules, {})

    assert unknown == []
    assert {each.expected for each in plain} == {plain[0].expected}


@pytest.mark.parametrize("at", [20, 45, 70])
def test_a_step_is_no_trend(at):
    """It is not extrapolated, wherever it was."""
    trend = trend_of(np.arange(90.0), 1.0 * (np.arange(90) >= at) + noise(90), 83.0)

    assert trend is None or not trend.slope


def test_a_bend_too_small_to_matter_is_none():
    """A chart of such a feature keeps its severity."""

    def bent(size):
        day = np.repeat(np.arange(-90, 0), 150)
        random = np.random.default_rng(5)
        wave = size * np.sin(2 * np.pi * day / 120)
        every = rows(-90, 90).assign(
            income=50 + 0.01 * random.normal(size=len(day)) + 10 * (random.random(len(day)) < 0.5) + wave
        )
        return row_trends(every[day < -14], every[day >= -14], CONTRACT).get("income")

    assert bent(6.0).mean.bends
    assert not (bent(0.2) and bent(0.2).mean.bends)


def test_a_series_that_bends_is_only_in_the_digest(rules):
    """What moves with the calendar cannot be extrapolated before there is a year of it."""
    wave = 0.5 * np.sin(2 * np.pi * np.arange(90) / 182)
    trend = trend_of(np.arange(90.0), wave + noise(90), 83.0)
    before = series(noise(14), -14, "score_drift", "mean", "")
    part = Part(before, series(noise(20, 2) + 3.0, 0, "score_drift", "mean", ""), trends={before[0].name: trend})
    signals, unknown = chart_expected([part], {}, rules, {})

    assert trend.bends
    assert {each.severity for each in signals} == {"digest"}
    assert all(each.breached for each in signals)
    assert [(each.kind, each.yet) for each in unknown] == [("score_drift", True)]
    assert "season unknown" in unknown[0].why


def test_the_year_before_is_expected_again(rules):
    """Of a wave that the reference has a fortnight of, and of a distance, whose squares add up."""
    day = np.arange(-14, 91)

    def wave(at):
        return np.sin(2 * np.pi * at / YEAR)

    before, now = series(wave(day[:14]) + noise(14), -14), series(wave(day[14:]) + noise(91, 2), 0)
    past = series(wave(np.arange(-20, 98)) + noise(118, 3), -20 - YEAR)
    fixed, _ = chart_expected([Part(before, now)], {}, rules, {})
    after, _ = chart_expected([Part(before, now, past)], {}, rules, {})

    assert sum(each.breached for each in fixed) > 50
    assert sum(each.breached for each in after) == 0

    jumped = series(wave(day[14:]) + 1.0 * (day[14:] >= 30), 0)
    assert (
        min(s.day for s in chart_expected([Part(before, jumped, past)], {}, rules, {})[0] if s.breached) <= "2026-04-03"
    )


def test_realised_performance_is_expected_to_move_as_its_estimate_did():
    """Where its own days vary too much to show the season."""
    day, kinds = np.arange(-20, 98), ("estimated_performance", "realised_performance")
    wave = 0.7 + 0.03 * np.sin(2 * np.pi * day / YEAR)
    past = [
        each
        for n, (kind, size) in enumerate(zip(kinds, (0.005, 0.1), strict=True))
        for each in series(wave + noise(118, n, size), -20 - YEAR, kind, "accuracy", "")
    ]
    before = [each for kind in kinds for each in series(0.7 + noise(14, 4, 0.01), -14, kind, "accuracy", "")]
    found = expected(before, past, "2026-05-30").movements

    assert found["realised_performance accuracy"] is found["estimated_performance accuracy"]


def test_a_year_before_of_few_days_shows_nothing():
    """Nor does one that did not move."""
    before = series(noise(14), -14)
    still = series(noise(118, 3), -20 - YEAR)

    assert expected(before, still[:30], "2026-05-30").movements == {}
    assert expected(before, still, "2026-05-30").movements == {}


def test_rows_without_their_trend_are_as_in_the_reference():
    """The mean and the spread of what grows; others are not touched."""
    later = rows(60, 30, seed=5)
    trends = row_trends(TRAIN, REFERENCE, CONTRACT)
    flat = without_trends(later, trends, "at")

    assert {*trends} == {"age", "orders"}
    for name in trends:
        assert later[name].mean() - REFERENCE[name].mean() > 0.4 * REFERENCE[name].std()
        assert flat[name].mean() == pytest.approx(REFERENCE[name].mean(), abs=0.2 * REFERENCE[name].std())
        assert flat[name].std() == pytest.approx(REFERENCE[name].std(), rel=0.1)
    assert flat["income"].equals(later["income"])


def test_the_trend_of_a_column_is_that_of_its_series():
    """In standard deviations of the reference."""
    trends = series_trends(row_trends(TRAIN, REFERENCE, CONTRACT), REFERENCE)
    trend = trends["univariate_drift mean age"]

    assert trend.slope == pytest.approx(1 / REFERENCE["age"].std(), rel=0.15)
    assert trend.at(trend.centre) == 0


def test_the_distance_of_rows_without_a_trend_is_wider_by_its_error():
    """It is expected where it was, and may be larger the further the trend is extrapolated."""
    trends = series_trends(row_trends(TRAIN, REFERENCE, CONTRACT), REFERENCE)
    before = series(0.1 + 0.01 * np.abs(noise(14)), -14, metric="jensen_shannon")
    movement = expected(before, (), "2026-05-30", (), trends).movements[before[0].name]
    days = np.datetime64("2026-03-10", "D").astype(int) + np.array([0, 30, 60])

    assert movement.offset(days).tolist() == [0, 0, 0]
    assert np.all(np.diff(movement.width(days)) > 0)
    assert movement.width(days)[-1] < 0.1


@pytest.mark.parametrize("train", [None, TRAIN.iloc[:0], rows(-30, 16)])
def test_few_training_rows_show_no_trend(train):
    """And break nothing."""
    assert row_trends(train, REFERENCE, CONTRACT) == {}
    assert all(each.kind == "univariate_drift" for each in training_distances(train, REFERENCE, CONTRACT))


def test_a_mix_that_shifts_is_expected_to_be_as_far_after_the_reference_as_before():
    """The distance of categories."""
    distances = training_distances(TRAIN, REFERENCE, CONTRACT)
    before = series(0.03 + 0.01 * np.abs(noise(14)), -14, metric="jensen_shannon", feature="country")
    movement = expected(before, (), "2026-05-30", distances).movements[before[0].name]
    ahead = np.datetime64("2026-05-01", "D").astype(int)

    assert len(by_series(distances)) == 1
    assert 0.01 < float(movement.offset(np.array([ahead]))[0]) < 0.2
    assert float(movement.width(np.array([ahead]))[0]) > 0


def test_a_holiday_is_no_alarm_and_is_named(rules):
    """The row rate of a day with its name, and not an outage; the days after it are charted without it."""
    usual = 1000 + 30 * noise(21, size=1)
    before = series(usual, -21, "row_rate", "rows", "")
    values = 1000 + 30 * noise(14, 4, size=1)
    values[5] = 300
    holiday = {f"{FIRST + timedelta(days=5)}": "Karfreitag", f"{FIRST + timedelta(days=8)}": "Ostermontag"}
    signals, _ = chart_expected([Part(before, series(values, 0, "row_rate", "rows", ""))], {}, rules, holiday)
    plain, _ = chart_expected([Part(before, series(values, 0, "row_rate", "rows", ""))], {}, rules, {})

    assert [each.day for each in plain if each.breached][:1] == ["2026-03-06"]
    assert not any(each.breached for each in signals)
    assert len(signals) == 14
    assert holiday_remarks(signals) == [
        next(line for line in holiday_remarks(signals) if line.startswith("holiday: Karfreitag (2026-03-06): row rate"))
    ]

    values[5] = 0
    outage, _ = chart_expected([Part(before, series(values, 0, "row_rate", "rows", ""))], {}, rules, holiday)
    assert next(each.day for each in outage if each.breached) == "2026-03-06"


def test_missing_values_on_a_holiday_are_an_alarm(rules):
    """A holiday explains how many rows there are, and which; not that they are broken."""
    before = series(np.zeros(14), -14, "missing_values", "share")
    now = series([0, 0, 0.5, 0], 0, "missing_values", "share")
    signals, _ = chart_expected([Part(before, now)], {}, rules, {"2026-03-03": "a holiday"})

    assert next(each.day for each in signals if each.breached) == "2026-03-03"


def of_means(reference, rows, contract, seen, rules, late=None, **more):
    """The departure of a day's mean income, and one that no year before explains."""
    days = rows.groupby(rows["at"].dt.strftime("%Y-%m-%d"))["income"].mean() - reference["income"].mean()
    return [
        Measure(kind, "mean", "income", day, float(value), 150)
        for kind in ("univariate_drift", "realised_performance", "prediction_bias")
        for day, value in days.items()
    ], []


@pytest.mark.parametrize(("answered", "kinds"), [("2025-03-01", 2), ("", 1)])
def test_a_year_before_is_measured_by_its_own_reference(answered, kinds, rules):
    """Of the journal's rows also performance; of training rows, whose scores are too good, only drift."""

    def later(days, more):
        moved = rows(days.start, len(days)).assign(income=lambda frame: frame["income"] + more)
        return moved.assign(at=moved["at"] - pd.Timedelta(days=YEAR))

    then = pd.concat([later(range(-14, 0), 30), later(range(30), 31)], ignore_index=True)
    window = Window(then, (), answered=answered)
    found = by_series(of_last_year(window, REFERENCE, CONTRACT, {}, rules, of_means))

    assert len(found) == kinds
    days = found["univariate_drift mean income"]
    assert [days[0].day, days[-1].day] == ["2025-02-16", "2025-03-31"]
    assert np.mean([each.value for each in days[:14]]) == pytest.approx(0, abs=0.5)
    assert np.mean([each.value for each in days[14:]]) == pytest.approx(1, abs=0.5)


def test_a_year_without_the_references_days_is_none(rules):
    """There is nothing to compare it with."""
    moved = rows(0, 30).assign(at=lambda frame: frame["at"] - pd.Timedelta(days=YEAR))

    assert of_last_year(Window(moved, ()), REFERENCE, CONTRACT, {}, rules, of_means) == []
    assert of_last_year(Window(moved.iloc[:0], ()), REFERENCE, CONTRACT, {}, rules, of_means) == []
    assert of_last_year(None, REFERENCE, CONTRACT, {}, rules, of_means) == []

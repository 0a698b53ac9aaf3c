"""The watch's benchmark: our statistics are NannyML's, streams are what they say, rates are equal."""

import warnings
from dataclasses import replace
from xml.etree import ElementTree as ET

import numpy as np
import pandas as pd
import pytest

import monitoring  # noqa: F401 -- switches NannyML's telemetry off
from bench.watch.daily_statistics import estimated_auc, jensen_shannon, reconstruction, unseen
from bench.watch.daily_streams import BEFORE, REFERENCE, ROWS_PER_DAY, auc, changed, quiet
from bench.watch.delay_svg import draw
from bench.watch.detector_results import WATCH, Result, budgets, delays, later
from bench.watch.detector_rounds import delay, limit_at, rate
from bench.watch.late_arrivals import BEFORE as HISTORY
from bench.watch.late_arrivals import CHANGES, NO_CHANGE, STABLE_DAYS, alarms, window
from bench.watch.pools import Pool
from bench.watch.statistics_cache import Kept
from contracts.thresholds import read_rules

pytestmark = pytest.mark.slow

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import nannyml as nml


@pytest.fixture(scope="module")
def rows():
    """Two numbers, a count with few values and a category; ten days of reference, five to judge."""
    random = np.random.default_rng(3)
    n = 15 * 100
    return np.column_stack(
        [random.normal(size=n), random.gamma(2, size=n), random.poisson(2, n), random.integers(0, 5, n)]
    )


def nannyml(calculator, rows):
    """Its values of the last five days."""
    frame = pd.DataFrame(rows, columns=list("abcd"))
    frame["d"] = frame["d"].astype(int).astype(str)
    frame["at"] = pd.date_range("2026-01-01", periods=len(rows), freq="864s")
    quietly = warnings.catch_warnings(action="ignore")
    with quietly, pd.option_context("future.infer_string", False):
        frame["d"] = frame["d"].astype(object).astype("category")
        return calculator.fit(frame[:1000]).calculate(frame[1000:]).to_df()


def test_our_jensen_shannon_distance_is_nannymls(rows):
    """Of numbers in Doane's bins, and of categories."""
    calculator = nml.UnivariateDriftCalculator(
        column_names=list("abcd"),
        treat_as_categorical=["d"],
        timestamp_column_name="at",
        chunk_period="D",
        continuous_methods=["jensen_shannon"],
        categorical_methods=["jensen_shannon"],
    )
    moved = rows.copy()
    moved[1200:, 0] += 5  # beyond every bin
    moved[1300:, 3] = 7  # never seen
    found = nannyml(calculator, moved)
    for n, name in enumerate("abcd"):
        theirs = found[(name, "jensen_shannon", "value")].to_numpy(dtype=float)[-5:]
        ours = jensen_shannon(moved[:1000, n], moved[1000:, n].reshape(5, 100), numeric=name != "d")

        assert ours == pytest.approx(theirs, abs=1e-9), name


def test_our_reconstruction_error_is_nannymls(rows):
    """The same components, the same encoding."""
    calculator = nml.DataReconstructionDriftCalculator(
        column_names=list("abcd"), timestamp_column_name="at", chunk_period="D"
    )
    found = nannyml(calculator, rows)[("reconstruction_error", "value")].to_numpy(dtype=float)[-5:]
    numeric = np.array([True, True, True, False])

    assert reconstruction(rows[:1000], rows[1000:].reshape(5, 100, 4), numeric) == pytest.approx(found)


def test_the_estimate_is_the_auc_that_calibrated_scores_expect():
    """CBPE's: near the realised one, the more rows the nearer."""
    random = np.random.default_rng(1)
    chances = random.random(20_000)
    truth = (random.random(20_000) < chances).astype(float)

    assert estimated_auc(chances[None])[0] == pytest.approx(auc(truth, chances), abs=0.01)


@pytest.fixture(scope="module")
def pool():
    random = np.random.default_rng(5)
    rows = random.normal(size=(4000, 6))
    chance = 1 / (1 + np.exp(-2 * rows[:, 0]))
    return Pool(
        "made up",
        tuple("abcdef"),
        rows,
        (random.random(4000) < chance).astype(float),
        np.arange(4000) // 250 % 7,
        np.ones(6, dtype=bool),
        rows[:, 5] > 1.5,
        lambda these: 1 / (1 + np.exp(-2 * these[:, 0])),
    )


def test_a_stream_is_quiet_until_its_change(pool):
    """With the same seed the days before are the quiet stream's, so its limits hold for both."""
    calm = quiet(pool, 20, np.random.default_rng(1))
    moved = changed(pool, "mean +0.5 sd, 5 features", np.random.default_rng(1))
    start = (REFERENCE + BEFORE) * ROWS_PER_DAY

    assert (calm.rows[:start] == moved.rows[:start]).all()
    shift = moved.rows[start:].mean(axis=0) - calm.rows.mean(axis=0)
    assert sorted(shift > 0.4).count(True) >= 4


def test_harder_rows_cost_what_they_should(pool):
    """0.03 of AUC, and what a row means stays."""
    moved = changed(pool, "covariates, AUC -0.03", np.random.default_rng(1))
    start = (REFERENCE + BEFORE) * ROWS_PER_DAY
    before, after = (auc(moved.truth[part], moved.scores[part]) for part in (slice(start), slice(start, None)))

    assert before - after == pytest.approx(0.03, abs=0.015)


def test_everybody_gets_the_same_rate():
    """The smallest limit that keeps to it."""
    values = np.random.default_rng(1).random((3, 364))
    limit = limit_at(list(values), 1.0)

    assert rate([each >= limit for each in values]) <= 1.0
    assert rate([each >= limit * 0.995 for each in values]) > 1.0


def test_an_alarm_that_never_ends_is_not_one_alarm():
    """Else whoever always cries would seem never to err."""
    assert rate([np.ones(364, dtype=bool)]) == pytest.approx(6.5)


def test_a_delay_counts_from_the_change():
    """The day of the change itself is the first."""
    assert delay(np.array([True, False, True]), 1) == 2
    assert delay(np.array([True, False]), 1) == float("inf")


def test_a_category_that_the_reference_never_had_is_unseen():
    """Its share of each day."""
    days = np.array([[1.0, 2.0, 1.0, 2.0], [1.0, 7.0, 7.0, 7.0]])

    assert unseen(np.array([1.0, 2.0]), days).tolist() == [0, 0.75]


def test_a_run_that_was_stopped_goes_on_where_it_was(pool, tmp_path):
    """What is kept is what was computed; other rows have files of their own."""
    change = "mean +0.5 sd, 5 features"
    first = Kept(pool, tmp_path).daily(change, 1)
    written = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    again = Kept(pool, tmp_path).daily(change, 1)

    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == written
    assert all(np.array_equal(first[name], again[name], equal_nan=True) for name in first)
    other = Kept(replace(pool, truth=1 - pool.truth), tmp_path)
    assert other.path("daily", change, 1) not in written


RESULT = Result(
    "flights",
    12,
    {"page": [0.0, 0.5], "issue": [0.0, 0.0], "digest": [0.25, 0.25]},
    {"ADWIN": 7.0},
    0.5,
    {"ramp": {WATCH: [9.0, 4.0], "ADWIN": [3.0, 8.0]}, "unit": {WATCH: [1.0, float("inf")], "ADWIN": [2.0, 3.0]}},
    {"ramp": -0.01, "unit": 0.0},
    ["A remark."],
)


def test_the_tables_say_what_was_measured():
    """The upper median, so "never" for half of the seeds is never."""
    assert budgets([RESULT], 1)[-1] == ("| flights | 12 | **0.50** | 0.25 | 0.25 | 0.00 | 0.25 | ADWIN: 7.0 |")
    assert "| ramp | -0.010 | 9 (4 to 9) | 8 (3 to 8) |" in delays(RESULT)
    assert later([RESULT]) == [
        "Of 2 changes the watch is later than the best of the others, by the median, on 2:",
        "",
        "- flights, ramp: 9, ADWIN 8",
        "- flights, unit: > 60, ADWIN 3",
    ]


def test_the_chart_has_a_mark_for_everybody():
    """Well formed, with a word for screen readers."""
    drawn = ET.fromstring(draw([RESULT]))

    assert drawn.attrib["aria-label"].startswith("Median days until a change is detected")
    assert draw([RESULT]).count('class="point v0"') == 3  # two changes and the legend


@pytest.fixture(scope="module")
def limits(root):
    return replace(read_rules(root / "checks/thresholds.toml").monitoring, draws=100)


def test_a_run_at_an_odd_hour_sees_whole_days_and_the_outcomes_so_far(limits):
    """Not today's rows, nor an outcome that comes later."""
    rows, outcomes = np.array([8.5, 9.2, 9.9, 10.1]), np.array([9.0, 9.4, 10.8, 10.2])
    seen = window(rows, outcomes, 10.5, limits)

    assert seen.traffic.to_dict() == {"1970-01-09": 1, "1970-01-10": 2}
    assert seen.arrivals["age"].tolist()[:2] == [1.0, 0.0]
    assert np.isnan(seen.arrivals["age"][2])


@pytest.mark.parametrize("change", [NO_CHANGE, *CHANGES])
def test_late_outcomes_at_odd_hours_raise_an_alarm_when_something_changes(change, limits):
    """Of the kind that it is about, and no other."""
    days = alarms(change, HISTORY + STABLE_DAYS + 9, 2, limits)
    kinds = {kind for kind, beyond in days.items() if beyond.any()}

    expected = {"row_rate"} if "rows" in change else {"label_coverage"}
    assert kinds == (set() if change == NO_CHANGE else expected)
    assert not any(beyond[: STABLE_DAYS + 1].any() for beyond in days.values())


def test_a_constant_column_has_no_part_in_the_reconstruction_error():
    """Whose standard deviation is not 0 where its mean is rounded."""
    random = np.random.default_rng(1)
    rows = random.normal(size=(999, 4))
    errors = []
    for constant in (0.0, 1.463):
        rows[:, 3] = constant
        days = rows[:900].reshape(9, 100, 4)
        errors.append(reconstruction(rows, days, np.ones(4, dtype=bool)))

    assert errors[1] == pytest.approx(errors[0])

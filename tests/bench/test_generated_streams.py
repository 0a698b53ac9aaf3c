"""Generated streams: their truth, what moves in them, and how alarms on them are counted."""

import json
from dataclasses import replace

import numpy as np
import pytest

from bench.watch import false_alarms
from bench.watch.daily_streams import auc
from bench.watch.false_alarms import EARLIER, watched
from bench.watch.generated_streams import CONTRACT, FAULTS, KINDS, QUARTER, YEAR, generated
from bench.watch.kept_measures import KeptMeasures
from contracts.thresholds import read_rules
from monitoring.charts.signals import Measure
from monitoring.journal.window import days_of

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def rules(root):
    return replace(read_rules(root / "checks/thresholds.toml").monitoring, draws=40)


def quarter(stream):
    """Its rows of the quarter, and their days from the first one."""
    start = stream.first_watched
    return stream.between(start, start + QUARTER - 1), stream.days[stream.days >= start] - start


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_wrong_with_the_model(kind):
    """Its scores are calibrated and discriminate as well at the end of the quarter as at its begin."""
    found = [[], []]
    for seed in range(4):
        rows, day = quarter(generated(KINDS[kind], seed))
        for part, at in zip(found, (day < 30, day >= 60), strict=True):
            part.append(rows[at])
    for parts in found:
        score, truth = (np.concatenate([rows[name] for rows in parts]) for name in ("score", "buys"))
        assert score.mean() == pytest.approx(truth.mean(), abs=0.02)
    first, last = (np.mean([auc(rows["buys"].to_numpy(), rows["score"].to_numpy()) for rows in part]) for part in found)
    assert first == pytest.approx(last, abs=0.03)


def test_a_growing_feature_grows_by_most_of_a_standard_deviation():
    """The others do not move."""
    rows, day = quarter(generated(KINDS["growing features"], 1))
    spread = rows["age"].std()

    def grown(name):
        return (rows[name][day > 80].mean() - rows[name][day < 10].mean()) / rows[name].std()

    assert 0.4 < grown("age") < 1.0
    assert abs(grown("income")) < 0.25
    assert spread == pytest.approx(120, rel=0.2)


def test_the_second_year_is_as_the_first():
    """The same phase of the cycle, 364 days apart."""
    stream = generated(KINDS["yearly cycle, second year"], 3)
    start = stream.first_watched
    now, then = (stream.between(at, at + 60)["warmth"].mean() for at in (start, start - YEAR))
    half = stream.between(start - YEAR // 2, start - YEAR // 2 + 60)["warmth"].mean()

    assert now == pytest.approx(then, abs=1.5)
    assert abs(now - half) > 2 or abs(now - 10) < 2


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_changes_nothing_before_its_day(fault):
    """And something after it."""
    calm, wrong = (generated(KINDS["growing features"], 2, each, 30) for each in ("", fault))
    day = calm.days - calm.first_watched
    columns = [CONTRACT.target.name, *(f.name for f in CONTRACT.features)]

    assert calm.rows[day < 30].equals(wrong.rows[day < 30])
    assert any(not calm.rows[name][day > 40].equals(wrong.rows[name][day > 40]) for name in columns)


def of_income(reference, rows, contract, seen, rules, late=None, **more):
    """A measure of one feature, instead of all that monitoring measures."""
    days = rows["income"].groupby(days_of(rows, contract.time))
    usual, spread = reference["income"].mean(), reference["income"].std()
    return [
        Measure("univariate_drift", "mean", "income", day, (values.mean() - usual) / spread, len(values))
        for day, values in days
    ], []


def test_rows_go_through_the_measuring_of_monitoring(rules):
    """Every day of the quarter is judged, and a calm stream has no alarm of the row rate."""
    stream = generated(KINDS["stationary"], 1)
    days = watched(stream, of_income, rules)
    moved = replace(
        stream, rows=stream.rows.assign(income=stream.rows["income"] + 40 * (stream.days >= stream.first_watched + 30))
    )

    assert not days["page"].any()
    assert watched(moved, of_income, rules)["digest"][30:].all()


def test_measures_are_kept(tmp_path, rules):
    """The second time nothing is measured."""
    stream = generated(KINDS["stationary"], 1)
    start = stream.first_watched
    frames = stream.between(start - 8, start - 1), stream.between(start, start + 2)
    kept = KeptMeasures(tmp_path)
    first = kept(*frames, CONTRACT, {}, rules)
    written = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}

    assert kept(*frames, CONTRACT, {}, rules) == first
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == written


def test_the_table_has_the_figures_of_before_and_whether_the_budget_is_kept():
    """At most the budget and two standard errors."""
    rates = {
        "stationary": [{"page": 0.0, "issue": 0.0, "digest": n} for n in (0.0, 1.0)],
        "growth": [{"page": 9.0, "issue": 0.0, "digest": 0.0}, {"page": 9.0, "issue": 0.0, "digest": 1.0}],
    }
    lines = [*false_alarms._budgets(rates, 1.0, {"alarms": {"growth": "3.7 ± 0.4"}})]

    assert lines[2] == "| stationary | **0.50** | 0.50 |  | yes | 0.00 | 0.00 | 0.50 |"
    assert lines[3] == "| growth | **9.50** | 0.50 | 3.7 ± 0.4 | **no** | 9.00 | 0.00 | 0.50 |"


def test_the_earlier_figures_are_of_these_streams():
    """None is of a stream that there no longer is."""
    earlier = json.loads(EARLIER.read_text())

    assert {*earlier["alarms"]} <= {*KINDS}
    assert {*earlier["delays"]} <= {*FAULTS}

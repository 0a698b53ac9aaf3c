"""Training while outcomes are still coming in, on a generated stream whose outcomes are all known to the test."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import log_loss
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from contracts.row_contract import Contract, Feature, Target
from model.data import DataError, check, encoded_target, known_target, model_inputs
from model.label_delay.delay_curves import Curve, delay_model, whole_after
from model.label_delay.expected_outcomes import STEPS, sentences, training_set
from model.label_delay.known_outcomes import as_of, known, stopped_feeds
from model.label_delay.sample_weights import weight_argument
from model.onnx_export.export import _samples
from model.train import train

NOW = datetime(2025, 6, 1, tzinfo=UTC)
START = NOW - timedelta(days=60)
#: Mean lead time in days.
LEAD = 25
CONTRACT = Contract(
    "late",
    "binary",
    (Feature("size", "number"), Feature("lead", "number"), Feature("kind", "category")),
    Target("y", (False, True), known_at="seen"),
    key="who",
    time="at",
)


def stream(days=240, rows=40, seed=0, classes=2):
    """Rows with all their outcomes: class 0 is known after the lead time, the others much sooner."""
    random = np.random.default_rng(seed)
    n = days * rows
    size, lead = random.normal(size=n), random.exponential(LEAD, n)
    logits = np.stack([np.zeros(n), *(1.5 * size * k - 0.5 for k in range(1, classes))], axis=1)
    chance = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    y = (chance.cumsum(axis=1) < random.random(n)[:, None]).sum(axis=1)
    took = np.where(y == 0, lead + 2, lead * random.random(n))
    at = pd.Series(NOW - timedelta(days=days) + pd.to_timedelta(np.sort(random.random(n)) * days, unit="D"))
    seen = at + pd.to_timedelta(took, unit="D")
    kind = np.where(random.random(n) < 0.5, "a", "b")
    table = {"who": [f"w{i}" for i in range(n)], "at": at, "size": size, "lead": lead, "kind": kind}
    return pd.DataFrame(table | {"y": y == 1 if classes == 2 else y, "seen": seen})


def loader(rows):
    return lambda start, end: rows[(rows["at"] >= start) & (rows["at"] < end)].reset_index(drop=True)


def parts(rows, contract=CONTRACT, night=NOW):
    """Older rows and those of the window, as of *night*."""
    load, early = loader(rows), night - timedelta(days=240)
    older = check(load(early, night - timedelta(days=60)), contract, early, START, known_by=night)
    return check(load(night - timedelta(days=60), night), contract, night - timedelta(days=60), night), older


def linear():
    return make_pipeline(StandardScaler(), LogisticRegression())


def numbers(estimator):
    """The estimator on the two numbers."""
    from sklearn.compose import make_column_transformer

    return make_pipeline(make_column_transformer((StandardScaler(), ["size", "lead"])), estimator)


def loss(make, made, contract=CONTRACT, classes=2):
    """The log loss on another year of the stream, with all outcomes."""
    test = stream(seed=1, classes=classes)
    model = made.fit(make())
    return log_loss(test["y"].astype(int), model.predict_proba(model_inputs(test, contract)))


def three(rows):
    return replace(CONTRACT, task="multiclass", target=Target("y", (0, 1, 2), known_at="seen")), rows


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("model", [LogisticRegression, lambda: KNeighborsClassifier(50)])
def test_a_model_is_nearly_as_good_as_with_all_outcomes_at_once(classes, model):
    """Binary and multiclass, with sample weights and without; the outcomes known so far alone are far worse."""
    contract = CONTRACT if classes == 2 else three(None)[0]
    every = stream(classes=classes)
    rows, older = parts(every, contract)
    whole = check(loader(every)(START, NOW), contract, START, NOW, known_by=NOW + timedelta(days=999))
    seen = rows[known(rows, contract)].reset_index(drop=True)

    def make():
        return numbers(model())

    def scored(part):
        return loss(make, training_set(make, part, older, contract, NOW), contract, classes)

    late, at_once, naive = scored(rows), scored(whole), scored(seen)

    assert late < 1.04 * at_once
    assert naive > 1.05 * at_once


def test_what_was_done_is_said():
    """How many rows, how, and how long outcomes take by class."""
    rows, older = parts(stream())

    found = training_set(lambda: numbers(LogisticRegression()), rows, older, CONTRACT, NOW)

    assert found.found["method"] == "expected"
    assert found.found["unknown"] == (~known(rows, CONTRACT)).sum()
    assert found.found["steps"] == STEPS
    assert found.found["change"] < 0.05
    slow, fast = found.found["delay"]
    assert slow["class"] == "False"
    assert slow["by"][0] == fast["by"][0] == "lead"
    assert slow["known_after"]["0.9"] == pytest.approx(2 + LEAD * np.log(10), rel=0.15)
    assert fast["known_after"]["0.9"] < slow["known_after"]["0.9"] / 1.5
    first, second = sentences(found.found, "y")
    assert first.startswith(
        f"y: {found.found['unknown']:,} of {len(rows):,} rows have no outcome yet; they are trained"
    )
    assert second.startswith("y: 90 % of outcomes are known: False after ")


def test_a_class_is_drawn_where_there_are_no_sample_weights():
    """Each row once, and it is said."""
    rows, older = parts(stream())

    found = training_set(lambda: numbers(KNeighborsClassifier()), rows, older, CONTRACT, NOW)

    assert found.weights is None
    assert len(found.truth) == len(rows)
    assert "a class is drawn for each" in sentences(found.found, "y")[0]


@pytest.mark.parametrize(
    ("estimator", "argument"),
    [
        (LogisticRegression(), "sample_weight"),
        (linear(), "logisticregression__sample_weight"),
        (make_pipeline(StandardScaler(), linear()), "pipeline__logisticregression__sample_weight"),
        (KNeighborsClassifier(), None),
        (make_pipeline(StandardScaler(), KNeighborsClassifier()), None),
        (CalibratedClassifierCV(linear()), None),
    ],
)
def test_where_sample_weights_go(estimator, argument):
    """To the last step; one estimator around others may not hand them on."""
    assert weight_argument(estimator) == argument


def test_rows_that_all_have_an_outcome_are_trained_on_as_they_are():
    """No weights, no order but theirs, nothing to say."""
    rows = check(stream(), CONTRACT, NOW - timedelta(days=240), NOW, known_by=NOW + timedelta(days=999))

    found = training_set(linear, rows, rows.iloc[:0], CONTRACT, NOW)

    assert found.weights is None
    assert sentences(found.found, "y") == []
    pd.testing.assert_frame_equal(found.inputs, model_inputs(rows, CONTRACT))
    assert (found.truth == encoded_target(rows, CONTRACT)).all()


def test_without_old_rows_matured_outcomes_alone_are_trained_on():
    """Too few of a class for a first model."""
    recent = stream(days=12, rows=5)
    rows = check(recent, CONTRACT, NOW - timedelta(days=12), NOW)

    found = training_set(linear, rows, pd.DataFrame(), CONTRACT, NOW)

    assert (found.found["method"], found.found["whole_after"]) == ("matured", None)
    assert "trained on the older half alone" in sentences(found.found, "y")[0]


@pytest.mark.parametrize("days", [12, 30])
def test_a_stream_that_is_younger_than_its_delays_has_expected_outcomes(days):
    """Rows of the older half alone, with the outcomes known so far, had a log loss of 2.2 and 1.0 here; at once it is 0.5."""
    rows = check(stream(days=days, rows=150), CONTRACT, NOW - timedelta(days=days), NOW)

    found = training_set(lambda: numbers(LogisticRegression()), rows, pd.DataFrame(), CONTRACT, NOW)

    assert found.found["method"] == "expected"
    assert loss(lambda: numbers(LogisticRegression()), found) < 0.6


def test_with_a_maturity_the_rows_older_than_it_are_trained_on():
    """Younger ones have no outcome, and their age says nothing on their class."""
    ripe = replace(CONTRACT, target=Target("y", (False, True), maturity=timedelta(days=20)))
    rows, older = parts(stream(), ripe)

    found = training_set(linear, rows, older, ripe, NOW)

    assert found.found["method"] == "matured"
    assert found.found["matured"] == len(found.truth) == len(rows)
    assert "rows of 20 days and older" in sentences(found.found, "y")[0]


def test_a_regression_is_trained_on_matured_rows():
    """The slow values are known like the others."""
    contract = replace(CONTRACT, task="regression", target=Target("y", known_at="seen"))
    every = stream().assign(y=lambda r: r["lead"] * 1.0)
    rows, older = parts(every, contract)

    found = training_set(LinearRegression, rows, older, contract, NOW)

    assert found.truth.mean() > 1.1 * rows["y"].mean()
    assert found.truth.mean() == pytest.approx(LEAD, rel=0.15)


def test_too_few_matured_rows_are_refused_with_what_to_write():
    """Not trained on one class."""
    rows = check(stream(days=2), CONTRACT, NOW - timedelta(days=2), NOW)
    rows = rows[rows["y"].isna() | (rows["y"] == True)]  # noqa: E712 -- an object column

    with pytest.raises(DataError, match=r"old enough have none of False: write a longer window"):
        training_set(linear, rows, pd.DataFrame(), CONTRACT, NOW)


@pytest.mark.parametrize(
    ("days", "known_", "weight", "at", "expected"),
    [
        ([1, 2, 3, 4], [1, 1, 1, 1], [1, 1, 1, 1], [0, 1, 2.5, 4], [1, 0.75, 0.5, 0]),
        ([1, 2, 3, 4], [1, 0, 1, 0], [1, 1, 1, 1], [1, 2, 3, 9], [0.75, 0.75, 0.375, 0.375]),
        ([1, 1, 2], [1, 0, 1], [1, 1, 1], [1, 2], [2 / 3, 0]),
        ([1, 2], [1, 1], [3, 1], [1, 2], [0.25, 0]),
        ([], [], [], [1], [1]),
    ],
)
def test_a_curve_is_that_of_kaplan_and_meier(days, known_, weight, at, expected):
    """By hand: a censored row leaves the rows at risk, and is no event."""
    curve = Curve.of(*(np.array(each, float) for each in (days, known_, weight)))

    assert curve.at(np.array(at, float)) == pytest.approx(expected)


def test_a_cohort_is_whole_when_rows_were_seen_for_long_enough():
    """By the delay alone; outcomes that never come do not count."""
    random = np.random.default_rng(0)
    took, age = random.exponential(10, 5_000), random.random(5_000) * 100
    days, there = np.minimum(took, age), took <= age

    assert whole_after(days, there, age.max()) == pytest.approx(10 * np.log(10), rel=0.1)
    young = age < 15
    assert whole_after(days[young], there[young], age[young].max()) is None
    lost = random.random(5_000) < 0.2
    # Every old row was known within days: it was observed for longer than its delay.
    quick = age > 10
    assert whole_after(np.full(quick.sum(), 2.0), np.full(quick.sum(), True), age.max()) == pytest.approx(2.0)
    assert whole_after(np.where(lost, age, days), there & ~lost, age.max()) == pytest.approx(10 * np.log(10), rel=0.1)


def test_a_thin_stratum_is_drawn_towards_its_class():
    """A row without a like has the curve of all."""
    rows = stream(days=200)
    inputs, codes = model_inputs(rows, CONTRACT), rows["y"].to_numpy(int)
    days = ((rows["seen"] - rows["at"]) / pd.Timedelta(days=1)).to_numpy()
    found = delay_model(inputs, codes, days, np.ones(len(rows), bool), np.eye(2)[codes])

    early, late = found.unknown(inputs, np.full(len(rows), 5.0)), found.unknown(inputs, np.full(len(rows), 30.0))

    assert (late <= early).all()
    assert ((late > 0) & (early <= 1 + 1e-5)).all()
    assert early[rows["lead"] > 20, 0].min() > 0.9
    assert early[rows["lead"] < 2, 0].max() < 0.3


def recipe(contract=CONTRACT, rows=None, estimator=linear):
    load = loader(stream() if rows is None else rows)

    def window(today):
        end = datetime.combine(today, time(), UTC)
        return end - timedelta(days=60), end

    def make():
        return numbers(estimator())

    return SimpleNamespace(
        CONTRACT=contract, window=window, load=load, estimator=make, HOLDOUT=timedelta(days=10), __file__="recipe.py"
    )


def test_the_evaluation_is_as_of_a_night_whose_outcomes_are_known():
    """The holdout has its outcomes; the training rows had those of the night."""
    found = train(recipe(), date(2025, 6, 1))

    holdout, end = found.split.holdout, pd.Timestamp(NOW)
    assert holdout["y"].notna().all()
    assert found.late["holdout"]["known"] / found.late["holdout"]["rows"] > 0.9
    assert found.late["behind"] == pytest.approx((end - holdout["at"].iloc[-1]).days, abs=1)
    assert found.late["behind"] == int(found.late["behind"])  # a last day without its evening looks like another clock
    assert end - timedelta(days=found.late["behind"], hours=2) < holdout["at"].iloc[-1]
    assert found.late["evaluation"]["unknown"] > 100
    assert found.metrics["log_loss"] < 0.62
    assert any("the evaluation is as of" in each for each in found.remarks)
    assert found.loaded.holdout["at"].iloc[-1] > end - timedelta(days=1)


def test_outcomes_that_become_known_after_the_night_do_not_change_the_model():
    """The estimator of a night is the same when all later outcomes are."""
    rows = stream()
    night = datetime(2025, 5, 1, tzinfo=UTC)
    later = rows["seen"] > night
    other = rows.assign(
        y=np.where(later, ~rows["y"], rows["y"]), seen=rows["seen"].where(~later, rows["seen"] + timedelta(1))
    )

    found = [train(recipe(rows=each), night.date()) for each in (rows, other)]

    assert found[0].metrics == found[1].metrics
    weights = [each.estimator[-1].coef_ if hasattr(each.estimator[-1], "coef_") else 0 for each in found]
    assert np.array_equal(*weights)


@pytest.mark.parametrize("late", [{"known_at": "seen"}, {}])
def test_outcomes_that_are_known_at_once_change_nothing(late):
    """A stream without delay gives the same split, model and metrics as a contract that says nothing."""
    contract = replace(CONTRACT, target=Target("y", (False, True), **late))
    plain = train(recipe(replace(CONTRACT, target=Target("y", (False, True)))), date(2025, 6, 1))

    found = train(recipe(contract, stream().assign(seen=lambda r: r["at"])), date(2025, 6, 1))

    assert found.metrics == plain.metrics
    assert len(found.split.train) == len(plain.split.train)
    assert found.late == {}
    assert not [each for each in found.remarks if each.startswith("y:")]


def test_a_forest_on_matured_rows_of_a_regression_goes_end_to_end():
    """Split, fit and metrics."""
    contract = replace(CONTRACT, task="regression", target=Target("y", known_at="seen"))
    every = stream().assign(y=lambda r: r["lead"] + r["size"])

    found = train(recipe(contract, every, lambda: RandomForestRegressor(10, random_state=0)), date(2025, 6, 1))

    assert found.metrics["r2"] > 0.9
    assert found.late["evaluation"]["method"] == "matured"


def test_a_load_without_earlier_rows_is_no_error():
    """What it raises is said, and the window's rows are used."""
    made = recipe()
    inner = made.load

    def load(start, end):
        if start < START - timedelta(days=1):
            raise OSError("archived")
        return inner(start, end)

    made.load = load
    found = train(made, date(2025, 6, 1))

    assert any("not used to measure the label delay: OSError: archived" in each for each in found.remarks)
    assert found.split.holdout["y"].notna().all()


def test_as_of_the_past_less_is_known():
    """The property that all of this rests on."""
    rows, _ = parts(stream())
    shares = [known(as_of(rows, CONTRACT, NOW - timedelta(days=d)), CONTRACT).mean() for d in (0, 10, 30, 90)]

    assert shares == sorted(shares, reverse=True)
    assert shares[-1] == 0


def test_the_slow_class_is_not_forgotten_where_the_delay_is_longest():
    """In a short history the oldest rows without an outcome are of the class that takes longer; trees find them."""
    every, early = stream(days=90, rows=80, seed=3), NOW - timedelta(days=90)
    older = check(loader(every)(early, START), CONTRACT, early, START, known_by=NOW)
    rows = check(loader(every)(START, NOW), CONTRACT, START, NOW)
    whole = check(loader(every)(START, NOW), CONTRACT, START, NOW, known_by=NOW + timedelta(days=999))

    def make():
        return numbers(HistGradientBoostingClassifier(max_iter=40, random_state=0))

    late, at_once = (loss(make, training_set(make, part, older, CONTRACT, NOW)) for part in (rows, whole))

    assert late < 1.025 * at_once


def test_rows_without_an_outcome_are_kept_beside_the_holdout():
    """Those of its time for the bounds of the verdict, and the newest of the window for the rules on features."""
    found = train(recipe(), date(2025, 6, 1))

    unknown, holdout = found.unknown, found.split.holdout
    assert len(unknown) == found.late["holdout"]["rows"] - found.late["holdout"]["known"] > 0
    assert unknown["y"].isna().all()
    assert unknown["at"].between(holdout["at"].iloc[0] - timedelta(1), holdout["at"].iloc[-1] + timedelta(1)).all()
    samples = dict(_samples(found))
    assert [*samples] == ["train", "holdout", "unknown", "later"]
    assert samples["later"]["at"].iloc[0] > holdout["at"].iloc[-1]
    assert samples["later"]["at"].iloc[-1] > pd.Timestamp(NOW) - timedelta(days=1)
    arrived = found.arrived
    assert (arrived["seen"] - arrived["at"] >= timedelta(days=found.late["behind"]) / 2).all()
    assert (arrived["seen"] <= NOW).all()
    assert arrived["at"].iloc[0] < found.split.train["at"].iloc[0]
    assert known_target(unknown, CONTRACT).dtype == float
    assert np.isnan(known_target(unknown, CONTRACT)).all()


def test_the_curve_of_each_class_is_kept_for_the_report():
    """The share known rises from none; the slow class is the lower one."""
    rows, older = parts(stream())

    slow, fast = (each["curve"] for each in training_set(linear_, rows, older, CONTRACT, NOW).found["delay"])

    assert slow["days"] == fast["days"]
    assert slow["known"] == sorted(slow["known"])
    assert slow["known"][-1] == pytest.approx(0.95, abs=0.02)
    assert np.mean(slow["known"]) < np.mean(fast["known"]) - 0.05


def linear_():
    return numbers(LogisticRegression())


@pytest.fixture(scope="module")
def clean_loss():
    def make():
        return numbers(LogisticRegression())

    return loss(make, training_set(make, *parts(stream()), CONTRACT, NOW))


SINCE = pd.Timestamp(NOW) - timedelta(days=21)


def stopped(outcome):
    """No outcome of a class becomes known in the last three weeks."""
    never = pd.Timestamp(NOW) + timedelta(days=300)
    return lambda r: r.assign(seen=r["seen"].where((r["y"] != outcome) | (r["seen"] < SINCE), never))


def slower(factor, outcomes):
    """The delay of the newest rows with some outcomes is longer."""
    later = lambda r: r["at"] + factor * (r["seen"] - r["at"])  # noqa: E731
    return lambda r: r.assign(seen=r["seen"].where((r["at"] < SINCE) | ~r["y"].isin(outcomes), later(r)))


def every_tenth_corrected(r):
    """Old outcomes that are another class by now: the last report counts."""
    return r.assign(y=np.where((np.arange(len(r)) % 10 == 0) & (r["at"] < SINCE), ~r["y"], r["y"]))


def reported_again(r):
    """A fifth of the outcomes, also of rows long gone, were reported again last night, as in an import."""
    again = (np.arange(len(r)) % 5 == 0) & (r["seen"] <= NOW)
    return r.assign(seen=r["seen"].mask(again, pd.Timestamp(NOW) - timedelta(hours=2)))


@pytest.mark.parametrize(
    ("fault", "most", "named"),
    [
        (lambda r: r, 0, ()),
        (stopped(False), 0.03, ("of False",)),
        (stopped(True), 0.09, ("of True",)),
        (slower(2, (False, True)), 0.01, ()),
        (slower(3, (True,)), 0.02, ()),
        (every_tenth_corrected, 0.04, ()),
        (reported_again, 0.01, ()),
    ],
    ids=[
        "none",
        "slow feed stops",
        "fast feed stops",
        "twice the delay",
        "another delay of a class",
        "corrected",
        "again",
    ],
)
def test_faults_of_the_feed_cost_little_and_a_stop_is_named(fault, most, named, clean_loss):
    """The share by which the log loss with all outcomes rises; a model of the outcomes known so far loses a tenth without any."""
    make = lambda: numbers(LogisticRegression())  # noqa: E731
    rows, older = parts(fault(stream()))

    found = loss(make, training_set(make, rows, older, CONTRACT, NOW))
    said = [*stopped_feeds(pd.concat([older, rows]), CONTRACT, NOW)]

    assert found <= (1 + most) * clean_loss
    assert [each for name in named for each in said if name in each] == said
    assert len(said) == len(named)


@pytest.mark.parametrize("seed", range(2))
def test_a_feed_in_batches_has_not_stopped(seed):
    """Outcomes that become known on each seventh day, and the day before one."""
    weekly = stream(seed=seed)
    weekly = weekly.assign(seen=weekly["seen"].dt.ceil("7D"))

    for days in range(7):
        night = NOW - timedelta(days=days)
        known_then = as_of(weekly[weekly["at"] < night], CONTRACT, night)
        assert [*stopped_feeds(known_then, CONTRACT, night)] == []

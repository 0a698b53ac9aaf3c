"""The champion does not change: where its performance does, labels or features did."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import special

from checks.comparison.own_evaluation import Evaluation, own_evaluation
from checks.comparison.performance_decay import decayed
from checks.comparison.period_effect import Level, PeriodEffect, period_effect
from checks.comparison.rolling_origin import rolling_origin
from checks.comparison.weighted_metrics import certain_errors, certain_errors_of_numbers, least_error
from checks.evidence import Evidence, days_of, gather, load_bundle, target
from checks.verdict import judge
from contracts.row_contract import Contract, Feature, Target

#: Days of the champion's training and evaluation, and of the new rows.
TRAIN, LENGTH, A_DAY = 62, 14, 150
TARGETS = {"binary": Target("y", (False, True)), "multiclass": Target("y", ("a", "b", "c")), "regression": Target("y")}
FAULTS = ["every fifth label is noise", "the labels are flipped", "the features are shuffled"]


def contract_of(task):
    features = (Feature("x", "number"), Feature("z", "number"))
    return Contract(name="s", task=task, key="k", time="at", features=features, target=TARGETS[task])


def scored(rows, task):
    """The best scores: what a good model gives."""
    x, z = rows["x"].to_numpy(), rows["z"].to_numpy()
    if task == "regression":
        return 20 + 5 * x + z
    odds = np.column_stack([np.zeros(len(x)), 1.6 * x - 1, 1.2 * z - 1])[:, : 2 if task == "binary" else 3]
    shares = np.exp(odds) / np.exp(odds).sum(axis=1, keepdims=True)
    return shares[:, 1] if task == "binary" else shares


def stream(task, days, seed=0, shift=0.0):
    """Rows of so many days, the effect of *x* moving by *shift* from fortnight to fortnight."""
    random = np.random.default_rng(seed)
    n = days * A_DAY
    day = np.repeat(np.arange(days), A_DAY)
    rows = pd.DataFrame({"x": random.normal(size=n), "z": random.normal(size=n), "k": np.arange(n).astype(str)})
    rows["at"] = pd.Timestamp("2026-03-01", tz="UTC") + pd.to_timedelta(day, "D")
    moved = rows.assign(x=rows["x"] * (1 + shift * random.normal(size=days // LENGTH + 1)[day // LENGTH]))
    scores = scored(moved, task)
    if task == "regression":
        rows["y"] = scores + random.normal(size=n)
    elif task == "binary":
        rows["y"] = (random.random(n) < scores).astype(float)
    else:
        rows["y"] = (random.random(n)[:, None] > scores.cumsum(axis=1)).sum(axis=1).astype(float)
    return rows


def broken(rows, task, fault):
    """The rows with a *fault*."""
    random, n, y = np.random.default_rng(1), len(rows), rows["y"].to_numpy()
    if "noise" in fault:
        return rows.assign(y=np.where(random.random(n) < 0.2, random.permutation(y), y))
    if "flipped" in fault:
        return rows.assign(y={"binary": 1 - y, "multiclass": (y + 1) % 3, "regression": 40 - y}[task])
    return rows.assign(x=random.permutation(rows["x"]), z=random.permutation(rows["z"]))


def case(task, fault="", seed=0, shift=0.0, later=LENGTH):
    """Evidence of new rows with a *fault*, the champion's evaluation, and the history."""
    contract = contract_of(task)
    rows = stream(task, TRAIN + LENGTH + later, seed, shift)
    day = (rows["at"] - rows["at"].iloc[0]).dt.days
    old, new = rows[day < TRAIN + LENGTH], rows[day >= TRAIN + LENGTH].reset_index(drop=True)
    held = old[old["at"] >= old["at"].iloc[0] + pd.Timedelta(days=TRAIN)]
    evaluation = Evaluation(target(held, contract), scored(held, task), days_of(held, contract), held["at"].max())
    new = broken(new, task, fault) if fault else new
    scores = scored(new, task)
    fresh = np.ones(len(new), bool)
    return Evidence(contract, old, new, scored(old, task), scores, fresh, scores, "", True), evaluation, (old, contract)


def found(task, rules, evidence, evaluation, history):
    return {each.rule: each for each in decayed(evidence, {"champion": evaluation}, rules.gate, history)}


@pytest.mark.parametrize("task", TARGETS)
def test_a_champion_on_rows_like_those_of_its_evaluation_passes(task, rules):
    """For three streams of each task."""
    for seed in range(3):
        findings = found(task, rules, *case(task, seed=seed)).values()
        assert {each.outcome for each in findings} == {"PASS"}, seed


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("task", TARGETS)
def test_what_hits_every_model_holds(task, fault, rules):
    """The comparison of two equal models shows nothing of it."""
    findings = found(task, rules, *case(task, fault))
    verdict = judge([*findings.values()], [], True, "")

    assert verdict.decision == "HOLD"
    assert "the champion's own" in verdict.summary
    assert "labels or features changed for every model" in verdict.summary


def test_the_sentence_has_both_values_and_the_limit_its_history(rules):
    """A reviewer sees what changed, and how much is usual."""
    finding = found("binary", rules, *case("binary", FAULTS[1]))["champion.roc_auc"]

    assert finding.observed == (
        "the champion's own roc_auc fell from 0.8346 to 0.1804 on 14 later days: labels or features changed for every model"
    )
    assert finding.limit.startswith("a fall of 0.0")
    assert finding.limit.endswith("between 3 earlier periods of 14 days")


def test_a_candidate_that_was_trained_on_changed_rows_is_named(rules):
    """It is good on the new rows, whose labels are all flipped."""
    evidence, *rest = case("binary", FAULTS[1])
    finding = found("binary", rules, replace(evidence, holdout_scores=1 - evidence.holdout_scores), *rest)[
        "champion.roc_auc"
    ]

    assert finding.observed.endswith("and the candidate, with 0.8196, was trained on changed rows")


def test_a_stream_that_moves_has_a_wide_limit(rules):
    """The same noise in the labels is within what such a stream does without a fault."""
    steady, moving = (
        found("binary", rules, *case("binary", FAULTS[0], seed=1, shift=shift))["champion.roc_auc"]
        for shift in (0.0, 2.0)
    )
    widths = [float(each.limit.split(":")[0].removeprefix("a fall of ")) for each in (steady, moving)]

    assert widths[1] > 2 * widths[0]
    assert (steady.outcome, moving.outcome) == ("FAIL", "PASS")


def test_faulty_rows_do_not_widen_their_own_limit(rules):
    """The limit comes from rows that the champion was released with."""
    clean, faulty = (found("binary", rules, *case("binary", fault))["champion.log_loss"] for fault in ("", FAULTS[1]))

    assert clean.limit == faulty.limit


def test_few_new_days_have_a_wider_limit(rules):
    """One day says less than fourteen."""
    limits = [
        found("binary", rules, *case("binary", later=later))["champion.roc_auc"].limit.split(":")[0]
        for later in (1, 14)
    ]

    assert float(limits[0].split()[-1]) > 1.5 * float(limits[1].split()[-1])


def test_what_cannot_be_compared_passes_with_the_reason(rules):
    """Old bundles without evidence, a champion that cannot be read, and no new rows."""
    evidence, evaluation, history = case("binary")
    same = replace(evaluation, end=evidence.holdout["at"].max())
    for given, words in [
        ((evidence, "evidence/holdout.parquet cannot be read", history), "evidence/holdout.parquet cannot be read"),
        ((replace(evidence, champion=None), evaluation, history), "it cannot score the candidate's rows"),
        ((evidence, same, history), "0 rows are later than its evaluation and have only"),
    ]:
        findings = found("binary", rules, *given)
        assert {(each.outcome, words in each.observed) for each in findings.values()} == {("PASS", True)}


def test_rows_of_a_category_that_the_model_never_saw_do_not_count(rules):
    """A champion cannot be good on a new segment; the candidate was trained on it."""
    evidence, evaluation, history = case("binary", FAULTS[1])
    place = np.where(np.arange(len(evidence.holdout)) % 3, "new", "old")
    known = replace(evaluation, known={"place": frozenset({"old"})})
    found_ = found("binary", rules, replace(evidence, holdout=evidence.holdout.assign(place=place)), known, history)
    rows = evidence.holdout.assign(place="new")
    unknown = found("binary", rules, replace(evidence, holdout=rows), known, history)

    assert found_["champion.roc_auc"].outcome == "FAIL"
    assert {each.observed for each in unknown.values()} == {
        "cannot be compared: 0 rows are later than its evaluation and have only categories that it saw; 100 are needed"
    }


def test_an_old_anchor_is_only_reported(rules):
    """It decays by itself, and stays: it would hold every candidate."""
    evidence, evaluation, history = case("binary", FAULTS[1])
    old = replace(evidence, anchor=evidence.champion)
    severities = {}
    for days in (0, 200):
        later = old.holdout.assign(at=old.holdout["at"] + pd.Timedelta(days=days))
        findings = decayed(
            replace(old, holdout=later), {"champion": evaluation, "anchor": evaluation}, rules.gate, history
        )
        severities[days] = {each.rule: each.severity for each in findings if each.rule.endswith("roc_auc")}

    assert severities[0] == {"champion.roc_auc": "hold", "anchor.roc_auc": "hold"}
    assert severities[200] == {"champion.roc_auc": "hold", "anchor.roc_auc": "warn"}


def test_what_the_stream_has_done_before_does_not_hold(rules):
    """No limit is below the largest change in the history."""
    for seed in range(3):
        for each in found("binary", rules, *case("binary", seed=seed, shift=1.0)).values():
            limit, _, rest = each.limit.partition(": a fixed model moved by up to ")
            assert float(limit.split()[-1]) >= float(rest.split()[0])


def test_without_a_history_the_limit_comes_from_other_streams(rules):
    """And the finding says so."""
    evidence, evaluation, _ = case("binary", FAULTS[1])
    finding = found("binary", rules, evidence, evaluation, None)["champion.roc_auc"]

    assert finding.outcome == "FAIL"
    assert "there are too few earlier days" in finding.limit


def test_bundles_of_format_1_have_an_evaluation(bundles, rules):
    """It has the champion's metrics on its own holdout."""
    old, new = (load_bundle(bundle) for bundle in bundles)
    evidence, evaluation = gather(new, old), own_evaluation(old)

    assert evaluation.value("roc_auc") == pytest.approx(0.8947, abs=1e-3)
    assert set(evaluation.known) == {each.name for each in old.contract.features if each.kind == "category"}
    history = evidence.past.before, old.contract
    findings = decayed(evidence, {"champion": evaluation, "anchor": "no evidence"}, rules.gate, history)
    assert [each.rule for each in findings] == [
        f"{role}.{metric}"
        for role in ("champion", "anchor")
        for metric in ("log_loss", "roc_auc", "certain_errors", "bias")
    ]


def test_certain_errors_are_those_of_the_most_certain_tenth():
    """Of the rows with the most certain scores, whichever the class: a fifth is wrong, the scores expect a hundredth."""
    scores = np.r_[np.full(5, 0.01), np.full(5, 0.99), np.full(90, 0.5)]
    truth = np.r_[np.zeros(4), 1.0, np.ones(4), 0.0, np.zeros(45), np.ones(45)]

    assert certain_errors(truth, scores)() == pytest.approx(0.2 - 0.01)
    assert certain_errors(truth, np.column_stack([1 - scores, scores]))() == pytest.approx(0.2 - 0.01)


@pytest.mark.parametrize(
    ("shift", "noise", "found"),
    [(0.0, 0.0, 0.0), (0.7, 0.0, 0.0), (-1.0, 0.0, 0.0), (0.0, 0.1, 0.08), (0.7, 0.1, 0.08)],
)
def test_more_outcomes_of_a_class_are_no_certain_errors_and_inverted_outcomes_are(shift, noise, found):
    """*shift*: of the logit of every row, as in a month with storms; *noise*: the share of inverted outcomes."""
    random = np.random.default_rng(11)
    logit = random.normal(-1.6, 1.2, 40_000)
    truth = random.random(40_000) < special.expit(logit + shift)
    truth ^= random.random(40_000) < noise

    assert certain_errors(truth.astype(float), special.expit(logit))() == pytest.approx(found, abs=0.01)


@pytest.mark.parametrize("later", [0.9, 0.95, 0.995])
def test_certain_rows_that_become_less_certain_make_no_errors_that_their_scores_expect(later):
    """The most certain tenth of a period without its most certain segment is another tenth."""
    random = np.random.default_rng(3)
    found = []
    for certain in (0.999, later):
        scores = np.r_[np.full(2000, certain), np.full(8000, 0.5)]
        found.append(certain_errors((random.random(10_000) < scores).astype(float), scores)())
    assert abs(found[1] - found[0]) < 0.02


def test_an_evaluation_without_certain_errors_is_not_known_to_stay_without():
    """Its days do not vary, but 0 of 50 rows is no more than 0.035 +- 0.025 (Agresti and Coull 1998)."""
    error = certain_errors(np.zeros(500), np.r_[np.full(50, 0.0001), np.full(450, 0.001)])

    assert error.drawn(np.arange(500) % 10, np.ones((3, 10))).std() == 0.0
    assert least_error(error) == pytest.approx(0.025, abs=0.002)


def test_certain_errors_of_numbers_are_outcomes_on_the_wrong_side_of_the_median():
    """Of the rows with the most extreme scores; another scale or level of the outcomes changes nothing."""
    scores = np.arange(100.0)
    truth = scores.copy()
    truth[[0, 98]] = [80.0, 3.0]

    for each in (truth, 1000 * truth - 5):
        assert certain_errors_of_numbers(each, scores)() == pytest.approx(0.2)
    assert certain_errors_of_numbers(scores, scores)() == 0.0


SPOILT = {
    "inverted": lambda y, random: np.median(y) * 2 - y,
    "shuffled": lambda y, random: random.permutation(y),
    "of another row": lambda y, random: np.roll(y, 7),
    "not measured": lambda y, random: np.full(len(y), y.min()),
}


@pytest.mark.parametrize("share", [0.1, 0.3, 1.0])
@pytest.mark.parametrize("kind", SPOILT)
def test_wrong_outcomes_of_a_regression_are_named_where_its_error_moves_anyway(rules, kind, share):
    """The mean absolute error of a stream whose level moves hides them; outcomes on the wrong side do not."""
    evidence, evaluation, history = case("regression", shift=0.5)
    random = np.random.default_rng(2)
    y = evidence.truth
    spoilt = np.where(random.random(len(y)) < share, SPOILT[kind](y, random), y)
    finding = found(
        "regression", rules, replace(evidence, holdout=evidence.holdout.assign(y=spoilt)), evaluation, history
    )
    rule = finding["champion.certain_errors"]

    if kind == "not measured" and share == 1.0:  # one outcome has no wrong side: the error and the spread show it
        assert finding["champion.mae"].outcome == "FAIL"
    else:
        assert (rule.outcome, rule.severity) == ("FAIL", "hold"), rule
        assert "the champion's own certain_errors rose" in rule.observed


@pytest.mark.parametrize(
    ("positive", "negative", "said"), [(0.5, 1.0, "fewer"), (0.6, 1.0, "fewer"), (1.0, 0.5, "more"), (0.5, 0.5, "")]
)
def test_missing_rows_of_one_outcome_move_its_share_but_not_the_scores(rules, positive, negative, said):
    """Survivors: half of those who left are deleted. A sample of all rows does not move it."""
    evidence, evaluation, history = case("binary")
    kept = np.random.default_rng(4).random(len(evidence.truth)) < np.where(evidence.truth == 1, positive, negative)
    holdout, scores = evidence.holdout[kept].reset_index(drop=True), evidence.holdout_scores[kept]
    fewer = replace(evidence, holdout=holdout, holdout_scores=scores, champion=scores, fresh=evidence.fresh[kept])
    finding = found("binary", rules, fewer, evaluation, history)["champion.bias"]

    assert finding.outcome == ("FAIL" if said else "PASS"), finding
    assert not said or f"{said} positive outcomes than the scores expect" in finding.observed


def growing(now, seasons=1.0):
    """A regression whose outcomes are *now* times as large on the new rows, and moved by *seasons* between earlier periods."""
    evidence, evaluation, (old, contract) = case("regression")
    periods = (old["at"].max() - old["at"]).dt.days // LENGTH % 2
    factor = np.where(periods == 1, seasons, 1 / seasons)
    old = old.assign(x=old["x"] * factor, z=old["z"] * factor, y=20 + (old["y"] - 20) * factor)
    holdout = evidence.holdout.assign(y=20 + (evidence.holdout["y"] - 20) * now)
    scores = 20 + (evidence.holdout_scores - 20) * now
    return replace(evidence, holdout=holdout, champion=scores, holdout_scores=scores), evaluation, (old, contract)


@pytest.mark.parametrize(("seasons", "outcome"), [(1.3, "PASS"), (1.0, "FAIL")])
def test_an_error_may_grow_with_the_outcomes_as_far_as_they_moved_before(rules, seasons, outcome):
    """Of a stream with seasons, spring has larger outcomes and larger errors; outcomes in another unit have them, too."""
    finding = found("regression", rules, *growing(1.6, seasons))["champion.mae"]
    assert finding.outcome == outcome, finding
    assert float(finding.limit.split("%")[0].removeprefix("a rise of ")) < 30


def test_the_backtest_trains_before_its_periods(rules):
    """The first third of the days is trained on; the newest periods are evaluated."""
    contract, rows = contract_of("multiclass"), stream("multiclass", 70)
    periods = rolling_origin(rows, contract, 14)

    assert [len(np.unique(each.day)) for each in periods] == [14] * 3
    assert max(periods[-1].day) == str(rows["at"].max().date())
    assert periods[0].scores[0].shape == (len(periods[0].truth), 3)
    assert rolling_origin(rows, contract, 30) == []
    assert rolling_origin(rows.assign(y=1.0), contract, 14) == []


def test_the_effect_of_the_period_is_estimated_and_shrunk():
    """Simulated: the ratio is 1 + the variance of periods over that of their means."""
    random, prior = np.random.default_rng(0), PeriodEffect(1.7, 6.0)
    for spread, ratio in [(0.0, 1.0), (2.0, 5.0)]:
        models = [
            [Level(value, 1.0, 100, 14) for value in random.normal(0, np.hypot(1, spread), 5)] for _ in range(500)
        ]
        many = period_effect(models, prior)
        assert many.ratio == pytest.approx(ratio, rel=0.1)
        assert (many.freedom, many.changes) == (2006, 2000)
    few = period_effect([[Level(0.0, 1.0, 100, 14), Level(0.0, 1.0, 100, 14)]], prior)
    assert few.ratio == pytest.approx(6 / 7 * 1.7)
    assert few.after(0.1) == few.ratio
    assert PeriodEffect(2.0, 6.0).after(3) == 4.0

"""The state after an hour depends on the lines up to it; feeds that are broken are refused before they teach."""

import json
import math
import random
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from online import outcome_checks as checks
from online.earned import HOURS_WITHIN, Standing
from online.hourly_steps import content
from online.outcome_delays import DelayCurves
from tests.online.journals import START, VERSION, answer, at, outcome, run, steps, stream

MADE = "2026-03-02T00:00:00Z"
ANSWERS, OUTCOMES = stream(hours=30)


def bytes_of(found, version=VERSION):
    return content(found, version, MADE)


WHOLE = bytes_of(run(steps(), ANSWERS, OUTCOMES, until=34))


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), looks=st.lists(st.integers(1, 33), max_size=6).map(sorted))
def test_portions_and_order_of_lines_change_no_byte(seed, looks):
    """A run from the beginning equals one that read as lines came in."""
    found, draw = steps(), random.Random(seed)
    lines = [("answers", each) for each in ANSWERS] + [("outcomes", each) for each in OUTCOMES]
    draw.shuffle(lines)
    for until in [*looks, 34]:
        now = at(until)
        arrived = [each for each in lines if each[1]["at"] < now]
        lines = [each for each in lines if each[1]["at"] >= now]
        cut = draw.randint(0, len(arrived))
        for some in (arrived[:cut], arrived[cut:]):
            found.hours.add_answers([line for kind, line in some if kind == "answers"], START + timedelta(days=1))
            found.hours.add_outcomes([line for kind, line in some if kind == "outcomes"], START + timedelta(days=1))
        found.close(START + timedelta(hours=until, minutes=draw.randrange(60)))

    assert bytes_of(found) == WHOLE


def test_these_bytes_are_made_on_every_machine():
    assert json.loads(WHOLE)["digest"] == "2b6b56b0022a"


def test_a_shift_of_one_slice_is_found_and_earns():
    terms = json.loads(WHOLE)["terms"]

    assert terms["slices"]["place"]["b"] - terms["slices"]["place"]["a"] > 0.4
    assert json.loads(WHOLE)["state"] == "applied"


def test_where_nothing_changes_nothing_is_lost():
    """The cost per row of what would have been answered, over four streams."""
    costs = []
    for seed in range(4):
        found = run(steps(max_flips=1.0), *stream(hours=72, shift=0.0, seed=seed))
        costs.append(0.0 if found.standing.state != "applied" else -found.standing.evidence.gain)

    assert np.mean(costs) <= 0.0005


def test_lines_of_an_hour_that_is_over_are_counted_and_change_nothing():
    found = run(steps(), ANSWERS, OUTCOMES, until=34)
    found.hours.add_answers([answer("late", 3, 0.5)], START)
    found.hours.add_outcomes([outcome("late", 4, "yes")], START)

    assert found.hours.belated == 2
    assert bytes_of(found) == WHOLE


def test_a_new_champion_goes_on_with_a_part_and_an_earlier_one_from_nothing():
    found = run(steps(), ANSWERS, OUTCOMES, until=34)
    newer = found.correction("20260305T0000-0123456789ab", MADE)
    older = found.correction("20260201T0000-0123456789ab", MADE)

    assert newer.intercept == pytest.approx(0.7 * found.correction(VERSION, MADE).intercept, abs=1e-6)
    assert (older.intercept, older.slope, set(older.slices["place"].values())) == (0.0, 0.0, {0.0})
    assert newer.version == "20260305T0000-0123456789ab"
    assert bytes_of(found) == WHOLE


def test_the_journal_keeps_the_plain_score_which_is_what_teaches():
    corrected = [{**line, "plain": line["score"], "score": 0.5} for line in ANSWERS]

    assert bytes_of(run(steps(), corrected, OUTCOMES, until=34)) == WHOLE


def test_an_hour_with_many_rows_is_sampled_the_same_in_any_order():
    answers, outcomes = stream(hours=2, rows=300)
    found = [steps() for _ in range(2)]
    for each, lines in zip(found, (answers, answers[::-1]), strict=True):
        each.hours._most = 50
        run(each, lines, outcomes, until=5)

    assert bytes_of(found[0]) == bytes_of(found[1])
    assert found[0].taught == 100
    assert found[0].refusals.refused[checks.NOT_SAMPLED] == 500


def taught(answers, outcomes, **given):
    """What an hour of outcomes taught after a day of good ones, and what was refused."""
    found = run(steps(**given), ANSWERS, OUTCOMES, until=33)
    before = found.taught, dict(found.refusals.refused), found.corrector.weights.copy()
    run(found, answers, outcomes, until=36)
    refused = {
        why: n - before[1].get(why, 0) for why, n in found.refusals.refused.items() if n != before[1].get(why, 0)
    }
    return found.taught - before[0], refused, found


ROWS = [answer(f"new-{n}", 33, 0.3) for n in range(60)]


@pytest.mark.parametrize("value", ["yes", "no"])
def test_an_hour_of_one_class_is_refused(value):
    rows = [answer(f"new-{n}", 33, 0.5) for n in range(120)]

    assert taught(rows, [outcome(f"new-{n}", 34, value) for n in range(120)])[:2] == (0, {checks.ONE_VALUE: 120})


def test_a_slow_run_of_one_class_is_refused_too():
    rows = [answer(f"new-{n}", 33 + n // 10, 0.3) for n in range(200)]

    found = run(steps(), rows, [outcome(f"new-{n}", 34 + n // 10, "yes") for n in range(200)], until=60)

    assert found.taught <= 60
    assert found.refusals.refused == {checks.ONE_VALUE: 200 - found.taught}


def test_a_rare_class_that_does_not_occur_is_no_mistake():
    rows = [answer(f"new-{n}", 33, 0.01) for n in range(500)]

    assert taught(rows, [outcome(f"new-{n}", 34, "no") for n in range(500)])[:2] == (500, {})


def test_a_thousand_outcomes_from_one_key_count_as_a_few():
    rows = [answer(f"new-{n}", 33, 0.5, key="bot") for n in range(1000)]
    values = ["yes" if n % 3 else "no" for n in range(1000)]

    count, refused, _ = taught(rows, [outcome(f"new-{n}", 34, value) for n, value in enumerate(values)])

    assert (count, refused) == (50, {checks.ONE_KEY: 950})


def test_outcomes_of_unknown_rows_are_refused():
    assert taught([], [outcome(f"never-{n}", 33, "yes") for n in range(9)])[:2] == (0, {checks.UNKNOWN: 9})


def test_outcomes_of_rows_long_gone_are_refused():
    found = run(steps(), ANSWERS, [], until=33)
    run(found, [answer("new", 24 * 40, 0.5)], [outcome(ANSWERS[0]["id"], 24 * 40, "yes")], until=24 * 40 + 5)

    assert found.taught == 0
    assert found.refusals.refused == {checks.UNKNOWN: 1}


def test_a_flood_is_refused_as_a_whole():
    flood = [outcome(f"x-{n}", 34, "yes") for n in range(3000)]

    count, refused, _ = taught(ROWS, [*flood, *(outcome(f"new-{n}", 34, "no") for n in range(60))])

    assert (count, refused) == (0, {checks.FLOOD: 3060})


def test_outcomes_from_the_future_are_refused():
    found = steps()
    found.hours.add_outcomes([outcome("a", 24 * 365, "yes"), {"id": "a", "outcome": "yes"}], START)

    assert found.refusals.refused == {checks.FUTURE: 2}


def test_the_first_outcome_counts():
    again = [
        outcome("new-0", 34, "yes", 1),
        outcome("new-0", 34, "no", 2),
        outcome("new-0", 35, "no"),
        outcome("new-0", 35, "yes"),
    ]
    good = [outcome(f"new-{n}", 34, "no") for n in range(1, 20)]

    count, refused, _ = taught(ROWS, [*again, *good])

    assert count == 20
    assert refused == {checks.CORRECTED: 3}


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e39, "3", None, True, [1]])
def test_a_value_that_is_no_number_is_refused(value):
    rows = [answer("a", 0, 1.0)]

    found = run(steps("regression"), rows, [outcome("a", 1, value)], until=3)

    assert (found.taught, found.refusals.refused) == (0, {checks.NOT_AN_OUTCOME: 1})


@pytest.mark.parametrize("value", ["maybe", True, 1, None])
def test_a_value_that_is_no_class_is_refused(value):
    assert taught(ROWS, [outcome("new-0", 34, value)])[:2] == (0, {checks.NOT_AN_OUTCOME: 1})


@pytest.mark.parametrize(
    "line",
    [
        None,
        {},
        {"at": "x"},
        {"at": at(1), "id": 3, "version": VERSION, "row": {}, "score": 0.5},
        {"at": at(1), "id": "a", "version": VERSION, "row": [], "score": 0.5},
        {"at": at(1), "id": "a", "version": VERSION, "row": {}, "score": "high"},
        {"at": at(1), "id": "a", "version": VERSION, "row": {}, "score": [0.5, 0.5]},
        {"at": at(1), "id": "a", "version": VERSION, "row": {}, "score": math.nan},
    ],
)
def test_an_answer_that_was_edited_is_left_out(line):
    found = steps()
    found.hours.add_answers([line], START)

    assert not found.close(START + timedelta(hours=5))


def test_the_outcome_of_another_arm_is_no_mistake_and_teaches_nothing():
    rows = [answer(f"new-{n}", 33, 0.3, arm="challenger", version="x") for n in range(30)]

    assert taught(rows, [outcome(f"new-{n}", 34, "yes") for n in range(30)])[:2] == (0, {})


def test_an_outcome_that_is_read_an_hour_before_its_answer_counts():
    rows = [answer(f"new-{n}", 34, 0.3, minute=0) for n in range(20)]
    values = [outcome(f"new-{n}", 33, "yes" if n % 3 else "no", minute=59) for n in range(20)]

    assert taught(rows, values)[:2] == (20, {})


def test_too_many_changed_decisions_stop_it():
    answers, outcomes = stream(hours=60, shift=2.5, rows=60)
    near = [{**line, "score": 0.45} for line in answers]
    found = run(steps(max_flips=0.1), near, outcomes)

    assert found.standing.state == "stopped"
    assert "max_flips is 0.1" in found.standing.why


def test_a_stopped_correction_is_a_shadow_again_after_a_day_within_the_limit():
    standing = Standing(max_flips=0.1)
    standing.decided(60, 30)
    for _ in range(HOURS_WITHIN - 1):
        standing.decided(60, 3)
    assert standing.state == "stopped"
    standing.decided(60, 30)
    for _ in range(HOURS_WITHIN - 1):
        standing.decided(60, 3)
    assert standing.state == "stopped"
    standing.decided(60, 3)
    assert standing.state == "shadow"
    standing.measured(60, 6.0, 30.0)
    assert standing.state == "shadow"


@pytest.mark.parametrize(
    ("lag", "hours", "gain", "state"),
    [
        (0.0, 5, 3.0, "applied"),  # gains by one standard error
        (1.0, 5, 3.0, "applied"),
        (1.1, 5, 3.0, "shadow"),  # too few hours for a sure gain
        (10.0, 60, 1.0, "shadow"),
        (10.0, 60, 8.0, "applied"),
        (10.1, 60, 8.0, "shadow"),  # these are the gains of terms that are forgotten
        (70.0, 160, 8.0, "shadow"),
        (70.0, 160, -8.0, "shadow"),
    ],
)
def test_the_later_outcomes_come_the_surer_a_gain_must_be(lag, hours, gain, state):
    standing = Standing(lag=lag)
    for hour in range(hours):
        standing.measured(60, gain + 4.0 * (-1) ** hour, 30.0)
    assert standing.state == state
    if lag > 10:
        assert standing.why == (
            f"outcomes take {lag:.0f} half-lives of the correction: what it gains now is not known in time"
        )


def test_the_lag_is_the_age_at_which_outcomes_count_in_half_lives():
    assert steps(delay=DelayCurves(wait=720, whole=720)).standing.lag == 10.0
    assert steps().standing.lag == 0.0


LATE = DelayCurves(known=(((240.0, 0.5), (797.0, 0.9)), ((24.0, 0.5), (79.7, 0.9))), whole=100)


def late_stream(draw, hours):
    """Scores that are right; the class yes is known after a day, no after ten, in the median."""
    answers, outcomes = [], []
    for hour in range(hours):
        for n in range(20):
            z = draw.normal(0, 1)
            y = bool(draw.random() < 1 / (1 + np.exp(-z)))
            id_ = f"{hour}-{n}"
            delay = draw.exponential((24 if y else 240) / math.log(2))
            answers.append(answer(id_, hour, 1 / (1 + np.exp(-z)), "ab"[n % 2], minute=n))
            outcomes.append(outcome(id_, hour + int(delay), ["no", "yes"][y], minute=59))
    return answers, [each for each in outcomes if each["at"] < at(hours)]


def test_outcomes_whose_delay_depends_on_the_class_teach_without_bias():
    answers, outcomes = late_stream(np.random.default_rng(5), 24 * 8)

    with_curves = run(steps(delay=LATE), answers, outcomes, until=24 * 8).correction(VERSION, MADE)
    without = run(steps(), answers, outcomes, until=24 * 8).correction(VERSION, MADE)

    assert abs(with_curves.intercept) < 0.1
    assert without.intercept > 0.6


@pytest.mark.parametrize("delay", [LATE, DelayCurves(wait=30, whole=30)], ids=["expected", "waiting"])
def test_late_outcomes_read_each_hour_give_the_same_bytes(delay):
    answers, outcomes = late_stream(np.random.default_rng(7), 48)
    found = steps(delay=delay)
    for hour in range(49):
        now, before = at(hour), at(hour - 1)
        found.hours.add_outcomes(
            [line for line in outcomes if before <= line["at"] < now], START + timedelta(hours=hour)
        )
        found.hours.add_answers([line for line in answers if before <= line["at"] < now], START + timedelta(hours=hour))
        found.close(START + timedelta(hours=hour))

    assert bytes_of(found) == bytes_of(run(steps(delay=delay), answers, outcomes, until=48))


def test_a_shift_is_found_in_late_outcomes():
    answers, outcomes = late_stream(np.random.default_rng(6), 24 * 8)
    lower = [
        {**line, "score": 1 / (1 + math.exp(1 - math.log(line["score"] / (1 - line["score"]))))} for line in answers
    ]

    found = run(steps(delay=LATE), lower, outcomes, until=24 * 8).correction(VERSION, MADE)

    assert 0.4 < found.intercept < 1.3


def test_rows_wait_until_their_cohort_is_whole():
    answers, outcomes = late_stream(np.random.default_rng(5), 24 * 8)
    found = run(steps(delay=DelayCurves(wait=48, whole=48)), answers, outcomes, until=24 * 8)
    known = {each["id"]: each["at"] for each in outcomes}
    old = [each for each in answers if each["id"] in known and each["at"] < at(24 * 8 - 48)]

    assert found.taught == len(old)


def test_without_a_known_delay_nothing_teaches_and_the_file_says_why():
    found = run(steps(delay=DelayCurves(wait=None)), ANSWERS, OUTCOMES, until=34)

    assert found.taught == 0
    assert "not known yet" in found.correction(VERSION, MADE).why


def test_multiclass_and_regression_find_their_shift():
    draw = np.random.default_rng(3)
    answers, outcomes, numbers, values = [], [], [], []
    for hour in range(30):
        for n in range(40):
            p = draw.dirichlet([2, 2, 2])
            true = p * [1, 1, 2]
            answers.append(answer(f"{hour}-{n}", hour, p.tolist()))
            outcomes.append(outcome(f"{hour}-{n}", hour + 1, "abc"[draw.choice(3, p=true / true.sum())]))
            score = float(draw.normal(100, 10))
            numbers.append(answer(f"{hour}-{n}", hour, score, "ab"[n % 2]))
            wild = 1e6 if draw.random() < 0.02 else 0.0
            values.append(outcome(f"{hour}-{n}", hour + 1, score + 5 * (n % 2) + float(draw.normal(0, 3)) + wild))

    three = run(steps("multiclass", ("a", "b", "c")), answers, outcomes).correction(VERSION, MADE)
    number = run(steps("regression", half_life=1.0), numbers, [v for v in values if v["outcome"] < 1e5]).correction(
        VERSION, MADE
    )
    robust = run(steps("regression", half_life=1.0), numbers, values)

    assert three.biases[2] - (three.biases[0] + three.biases[1]) / 2 == pytest.approx(math.log(2), abs=0.3)
    found = number.correct([100.0, 100.0], {"place": ["a", "b"]})
    assert found == pytest.approx([100, 105], abs=1.0)
    assert robust.standing.evidence.gain > 0

"""The backtest: nights, policies, replay, and what follows from the table of realised losses."""

import math
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime

import numpy as np
import pytest

from backtest.night_judgement import Judgement
from backtest.policies import Policy, of_rules, policies
from backtest.policy_replay import replay
from backtest.replayed_nights import Period, days_of, is_monthly, nights, periods
from backtest.reports.rule_change import PRESENT, PROPOSED, change_part
from backtest.results.length_results import length_results, spread_nights
from backtest.results.policy_results import results
from backtest.results.realised_loss import Realised, table
from backtest.results.rule_outcomes import RuleOutcome, judged_nights, missed, outcomes
from backtest.results.staleness_curve import staleness, to_json
from backtest.results.weighted_means import mean
from backtest.time_left import progress
from checks.decision.staleness import Staleness
from contracts.thresholds import ConfigurationError, read_rules, read_tables

RULES = "checks/thresholds.toml"


@pytest.mark.parametrize(("text", "days"), [("7d", 7), ("7", 7), (" 1D ", 1), ("28d", 28)])
def test_an_interval_is_a_number_of_days(text, days):
    """As EVERY=7d."""
    assert days_of(text) == days


@pytest.mark.parametrize("text", ["0d", "-1", "weekly", "7h", "", "1.5d"])
def test_another_interval_is_refused_with_an_example(text):
    """The message says what to type."""
    with pytest.raises(ValueError, match="such as 7d"):
        days_of(text)


def test_nights_end_before_the_last_day_and_each_has_the_period_after_it():
    """The last period ends on the last day, also if it is shorter."""
    found = nights(date(2026, 1, 1), date(2026, 1, 25), 7)

    assert found == [date(2026, 1, day) for day in (1, 8, 15, 22)]
    assert [each.days for each in periods(found, date(2026, 1, 25))] == [7, 7, 7, 3]
    assert periods(found, date(2026, 1, 25))[0] == Period(
        datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 8, tzinfo=UTC)
    )


def test_without_a_first_day_thirty_nights_are_replayed():
    """The goal that is stated in the documentation."""
    assert len(nights(None, date(2026, 1, 25), 7)) == 30


@pytest.mark.parametrize(("first", "last"), [((2026, 1, 1), (2026, 1, 15)), ((2026, 2, 1), (2026, 1, 1))])
def test_too_few_nights_are_refused_with_what_to_change(first, last):
    """Two decisions are the fewest."""
    with pytest.raises(ValueError, match="an earlier FROM, a later TO, or a smaller EVERY"):
        nights(date(*first), date(*last), 7)


def test_a_monthly_policy_lands_on_the_first_night_of_a_month():
    """The first night has no decision."""
    found = [date(2026, 1, 1), date(2026, 1, 29), date(2026, 2, 5), date(2026, 3, 5)]

    assert [is_monthly(found, number) for number in range(4)] == [False, False, True, True]


def test_progress_states_the_time_that_is_left():
    """At the pace of the tasks that were done last: those that an earlier run stored took no time."""
    assert progress([4.0, 8.0, 12.0], 30, "2026-01-01") == "[ 3 of 30, about 2 min left] 2026-01-01"
    assert progress([0.0] * 20 + [4.0 * n for n in range(1, 7)], 30, "a") == "[26 of 30, about 16 s left] a"
    assert progress([1.0] * 30, 30, "2026-01-01") == "[30 of 30] 2026-01-01"


# --- means ---


def test_a_mean_is_weighted_and_leaves_out_what_is_not_known():
    """Values without a number, or without rows, do not count."""
    found = mean(np.array([1.0, math.nan, 3.0, 99.0]), np.array([1, 5, 3, 0]))

    assert (found.value, found.count) == (pytest.approx(2.5), 2)
    assert all(math.isnan(each) for each in found.interval)


@pytest.mark.parametrize("correlation", [0.0, 0.3])
def test_the_interval_covers_the_mean_of_nights_in_nineteen_of_twenty_replays(correlation):
    """Of 600 replays of 30 nights at least 93 % of the intervals contain the true mean, 0 (standard error 0.9 points)."""
    random, weights = np.random.default_rng(0), np.ones(30)
    inside = 0
    for _ in range(600):
        noise = random.normal(size=31)
        low, high = mean(noise[1:] + correlation * noise[:-1], weights).interval
        inside += low <= 0 <= high

    assert 0.93 * 600 <= inside <= 0.98 * 600


# --- the table of losses ---


def losses(values, metric="log_loss", rows=100):
    """A table from values by night and period; nights are a week apart."""
    values = np.array(values, dtype=float)
    days = np.arange(len(values)) * 7
    return Realised(metric, values, np.full(len(values), rows), days, tuple(f"night {n}" for n in range(len(values))))


def test_a_table_has_the_periods_after_each_night():
    """A model is measured from its night on."""
    found = table("mae", [[(10, 1.0), (20, 2.0)], [(20, 3.0)]], [0, 7], ["a", "b"])

    assert found.values.tolist()[0] == [1.0, 2.0]
    assert math.isnan(found.values[1, 0])
    assert found.values[1, 1] == 3.0
    assert found.rows.tolist() == [10, 20]
    assert found.of_path([0, 1]).tolist() == [1.0, 3.0]


def test_what_was_known_before_a_period_has_no_later_value():
    """For a decision that may use the past only."""
    known = losses([[1.0, 2.0], [math.nan, 3.0]]).until(1)

    assert np.isfinite(known.values).tolist() == [[True, False], [False, False]]


def aging(nights, per_day, noise=0.0, metric="log_loss"):
    """Losses that grow by *per_day* with the age, on periods of very different difficulty."""
    random = np.random.default_rng(1)
    level = random.normal(0.5, 0.2, nights)
    values = np.full((nights, nights), math.nan)
    for night in range(nights):
        for period in range(night, nights):
            values[night, period] = level[period] + per_day * 7 * (period - night) + random.normal(0, noise)
    return losses(-values if metric == "roc_auc" else values, metric)


@pytest.mark.parametrize("metric", ["log_loss", "roc_auc"])
def test_staleness_is_found_whatever_the_periods_are_like(metric):
    """Ages are compared on the same periods; a metric of which more is better becomes a loss."""
    points = staleness(aging(12, 0.001, metric=metric))

    assert [each.age_days for each in points] == [*range(0, 63, 7)]
    assert [each.more for each in points] == pytest.approx([0.001 * age for age in range(0, 63, 7)])
    assert points[0].error == 0.0
    assert points[-1].nights == 4


def test_the_stored_curve_has_the_form_that_the_gate_reads():
    """An interface: keys keep their names."""
    points = staleness(aging(5, 0.002))
    found = to_json(points, "log_loss", "2026-01-01")

    assert {name: found[name] for name in ("format", "metric", "made", "nights")} == {
        "format": 1,
        "metric": "log_loss",
        "made": "2026-01-01",
        "nights": 5,
    }
    assert [*found["by_age"][1]] == ["age_days", "loss", "error", "nights"]
    assert found["by_age"][1]["loss"] - found["by_age"][0]["loss"] == pytest.approx(0.014)


@pytest.mark.parametrize("nights", range(1, 9))
def test_the_gate_reads_the_curve_of_however_few_nights(nights):
    """What it cannot use is left out: every error is finite."""
    found = Staleness.from_json(dict(to_json(staleness(aging(nights, 0.002, noise=0.01)), "log_loss", "")))

    assert len(found.points) == max(0, nights - 4)


def test_a_night_without_a_model_leaves_a_gap_and_no_error():
    """Its row is unknown, and periods that it would have served are compared no further."""
    realised = aging(8, 0.001)
    realised.values[3] = math.nan

    assert staleness(realised)[1].more == pytest.approx(0.007)


# --- policies ---


@pytest.fixture
def tables(root):
    """The limits of the repository, as tables."""
    return read_tables(root / RULES)


def test_a_policy_with_other_limits_has_them(tables):
    """A key without a dot is one of [gate.compare], with dots a place in the file."""
    (found,) = policies(["bold:confidence=0.9;gate.rows.max_lost=0.5"], tables, RULES)

    assert (found.name, found.kind) == ("bold", "gate")
    assert found.limits.gate.compare.confidence == 0.9
    assert found.limits.gate.rows.max_lost == 0.5
    assert tables["gate"]["compare"]["confidence"] == 0.95


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["sometimes"], "there is no policy 'sometimes'; expected one of never, always"),
        (["a:confidence"], "'confidence'; expected key=value"),
        (["a:confidence=2"], "policy a:\n  - gate.compare.confidence is 2"),
        (["a:confidense=0.9"], "gate.compare: confidense is not known; did you mean confidence"),
        (["never", "never"], "the policy never is named twice"),
        (["x", "y"], "'x'; expected one of .*\n.*'y'; expected one of"),
    ],
)
def test_a_wrong_policy_is_refused_with_all_problems(names, said, tables):
    """The message says what is expected."""
    with pytest.raises(ConfigurationError, match=f"(?is){said}"):
        policies(names, tables, RULES)


@dataclass(frozen=True)
class Asked:
    """In the place of a question to the gate."""

    key: str


def replayed(named, decide, models=(True,) * 4, monthly=(False,) * 4):
    """The paths of policies, where *decide* gives the decision on a night and a champion; and what was asked."""
    asked = []

    def answer(questions):
        asked.extend(question.key for question in questions)
        return [
            Judgement(
                decide(*map(int, question.key.split("/"))),
                "why",
                ({"rule": "compare.x", "outcome": "FAIL", "severity": "block"},),
            )
            for question in questions
        ]

    paths = replay(named, models, monthly, lambda _, night, champion, __: Asked(f"{night}/{champion}"), answer)
    return paths, asked


NEVER, ALWAYS, MONTHLY = (Policy(name, name, "") for name in ("never", "always", "monthly"))


@pytest.fixture
def gate(root):
    """Two policies of the gate."""
    rules = read_rules(root / RULES)
    return [of_rules(name, rules, "") for name in (PRESENT, PROPOSED)]


def test_each_policy_serves_what_it_landed(gate):
    """All begin with the first night's model; a night without a model changes nothing."""
    paths, _ = replayed(
        [NEVER, ALWAYS, MONTHLY, gate[0]],
        lambda night, _: "PROMOTE" if night == 1 else "HOLD",
        models=(True, True, False, True),
        monthly=(False, False, False, True),
    )

    assert [path.live for path in paths] == [[0, 0, 0, 0], [0, 1, 1, 3], [0, 0, 0, 3], [0, 1, 1, 1]]
    assert [step.decision for step in paths[3].steps] == ["PROMOTE", "NO MODEL", "HOLD"]


def test_the_same_question_is_asked_once(gate):
    """Policies with the same champion share the verdict, so that another one costs little."""
    _, asked = replayed(gate, lambda *_: "PROMOTE")

    assert asked == ["1/0", "2/1", "3/2"]


def test_the_policies_are_compared_on_the_same_periods(gate):
    """The period in which all serve the first model is left out."""
    paths, _ = replayed([NEVER, ALWAYS, gate[0]], lambda night, _: "PROMOTE" if night == 2 else "REJECT")
    realised = losses(
        [[9.0, 0.5, 0.6, 0.7], [math.nan, 0.4, 0.5, 0.6], [math.nan] * 2 + [0.4, 0.5], [math.nan] * 3 + [0.4]]
    )
    never, always, ours = results(paths, realised, PRESENT)

    assert [each.loss.value for each in (never, always, ours)] == pytest.approx([0.6, 0.4, (0.5 + 0.4 + 0.5) / 3])
    assert always.better.value == pytest.approx(0.2 / 3)
    assert (never.worst, never.cost) == (3, pytest.approx(0.3))
    assert (always.worst, ours.decisions) == (None, Counter({"REJECT": 2, "PROMOTE": 1}))


def test_rules_are_counted_by_how_their_nights_turned_out(gate):
    """Better, as good, or worse than the champion by more than the margin; and promoted nights that were bad."""
    paths, _ = replayed(gate[:1], lambda night, _: {1: "REJECT", 2: "HOLD", 3: "PROMOTE"}[night])
    nan = math.nan
    realised = losses([[0.5] * 4, [nan, 0.4, 0.4, 0.4], [nan, nan, 0.501, 0.501], [nan, nan, nan, 0.6]])
    found = judged_nights(paths[0], realised)

    assert [round(each.earned, 3) for each in found] == [0.1, -0.001, -0.1]
    assert outcomes(found[:2], 0.005) == [RuleOutcome("compare.x", 1, 1, 0)]
    assert [each.number for each in missed(found, 0.005)] == [3]


@pytest.mark.parametrize(
    ("present", "proposed", "said"),
    [
        ("HOLD", "HOLD", "all 3 nights from night 0 on would have been decided as before"),
        ("HOLD", "REJECT", "3 of 3 nights would have been decided otherwise; the same models would have been live"),
        ("HOLD", "PROMOTE", "would have earned 0.2000 of log_loss (lower is better) a row, +0.2000"),
        ("PROMOTE", "HOLD", "would have cost 0.2000 of log_loss (lower is better) a row, -0.2000"),
    ],
)
def test_a_change_of_rules_is_summed_up_in_a_sentence(present, proposed, said, gate):
    """How many nights differ, and what that earned or cost."""
    decisions = {PRESENT: present, PROPOSED: proposed}
    paths = [replayed([policy], lambda *_, name=policy.name: decisions[name])[0][0] for policy in gate]
    nan = math.nan
    realised = losses([[0.5, 0.5, 0.6, 0.7], [nan, 0.3, 0.4, 0.5], [nan, nan, 0.4, 0.5], [nan, nan, nan, 0.5]])
    part = change_part(results(paths, realised, PRESENT), realised)

    assert said in part.words[0]
    assert len(part.rows) == (0 if present == proposed else 3)


# --- other lengths ---


def test_other_lengths_are_compared_with_the_release_model():
    """In the period after each night on which they were fitted."""
    found = length_results({0: {"window 2": 0.3, "holdout 1": 0.6}, 2: {"window 2": 0.5}}, losses(np.full((3, 3), 0.5)))

    assert [(each.of, each.share, each.better.value) for each in found] == [
        ("window", 2.0, pytest.approx(0.1)),
        ("holdout", 1.0, pytest.approx(-0.1)),
    ]


@pytest.mark.parametrize(("count", "wanted", "found"), [(30, 3, [0, 14, 29]), (2, 6, [0, 1]), (30, 0, [])])
def test_the_nights_for_other_lengths_are_spread(count, wanted, found):
    """Over the whole replay."""
    assert spread_nights(count, wanted) == found

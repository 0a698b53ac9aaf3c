"""Limits solved from a budget: kept on streams that they never saw, and repeatable."""

import numpy as np
import pytest

from monitoring.charts.charted_series import Limits, Series, oriented
from monitoring.charts.control_chart import ewma
from monitoring.charts.control_limits import MAX_DEVIATIONS, Budget, Rule, alarms_begin, persistent, solve
from monitoring.charts.in_control_days import resampled_days

pytestmark = pytest.mark.slow

SERIES = [Series(str(n), "both" if n % 2 else "upper", 0.0) for n in range(12)]
WEIGHT = 0.2


def stream(random, days, kind, draws=1):
    """Quiet days (draws, days, 12): Gaussian, with a week's rhythm, moving together, persistent, or skewed."""
    found = random.normal(size=(draws, days, 12))
    if kind == "weekly":
        found += 3 * (np.arange(days) % 7 >= 5)[:, None]
    if kind == "together":
        found = 0.5 * found + random.normal(size=(draws, days, 1))
    if kind == "persistent":
        for day in range(1, days):
            found[:, day] = 0.4 * found[:, day - 1] + 0.9 * found[:, day]
    if kind == "skewed":  # as a day's ROC AUC is, but upward
        found = (random.standard_gamma(2.0, size=found.shape) - 2) / np.sqrt(2)
    return found


def false_alarms(limits, quarters, rule):
    """Alarms per quarter of quiet *quarters* (n, 14 days before and 91, series)."""
    mean, deviation, day, level = (
        np.array([getattr(each, name) for each in limits]) for name in ("mean", "deviation", "day", "level")
    )
    scaled = (quarters - mean) / deviation
    sides = [each.side for each in SERIES]
    beyond = (oriented(scaled, sides) > day) | (oriented(ewma(scaled, WEIGHT), sides) > level)
    return alarms_begin(persistent(beyond[:, 14:], rule).any(axis=-1), rule.quiet).sum() / len(quarters)


@pytest.mark.parametrize("rule", [Rule(1, 1, 3), Rule(2, 3, 3)])
@pytest.mark.parametrize("kind", ["plain", "weekly", "together", "persistent", "skewed"])
def test_quiet_streams_keep_to_the_budget(kind, rule):
    """On average over references, each with quarters that were never seen.

    Six weeks are enough; a skewed day is now and then beyond six deviations of so few days, where no limit is.
    """
    found = []
    days = 112 if kind == "skewed" else 42
    for seed in range(8):
        random = np.random.default_rng(seed)
        reference = stream(random, days, kind)[0]
        limits = solve(reference, np.arange(days) % 7, SERIES, rule, Budget(1.0, WEIGHT, 200, 7))
        found.append(false_alarms(limits, stream(random, 105, kind, draws=40), rule))

    assert np.mean(found) <= 1.0


def test_a_smaller_budget_means_wider_limits():
    """And a longer way from one false alarm to the next."""
    reference = stream(np.random.default_rng(1), 42, "plain")[0]
    rare, often = (
        solve(reference, np.arange(42) % 7, SERIES, Rule(1, 1, 3), Budget(alarms, WEIGHT, 200, 7))
        for alarms in (0.2, 4.0)
    )

    assert all(a.day >= b.day and a.level >= b.level for a, b in zip(rare, often, strict=True))
    assert sum(a.day > b.day for a, b in zip(rare, often, strict=True)) > len(SERIES) / 2
    assert np.median([each.run_length for each in rare]) > np.median([each.run_length for each in often])


def test_a_series_of_few_odd_days_hardly_widens_the_others_limits():
    """A share that is nearly always 0 and sometimes much has its own tail."""
    random = np.random.default_rng(1)
    plain = stream(random, 56, "plain")[0]
    odd = np.where(random.random((56, 6)) < 0.05, random.gamma(2.0, size=(56, 6)), 0.0)
    solved = [
        solve(each, np.arange(56) % 7, SERIES, Rule(1, 1, 3), Budget(1.0, WEIGHT, 200, 7))
        for each in (plain, np.column_stack([plain[:, :6], odd]))
    ]
    alone, beside = ([each.day for each in limits[:6]] for limits in solved)

    assert np.mean(np.divide(beside, alone)) < 1.4


def test_every_chart_alarms_as_rarely_as_any_other():
    """Whatever its tail: the budget is not spent on the wildest among them. At the largest limit they alarm more often."""
    random = np.random.default_rng(1)
    odd = np.where(random.random((56, 4)) < 0.05, random.gamma(2.0, size=(56, 4)), 0.0)
    mixed = np.column_stack([stream(random, 56, kind)[0][:, :4] for kind in ("plain", "skewed")] + [odd])
    limits = solve(mixed, np.arange(56) % 7, SERIES, Rule(1, 1, 3), Budget(8.0, WEIGHT, 400, 7))
    lengths = [each.run_length for each in limits if each.day < MAX_DEVIATIONS]

    assert len(lengths) >= 6
    assert max(lengths) < 2 * min(lengths)


def test_the_same_reference_gives_the_same_limits():
    """A run of today and one of tomorrow judge alike."""
    reference = stream(np.random.default_rng(1), 14, "plain")[0]
    solved = [solve(reference, np.arange(14) % 7, SERIES, Rule(1, 1, 3), Budget(1, WEIGHT, 100, 7)) for _ in range(2)]

    assert solved[0] == solved[1]


def test_drawn_days_keep_the_weekday_and_the_spread():
    """A Sunday takes a Sunday's place; noise adds no variance."""
    reference = stream(np.random.default_rng(1), 56, "weekly")[0]
    drawn = resampled_days(reference, np.arange(56) % 7, 300, 70, np.random.default_rng(2))

    assert drawn.std(axis=(0, 1)) == pytest.approx(reference.std(axis=0), rel=0.05)
    assert drawn.shape == (300, 70, 12)
    # Draws begin on any weekday; within each the days repeat after seven.
    apart = (drawn - drawn.mean(axis=1, keepdims=True)).reshape(300, 10, 7, 12)
    rhythm = apart.mean(axis=(1, 3))
    assert rhythm.std(axis=1).mean() > 0.4


def test_a_series_without_variance_has_limits():
    """No missing value in the whole reference: the tolerance is the limit."""
    (limits,) = solve(
        np.zeros((14, 1)),
        np.arange(14) % 7,
        [Series("s", "upper", 0.01, absolute=True)],
        Rule(1, 1, 3),
        Budget(1, WEIGHT, 100, 7),
    )

    assert Series("s", "upper", 0.01, absolute=True).above(limits) == (0.01, 0.01)


def test_a_day_without_a_verdict_is_no_reason_to_crash():
    """A slice with too few rows on some days, or on all but one."""
    reference = stream(np.random.default_rng(1), 14, "plain")[0]
    reference[3:9, 0] = np.nan
    reference[1:, 1] = np.nan
    limits = solve(reference, np.arange(14) % 7, SERIES, Rule(1, 1, 3), Budget(1, WEIGHT, 100, 7))

    assert all(np.isfinite([each.day, each.level, each.mean]).all() for each in limits)


@pytest.mark.parametrize(("absolute", "day"), [(False, np.inf), (True, MAX_DEVIATIONS)])
def test_a_series_of_odd_days_has_no_limit_of_single_days(absolute, day):
    """Rain: most days have none, some have twenty times the mean. A share keeps a limit, from its smallest relevant value."""
    random = np.random.default_rng(1)
    rain = random.lognormal(0, 2, (56, 4)) * (random.random((56, 4)) < 0.3)
    series = [Series(str(n), "upper", 0.01, absolute=absolute) for n in range(4)]
    limits = solve(rain, np.arange(56) % 7, series, Rule(1, 1, 3), Budget(0.3, WEIGHT, 100, 7))

    assert max(each.day for each in limits) == day
    for one, each in zip(series, limits, strict=True):
        of_day, of_level = one.above(each)
        assert (of_day is None) == np.isinf(each.day)
        assert of_level is not None


@pytest.mark.parametrize(
    ("side", "above", "below"),
    [("upper", (14.0, 12.0), (None, None)), ("both", (14.0, 12.0), (6.0, 8.0)), ("lower", (None, None), (6.0, 8.0))],
)
def test_limits_are_on_the_side_that_is_bad(side, above, below):
    """Four deviations of 1 for the day, two for the level, in the series' units."""
    limits = Limits(10, 1, 4, 2, 1000)

    assert Series("s", side, 0).above(limits) == above
    assert Series("s", side, 0).below(limits) == below
    assert Series("s", side, 3).above(limits)[1] in (None, 13.0)


@pytest.mark.parametrize(
    ("marks", "begins"), [("..#..", "..#.."), ("##.#.", "#...."), ("#...#", "#...#"), ("#..#.", "#....")]
)
def test_alarms_that_belong_together_are_one(marks, begins):
    """Until three quiet days are over."""
    beyond = np.array([mark == "#" for mark in marks])

    assert "".join("#" if one else "." for one in alarms_begin(beyond, 3)) == begins


def test_what_lasts_is_beyond_on_two_of_three_days():
    """Whichever two."""
    beyond = np.array([[mark == "#"] for mark in "#.#..##"])

    assert "".join("#" if one else "." for one in persistent(beyond, Rule(2, 3, 3))[:, 0]) == "..#...#"

"""The confidence interval of a gain covers that of the next period, too."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from checks.comparison.bootstrap import Blocks, measures, paired
from checks.comparison.compare import compare
from checks.comparison.earlier_gains import EarlierGain, gains_line, recorded_gains, successive
from checks.comparison.gain_effect import PRIOR, gain_effects, gain_levels, gains_over_anchor, widening
from checks.comparison.period_effect import Level, PeriodEffect, period_effect
from checks.comparison.rolling_origin import Period
from checks.evidence import Evidence
from contracts.row_contract import Contract, Feature, Target

DAYS, A_DAY = 14, 100


def period(random, strength):
    """Rows whose outcomes follow the signal with this *strength*: a strong model gains by it, a careful one loses."""
    n = DAYS * A_DAY
    logit = random.normal(0, 1.5, n)
    truth = (random.random(n) < 1 / (1 + np.exp(-strength * logit))).astype(float)
    scores = tuple(1 / (1 + np.exp(-slope * logit - random.normal(0, 0.3, n))) for slope in (1.3, 0.7))
    return Period(truth, np.repeat(np.arange(DAYS), A_DAY), scores)


def expected(strength):
    """The gain over very many rows, by the probability of their outcomes."""
    random = np.random.default_rng(9)
    logit = random.normal(0, 1.5, 400_000)
    chance = 1 / (1 + np.exp(-strength * logit))
    wobble = [random.normal(0, 0.3, len(logit)) for _ in "ab"]
    ours, theirs = (1 / (1 + np.exp(-slope * logit - each)) for slope, each in zip((1.3, 0.7), wobble, strict=True))
    losses = [-(chance * np.log(each) + (1 - chance) * np.log(1 - each)).mean() for each in (ours, theirs)]
    return losses[1] - losses[0]


def coverage(rules, spread, repeats, known):
    """How often the interval has the expected gain of the next period: by days alone, and with the effect of the period.

    The strength of the signal is drawn for each period. *known* is the number of earlier changes: of a backtest, and of
    earlier verdicts where there are more than three.
    """
    random = np.random.default_rng(4)
    grid = np.linspace(0.7, 1.3, 7)
    gains = [expected(each) for each in grid]
    held = np.zeros(2)
    for number in range(repeats):
        now, following, *before = random.normal(1, spread, 2 + known + 1)
        rows = period(random, now)
        blocks = Blocks(rows.day, np.arange(len(rows.day)), rules.draws, number)
        both = measures("log_loss", rows.truth, *rows.scores)
        error = paired("log_loss", both, blocks, 0.95).error
        if known > 3:
            levels = [Level(random.normal(np.interp(each, grid, gains), error), error, 0, 14) for each in before]
        else:
            levels = gain_levels("log_loss", [period(random, each) for each in before], rules)
        effect = period_effect([levels], PRIOR)
        for way, widened in enumerate([1.0, widening({"log_loss": effect}, "log_loss")]):
            gap = paired("log_loss", both, blocks, 0.95, 3, widened)
            held[way] += gap.low <= np.interp(following, grid, gains) <= gap.high
    return held / repeats


@pytest.mark.parametrize(
    ("spread", "known", "days_alone", "widened"),
    [
        (0.0, 3, (0.92, 0.98), (0.93, 0.99)),
        (0.05, 3, (0.81, 0.89), (0.89, 0.95)),
        (0.05, 30, (0.81, 0.89), (0.93, 0.98)),
    ],
)
def test_the_interval_covers_the_gain_of_the_next_period(rules, spread, known, days_alone, widened):
    """200 decisions: a standard error of 1.5 points. What three changes cannot show, thirty of earlier verdicts do."""
    found = coverage(replace(rules.gate.compare, draws=200), spread, 200, known)

    for share, (low, high) in zip(found, (days_alone, widened), strict=True):
        assert low <= share <= high


def test_a_stream_whose_periods_are_alike_has_hardly_wider_intervals(rules):
    """Power is kept where there is nothing to account for."""
    random, few = np.random.default_rng(3), replace(rules.gate.compare, draws=100)
    widths = [
        widening(
            {"x": period_effect([gain_levels("log_loss", [period(random, 1) for _ in range(4)], few)], PRIOR)}, "x"
        )
        for _ in range(40)
    ]

    assert 1.0 <= np.mean(widths) < 1.2


def evidence(seed=0, days=76):
    """Training rows to backtest on, and a holdout that three models score."""
    random = np.random.default_rng(seed)
    features = (Feature("x", "number"), Feature("z", "number"))
    contract = Contract("s", "binary", features, Target("y", (False, True)), "k", "at")
    n = (days + DAYS) * A_DAY
    rows = pd.DataFrame({"x": random.normal(size=n), "z": random.normal(size=n), "k": np.arange(n).astype(str)})
    day = np.repeat(np.arange(days + DAYS), A_DAY)
    rows["at"] = pd.Timestamp("2026-03-01", tz="UTC") + pd.to_timedelta(day, "D")
    chance = 1 / (1 + np.exp(-1.5 * rows["x"]))
    rows["y"] = (random.random(n) < chance).astype(float)
    holdout = rows[day >= days].reset_index(drop=True)
    scores = [
        np.clip(chance[day >= days].to_numpy() + random.normal(0, noise, len(holdout)), 0.01, 0.99)
        for noise in (0.02, 0.04, 0.06)
    ]
    fresh = np.ones(len(holdout), bool)
    train = rows[day < days]
    return Evidence(
        contract, train, holdout, chance[day < days].to_numpy(), scores[0], fresh, scores[1], "", True, scores[2]
    )


def test_the_comparison_uses_the_effect_and_the_table_states_it(rules):
    """The same estimate, with a wider interval."""
    found, effects = evidence(), {"log_loss": PeriodEffect(1.625, 10)}
    (plain, *_), _ = compare(found, rules.gate.compare)
    (wide, area), _ = compare(found, rules.gate.compare, effects)

    assert wide.difference == plain.difference
    assert wide.high - wide.low == pytest.approx(1.5 * (plain.high - plain.low))
    assert (wide.widened, area.widened, plain.widened) == (1.5, 1.0, 1.0)


def test_the_effect_comes_from_a_backtest_and_from_earlier_verdicts(rules):
    """A pair of models that earlier verdicts compared in periods that do not overlap counts like one of the backtest."""
    found, few = evidence(), replace(rules.gate.compare, draws=100)
    effects = gain_effects(found, few, [])
    assert {(name, each.changes) for name, each in effects.items()} == {("log_loss", 2), ("roc_auc", 2)}

    earlier = [
        EarlierGain("s", "m", "a", "log_loss", f"2026-0{month}-01", f"2026-0{month}-14", value, 0.001)
        for month, value in [(1, 0.00), (2, 0.02), (3, -0.01)]
    ]
    moved = gain_effects(found, few, earlier)
    assert moved["log_loss"].changes == 4
    assert moved["log_loss"].ratio > 5 * effects["log_loss"].ratio
    assert moved["roc_auc"] == effects["roc_auc"]
    assert gain_effects(evidence(days=20), few, []) == {"log_loss": PRIOR, "roc_auc": PRIOR}


def test_gains_over_the_anchor_are_recorded_in_a_hidden_line(rules):
    """Those of the candidate and of the champion; what a person edited is skipped."""
    digests = {"candidate": "sha256:c", "champion": "sha256:b", "anchor": "sha256:a"}
    gains = gains_over_anchor(evidence(), digests, rules.gate.compare)

    assert [(each.ours, each.metric) for each in gains] == [
        (f"sha256:{ours}", metric) for ours in "cb" for metric in ("log_loss", "roc_auc")
    ]
    line = gains_line([*gains, replace(gains[0], contract="--> <b>")])
    assert line.count("-->") == 1
    assert recorded_gains([f"notes\n{line}\n", "<!-- gains {} -->", '<!-- gains {"gains": [{}]} -->', line]) == sorted(
        [*gains, replace(gains[0], contract="--> <b>")]
    )
    assert gains_over_anchor(evidence(), digests | {"champion": "sha256:a"}, rules.gate.compare)[0].ours == "sha256:c"
    assert len(gains_over_anchor(evidence(), digests | {"champion": "sha256:a"}, rules.gate.compare)) == 2


def test_periods_that_overlap_count_once():
    """Nightly verdicts share nearly all of their days."""
    gains = [
        EarlierGain("s", "m", "a", "log_loss", f"2026-03-{day:02}", f"2026-03-{day + 6:02}", float(day), 0.1)
        for day in range(1, 20)
    ]

    (levels,) = successive(gains, "s")["log_loss"]
    assert [each.value for each in levels] == [1.0, 8.0, 15.0]
    assert successive(gains, "another") == {}
    assert successive(gains[:3], "s") == {}

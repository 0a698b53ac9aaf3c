"""Earlier periods of the same procedure count: which they are, what they change, and how often the interval is right."""

import json
import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import special

from checks.comparison.bootstrap import Gap
from checks.comparison.compare import Compared, compare
from checks.comparison.earlier_gains import EarlierGain, gains_line, recorded_gains, successive
from checks.comparison.gain_effect import PRIOR
from checks.comparison.period_effect import Level, PeriodEffect, period_effect
from checks.comparison.pooled_gain import PERIODS, Series, procedure
from checks.decision.gain_text import gain_over
from checks.reports.interval_notes import widened_note

DAYS = 14
TONIGHT = Series("p", "c", "champion", "2026-03-29", "2026-04-11")


def earlier(first, last, value=0.0, error=1.0, **other):
    given = {
        "procedure": "p",
        "freedom": 13.0,
        "contract": "c",
        "ours": last,
        "theirs": "champion",
        "metric": "log_loss",
    }
    return EarlierGain(first=first, last=last, value=value, error=error, **(given | other))


def gap(value=0.0, error=1.0, ratio=1.0, freedom=13.0):
    error *= math.sqrt(2 * ratio - 1)
    far = error * special.stdtrit(freedom, 0.975)
    return Gap("log_loss", 0.4, 0.4, value, value - far, value + far, error, freedom, 1_400, DAYS, 0.95)


def test_nights_that_share_days_count_once():
    """A month of nights with a holdout of a fortnight: the newest whose days are over, then the newest before that."""
    days = np.datetime64("2026-03-28") - np.arange(40)
    nights = [earlier(str(last - 13), str(last)) for last in days]
    sharing = [earlier("2026-03-20", "2026-04-02"), earlier("2026-03-29", "2026-04-11")]

    found = replace(TONIGHT, earlier=[*nights, *sharing]).periods("log_loss")

    assert [(each.first, each.last) for each in found] == [("2026-03-15", "2026-03-28"), ("2026-03-01", "2026-03-14")]
    assert len(found) == PERIODS


@pytest.mark.parametrize(
    "other",
    [
        {"procedure": "another recipe"},
        {"procedure": ""},  # a report that was written before procedures were recorded
        {"theirs": "another champion"},
        {"contract": "another stream"},
        {"metric": "roc_auc"},
    ],
)
def test_what_is_another_procedure_does_not_count(other):
    """Nor another champion, stream or metric."""
    tonight = replace(TONIGHT, procedure="p", earlier=[earlier("2026-03-01", "2026-03-14", **other)])

    assert tonight.pooled(gap(0.5)) == gap(0.5)


@pytest.mark.parametrize(
    ("change", "same"),
    [
        (lambda m: m | {"version": "later", "data": {}, "digest": "d", "metrics": {}}, True),
        (lambda m: m | {"build": m["build"] | {"made_at": "later", "commit": "another"}}, True),
        (lambda m: m | {"recipe": m["recipe"] | {"sha256": "another"}}, False),
        (lambda m: m | {"contract": m["contract"] | {"features": m["contract"]["features"][1:]}}, False),
        (lambda m: m | {"build": m["build"] | {"libraries": {"scikit-learn": "2"}}}, False),
    ],
)
def test_a_procedure_is_the_recipe_its_contract_and_its_libraries(bundles, rules, change, same):
    """Rows, commits and times change each night."""
    manifest = json.loads((bundles[0] / "manifest.json").read_text())
    before, after = (
        procedure(SimpleNamespace(manifest=each), rules.gate.compare) for each in (manifest, change(manifest))
    )

    assert (before == after) == same


def test_other_limits_are_another_procedure(bundles, rules):
    """What was recorded under other margins is not evidence for these."""
    candidate = SimpleNamespace(manifest=json.loads((bundles[0] / "manifest.json").read_text()))
    stricter = replace(rules.gate.compare, confidence=0.99)

    assert procedure(candidate, rules.gate.compare) != procedure(candidate, stricter)


def test_without_an_effect_of_the_period_it_is_the_mean_weighted_by_precision():
    """By hand: variances 1 and 1/4, so weights 1/5 and 4/5, and the standard error of 1/sqrt(5)."""
    series = replace(TONIGHT, earlier=[earlier("2026-03-01", "2026-03-14", 1.0, 0.5)])

    found = series.pooled(gap(0.0))

    assert found.value == pytest.approx(0.8)
    assert found.error == pytest.approx(1 / math.sqrt(5))
    assert (found.periods, found.rows, found.days) == (1, 1_400, DAYS)
    assert found.high - found.value == pytest.approx(found.value - found.low)


def test_without_an_earlier_period_the_formula_is_that_of_tonight_alone():
    """A period that is infinitely imprecise changes nothing."""
    series = replace(
        TONIGHT, effects={"log_loss": PRIOR}, earlier=[earlier("2026-03-01", "2026-03-14", 9.0, error=1e6)]
    )
    alone = gap(0.5, ratio=PRIOR.ratio)

    found = series.pooled(alone)

    assert (found.value, found.error) == (pytest.approx(0.5, abs=1e-6), pytest.approx(alone.error, rel=1e-6))


def test_a_period_further_back_counts_less():
    """The champion was younger then."""
    values = [
        replace(
            TONIGHT, effects={"log_loss": PeriodEffect(1.3, 20)}, earlier=[earlier(f"{month}-01", f"{month}-14", 1.0)]
        )
        .pooled(gap(0.0, ratio=1.3))
        .value
        for month in ("2026-03", "2026-01", "2025-03")
    ]

    assert 0.5 > values[0] > values[1] > values[2] > 0


@pytest.mark.parametrize("undefined", [{"low": None, "high": None, "error": math.inf}, {"error": 0.0}])
def test_without_an_interval_there_is_nothing_to_pool(undefined):
    """With too few days, or two models with the same scores."""
    series = replace(TONIGHT, earlier=[earlier("2026-03-01", "2026-03-14", 9.0)])

    assert series.pooled(replace(gap(), **undefined)) == replace(gap(), **undefined)


def simulated(ratio, known, drift=0.0, repeats=1_500, seed=8):
    """How often the interval has the true gain of the next period: tonight's alone, and pooled with *known* periods.

    Also the width of the second, relative to the first. Each period has its own gain, by the true variance *ratio*, and
    *drift* (in standard errors) more than the one before. The errors are estimated from a fortnight. The effect is estimated
    as the gate does, from three changes of a backtest and those of the series.
    """
    random = np.random.default_rng(seed)
    few = math.sqrt(13 / 11)

    def level(count):
        true = random.normal(0, math.sqrt(ratio - 1), count) + drift * np.arange(count)
        return true, true + random.normal(size=count), np.sqrt(random.chisquare(13, count) / 13)

    held, widths = np.zeros(2), np.zeros(2)
    for _ in range(repeats):
        true, seen, errors = level(known + 2)  # the last is the next period, the one before is tonight's
        _, values, deviations = level(4)
        backtest = [Level(v, few * e, 0, 0) for v, e in zip(values, deviations, strict=True)]
        series = [Level(v, few * e, 0, 0) for v, e in zip(seen[:known], errors[:known], strict=True)]
        effects = {"log_loss": period_effect([backtest, series], PRIOR)}
        days = np.datetime64(TONIGHT.first) - 14 * (known - np.arange(known))
        past = [
            earlier(str(day), str(day + 13), value, error)
            for day, value, error in zip(days, seen[:known], errors[:known], strict=True)
        ]
        alone = gap(seen[known], errors[known], max(1.0, effects["log_loss"].ratio))
        for way, found in enumerate([alone, replace(TONIGHT, effects=effects, earlier=past).pooled(alone)]):
            held[way] += found.low <= true[-1] <= found.high
            widths[way] += found.high - found.low
    return held / repeats, widths[1] / widths[0]


@pytest.mark.parametrize("known", [1, 2])
@pytest.mark.parametrize(("ratio", "drift"), [(1.15, 0.0), (1.15, 0.15), (1.05, 0.0)])
def test_the_pooled_interval_covers_the_gain_of_the_next_period(known, ratio, drift):
    """95 % ± 1.5 % where periods move as on the five streams that the prior is from (1,500 decisions: s.e. 0.6 points)."""
    (_, pooled), width = simulated(ratio, known, drift)

    assert 0.935 - 0.009 <= pooled <= 0.965 + 0.006
    assert width < 0.85


def test_where_gains_move_more_it_covers_as_often_as_tonight_alone():
    """Too little is known of such a stream by either."""
    (alone, pooled), width = simulated(1.4, 2)

    assert pooled == pytest.approx(alone, abs=0.025)
    assert width < 0.85


def test_what_a_verdict_records_is_read_by_later_ones(evidence, rules):
    """Tonight's gain alone, without the widening: it is pooled once."""
    effects = {name: PeriodEffect(1.5, 12) for name in ("log_loss", "roc_auc")}
    days = sorted(set(evidence.days[evidence.fresh]))
    series = Series("p", "c", "champion", days[0], days[-1], effects=effects)
    table, _ = compare(evidence, rules.gate.compare, effects, series=series)
    lines = gains_line(series.recorded("candidate", [row.tonight for row in table]))

    found = recorded_gains([lines])

    assert [(e.ours, e.theirs, e.metric, e.procedure) for e in found] == [
        ("candidate", "champion", name, "p") for name in ("log_loss", "roc_auc")
    ]
    first = found[0]
    assert first.error * math.sqrt(2) == pytest.approx(table[0].tonight.error)
    later = Series("p", "c", "champion", "2030-01-01", "2030-01-14", found, effects)
    proven = replace(rules.gate.compare, decide="proven")
    (again, _), findings = compare(evidence, proven, effects, series=later)
    assert (again.periods, again.tonight.value) == (1, table[0].tonight.value)
    assert "with one earlier period)" in findings[0].observed
    assert again.high - again.low < table[0].high - table[0].low


def test_a_gain_that_is_pooled_is_no_prior_knowledge_as_well():
    """The expected gain has a prior from earlier verdicts: their days must not be those of periods that count."""
    tonight = replace(TONIGHT, earlier=[earlier("2026-03-01", "2026-03-14")])

    assert tonight.counts("log_loss", "2026-03-10", "2026-03-23")
    assert not tonight.counts("log_loss", "2026-02-01", "2026-02-28")
    assert not tonight.counts("roc_auc", "2026-03-10", "2026-03-23")


def test_the_candidates_of_a_procedure_show_how_gains_move():
    """Like one model in successive periods; of nights that share days, one."""
    nights = [earlier(f"2026-03-{day:02}", f"2026-03-{day + 6:02}", float(day), 0.1) for day in (1, 2, 8, 9, 15)]

    assert [level.value for level in successive(nights, "c")["log_loss"][0]] == [1.0, 8.0, 15.0]


def test_the_report_says_what_counts():
    """The gain of these rows alone is not the one that decides."""
    row = Compared("log_loss", 0.4, 0.5, 0.41, 0.02, 0.01, 0.03, tonight=gap(0.01), periods=2)

    assert "over this champion, on two earlier periods; on these rows alone: log_loss +0.0100." in widened_note([row])
    assert "earlier" not in widened_note([replace(row, periods=0)])
    assert gain_over(replace(gap(), periods=2), "the champion").endswith(", with two earlier periods)")

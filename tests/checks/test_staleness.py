"""Staleness: read from a stored curve, and estimated from the gains that earlier verdicts recorded."""

import json

import numpy as np
import pytest

from checks.comparison.earlier_gains import gains_line
from checks.decision.age_ledger import AgedGain, recorded, staleness
from checks.decision.staleness import AgeLoss, Staleness, pooled, read_staleness
from contracts.thresholds import ConfigurationError

STORED = {
    "format": 1,
    "metric": "log_loss",
    "made": "2026-11-28",
    "nights": 30,
    "by_age": [
        {"age_days": 7, "loss": 0.400, "error": 0.0, "nights": 30},
        {"age_days": 14, "loss": 0.407, "error": 0.002, "nights": 29},
        {"age_days": 28, "loss": 0.414, "error": 0.004, "nights": 27},
    ],
}


def gains(rate, error, count, seed=0, spread=0.0, step=14):
    """A champion that stays while candidates come every *step* days."""
    random, days = np.random.default_rng(seed), np.datetime64("2026-01-01")
    return [
        AgedGain(
            "shop",
            "log_loss",
            str(days + step * n),
            str(days + step * n + 13),
            f"c{n}",
            float(7 * (1 + n % 4)),
            rate * 7 * (1 + n % 4) + random.normal(0, error) + random.normal(0, spread),
            error,
        )
        for n in range(count)
    ]


@pytest.mark.parametrize(
    ("days", "loss", "error"),
    [(0, 0, 0), (3.5, 0.0035, 0.001), (7, 0.007, 0.002), (14, 0.0105, 0.003), (21, 0.014, 0.004), (99, 0.014, 0.004)],
)
def test_the_loss_is_linear_between_known_ages_and_constant_beyond(days, loss, error):
    """By the difference in age: the first age has none."""
    found = Staleness.from_json(STORED)

    assert found.after(days) == pytest.approx((loss, error))
    assert found.after(-days) == pytest.approx((-loss, error))


def test_a_model_does_not_improve_with_age():
    """A curve that falls is a curve with errors."""
    assert Staleness("log_loss", (AgeLoss(7, -0.01, 0.02),)).after(7) == (0.0, 0.02)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        json.dumps(STORED | {"format": 2}),
        json.dumps(STORED | {"by_age": [{"age_days": 1}]}),
        json.dumps(STORED | {"by_age": 3}),
        json.dumps(STORED | {"by_age": [{"age_days": 1, "loss": float("nan"), "error": 0}]}),
        json.dumps(STORED | {"by_age": [{"age_days": 1, "loss": 1, "error": -1}]}),
        json.dumps(STORED | {"by_age": STORED["by_age"][:1] * 2}),
        "[" * 100_000,
    ],
)
def test_a_file_that_is_not_a_curve_is_refused_with_what_to_do(tmp_path, content):
    """Before anything is judged."""
    path = tmp_path / "staleness.json"
    path.write_text(content)

    with pytest.raises(ConfigurationError, match="make backtest"):
        read_staleness(path)


def test_no_file_is_no_knowledge(tmp_path):
    """Most repositories have none."""
    assert read_staleness(tmp_path / "staleness.json") is None


@pytest.mark.parametrize(("rate", "error"), [(0.001, 0.002), (0.0003, 0.001), (0.0, 0.002)])
def test_the_ledger_shows_the_rate_of_the_stream(rate, error):
    """Within three of its standard errors, which more verdicts make smaller."""
    few, many = (staleness(gains(rate, error, count, 3), "log_loss", 0.005) for count in (4, 40))
    (loss, of_loss), (_, of_few) = many.after(28), few.after(28)

    assert abs(loss - 28 * rate) <= 3 * of_loss
    assert of_loss < of_few
    assert many.source == "40 earlier verdicts"


@pytest.mark.parametrize(("rate", "outcome"), [(0.0, 0.00025), (-0.001, 0.0), (0.001, 0.001)])
def test_what_is_assumed_yields_to_the_streams_own_verdicts(rate, outcome):
    """Eight weeks outweigh it, also where age is harmless, or a retrain harms."""
    before = staleness([], "log_loss", 0.005, 0.0005)
    after = staleness(gains(rate, 0.002, 8, 3), "log_loss", 0.005, 0.0005)

    assert before.daily(7) == pytest.approx(0.0005)
    assert after.daily(7) == pytest.approx(outcome, abs=0.00025)
    assert after.after(7)[1] < before.after(7)[1]


def test_gains_that_scatter_widen_the_spread():
    """Beyond what their errors explain; it is never below the margin."""
    quiet, loud = (staleness(gains(0.001, 0.001, 40, spread=each), "log_loss", 0.005).spread for each in (0.0, 0.03))

    assert quiet == 0.005
    assert 0.02 < loud < 0.04


def test_days_that_were_compared_before_count_once():
    """Nightly verdicts share all days but one with the last one's."""
    apart, nightly = (staleness(gains(0.001, 0.002, 15, step=each), "log_loss", 0.005) for each in (14, 1))

    assert nightly.after(7)[1] > 2 * apart.after(7)[1]


def test_other_metrics_and_candidates_that_are_not_fresher_say_nothing():
    """A rollback may have an older candidate."""
    older = [AgedGain("shop", "log_loss", "2026-01-01", "2026-01-14", "c", 0.0, 0.1, 0.1)]

    assert staleness(older, "log_loss", 0.005).points == ()
    assert staleness(gains(0.001, 0.002, 4), "roc_auc", 0.005).points == ()


def test_what_is_recorded_is_read_back():
    """From the hidden line of a report."""
    given = gains(0.001, 0.002, 3)

    assert recorded([f"words\n{gains_line([], given)}\nmore", "none"]) == sorted(given)


@pytest.mark.parametrize(
    "line",
    [
        "<!-- gains {} -->",
        '<!-- gains {"ages": 3} -->',
        '<!-- gains {"ages": [3]} -->',
        '<!-- gains {"ages": [{"contract": "shop"}]} -->',
        '<!-- gains {"gains": []} -->',
        "<!-- gains {x} -->",
    ],
)
def test_lines_that_a_person_edited_are_skipped(line):
    """Release notes are text."""
    assert recorded([line]) == []


def test_two_sources_are_weighted_by_their_precision():
    """A backtest and a ledger."""
    sure, unsure = (Staleness("m", (AgeLoss(7, loss, error),), "x") for loss, error in ((0.01, 0.001), (0.03, 0.003)))

    assert pooled([sure, unsure, Staleness("m")]).after(7) == pytest.approx((0.012, 0.00094868), rel=1e-3)
    assert pooled([Staleness("m")]).points == ()


def test_a_regression_has_shares_of_the_champions_error():
    """The stored curve is in the metric's unit."""
    found = Staleness("mae", (AgeLoss(7, 2.0, 0.5),), "x").relative_to(50.0)

    assert found.after(7) == pytest.approx((0.04, 0.01))
    assert found.relative_to(0.0).points == ()

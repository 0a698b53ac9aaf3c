"""The simulated decisions: as on scored rows, and bounded where the truth is known."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bench.gate.decision_simulation import KNOWN, candidate, creeping
from bench.gate.gate_streams import made_up, scores
from bench.gate.paired_gains import DAYS, METRIC, decided, measured, realised, verdict
from checks.comparison.bootstrap import Blocks, measures, paired
from checks.comparison.gain_effect import PRIOR, widening
from checks.decision.expected_gain import Ages
from checks.decision.outlook import Outlook
from contracts.thresholds import read_rules

RULES = read_rules(Path(__file__).parents[2] / "checks/thresholds.toml").gate.compare


def test_normal_gains_are_decided_as_scored_rows_are():
    """Of 60 candidates on 14 days of made-up rows, within three standard errors of the share."""
    stream, random = made_up(DAYS, 150, seed=5), np.random.default_rng(6)
    rules, outlook = replace(RULES, draws=200), Outlook(Ages(7, 7), Ages(7, 7))
    gaps, values = [], []
    for each in range(60):
        pair = measures(METRIC, stream.truth, *(scores(stream.logit, noise, random) for noise in (0.3, 0.3)))
        blocks = Blocks(stream.day, stream.key, rules.draws, each)
        gaps.append(paired(METRIC, pair, blocks, 0.95, 3, widening({METRIC: PRIOR}, METRIC)))
        values.append(gaps[-1].value)
    error = float(np.std(values))
    real = np.mean([verdict(gap, rules, outlook) == "PASS" for gap in gaps])
    normal = decided(rules, "expected", error, float(np.mean(values)), None, 400, 1).promote

    assert abs(real - normal) <= 3 * np.sqrt(0.25 / 60 + 0.25 / 400)
    assert np.mean([gap.error for gap in gaps]) == pytest.approx(measured(0.0, error).error, rel=0.25)


@pytest.mark.parametrize(("error", "cost"), [(0.0025, 0.005), (0.0025, 0.012), (0.0055, 0.012), (0.011, 0.02)])
def test_a_candidate_with_a_fault_is_not_promoted(error, cost):
    """In 95 of 100 tries: a gain as measured is above 0 only by 1.65 standard errors of chance."""
    assert decided(RULES, "expected", error, -cost, None, 400, 3).promote <= 0.05


def test_acceptance_rises_with_the_gain_and_with_known_staleness():
    """For a comparison that is not precise."""
    shares = [decided(RULES, "expected", 0.0055, gain, None, 300, 4).promote for gain in (-0.01, 0.0, 0.01)]
    known = decided(RULES, "expected", 0.0055, 0.005, KNOWN, 300, 4)

    assert shares == sorted(shares)
    assert known.promote > decided(RULES, "expected", 0.0055, 0.005, None, 300, 4).promote
    assert known.promote > decided(RULES, "proven", 0.0055, 0.005, None, 300, 4).promote


@pytest.mark.parametrize("rule", ["expected", "proven"])
def test_small_losses_do_not_add_up_over_120_nights(rule):
    """With the anchor; without a rule they come to 0.072."""
    found = realised(RULES, rule, 0.0025, 0.0, nights=120, every=1, quality=creeping, runs=4, seed=9)

    assert found.most <= 0.010


@pytest.mark.parametrize(("daily", "error"), [(0.001, 0.011), (0.001, 0.0025)])
def test_on_a_stream_that_decays_expectation_serves_better_than_a_proof(daily, error):
    """And nearly as well as landing everything."""
    given = {"nights": 30, "every": 7, "quality": candidate, "runs": 8, "seed": 11}
    expected, proven, always = (
        realised(RULES, rule, error, daily, **given).loss for rule in ("expected", "proven", "always")
    )

    assert expected <= proven
    assert expected <= always + 0.0045

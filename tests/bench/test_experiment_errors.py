"""What measures experiments: its plan is the textbook's, its section stays where it is."""

from pathlib import Path

import numpy as np
import pytest

from bench.experiment_errors import LIFT, RATE, Site, _lift, _nothing, drawn, fixed_days, naive
from contracts.release_policy import Measures
from contracts.thresholds import read_rules

ROOT = Path(__file__).parents[2]


@pytest.fixture
def rules():
    from dataclasses import replace

    found = read_rules(ROOT / "checks/thresholds.toml").experiment
    return replace(found, binary=Measures("outcome", {"outcome": 0.002}))


def test_the_fixed_plan_is_the_textbooks():
    """16 times the variance by the squared difference is Lehr's rule for 80 % power, per arm."""
    site = Site(8000, 0.5, LIFT)
    rule = 16 * RATE * (1 - RATE) / (RATE * LIFT) ** 2 / (site.visitors / 2)

    assert fixed_days(site, 0.8) == pytest.approx(rule, rel=0.06)
    assert fixed_days(site, 0.95) > fixed_days(site, 0.8)


@pytest.mark.parametrize("features", [False, True])
def test_visitors_buy_as_often_as_stated(features):
    """Also where features predict which."""
    frame = drawn(Site(5000, 0.5, LIFT, features), 1).frame
    rates = frame.groupby("challenger")["outcome"].mean()

    assert rates[False] == pytest.approx(RATE, abs=0.003)
    assert rates[True] == pytest.approx(RATE * (1 + LIFT), abs=0.003)


def test_the_naive_test_is_the_usual_one():
    """Against its formula, on the last day."""
    frame = drawn(Site(100, 0.5), 3).frame
    arms = [frame["outcome"][frame["challenger"] == arm] for arm in (False, True)]
    noise = sum(arm.mean() * (1 - arm.mean()) / len(arm) for arm in arms)
    z = [*naive(frame)]

    assert len(z) == 60
    assert z[-1] == pytest.approx((arms[1].mean() - arms[0].mean()) / np.sqrt(noise))


def test_a_line_has_every_column(rules):
    """Shares, and days."""
    assert _nothing(Site(50, 0.5), 2, rules).count("|") == 8
    line = _lift(Site(400, 0.5, 1.0), 2, rules)
    assert line == "| 400, 50% | 100% | 14 | 14 | 1 | 2 |"

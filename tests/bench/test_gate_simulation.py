"""The simulations of the gate: small ones, on made-up rows."""

import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest

from bench.gate.acceptance import GAPS, SIZES, Accepted, acceptance
from bench.gate.acceptance_svg import draw
from bench.gate.cumulative_loss import DECAY, NIGHTS, RULES, creep
from bench.gate.gate_streams import made_up
from bench.gate.interval_coverage import Scene, coverage
from contracts.thresholds import read_rules


@pytest.fixture(scope="module")
def compare(root):
    rules = read_rules(root / "checks/thresholds.toml").gate.compare
    return replace(rules, draws=200)


@pytest.fixture(scope="module")
def stream():
    return made_up(days=60, rows=150)


def test_noise_makes_the_area_that_is_asked_for(stream):
    """There and back."""
    area = stream.area(0.5)

    assert stream.area(0.2) > area > stream.area(1.5)
    assert stream.area(stream.noise(area)) == pytest.approx(area, abs=1e-6)


def test_a_much_worse_candidate_is_never_promoted_and_shares_add_up(stream, compare):
    """PROMOTE, HOLD and REJECT are all there is."""
    found = acceptance(stream, 1_000, -0.03, compare, 20)

    assert found.promote == 0
    assert found.promote + found.hold + found.reject == pytest.approx(1)
    assert found.at_least <= found.tolerance


def test_whoever_looks_no_further_than_last_night_loses_more_than_with_the_anchor(stream, compare):
    """Over all the nights."""
    loose, firm = (creep(stream, way, compare, 1) for way in (RULES[1], RULES[3]))

    assert 0 <= firm.mean < loose.mean <= NIGHTS * DECAY


def test_an_interval_holds_the_truth_most_of_the_time(compare):
    """How often exactly is in BENCHMARKS.md."""
    found = coverage(Scene("few", 8, 40), "log_loss", compare, 60)

    assert 0.8 <= found.share <= 1
    assert found.width > 0


def test_the_curves_are_a_picture_by_themselves():
    """Well-formed, a line for each way and number of rows, distinguished without colour."""
    points = [Accepted("flights", rows, gap, 0.5, 0.7, 0.2, 0.7, 0.1, 10) for rows in SIZES for gap in GAPS]
    drawn = draw(points, 0.01)
    lines = [e for e in ET.fromstring(drawn).iter() if e.get("class", "").startswith("line")]

    assert len(lines) == 3 + 3 * len(SIZES)
    assert len({e.get("class") for e in lines}) == 3
    assert "prefers-color-scheme: dark" in drawn
    assert "href" not in drawn

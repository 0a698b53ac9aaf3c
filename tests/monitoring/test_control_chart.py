"""The charts against published tables of run lengths."""

import numpy as np
import pytest

from monitoring.charts.control_chart import CLIP, ewma, ewma_run_length, shewhart_run_length


@pytest.mark.parametrize(
    ("shift", "published"), [(0, 370.4), (0.5, 155.2), (1.0, 43.9), (1.5, 15.0), (2.0, 6.30), (3.0, 2.00)]
)
def test_shewharts_run_lengths_are_the_published_ones(shift, published):
    """Three standard deviations, both sides: Montgomery, Statistical Quality Control, chapter 6."""
    assert shewhart_run_length(3, shift) == pytest.approx(published, rel=0.005)


@pytest.mark.parametrize(
    ("weight", "limit", "published"),
    [
        # weight, limit, then the mean run length at shifts of 0, 0.25, 0.5, 0.75, 1, 1.5, 2, 3
        (0.40, 3.054, (500, 224, 71.2, 28.4, 14.3, 5.9, 3.5, 2.0)),
        (0.25, 2.998, (500, 170, 48.2, 20.1, 11.1, 5.5, 3.6, 2.3)),
        (0.20, 2.962, (500, 150, 41.8, 18.2, 10.5, 5.5, 3.7, 2.4)),
        (0.10, 2.814, (500, 106, 31.3, 15.9, 10.3, 6.1, 4.4, 2.9)),
        (0.05, 2.615, (500, 84.1, 28.8, 16.4, 11.4, 7.1, 5.2, 3.5)),
    ],
)
def test_the_ewmas_run_lengths_are_the_published_ones(weight, limit, published):
    """Lucas and Saccucci (1990), Technometrics 32, table 3; as in Montgomery's table 9.11."""
    shifts = (0, 0.25, 0.5, 0.75, 1, 1.5, 2, 3)
    found = [ewma_run_length(weight, limit, shift) for shift in shifts]

    assert found == pytest.approx(published, rel=0.02, abs=0.06)


def test_an_ewma_of_weight_one_is_shewharts_chart():
    """Only the day counts."""
    assert ewma_run_length(1.0, 3.0) == pytest.approx(370.4, rel=0.001)


def test_the_charts_run_as_long_as_their_theory_says():
    """Simulated, with the code that the watch runs: weight 0.2, limit 2 of the level's deviations."""
    values = np.random.default_rng(1).normal(size=(4000, 600, 1))
    limit = 2.0 * np.sqrt(0.2 / 1.8)
    beyond = np.abs(ewma(values, 0.2))[..., 0] > limit
    assert beyond.any(axis=1).all()

    assert (beyond.argmax(axis=1) + 1).mean() == pytest.approx(ewma_run_length(0.2, 2.0), rel=0.05)


def test_a_day_without_a_value_is_no_verdict():
    """The level waits; it is neither pulled to the mean nor carried on."""
    levels = ewma(np.array([[2.0], [np.nan], [2.0]]), 0.5)

    assert levels[:, 0].tolist() == [1.0, 1.0, 1.5]


def test_one_wild_day_does_not_carry_the_level_off():
    """A thousand deviations count as four."""
    assert ewma(np.array([[1000.0]]), 0.5)[0, 0] == CLIP / 2

"""The charts against published tables of run lengths."""

import numpy as np
import pytest

from monitoring.charts.control_chart import CLIP, ewma


@pytest.mark.parametrize(
    ("weight", "limit", "published"),
    [
        # weight, limit in the level's deviations, then the mean run length at shifts of 0.5, 0.75, 1 and 1.5
        (0.40, 3.054, (71.2, 28.4, 14.3, 5.9)),
        (0.25, 2.998, (48.2, 20.1, 11.1, 5.5)),
        (0.20, 2.962, (41.8, 18.2, 10.5, 5.5)),
        (0.10, 2.814, (31.3, 15.9, 10.3, 6.1)),
        (0.05, 2.615, (28.8, 16.4, 11.4, 7.1)),
    ],
)
def test_an_ewma_runs_as_long_as_published_tables_say(weight, limit, published):
    """Simulated independent Gaussian days; Lucas and Saccucci (1990), Technometrics 32, table 3."""
    values = np.random.default_rng(1).normal((0.5, 0.75, 1, 1.5), size=(2000, 800, 4))
    beyond = np.abs(ewma(values, weight)) > limit * np.sqrt(weight / (2 - weight))
    assert beyond.any(axis=1).all()

    assert (beyond.argmax(axis=1) + 1).mean(axis=0) == pytest.approx(published, rel=0.06)


def test_a_day_without_a_value_is_no_verdict():
    """The level waits; it is neither pulled to the mean nor carried on."""
    levels = ewma(np.array([[2.0], [np.nan], [2.0]]), 0.5)

    assert levels[:, 0].tolist() == [1.0, 1.0, 1.5]


def test_one_wild_day_does_not_carry_the_level_off():
    """A thousand deviations count as four."""
    assert ewma(np.array([[1000.0]]), 0.5)[0, 0] == CLIP / 2

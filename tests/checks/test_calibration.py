"""Calibration: predicted against observed, by hand."""

import numpy as np
import pytest

from checks.comparison.calibration import reliability
from checks.comparison.weighted_metrics import METRICS

TRUTH, SCORES = np.array([0, 0, 1, 0.0]), np.array([0.1, 0.1, 0.8, 0.8])


def test_calibration_error_is_the_published_one():
    """Ten bins of two rows: |0.1-0| in five and |0.8-0.5| in five (Naeini et al. 2015, section 3)."""
    assert METRICS["ece"](np.tile(TRUTH, 5), np.tile(SCORES, 5))() == pytest.approx(0.2)
    assert METRICS["ece"](np.array([0.0, 1]), np.eye(2))() == 0


def test_bins_hold_equally_many_rows_the_least_likely_first():
    """And none is empty, however few rows there are."""
    assert reliability(TRUTH, SCORES, 2) == [(pytest.approx(0.1), 0.0, 2), (pytest.approx(0.8), 0.5, 2)]
    assert [rows for *_, rows in reliability(TRUTH, SCORES, 10)] == [1, 1, 1, 1]

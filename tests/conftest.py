"""What every test may ask for: the recipes and bundles beside the tests."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# Before anything loads OpenMP, here and in what tests start. Tests share the cores with each other, and
# threads that wait for a core that is taken spin: a small boosting took two to five times as long.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# Machines are shared and noisy: how long an example takes says nothing.
settings.register_profile("shared", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared")

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def recipes():
    """Folder of the small recipes: buys (binary), tariff (multiclass), basket (regression)."""
    return HERE / "recipes"


@pytest.fixture(scope="session")
def root():
    """The repository."""
    return HERE.parent

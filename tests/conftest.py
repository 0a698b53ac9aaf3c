"""What every test may ask for: the recipes and bundles beside the tests."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

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

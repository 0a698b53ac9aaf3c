"""The forge under test: every implementation goes through the same tests."""

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from forge.local import LocalForge

BUNDLES = Path(__file__).parents[1] / "bundles/format-1/binary"


class Clock:
    """A second passes at every look."""

    def __init__(self):
        self.now = datetime(2026, 3, 1, tzinfo=UTC)

    def __call__(self):
        self.now += timedelta(seconds=1)
        return self.now


@pytest.fixture(params=[LocalForge])
def forge(request, tmp_path):
    return request.param(tmp_path / "forge", Clock())


@pytest.fixture(scope="session")
def bundles():
    """Two bundles, the older first."""
    return sorted(BUNDLES.iterdir())


@pytest.fixture
def bundle(bundles, tmp_path):
    """A copy that a test may spoil."""
    return Path(shutil.copytree(bundles[0], tmp_path / "spoilt" / bundles[0].name))

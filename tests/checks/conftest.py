"""Bundles as evidence. These tests run in the gate's own environment."""

from pathlib import Path

import pytest

from checks.evidence import gather, load_bundle
from contracts.thresholds import read_rules

FORMAT_1 = Path(__file__).parents[1] / "bundles/format-1"


@pytest.fixture(scope="session")
def bundles():
    """The binary recipe's, the older first."""
    return sorted((FORMAT_1 / "binary").iterdir())


@pytest.fixture(scope="session")
def by_task():
    return {task: min((FORMAT_1 / task).iterdir()) for task in ("binary", "multiclass", "regression")}


@pytest.fixture(scope="session")
def rules(root):
    return read_rules(root / "checks/thresholds.toml")


@pytest.fixture(scope="session")
def evidence(bundles):
    """The newer against the older."""
    old, new = (load_bundle(bundle) for bundle in bundles)
    return gather(new, old)

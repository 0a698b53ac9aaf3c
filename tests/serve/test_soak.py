"""A quarter of a minute at full load, with swaps, kills and outcomes; at the end all is killed."""

import json

import pytest

from bench.scorer.soak import Soak, soak

pytestmark = pytest.mark.slow


@pytest.mark.timeout(120)
def test_nothing_acknowledged_is_lost_and_no_answer_is_of_another_version(tmp_path, bundles):
    """`make soak` is the long one: five minutes."""
    rows = json.loads((bundles[0] / "manifest.json").read_text())["golden"]["rows"]
    said = []
    found = soak(Soak(tmp_path, list(bundles), rows, 15), said.append)

    assert found.problems() == []
    assert found.books.answers > 100
    assert found.books.outcomes > 10
    assert found.swaps > 5
    assert found.kills

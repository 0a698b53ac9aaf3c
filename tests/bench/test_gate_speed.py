"""The gate's speed in BENCHMARKS.md: what was taken, beside what may be."""

from bench.gate.gate_speed import GOALS, Taken, section


def test_a_row_for_each_size_with_its_goal():
    """Rows trained on and held back, and features; a size without a goal has none."""
    taken = [Taken(120_000, 31.4, 24.2, "PROMOTE"), Taken(600, 9.0, 8.0, "HOLD"), Taken(600, 50.0, 60.0, "HOLD", 320)]
    words = section(taken, "today")

    assert "| 100,000, 20,000 | 12 | 31 | 24 | 120 s | PROMOTE |" in words
    assert "| 500, 100 | 12 | 9 | 8 |  | HOLD |" in words
    assert "| 500, 100 | 320 | 50 | 60 | 120 s | HOLD |" in words
    assert GOALS[1_200_000] <= 2 * GOALS[120_000]

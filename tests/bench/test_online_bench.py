"""The benchmark of online corrections, on little."""

import numpy as np

from bench.online.hourly_run import run
from bench.online.scored_rows import generated, poisoned


def test_a_jump_is_corrected_and_no_row_is_left_out():
    found = run(generated(1, days=4, rows=40, jump=2.0))

    assert found.loss(found.always).mean() < found.loss(found.rows.scores).mean()
    assert found.largest <= 1 + 1e-9
    assert found.refused == {}
    assert set(np.flatnonzero(found.served != found.rows.scores)) <= set(
        np.flatnonzero(found.always != found.rows.scores)
    )


def test_an_hour_of_one_class_is_refused_and_counted():
    found = run(poisoned(generated(2, days=2, rows=40), 24, np.ones_like))

    assert sum(found.refused.values()) == 40


def test_outcomes_of_one_hour_are_poisoned():
    rows = generated(3, days=2, rows=40)

    changed = poisoned(rows, 24, lambda y: 1 - y).outcomes != rows.outcomes

    assert changed.sum() == 40
    assert np.ptp(rows.known[changed]) < np.timedelta64(1, "h")

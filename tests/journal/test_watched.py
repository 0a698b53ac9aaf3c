"""The watch reads a journal in a bucket as it reads one in a folder."""

from datetime import date

import pandas as pd
import pytest

from archive.upload import Shipping
from monitoring.journal.remote_files import journal_at
from monitoring.journal.window import read_window
from tests.monitoring.conftest import answered, made, reading, write  # noqa: F401 -- made is a fixture

pytestmark = pytest.mark.slow

MONDAY = date(2026, 2, 23)


def test_a_window_is_read_from_a_bucket(made, bucket, tmp_path):  # noqa: F811
    """Its columns by DuckDB, where they lie; the day is kept here, and not asked for again."""
    buys = made("binary")
    journal, kept = tmp_path / "j", tmp_path / "kept"
    before = read_window(write(journal, *answered(buys, MONDAY, 2)), reading(buys), 21)
    Shipping(journal, f"{bucket}/journal").once()
    with journal_at(f"{bucket}/journal") as place:
        after = read_window(place, reading(buys, folder=kept), 21)
        again = read_window(place, reading(buys, folder=kept), 21)

    for other in (after, again):
        pd.testing.assert_frame_equal(before.rows, other.rows)
        pd.testing.assert_frame_equal(before.counts, other.counts, check_dtype=False)
        assert before.oddities == other.oddities

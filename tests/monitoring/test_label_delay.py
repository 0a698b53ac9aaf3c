"""Outcomes that come late: which count, how many came, and what they say of the estimate."""

import numpy as np
import pandas as pd
import pytest

from contracts.row_contract import Contract, Feature, Target
from monitoring.charts.signals import Signal
from monitoring.metrics.label_delay import bias, estimate_errors, mature

CONTRACT = Contract(
    "t", "binary", (Feature("place", "category"),), Target("y", (False, True)), "k", "at", slices=("place",)
)


def rows(days=5, a_day=4, **columns):
    """Rows of *days* days from 1 January, without outcomes unless *columns* say so."""
    at = pd.date_range("2026-01-01", periods=days * a_day, freq=f"{24 // a_day}h", tz="UTC")
    found = {"at": at, "place": ["a", "b"] * (days * a_day // 2), "score": 0.25, "y": np.nan}
    return pd.DataFrame(found | columns)


@pytest.mark.parametrize(("wait", "days"), [(0, 5), (1, 4), (2, 3), (5, 0)])
def test_only_mature_days_count(wait, days):
    """With a wait of none, every day does."""
    assert mature(rows(), CONTRACT, wait)["at"].dt.day.nunique() == days


def test_no_label_yet_is_never_a_negative():
    """The mean observed is that of what is known."""
    frame = rows(days=1, y=[1.0, np.nan, np.nan, np.nan]).dropna(subset=["y"])

    assert bias(frame, CONTRACT, 1, 1)[0].value == pytest.approx(0.25 - 1.0)


def test_bias_is_reported_by_slice_where_rows_suffice():
    """A slice's day with fewer rows has no verdict."""
    found = bias(rows(days=1, y=[1.0, 0.0, 1.0, 0.0]), CONTRACT, 1, 2)

    assert {each.feature: each.value for each in found} == pytest.approx({"": -0.25, "place=a": -0.75, "place=b": 0.25})
    assert [each.feature for each in bias(rows(days=1, y=0.0), CONTRACT, 1, 3)] == [""]


def leaning(scores, y):
    """The bias by score of one day."""
    found = bias(rows(days=1, score=scores, y=y), CONTRACT, 1, 1)
    return [each.value for each in found if each.metric == "share_by_score"]


def test_bias_that_grows_with_the_score_is_reported():
    """Scores that promise twice the difference that outcomes have are off by half of it on either side."""
    promised = np.tile([0.25, 0.75], 2)

    assert leaning([0.0, 0.0, 1.0, 1.0], [0.0, 1.0, 0.0, 1.0]) == pytest.approx([0.5])
    assert leaning(promised, promised) == pytest.approx([0.0])
    assert leaning(promised - 0.1, promised) == pytest.approx([0.0])  # all alike: that is bias alone
    assert leaning(0.25, [1.0, 0.0, 1.0, 0.0]) == []


def test_the_estimate_is_held_against_what_was_realised_later():
    """On the days where both are known, in words."""

    def signal(kind, day, value):
        return Signal(kind, "accuracy", "", f"2026-01-0{day}", value, 0.8, 0.7, None, 100)

    estimated = [signal("estimated_performance", day, 0.8) for day in (1, 2, 3)]
    realised = [signal("realised_performance", 1, 0.7), signal("realised_performance", 2, 0.82)]
    (found,) = estimate_errors(estimated + realised)

    assert str(found) == ("accuracy: mean absolute error 0.060, mean error +0.040, on 2 days whose outcomes are known")
    assert estimate_errors(estimated) == []

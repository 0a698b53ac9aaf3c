"""The benchmark of late outcomes: which rows judge a model, and streams whose delays are the same in each load."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from bench.delay.delay_bench import METHODS, lines
from bench.delay.evaluation_coverage import CANDIDATES, coverage
from bench.delay.evaluation_coverage import METHODS as HOLDOUTS
from bench.delay.late_streams import orders

END = datetime(2025, 3, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def found():
    return {(each.candidate, each.way): each for each in coverage(60, 0)}


def test_an_imputed_holdout_prefers_the_model_that_agrees_with_the_imputation(found):
    """Whatever the truth; and the outcomes known so far prefer the model that was trained on them."""
    equal, early = CANDIDATES

    assert found[equal, "imputed by a model like the candidate"].bias > 0.1
    assert found[equal, "imputed by a model like the champion"].bias < -0.1
    assert found[early, "known so far"].bias > 0.1
    assert found[early, "known so far"].share < 0.1


@pytest.mark.parametrize("candidate", CANDIDATES)
def test_rows_whose_outcomes_are_known_prefer_none(found, candidate):
    """Up to the few that are still missing."""
    each = found[candidate, HOLDOUTS[-1]]

    assert abs(each.bias) < 0.02
    assert each.share > 0.85


def test_generated_delays_are_the_same_in_each_load():
    """Longer for the class that is not the event, and where the price is high; none in the stream without delay."""
    stream = orders(10)
    name, time = stream.contract.target.name, stream.contract.time
    long = stream.load(END - timedelta(days=60), END)
    short = stream.load(END - timedelta(days=30), END)
    days = (long["known_at"] - long[time]) / pd.Timedelta(days=1)

    both = long.merge(short, on=stream.contract.key)
    assert (both["known_at_x"] == both["known_at_y"]).all()
    assert days[~long[name]].mean() > 2 * days[long[name]].mean()
    none = orders(0).load(END - timedelta(days=2), END)
    assert (none["known_at"] - none[time]).max() <= timedelta(seconds=1)


def test_the_table_has_standard_errors_by_night():
    """Of the difference to all outcomes at once."""
    nights = [(np.array([0, 1]), np.array([0.4, 0.6])), (np.array([0, 1]), np.array([0.2, 0.8]))]
    sure = [(truth, np.where(truth == 1, 0.9, 0.1)) for truth, _ in nights]

    written = lines("a stream", {METHODS[0]: nights, METHODS[-1]: sure})

    assert written[0] == "| a stream | known so far | 0.367 | 1.000 | +0.262 ± 0.144 |"
    assert written[1].endswith("| 0.105 | 1.000 |  |")

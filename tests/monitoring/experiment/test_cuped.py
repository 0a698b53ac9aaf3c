"""What the features foretold is taken out, and nothing else: by simulation."""

import numpy as np
import pandas as pd
import pytest

from contracts.row_contract import Feature
from monitoring.experiment.confidence_sequences import confidence_sequence, tuned
from monitoring.experiment.cuped import CHUNK, Adjustment, encode, feature_codes
from tests.monitoring.experiment.conftest import by_day

ALPHA, DAYS = 0.05, 30


def differences(value, challenger, day, chance, features):
    """What each unit says, and the share of the variance that the features took away."""
    seen = Adjustment(features.shape[1], 1)
    gains, plain = np.zeros(len(value)), np.zeros(len(value))
    for each in np.unique(day):
        now = day == each
        found = seen.day(value[now, None], challenger[now], chance, lambda some, now=now: features[now][some])
        gains[now], plain[now] = (values[:, 0] for values in found)
    return gains, 1 - gains.var() / plain.var() if plain.var() > 0 else 0.0


def drawn(seed, chance, units, gain=0.0):
    """Units of which two features explain about a third."""
    rng, count = np.random.default_rng(seed), units * DAYS
    features = rng.normal(size=(count, 3))
    challenger = (rng.random(count) < chance).astype(float)
    value = np.exp(features[:, 0] / 2) + features[:, 1] / 2 + rng.exponential(size=count)
    return value + gain * challenger, challenger, np.repeat(np.arange(DAYS), units), features


@pytest.mark.parametrize(("chance", "units", "gain"), [(0.5, 60, 0.0), (0.1, 200, 0.3)])
def test_thirty_looks_miss_the_gain_no_more_often_than_stated(chance, units, gain):
    """Adjusted, with arms of different sizes, with a gain and without."""
    runs, missed, means = 100, 0, []
    for seed in range(runs):
        value, challenger, day, features = drawn(seed, chance, units, gain)
        gains, _ = differences(value, challenger, day, chance, features)
        days = by_day(gains, day, DAYS)
        found = confidence_sequence(days, ALPHA, tuned(14 * units, ALPHA), 100 / min(chance, 1 - chance))
        missed += bool(((found.low > gain) | (found.high < gain)).any())
        means.append(found.mean[-1])

    assert missed / runs <= ALPHA + 3 * (ALPHA * (1 - ALPHA) / runs) ** 0.5
    assert np.mean(means) == pytest.approx(gain, abs=4 * np.std(means) / runs**0.5)


def test_features_that_foretell_make_it_narrower():
    """By their share of the variance, less what learning it costs."""
    value, challenger, day, features = drawn(0, 0.5, 200)
    _, saved = differences(value, challenger, day, 0.5, features)

    assert 0.25 < saved < 0.45


def test_features_that_foretell_nothing_cost_nothing():
    """Then the mean of the days before is what is foretold."""
    rng = np.random.default_rng(0)
    value, challenger, day, features = drawn(0, 0.5, 200)
    _, noise = differences(rng.permutation(value), challenger, day, 0.5, features)
    _, none = differences(rng.permutation(value), challenger, day, 0.5, features[:, :0])

    assert noise < 0.01
    assert none == 0.0


def test_what_was_reported_is_never_changed():
    """A later day changes nothing about an earlier one, or the looks before would not count."""
    value, challenger, day, features = drawn(3, 0.3, 100)
    whole, _ = differences(value, challenger, day, 0.3, features)
    for days in (1, 2, 10, 33):
        early = slice(0, days * 100)
        found, _ = differences(value[early], challenger[early], day[early], 0.3, features[early])
        assert found == pytest.approx(whole[early])


def test_one_arm_alone_is_no_error():
    """Before the first unit of the challenger."""
    gains, _ = differences(np.ones(50), np.zeros(50), np.arange(50) // 10, 0.5, np.ones((50, 1)))

    assert np.isfinite(gains).all()


def test_columns_are_coded_by_the_first_day():
    """Numbers, missing ones, categories; a level that comes later has no column."""
    frame = pd.DataFrame(
        {
            "row.pages": [*range(60), 59, 1000, None],
            "row.device": ["phone"] * 30 + ["desk"] * 20 + ["watch"] * 10 + ["tv", "desk", None],
            "row.member": [True, False] * 30 + [True, True, None],
            "row.same": [7.0] * 63,
            "row.wind": [None] * 20 + [1, 2] * 20 + [1.0, None, 2.0],
        }
    ).astype({"row.member": object, "row.wind": object})
    kinds = {"pages": "number", "device": "category", "member": "boolean", "same": "number"}
    features = [Feature(name, kind) for name, kind in (kinds | {"wind": "number"}).items()]
    how = feature_codes(frame[:60], features)
    found = encode(frame, how)

    assert found.shape == (63, 1 + 2 + 1 + 2)  # "same" has no information; "wind" is missing at times
    assert np.abs(found).max() == 5.0
    assert found[60, 1:3].tolist() == [0.0, 0.0]
    assert found[61, -2:].tolist() == [0.0, 1.0]
    assert encode(frame, []).shape == (63, 0)


def test_a_large_day_is_looked_at_in_lots():
    """Its columns would not fit into memory at once; the result is the same."""
    rng = np.random.default_rng(0)
    features, challenger = rng.normal(size=(CHUNK + 7, 2)), rng.integers(0, 2, CHUNK + 7)
    value = features[:, :1] + rng.normal(size=(CHUNK + 7, 1))
    found = Adjustment(2, 1)
    found.day(value, challenger, 0.5, lambda some: features[some])
    columns = np.column_stack([np.ones(len(value)), features, challenger])

    assert found.gram == pytest.approx(columns.T @ columns)
    assert found.moment == pytest.approx(columns.T @ value)


@pytest.mark.parametrize("constant", [0.1, 0.00046, 1.463])
def test_a_constant_number_is_no_covariate(constant):
    """Whose standard deviation is not 0 where its mean is rounded."""
    first = pd.DataFrame({"row.much": np.arange(999.0), "row.same": constant})
    features = [Feature("much", "number"), Feature("same", "number")]

    assert [code.name for code in feature_codes(first, features)] == ["row.much"]

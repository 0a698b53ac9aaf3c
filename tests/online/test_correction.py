"""A correction is a small file whose effect is limited, and the same on every machine."""

import json
import math

import numpy as np
import pytest

from online.correction import Correction, slice_value
from online.portable_math import exp, exps, log, logs

GIVEN = {
    "version": "20260301T0300-0123456789ab",
    "made": "2026-03-01T04:00:00Z",
    "until": "2026-03-01T04:00:00Z",
    "state": "applied",
    "why": "",
    "max_shift": 1.0,
}
BINARY = Correction(
    task="binary", intercept=0.2, slope=-0.1, slices={"origin": {"EWR": 0.4, "": -0.3}, "wet": {"true": 0.1}}, **GIVEN
)
NUMBER = Correction(
    task="regression", intercept=0.2, slope=0.1, center=100.0, scale=50.0, slices={"wet": {"true": -0.5}}, **GIVEN
)
CLASSES = Correction(task="multiclass", slope=0.1, biases=(0.3, 0.0, -0.2), **GIVEN)


def test_logarithm_and_exponential_are_near_those_of_the_library_and_equal_alone_and_together():
    x = np.concatenate([np.linspace(-40, 40, 5001), [-700.0, 700.0, 0.0]])
    p = np.concatenate([np.logspace(-300, 300, 5001), np.linspace(0.5, 2, 5001)])

    assert exps(x).tolist() == [exp(each) for each in x.tolist()]
    assert logs(p).tolist() == [log(each) for each in p.tolist()]
    assert [exp(each) for each in x.tolist()] == pytest.approx([math.exp(each) for each in x], rel=1e-15)
    assert [log(each) for each in p.tolist()] == pytest.approx([math.log(each) for each in p], rel=1e-15, abs=1e-16)
    assert exp(1e9) < math.inf
    assert exp(-1e9) > 0


@pytest.mark.parametrize(
    ("bits", "found"),
    [("3fd5f3d9ff2404c6", exp(-1.07)), ("bff2bd2a5db2fda2", log(0.31)), ("402d1532d9b8ac37", exp(2.677))],
)
def test_their_bits_are_these_on_every_machine(bits, found):
    assert np.float64(found).tobytes()[::-1].hex() == bits


def test_a_score_moves_by_the_sum_of_the_terms_on_the_logit():
    shift = 0.2 - 0.1 * math.log(0.3 / 0.7) + 0.4 + 0.1

    found = BINARY.correct([0.3], {"origin": ["EWR"], "wet": [True]})[0]

    assert math.log(found / (1 - found)) == pytest.approx(math.log(0.3 / 0.7) + shift)


def test_a_regression_moves_in_deviations_of_the_target():
    assert NUMBER.correct([150.0], {"wet": [True]}).tolist() == pytest.approx([150 + 50 * (0.2 + 0.1 - 0.5)])


def test_a_class_moves_by_its_bias_and_the_temperature():
    p = np.array([0.2, 0.5, 0.3])
    expected = np.exp(1.1 * np.log(p) + [0.3, 0.0, -0.2])

    assert CLASSES.correct([p], {})[0] == pytest.approx(expected / expected.sum())


@pytest.mark.parametrize("correction", [BINARY, NUMBER, CLASSES], ids=["binary", "regression", "multiclass"])
def test_alone_and_together_give_the_same_bits(correction):
    draw = np.random.default_rng(1)
    n = 400
    scores = draw.dirichlet([1, 1, 1], n) if correction is CLASSES else draw.random(n).astype(np.float32).astype(float)
    columns = {
        "origin": [["EWR", "JFK", None][i % 3] for i in range(n)],
        "wet": [[True, False, None][i % 3] for i in range(n)],
    }

    together = correction.correct(scores, columns)
    alone = [correction.correct(scores[i : i + 1], {k: v[i : i + 1] for k, v in columns.items()})[0] for i in range(n)]

    assert np.array(alone).tobytes() == together.tobytes()


@pytest.mark.parametrize("by", [-50.0, 50.0])
@pytest.mark.parametrize("slope", [-0.9, 0.0, 9.0])
@pytest.mark.parametrize("n", [1, 100])
def test_no_answer_moves_by_more_than_the_limit(by, slope, n):
    p = np.linspace(1e-9, 1 - 1e-9, n)
    binary = Correction(task="binary", intercept=by, slope=slope, **GIVEN)
    number = Correction(task="regression", intercept=by, slope=slope, scale=50.0, **GIVEN)
    classes = Correction(task="multiclass", slope=slope, biases=(by, 0.0, 7.0), **GIVEN)
    three = np.stack([0.6 * p, 0.4 * p, 1 - p], axis=1)

    moved = binary.correct(p, {})
    odds = classes.correct(three, {}) / three

    assert np.abs(np.log(moved / (1 - moved)) - np.log(p / (1 - p))).max() <= 1 + 1e-6
    assert np.abs(number.correct(p, {}) - p).max() <= 50
    assert (odds.max(axis=1) / odds.min(axis=1)).max() <= math.e * (1 + 1e-6)
    assert classes.correct(three, {}).sum(axis=1) == pytest.approx(np.ones(n))


@pytest.mark.parametrize("score", [0.0, 1.0, float(np.float32(1e-38))])
def test_a_score_at_the_edge_stays_a_probability(score):
    assert 0 <= BINARY.correct([score], {})[0] <= 1


def test_terms_of_zero_change_no_bit():
    p = np.random.default_rng(2).random(100)
    none = [Correction(task="binary", **GIVEN), Correction(task="regression", **GIVEN)]

    assert all(each.correct(p, {}).tobytes() == p.tobytes() for each in none)
    three = np.random.default_rng(2).dirichlet([1, 1, 1], 50)
    assert (
        Correction(task="multiclass", biases=(0.0, 0.0, 0.0), **GIVEN).correct(three, {}).tobytes() == three.tobytes()
    )


@pytest.mark.parametrize("score", [1e-12, 0.02, 0.5, 0.97])
def test_an_explanation_sums_to_what_was_answered(score):
    strong = Correction(task="binary", intercept=0.9, slope=0.3, slices={"origin": {"EWR": 0.4}}, **GIVEN)
    total = sum(amount for _, amount in strong.explain(score, {"origin": "EWR"}))
    z = math.log(score / (1 - score))

    assert strong.correct([score], {"origin": ["EWR"]})[0] == pytest.approx(1 / (1 + math.exp(-z - total)))
    assert [term for term, _ in strong.explain(score, {"origin": "EWR"})] == [
        "intercept",
        "slope",
        "origin=EWR",
        "limit",
    ]


@pytest.mark.parametrize("correction", [BINARY, NUMBER, CLASSES], ids=["binary", "regression", "multiclass"])
def test_what_is_written_is_read(correction):
    assert Correction.from_json(json.loads(correction.to_bytes())) == correction
    assert Correction.from_json(correction.to_json()).to_bytes() == correction.to_bytes()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"format": 2}, "format 2"),
        ({"version": None}, "version should be text"),
        ({"task": "ranking"}, "task 'ranking'"),
        ({"state": "on"}, "state 'on'"),
        ({"made": "yesterday"}, "made should be a time"),
        ({"max_shift": float("nan")}, "max_shift is nan"),
        ({"max_shift": -1.0}, "0 or more"),
        ({"scale": 0.0}, "above 0"),
        ({"terms": []}, "terms should be an object"),
        ({"terms": {"slope": float("inf")}}, "slope is inf"),
        ({"terms": {"slope": 0.0, "intercept": 0.0, "slices": {"origin": 1}}}, "slices should be"),
        ({"terms": {"slope": 0.0, "intercept": 0.0, "slices": {"origin": {"EWR": True}}}}, "origin=EWR is True"),
        ({"max_shift": 2.0}, "was edited"),
        ({"digest": "0" * 12}, "was edited"),
    ],
)
def test_another_file_is_refused_with_a_sentence(change, says):
    with pytest.raises(ValueError, match=says):
        Correction.from_json({**BINARY.to_json(), **change})


@pytest.mark.parametrize("data", [None, [], "x", 3])
def test_what_is_no_object_is_refused(data):
    with pytest.raises(ValueError, match="a correction is an object"):
        Correction.from_json(data)


def test_the_digest_covers_the_effect_and_nothing_else():
    later = Correction.from_json({**BINARY.to_json(), "made": "2026-03-02T00:00:00Z", "state": "fallback"})

    assert later.digest == BINARY.digest
    assert Correction(task="binary", intercept=0.1, **GIVEN).digest != Correction(task="binary", **GIVEN).digest


@pytest.mark.parametrize(("value", "key"), [("EWR", "EWR"), (True, "true"), (False, "false"), (None, "")])
def test_a_value_is_the_key_of_its_term(value, key):
    assert slice_value(value) == key

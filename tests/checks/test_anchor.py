"""The anchor: it holds and rejects by the estimate, and small losses do not add up."""

import numpy as np
import pytest

from checks.comparison.anchor import over_anchor
from checks.comparison.bootstrap import Gap
from checks.decision.proven_findings import finding

MARGIN = 0.01


def gap(value, error, metric="log_loss", interval=True):
    ends = (value - 1.96 * error, value + 1.96 * error) if interval else (None, None)
    return Gap(metric, 0.4, 0.4, value, *ends, error, 1e9, 1_000, 14, 0.95)


def outcome(found, rule="compare.anchor.log_loss", margin=MARGIN):
    return over_anchor(finding(rule, found, margin, "the anchor"), found, margin).outcome


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (gap(0.02, 0.001), "PASS"),
        (gap(0.0, 0.02), "PASS"),  # not settled, and within the margin
        (gap(-0.009, 0.02), "PASS"),
        (gap(-0.011, 0.02), "INCONCLUSIVE"),
        (gap(-0.05, 0.001), "FAIL"),
        (gap(0.0, 0.02, interval=False), "INCONCLUSIVE"),  # too few days
        (gap(float("nan"), float("inf"), interval=False), "INCONCLUSIVE"),  # one class is absent
    ],
)
def test_the_estimate_holds_and_certainty_rejects(found, expected):
    """Of the primary metric as of the others."""
    assert outcome(found) == expected
    assert outcome(found, "compare.anchor.roc_auc") == expected


def landed(holds, drift, runs=120, nights=120, seed=0):
    """The true gains over the anchor after as many *nights*, (runs, 2 metrics), and how many candidates landed.

    Each night a candidate is a small step from the champion in both metrics, by *drift* on average. It must be proven not to
    be worse than the champion by a margin, and the anchor must not hold it. Nights share 13 of 14 days, so their errors do.
    """
    random = np.random.default_rng(seed)
    margins, to_champion, to_anchor = np.array([0.005, 0.01]), np.array([0.003, 0.005]), np.array([0.008, 0.016])
    noise = random.normal(size=(2, runs, 2))
    live, count, shared = np.zeros((runs, 2)), 0, 13 / 14
    for _ in range(nights):
        noise = shared * noise + np.sqrt(1 - shared**2) * random.normal(size=noise.shape)
        candidate = live + np.array(drift) + random.normal(0, 0.002, (runs, 2))
        seen, beside = candidate - live + to_champion * noise[0], candidate + to_anchor * noise[1]
        good = (seen - 1.96 * to_champion >= -margins).all(axis=1)
        for run in np.flatnonzero(good):
            found = [gap(beside[run, n], to_anchor[n]) for n in (0, 1)]
            if all(holds(each, margin) == "PASS" for each, margin in zip(found, margins, strict=True)):
                live[run], count = candidate[run], count + 1
    return live, count / runs


@pytest.mark.parametrize("drift", [(0.0, -0.0005), (-0.0005, -0.0005)])
def test_small_losses_do_not_add_up_over_120_nights(drift):
    """The worst of twenty loses at most about its margin, where candidates get worse by nature; without the anchor more."""
    with_anchor, _ = landed(lambda found, margin: outcome(found, margin=margin), drift)
    without, _ = landed(lambda *_: "PASS", drift)

    worst, unbound = np.percentile(with_anchor, 5, axis=0), np.percentile(without, 5, axis=0)
    assert (worst > [-0.005, -0.0125]).all()
    assert unbound[1] < worst[1] - 0.002


def test_the_anchor_lets_a_stream_improve():
    """A proof against an old model holds nearly every candidate of such a stream."""
    _, by_estimate = landed(lambda found, margin: outcome(found, margin=margin), (0.0, 0.0), runs=40)
    _, by_proof = landed(lambda found, margin: finding("a", found, margin, "b").outcome, (0.0, 0.0), runs=40)

    assert by_estimate > 10
    assert by_proof < 2

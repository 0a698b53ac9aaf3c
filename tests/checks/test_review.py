"""The scorer is started and measured; fingerprints are compared; what could not be checked is not a pass."""

import json
import re
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from checks.evidence import gather, load_bundle
from checks.rules.rows.source_changes import upstream
from checks.rules.serving.serving_limits import SERVING, check_serving, judge_served
from checks.rules.serving.serving_load import VARIABLE, Served, interpreter, ratio

pytestmark = pytest.mark.slow


@pytest.fixture(scope="session")
def quick(rules):
    """The limits, asked for a moment only."""
    return replace(rules.gate.serving, seconds=0.05, fast=10.0)


def outcomes(findings):
    return {finding.rule: finding.outcome for finding in findings}


@pytest.mark.skipif(interpreter() is None, reason="the scorer's environment is not installed")
@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_the_real_server_answers_what_wasjudge_served(by_task, quick, task):
    """Of every task, with the champion beside it."""
    bundle = load_bundle(by_task[task])
    evidence = gather(bundle, bundle)
    served, findings = check_serving(bundle, bundle, evidence, quick)

    assert outcomes(findings) == dict.fromkeys(SERVING, "PASS")
    assert [each.version for each in served] == [bundle.version] * 2
    assert served[0].memory > 10_000_000
    assert len(served[0].seconds) >= 100


@pytest.mark.skipif(interpreter() is None, reason="the scorer's environment is not installed")
def test_answers_that_are_not_the_scores_that_were_judged_fail(evidence, bundles, quick):
    """A server that computes otherwise, or evidence that lies; without a champion as well."""
    lying = replace(evidence, holdout_scores=evidence.holdout_scores + 0.01)
    _, findings = check_serving(load_bundle(bundles[1]), None, lying, quick)

    assert outcomes(findings)["serving.answers"] == "FAIL"
    assert re.search(r"largest difference 0\.0[1-9]$", findings[0].observed)


@pytest.mark.parametrize("python", ["/nowhere/python", sys.executable])
def test_a_server_that_cannot_be_asked_is_no_pass(evidence, bundles, quick, monkeypatch, python):
    """No environment, or one in which it does not start (here the gate's own, without the server)."""
    monkeypatch.setenv(VARIABLE, python)
    served, findings = check_serving(load_bundle(bundles[1]), None, evidence, quick)

    assert served == []
    assert set(outcomes(findings)) == set(SERVING)
    assert "PASS" not in outcomes(findings).values()
    assert any(word in findings[0].observed for word in (VARIABLE, "it ended with"))


def test_latency_size_and_memory_are_compared_with_the_champions(bundles, rules):
    """Only what is not little anyhow, and beyond the ratio, fails."""
    bundle, usual = load_bundle(bundles[1]), [0.010] * 200
    champion = Served("champion", 500, 0.0, 30_000_000, 400_000_000, usual)
    good = Served("candidate", 500, 0.0, 80_000_000, 700_000_000, [0.019] * 200)
    bad = Served("candidate", 500, 0.1, 91_000_000, 801_000_000, [0.021] * 200)
    judged = {
        name: outcomes(judge_served([ours, champion], bundle, rules.gate.serving))
        for name, ours in (("good", good), ("bad", bad))
    }

    assert set(judged["good"].values()) == {"PASS"}
    assert set(judged["bad"].values()) == {"FAIL"}
    alone = outcomes(judge_served([bad], bundle, rules.gate.serving))
    assert [rule for rule, outcome in alone.items() if outcome == "FAIL"] == ["serving.answers"]
    blind = replace(good, memory=None)
    assert outcomes(judge_served([blind], bundle, rules.gate.serving))["serving.memory"] == "NOT_RUN"


def test_a_moments_noise_is_no_slowness():
    """A pause in one of ten stretches moves the whole, and not what is certain."""
    noisy = np.full(200, 0.001)
    noisy[:15] = 1.0
    whole, least = ratio(noisy, np.full(200, 0.001))

    assert whole > 100
    assert least == pytest.approx(1.0)
    assert ratio(np.full(200, 0.003), np.full(200, 0.001)) == pytest.approx((3.0, 3.0))


def manifest(factor=1.0, start="2026-03-01", days=20, source=True):
    """A manifest whose source has one number, a hundred rows a day, as `model.source_profile.fingerprint` writes it."""
    from datetime import date, timedelta

    at = [date.fromisoformat(start) + timedelta(days=n) for n in range(days)]
    numbers = [[x * (factor if n >= days - 3 else 1) for x in (1, 2, 4, 5, 6, 8, 9)] for n in range(days)]
    source_ = {
        "format": 1,
        "rows": 2400,
        "start": f"{at[0]}T00:00:00Z",
        "end": f"{at[-1]}T23:59:00Z",
        "until": f"{at[-1] + timedelta(days=1)}T00:00:00Z",
        "days": [f"{day}" for day in at],
        "hours": [[5] * 24 for _ in at],
        "fields": {
            "price": {
                "kind": "number",
                "missing": 0.0,
                "daily": {
                    "missing": [0.0] * days,
                    "quantiles": numbers,
                    "ends": [[0.01, 0.01]] * days,
                    "size": [each[3] for each in numbers],
                },
            }
        },
    }
    contract = {
        "name": "toy",
        "task": "binary",
        "features": [{"name": "price", "kind": "number"}],
        "target": {"name": "y", "classes": [False, True]},
        "key": "who",
        "time": "at",
    }
    data = {"window": [source_["start"], source_["until"]], "holdout": {"start": f"{at[-5]}T00:00:00Z"}}
    return {"contract": contract, "data": data | ({"source": source_} if source else {})}


def test_a_unit_that_changed_upstream_blocks_and_is_named(rules):
    """Since the champion's training, with the day."""
    findings, changes = upstream(manifest(100.0), manifest(days=15), rules.gate, pd.DataFrame)
    found = {finding.rule: finding for finding in findings}

    assert found["upstream.units"].outcome == "FAIL"
    assert found["upstream.units"].severity == "block"
    assert (
        "`price` is about 100 times larger: cents, or per cent? (since 2026-03-18)" in found["upstream.units"].observed
    )
    assert [change.kind for change in changes] == ["units"]
    assert found["upstream.rows"].outcome == "PASS"
    assert found["upstream.categories"].severity == "warn"


@pytest.mark.parametrize("champion", [None, manifest(days=15, source=False)])
def test_without_the_champions_fingerprint_the_candidates_days_are_compared(rules, champion):
    """The first of all, and a champion that is older than fingerprints."""
    findings, _ = upstream(manifest(100.0), champion, rules.gate, pd.DataFrame)

    assert outcomes(findings)["upstream.units"] == "FAIL"
    assert set(outcomes(upstream(manifest(), champion, rules.gate, pd.DataFrame)[0]).values()) == {"PASS"}


def test_a_candidate_without_a_fingerprint_is_said_and_not_blocked(rules, bundles):
    """A bundle that was made before they had one."""
    old = json.loads((Path(bundles[1]) / "manifest.json").read_text())
    (finding,), changes = upstream(old, None, rules.gate, pd.DataFrame)

    assert (finding.rule, finding.outcome, finding.severity) == ("upstream.fingerprint", "FAIL", "warn")
    assert changes == []


def test_a_sample_is_stated(evidence, bundles, rules):
    """Of a bundle's evidence, of what Deepchecks is given, of the rows that are tried."""
    from checks.insights.evidence_sample import sampled
    from checks.rules.bundle_sanity import fresh_rows
    from checks.rules.contract_compatibility import MAX_ROWS, compatible

    bundle = load_bundle(bundles[1])
    many = bundle.manifest["data"] | {"train": {"rows": 1_000_000}, "holdout": {"rows": 600}}
    large = replace(bundle, manifest=bundle.manifest | {"data": many})
    assert (
        fresh_rows(evidence, large, rules.gate).observed
        == "600 holdout rows that no compared model was trained on (the evidence is a sample: 1,200 of 1,000,000 training rows)"
    )
    assert "sample" not in fresh_rows(evidence, bundle, rules.gate).observed
    assert sampled(evidence, 700) == " (on a sample: 700 of 1,200 rows of training)"
    assert sampled(evidence, 1200) == ""
    rows = evidence.holdout.sample(MAX_ROWS + 1, replace=True)
    found = compatible(bundle.contract, bundle.contract, {"rows": rows}, "block")
    assert found.observed == "0 of 5,000 rows (a sample of 5,001) would be refused"

"""Segment (slice) regressions are found, and chance differences are not."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from checks.comparison.bootstrap import Gap
from checks.comparison.slices import FOUND, Slice, _finding, holm, slices
from checks.evidence import Evidence
from checks.verdict import judge
from contracts.row_contract import Contract, Feature, Target

DAYS, PER = 14, 300


def evidence(seed, hurt=lambda rows: np.zeros(len(rows), dtype=bool)):
    """A candidate as good as its champion but where *hurt*."""
    random = np.random.default_rng(seed)
    n = DAYS * PER
    contract = Contract(
        "shop",
        "binary",
        (Feature("country", "category"), Feature("device", "category"), Feature("age", "number", nullable=True)),
        Target("bought", (0, 1)),
        "visitor",
        "at",
        slices=("country",),
    )
    rows = pd.DataFrame(
        {
            "visitor": [f"v{i}" for i in range(n)],
            "at": pd.Timestamp("2026-01-01", tz="UTC") + pd.to_timedelta(np.repeat(np.arange(DAYS), PER), "D"),
            "country": random.choice(["AT", "DE", "CH"], n, p=[0.6, 0.3, 0.1]),
            "device": random.choice(["phone", "desk"], n),
            "age": np.where(random.random(n) < 0.1, np.nan, random.normal(40, 12, n)),
        }
    )
    logit = random.normal(0, 1.5, n)
    rows["bought"] = (random.random(n) < 1 / (1 + np.exp(-logit))).astype(int)
    champion, ours = (1 / (1 + np.exp(-logit - random.normal(0, 0.3, n))) for _ in "ab")
    ours = np.where(hurt(rows), 0.5, ours)
    return Evidence(contract, rows, rows, ours, ours, np.ones(n, dtype=bool), champion, "", True)


def failed(found):
    return {f.rule for f in found if f.outcome == "FAIL"}


def test_a_slice_of_the_contract_that_got_worse_fails(rules):
    """And the others do not."""
    found = slices(evidence(0, lambda rows: rows["country"] == "CH"), rules.gate)

    assert {f.rule for f in found} == {"slice.country=AT", "slice.country=CH", "slice.country=DE", FOUND}
    assert "slice.country=CH" in failed(found)
    assert failed(found) <= {"slice.country=CH", FOUND}


def test_a_slice_outside_the_contract_is_discovered_with_its_conditions(rules):
    """By conditions on features that are no slices of the contract."""
    found = slices(evidence(1, lambda rows: (rows["device"] == "desk") & (rows["age"] > 42)), rules.gate)
    observed = [f.observed for f in found if (f.rule, f.outcome) == (FOUND, "FAIL")]

    assert any("device" in words and "age > " in words for words in observed)


@pytest.mark.parametrize("seed", range(8))
def test_an_equal_candidate_has_no_slice_that_fails(rules, seed):
    """However hard one looks for the worst."""
    assert failed(slices(evidence(seed), rules.gate)) == set()


def test_a_small_slice_is_not_judged_and_none_are_looked_for_if_so_wished(rules):
    """On few rows, chance decides."""
    gate = replace(rules.gate, slices=replace(rules.gate.slices, min_rows=1000, max_found=0))
    found = slices(evidence(0), gate)

    assert {f.rule for f in found} == {"slice.country=AT", "slice.country=DE", FOUND}
    assert found[-1].observed == "no worse slice was discovered"


def test_without_a_champion_that_can_be_read_nothing_passes(rules):
    """It is not the same as having none."""
    bare = replace(evidence(0), champion=None)

    assert [f.outcome for f in slices(bare, rules.gate)] == ["PASS"]
    assert [f.outcome for f in slices(replace(bare, unreadable="odd"), rules.gate)] == ["NOT_RUN"]


@pytest.mark.parametrize(
    ("low", "high", "worse", "severity", "expected"),
    [
        (-0.080, -0.015, (False, False), "block", ("INCONCLUSIVE", "warn")),
        (-0.080, -0.015, (False, True), "block", ("INCONCLUSIVE", "hold")),
        (-0.080, -0.015, (False, True), "warn", ("INCONCLUSIVE", "warn")),
        (-0.080, -0.015, (True, True), "block", ("FAIL", "block")),
        (-0.030, 0.020, (False, False), "block", ("INCONCLUSIVE", "warn")),
        (-0.009, 0.020, (False, False), "block", ("PASS", "block")),
        (None, None, (False, False), "block", ("INCONCLUSIVE", "warn")),
    ],
)
def test_a_slice_passes_where_its_interval_is_above_the_limit(low, high, worse, severity, expected):
    """Not settled is no pass; worse with a family-wise error rate of a tenth holds."""
    gap = Gap("log_loss", 0.5, 0.46, -0.048, low, high, 0.016, 13, 400, 14 if low else 1, 0.95)
    found = _finding(Slice("slice.country=CH", "country = CH", None), gap, -0.01, worse, 5, severity)

    assert (found.outcome, found.severity) == expected
    assert found.limit == "at least -0.0100, corrected for 5 slices"
    if low:
        assert f"(95% CI {low:+.4f} to {high:+.4f}) on 400 rows" in found.observed


@pytest.mark.parametrize(("hurt", "holds"), [(0.3, True), (0.0, False)])
def test_a_slice_that_is_probably_worse_holds(rules, hurt, holds):
    """Of a candidate that is worse in a thirtieth of the rows: too few for a rejection after the correction."""
    found = slices(
        evidence(3, lambda rows: (rows["country"] == "CH") & (np.arange(len(rows)) % 10 < 10 * hurt)), rules.gate
    )
    (swiss,) = (f for f in found if f.rule == "slice.country=CH")

    assert judge([swiss], [], True, "").decision == ("HOLD" if holds else "PROMOTE")
    assert swiss.outcome == "INCONCLUSIVE"


def test_holm_is_as_in_the_book():
    """The smallest against the level over all, the next against one fewer, …; then it stops."""
    assert holm([0.01, 0.04, 0.03, 0.005], 0.05) == [True, False, False, True]
    assert holm([0.04], 0.05) == [True]
    assert holm([0.03, 0.03], 0.05) == [False, False]
    assert holm([], 0.05) == []
    assert holm([float("nan"), 0.001], 0.05) == [False, True]

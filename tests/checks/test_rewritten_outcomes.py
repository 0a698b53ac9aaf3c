"""Outcomes of rows that the champion's evidence has as well: noise in every class is found, other changes are not noise."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from checks.evidence import gather, load_bundle
from checks.rules.rewritten_outcomes import rewritten_outcomes


def finding(evidence, rules, before, now):
    """What the rule finds where the rows in both bundles have these outcomes."""
    name = evidence.contract.target.name
    both = pd.DataFrame({name: now, f"{name}_before": before})
    (found,) = rewritten_outcomes(replace(evidence, past=replace(evidence.past, both=both)), rules.gate.rows)
    return found


def outcomes(random, rows, rare):
    return (random.random(rows) < rare).astype(float)


@pytest.mark.parametrize("rare", [0.5, 0.2, 0.05])
@pytest.mark.parametrize("rows", [5_000, 20_000])
def test_a_tenth_of_the_outcomes_drawn_again_is_found(evidence, rules, rows, rare):
    """In 95 of 100 tries at least, also where few rows differ because one class is rare."""
    found = []
    for seed in range(100):
        random = np.random.default_rng([seed, rows])
        before = outcomes(random, rows, rare)
        now = np.where(random.random(rows) < 0.1, random.permutation(before), before)
        found.append(finding(evidence, rules, before, now).outcome)

    assert found.count("FAIL") >= 95


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (lambda before, _: before, "about 0.0%"),
        (lambda before, random: np.maximum(before, random.random(len(before)) < 0.04), "about 0.0%"),  # arrive late
        (
            lambda before, random: np.where(random.random(len(before)) < 0.02, 1 - before, before),
            "about",
        ),  # corrections
    ],
)
def test_no_change_late_outcomes_and_a_few_corrections_are_not_noise(evidence, rules, changed, words):
    """What all changes together may be is the limit of another rule."""
    random = np.random.default_rng(5)
    before = outcomes(random, 5_000, 0.3)

    found = finding(evidence, rules, before, changed(before, random))
    assert found.outcome == "PASS"
    assert words in found.observed


def test_one_of_three_classes_is_not_enough(by_task, rules):
    """A class that is split into two has another definition."""
    random = np.random.default_rng(5)
    before = random.integers(0, 3, 6_000).astype(float)
    split = np.where((before == 2) & (random.random(6_000) < 0.5), 1.0, before)
    noisy = np.where(random.random(6_000) < 0.1, random.permutation(before), before)

    evidence = gather(load_bundle(by_task["multiclass"]), None)
    assert finding(evidence, rules, before, split).outcome == "PASS"
    assert finding(evidence, rules, before, noisy).outcome == "FAIL"


def test_too_few_rows_of_a_class_and_a_regression_say_nothing(evidence, by_task, rules):
    """The finding says so; of a regression there is none."""
    before = np.r_[np.ones(20), np.zeros(500)]

    assert finding(evidence, rules, before, before[::-1]).observed == "too few rows in both bundles to compare"
    assert rewritten_outcomes(gather(load_bundle(by_task["regression"]), None), rules.gate.rows) == []

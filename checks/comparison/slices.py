"""Segment (slice) regressions: slices in which the candidate is worse than the champion.

The contract names slices; others are discovered by a shallow tree on the difference of the two models' losses (after
Chung et al. 2019, "Slice Finder"). A slice that is selected for its loss regresses to the mean, so slices are discovered
on every other day and tested on the days between (sample splitting; Cox 1975). Holm's method (1979) corrects for the
number of slices, whatever their overlap.

A slice passes if its interval lies above the limit. One that is worse with the family-wise confidence of the comparison
fails, and one that is worse with that of `SUSPECT` holds the candidate. Any other is inconclusive and only reported: most
slices are too small to be settled, so that they would hold every candidate.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.tree import DecisionTreeRegressor

from checks.comparison.bootstrap import Blocks, Gap, measures, paired
from checks.comparison.compare import fresh_blocks
from checks.comparison.weighted_metrics import METRICS, losses
from checks.decision.gain_text import gain, gain_over, missing, more_rows
from checks.evidence import Array, Evidence
from checks.verdict import Finding, Outcome
from contracts.limit_types import Severity
from contracts.thresholds import Gate

FOUND = "slice.discovered"
#: Fewest rows of a slice in the report.
MIN_ROWS_SHOWN = 50
#: Most conditions of a discovered slice; values of a category that conditions may name.
MAX_DEPTH, MAX_VALUES = 2, 10
#: Most rows for the discovery.
MAX_ROWS = 50_000
#: Family-wise error rate with which a slice is worse and holds the candidate.
SUSPECT = 0.1
_WHY = "A gain on average can hide a loss in a segment."


@dataclass(frozen=True)
class Slice:
    """Some of the fresh rows: its rule, its description, and a mask of the rows."""

    rule: str
    name: str
    rows: Any


def slices(evidence: Evidence, gate: Gate) -> list[Finding]:
    """A finding for each slice that is large enough, the worst first, and at least one on discovered slices."""
    rules = gate.slices
    if evidence.champion is None:
        unreadable = evidence.unreadable
        return [
            Finding(
                FOUND,
                "NOT_RUN" if unreadable else "PASS",
                unreadable or "no champion yet",
                "the champion's scores" if unreadable else "none",
                _WHY,
                rules.severity,
            )
        ]
    margins = gate.compare.margins(evidence.contract.task)
    metric, limit = margins.primary, -rules.margin * margins.margins[margins.primary]
    blocks = fresh_blocks(evidence, gate.compare)
    tested = [*_named(evidence, rules.min_rows), *_discovered(evidence, metric, blocks, gate)]
    tested = [each for each in tested if _is_defined(evidence, metric, each)]
    gaps = [_gap(evidence, metric, each, blocks, gate) for each in tested]
    p_values = [gap.p_value(limit) for gap in gaps]
    fails, suspects = (holm(p_values, level) for level in ((1 - gate.compare.confidence) / 2, SUSPECT))
    findings = [
        _finding(tested[n], gaps[n], limit, (fails[n], suspects[n]), len(tested), rules.severity)
        for n in np.argsort(p_values, kind="stable")
    ]
    if FOUND not in {each.rule for each in findings}:
        findings.append(Finding(FOUND, "PASS", "no worse slice was discovered", "none", _WHY, rules.severity))
    return findings


def _finding(each: Slice, gap: Gap, limit: float, worse: tuple[bool, bool], tested: int, severity: Severity) -> Finding:
    """The finding on a slice; *worse* is whether it fails and whether it holds, corrected for the *tested* slices."""
    fails, suspect = worse
    outcome: Outcome = "FAIL" if fails else "PASS" if gap.low is not None and gap.low >= limit else "INCONCLUSIVE"
    why, more = _WHY, None
    if outcome == "INCONCLUSIVE":
        why, more = missing(gap, limit), more_rows(gap, limit)
        severity = "hold" if suspect and severity != "warn" else "warn"
    observed = f"{each.name}: {gain_over(gap, 'the champion')} on {gap.rows:,} rows"
    corrected = f"at least {gain(gap.metric, limit)}, corrected for {tested} slice{'s' if tested > 1 else ''}"
    return Finding(each.rule, outcome, observed, corrected, why, severity, more)


def holm(p_values: Sequence[float], level: float) -> list[bool]:
    """Which of the hypotheses are rejected, with a family-wise error rate of at most *level* (Holm 1979)."""
    rejected = [False] * len(p_values)
    for place, number in enumerate(np.argsort(p_values, kind="stable")):
        if not p_values[number] <= level / (len(p_values) - place):
            break
        rejected[number] = True
    return rejected


def by_slice(evidence: Evidence, metric: str) -> list[tuple[str, int, float, float | None]]:
    """The *metric* by the contract's slices, for the report: name, rows, candidate, champion."""
    function, fresh = METRICS[metric], evidence.fresh
    truth, ours = evidence.truth[fresh], evidence.holdout_scores[fresh]
    theirs = None if evidence.champion is None else evidence.champion[fresh]
    return [
        (
            each.name,
            int(each.rows.sum()),
            function(truth[each.rows], ours[each.rows])(),
            None if theirs is None else function(truth[each.rows], theirs[each.rows])(),
        )
        for each in _named(evidence, MIN_ROWS_SHOWN)
        if len(np.unique(truth[each.rows])) > 1
    ]


def _named(evidence: Evidence, least: int) -> Iterator[Slice]:
    """The contract's slices with at least so many fresh rows."""
    for name in evidence.contract.slices:
        values = evidence.holdout[name].astype(object).to_numpy()[evidence.fresh].astype(str)
        for value in np.unique(values):
            rows = values == value
            if rows.sum() >= least:
                yield Slice(f"slice.{name}={value}", f"{name} = {value}", rows)


def _discovered(evidence: Evidence, metric: str, blocks: Blocks, gate: Gate) -> list[Slice]:
    """Slices in which a shallow tree finds the candidate worse on every other day, with the rows of the other days."""
    rules, fresh = gate.slices, evidence.fresh
    discovery, test = (np.asarray(blocks.day % 2 == side) for side in (0, 1))
    if not rules.max_found or min(discovery.sum(), test.sum()) < rules.min_rows:
        return []
    truth = evidence.truth[fresh]
    ours, theirs = (losses(metric, truth, scores[fresh]) for scores in _both(evidence))
    worse = ours - theirs
    names, matrix = _conditions(evidence)
    random = np.random.default_rng(gate.compare.seed)
    some = random.permutation(np.flatnonzero(discovery))[:MAX_ROWS]
    tree = DecisionTreeRegressor(
        max_depth=MAX_DEPTH, min_samples_leaf=max(MIN_ROWS_SHOWN, min(rules.min_rows, len(some) // 10)), random_state=0
    ).fit(matrix[some], worse[some])
    leaf = tree.apply(matrix)
    values = tree.tree_.value.ravel()
    worst = sorted((each for each in np.unique(leaf) if each and values[each] > 0), key=lambda n: -values[n])
    return [
        Slice(FOUND, _path(tree.tree_, names, each), rows)
        for each in worst[: rules.max_found]
        if (rows := (leaf == each) & test).sum() >= rules.min_rows
    ]


def _conditions(evidence: Evidence) -> tuple[list[str], Array]:
    """The columns that the tree splits on: names, and values (n, columns).

    A name with " = " is a condition with the values 0 and 1.
    """
    names, columns = [], []
    for feature in evidence.contract.features:
        column = evidence.holdout.loc[evidence.fresh, feature.name]
        missing = column.isna().to_numpy()
        if missing.any() and not missing.all():
            names.append(f"{feature.name} = missing")
            columns.append(missing.astype(float))
        if feature.kind == "category":
            for value in column.value_counts().index[:MAX_VALUES]:
                names.append(f"{feature.name} = {value}")
                columns.append((column == value).to_numpy(dtype=float))
        else:
            numbers = column.astype(float).to_numpy()
            names.append(feature.name)
            columns.append(np.where(missing, np.nanmedian(numbers) if not missing.all() else 0, numbers))
    return names, np.column_stack(columns)


def _path(tree: Any, names: Sequence[str], leaf: int) -> str:
    """The conditions that lead to a *leaf*."""
    conditions: list[str] = []
    node = leaf
    while node:
        left, right = tree.children_left == node, tree.children_right == node
        parent = int(np.flatnonzero(left | right)[0])
        name, at = names[tree.feature[parent]], tree.threshold[parent]
        if " = " in name:
            conditions.append(name.replace(" = ", " is not ") if left[parent] else name)
        else:
            conditions.append(f"{name} {'≤' if left[parent] else '>'} {at:.4g}")
        node = parent
    return " and ".join(reversed(conditions))


def _is_defined(evidence: Evidence, metric: str, each: Slice) -> bool:
    return metric != "roc_auc" or len(np.unique(evidence.truth[evidence.fresh][each.rows])) > 1


def _gap(evidence: Evidence, metric: str, each: Slice, blocks: Blocks, gate: Gate) -> Gap:
    fresh = evidence.fresh
    truth = evidence.truth[fresh][each.rows]
    both = (scores[fresh][each.rows] for scores in _both(evidence))
    ours, theirs = measures(metric, truth, *both)
    return paired(metric, (ours, theirs), blocks.of(each.rows), gate.compare.confidence)


def _both(evidence: Evidence) -> tuple[Array, Array]:
    return evidence.holdout_scores, np.asarray(evidence.champion)

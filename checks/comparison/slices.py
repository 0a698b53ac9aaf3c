"""Is somebody hit whom the average hides?

The contract names slices; others are found by a shallow tree on the difference of the two models'
losses (after Chung et al. 2019, "Slice Finder"). What was found because it looks bad will look less
bad on other rows: so a slice is found on every other day, and judged on the days between (sample
splitting; Cox 1975). All slices together are corrected for by Holm (1979), whatever their overlap.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.tree import DecisionTreeRegressor

from checks.comparison.bootstrap import Blocks, Gap, measures, paired
from checks.comparison.compare import fresh_blocks, gain
from checks.comparison.weighted_metrics import METRICS, losses
from checks.evidence import Array, Evidence
from checks.verdict import Finding
from contracts.thresholds import Gate

FOUND = "slice.discovered"
#: A slice of fewer rows is not even told of.
TOLD = 50
#: A found slice has at most so many conditions, on features as they are or on their commonest values.
DEPTH, COMMONEST = 2, 10
#: More rows find no other slices.
ENOUGH = 50_000
_WHY = "An average may hide whom a model got worse for."


@dataclass(frozen=True)
class Slice:
    """Some of the fresh rows: its rule, what it is in words, and which rows (a mask)."""

    rule: str
    words: str
    rows: Any


def slices(evidence: Evidence, gate: Gate) -> list[Finding]:
    """A finding for each slice that is large enough, and at least one on the discovered ones."""
    rules = gate.slices
    if evidence.champion is None:
        lost = evidence.unreadable
        return [
            Finding(
                FOUND,
                "NOT_RUN" if lost else "PASS",
                lost or "no champion yet",
                "the champion's scores" if lost else "none",
                _WHY,
                rules.severity,
            )
        ]
    margins = gate.compare.margins(evidence.contract.task)
    metric, limit = margins.primary, -rules.margin * margins.margins[margins.primary]
    blocks = fresh_blocks(evidence, gate.compare)
    looked = [*_named(evidence, rules.min_rows), *_discovered(evidence, metric, blocks, gate)]
    looked = [each for each in looked if _can_be_measured(evidence, metric, each)]
    gaps = [_gap(evidence, metric, each, blocks, gate) for each in looked]
    fails = holm([gap.chance_of_less(limit) for gap in gaps], (1 - gate.compare.confidence) / 2)
    found = [
        Finding(
            each.rule,
            "FAIL" if fail else "PASS",
            f"{each.words}: {gain(metric, gap.value)} against the champion on {gap.rows:,} rows",
            f"{gain(metric, limit)}, corrected for {len(looked)} slices",
            _WHY,
            rules.severity,
        )
        for each, gap, fail in zip(looked, gaps, fails, strict=True)
    ]
    if FOUND not in {each.rule for each in found}:
        found.append(Finding(FOUND, "PASS", "no slice was found in which it is worse", "none", _WHY, rules.severity))
    return found


def holm(chances: Sequence[float], level: float) -> list[bool]:
    """Which of the hypotheses with these p-values are rejected (Holm 1979).

    The chance of one mistake among all is at most *level*.
    """
    rejected = [False] * len(chances)
    for place, number in enumerate(np.argsort(chances, kind="stable")):
        if not chances[number] <= level / (len(chances) - place):
            break
        rejected[number] = True
    return rejected


def by_slice(evidence: Evidence, metric: str) -> list[tuple[str, int, float, float | None]]:
    """The *metric* by the contract's slices: name, rows, candidate, champion. For the reader."""
    function, fresh = METRICS[metric], evidence.fresh
    truth, ours = evidence.truth[fresh], evidence.holdout_scores[fresh]
    theirs = None if evidence.champion is None else evidence.champion[fresh]
    return [
        (
            each.words,
            int(each.rows.sum()),
            function(truth[each.rows], ours[each.rows])(),
            None if theirs is None else function(truth[each.rows], theirs[each.rows])(),
        )
        for each in _named(evidence, TOLD)
        if len(np.unique(truth[each.rows])) > 1
    ]


def _named(evidence: Evidence, least: int) -> Iterator[Slice]:
    """The contract's slices of at least so many fresh rows."""
    for name in evidence.contract.slices:
        values = evidence.holdout[name].astype(object).to_numpy()[evidence.fresh].astype(str)
        for value in np.unique(values):
            rows = values == value
            if rows.sum() >= least:
                yield Slice(f"slice.{name}={value}", f"{name} = {value}", rows)


def _discovered(evidence: Evidence, metric: str, blocks: Blocks, gate: Gate) -> list[Slice]:
    """Where a shallow tree finds the candidate worse on every other day: the rows of the days between."""
    rules, fresh = gate.slices, evidence.fresh
    find, judge = (np.asarray(blocks.day % 2 == side) for side in (0, 1))
    if not rules.max_found or min(find.sum(), judge.sum()) < rules.min_rows:
        return []
    truth = evidence.truth[fresh]
    ours, theirs = (losses(metric, truth, scores[fresh]) for scores in _both(evidence))
    worse = ours - theirs
    names, matrix = _questions(evidence)
    random = np.random.default_rng(gate.compare.seed)
    some = random.permutation(np.flatnonzero(find))[:ENOUGH]
    tree = DecisionTreeRegressor(
        max_depth=DEPTH, min_samples_leaf=max(TOLD, min(rules.min_rows, len(some) // 10)), random_state=0
    ).fit(matrix[some], worse[some])
    leaf = tree.apply(matrix)
    values = tree.tree_.value.ravel()
    worst = sorted((each for each in np.unique(leaf) if each and values[each] > 0), key=lambda n: -values[n])
    return [
        Slice(FOUND, _path(tree.tree_, names, each), rows)
        for each in worst[: rules.max_found]
        if (rows := (leaf == each) & judge).sum() >= rules.min_rows
    ]


def _questions(evidence: Evidence) -> tuple[list[str], Array]:
    """What the tree may ask of a fresh row, and the answers (n, questions).

    A name with " = " is a question of yes or no.
    """
    names, columns = [], []
    for feature in evidence.contract.features:
        column = evidence.holdout.loc[evidence.fresh, feature.name]
        missing = column.isna().to_numpy()
        if missing.any() and not missing.all():
            names.append(f"{feature.name} = nothing")
            columns.append(missing.astype(float))
        if feature.kind == "category":
            for value in column.value_counts().index[:COMMONEST]:
                names.append(f"{feature.name} = {value}")
                columns.append((column == value).to_numpy(dtype=float))
        else:
            numbers = column.astype(float).to_numpy()
            names.append(feature.name)
            columns.append(np.where(missing, np.nanmedian(numbers) if not missing.all() else 0, numbers))
    return names, np.column_stack(columns)


def _path(tree: Any, names: Sequence[str], leaf: int) -> str:
    """The conditions that lead to a *leaf*, in words."""
    said: list[str] = []
    node = leaf
    while node:
        left, right = tree.children_left == node, tree.children_right == node
        parent = int(np.flatnonzero(left | right)[0])
        name, at = names[tree.feature[parent]], tree.threshold[parent]
        if " = " in name:
            said.append(name.replace(" = ", " is not ") if left[parent] else name)
        else:
            said.append(f"{name} {'≤' if left[parent] else '>'} {at:.4g}")
        node = parent
    return " and ".join(reversed(said))


def _can_be_measured(evidence: Evidence, metric: str, each: Slice) -> bool:
    return metric != "roc_auc" or len(np.unique(evidence.truth[evidence.fresh][each.rows])) > 1


def _gap(evidence: Evidence, metric: str, each: Slice, blocks: Blocks, gate: Gate) -> Gap:
    fresh = evidence.fresh
    truth = evidence.truth[fresh][each.rows]
    both = (scores[fresh][each.rows] for scores in _both(evidence))
    ours, theirs = measures(metric, truth, *both)
    return paired(metric, (ours, theirs), blocks.of(each.rows), gate.compare.confidence)


def _both(evidence: Evidence) -> tuple[Array, Array]:
    return evidence.holdout_scores, np.asarray(evidence.champion)

"""Candidates with a fault, fitted for real on the default recipe's flights: how often is one promoted?

A tenth of the training labels is noise, or the most important feature is lost (shuffled in training). The champion was
trained on the week before. Each is judged on the default holdout, by the gate's rule on the primary metric.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from bench.gate.paired_gains import METRIC, verdict
from checks.comparison.bootstrap import Blocks, Gap, measures, paired
from checks.comparison.gain_effect import PRIOR, widening
from checks.decision.expected_gain import Ages
from checks.decision.outlook import Outlook
from contracts.thresholds import Compare

FAULTS = ("a tenth of the labels is noise", "the best feature is lost")
_FIRST, _NIGHTS, _TRAIN, _WEEK = datetime(2013, 7, 15, tzinfo=UTC), 10, timedelta(days=76), timedelta(days=7)
HOLDOUT = timedelta(days=14)


@dataclass(frozen=True)
class Try:
    """One faulty candidate: its fault, its gap to the champion, and whether each rule promotes it."""

    fault: str
    gap: Gap
    expected: bool
    proven: bool


def tries(recipe: Path, rules: Compare, seeds: int) -> Iterator[Try]:
    """Every night, fault and seed."""
    from model.data import check, encoded_target, model_inputs  # noqa: PLC0415 -- imports scikit-learn
    from model.train import read_recipe  # noqa: PLC0415

    module = read_recipe(recipe)
    contract = module.CONTRACT

    def rows(start: datetime, end: datetime) -> Any:
        return check(module.load(start, end), contract, start, end)

    def fitted(frame: Any, truth: Any) -> Any:
        return module.estimator().fit(model_inputs(frame, contract), truth)

    for night in range(_NIGHTS):
        end = _FIRST + night * 2 * _WEEK
        old, new, holdout = rows(end - _WEEK - _TRAIN, end - _WEEK), rows(end - _TRAIN, end), rows(end, end + HOLDOUT)
        champion = fitted(old, encoded_target(old, contract))
        best = _best(champion, holdout, contract)
        for seed in range(seeds):
            random = np.random.default_rng([night, seed])
            truth = encoded_target(new, contract)
            noisy = np.where(random.random(len(truth)) < 0.1, random.permutation(truth), truth)
            lost = new.assign(**{best: random.permutation(new[best].to_numpy())})
            for fault, candidate in zip(FAULTS, (fitted(new, noisy), fitted(lost, truth)), strict=True):
                gap = _gap(candidate, champion, holdout, contract, rules)
                yield Try(fault, gap, *(_lands(gap, rules, each) for each in ("expected", "proven")))


def _best(model: Any, rows: Any, contract: Any) -> str:
    """The feature that costs the most when its values are permuted."""
    from model.data import encoded_target, model_inputs  # noqa: PLC0415

    truth, random = encoded_target(rows, contract), np.random.default_rng(0)
    worst: dict[str, float] = {}
    for name in contract.feature_names:
        shuffled = rows.assign(**{name: random.permutation(rows[name].to_numpy())})
        scores = model.predict_proba(model_inputs(shuffled, contract))[:, 1]
        worst[name] = measures(METRIC, truth, scores, scores)[0]()
    return max(worst, key=lambda name: worst[name])


def _gap(candidate: Any, champion: Any, rows: Any, contract: Any, rules: Compare) -> Gap:
    from model.data import encoded_target, model_inputs  # noqa: PLC0415

    truth = encoded_target(rows, contract).astype(float)
    ours, theirs = (model.predict_proba(model_inputs(rows, contract))[:, 1] for model in (candidate, champion))
    day, key = (
        np.unique(each, return_inverse=True)[1] for each in (rows[contract.time].dt.floor("D"), rows[contract.key])
    )
    blocks = Blocks(day, key, rules.draws, rules.seed)
    wide = widening({METRIC: PRIOR}, METRIC)
    one, other = measures(METRIC, truth, ours, theirs)
    return paired(METRIC, (one, other), blocks, rules.confidence, rules.min_days, wide)


def _lands(gap: Gap, rules: Compare, decide: str) -> bool:
    outlook = Outlook(Ages(7, 7), Ages(7, 7))
    return verdict(gap, replace(rules, decide=decide), outlook) == "PASS"  # type: ignore[arg-type]

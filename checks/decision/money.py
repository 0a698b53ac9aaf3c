"""What a gain is worth a day, where the contract says what a wrong decision, or a unit of error, costs."""

from __future__ import annotations

import numpy as np

from checks.comparison.weighted_metrics import absolute
from checks.decision.expected_gain import ExpectedGain
from checks.evidence import Array
from checks.insights.prediction_churn import DECISION_THRESHOLD
from contracts.row_contract import Contract


def per_day(contract: Contract, truth: Array, both: tuple[Array, Array], days: int, found: ExpectedGain | None) -> str:
    """The money a day that the candidate earns or costs compared with the champion; "" where a decision has no worth.

    *both* are the scores of candidate and champion of the rows of so many *days*. The expected gain in the mean absolute
    error is converted; any other metric has no price, and the wrong decisions on the rows are counted.
    """
    target = contract.target
    if not target.worth or not days or found is None:
        return ""
    ours, theirs = (float(_units(contract, truth, scores).mean()) for scores in both)
    units, how = theirs - ours, "by the decisions on these rows"
    if contract.task == "regression":
        how = "by the error on these rows"
        if found.metric == "mae":
            units, how = found.mean * theirs, ""
    money = units * len(truth) / days * target.worth
    return f"about {money:+,.0f} {target.currency} a day {how}".strip()


def _units(contract: Contract, truth: Array, scores: Array) -> Array:
    if contract.task == "regression":
        return absolute(truth, scores)
    decided = scores.argmax(axis=1) if scores.ndim == 2 else scores >= DECISION_THRESHOLD
    return np.asarray(decided != truth, dtype=float)

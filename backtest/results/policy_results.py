"""What each policy realised, and how they differ on the same nights. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from backtest.policy_replay import PolicyPath
from backtest.results.realised_loss import Realised
from backtest.results.weighted_means import Mean, mean


@dataclass(frozen=True)
class PolicyResult:
    """A policy's realised *loss*, how much *better* it is than the *against*, its *decisions*, and its worst period.

    Both are means over rows. *better* is above 0 where the policy earned more. *worst* is the number of the period in
    which it lost most against the best model of the policies there, *cost* how much; None where it was never behind.
    """

    path: PolicyPath
    loss: Mean
    better: Mean
    decisions: Counter[str]
    landed: int
    worst: int | None
    cost: float

    @property
    def name(self) -> str:
        """The policy's name."""
        return self.path.policy.name


def results(paths: Sequence[PolicyPath], realised: Realised, against: str) -> list[PolicyResult]:
    """The result of each policy; *against* names the one that the others are compared with.

    The first period is left out, in which all policies serve the same model.
    """
    losses = np.array([realised.of_path(path.live) for path in paths])
    rows = realised.rows.astype(float).copy()
    rows[0] = 0
    reference = losses[[path.policy.name for path in paths].index(against)]
    behind = losses - losses.min(axis=0)
    behind[:, ~np.isfinite(behind).all(axis=0) | (rows == 0)] = 0
    found = []
    for path, loss, cost in zip(paths, losses, behind, strict=True):
        worst = int(cost.argmax())
        decisions = Counter(step.decision for step in path.steps)
        landed = sum(step.landed for step in path.steps)
        gap = mean(reference - loss, rows)
        found.append(
            PolicyResult(
                path, mean(loss, rows), gap, decisions, landed, worst if cost[worst] > 0 else None, float(cost[worst])
            )
        )
    return found

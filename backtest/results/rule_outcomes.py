"""Which rules stopped candidates that would have been fine, and which bad candidates no rule stopped. Pure."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from backtest.policy_replay import PolicyPath
from backtest.results.realised_loss import Realised
from checks.comparison.weighted_metrics import RELATIVE

#: A candidate is compared with the champion on so many periods after its night: about as long as it would serve.
PERIODS_AFTER = 4


@dataclass(frozen=True)
class Night:
    """A judged night: by how much the candidate was better than the champion in the periods after it."""

    number: int
    decision: str
    earned: float
    stopping: tuple[str, ...]


@dataclass(frozen=True)
class RuleOutcome:
    """On how many nights a rule stopped the candidate, by whether it would have been better, as good, or worse."""

    rule: str
    better: int
    as_good: int
    worse: int


def judged_nights(path: PolicyPath, realised: Realised) -> list[Night]:
    """The nights on which the policy asked the gate, with what the candidate earned afterwards."""
    found = []
    for step in path.steps:
        ahead = slice(step.night, step.night + PERIODS_AFTER)
        ours, theirs = realised.loss[step.night, ahead], realised.loss[step.champion, ahead]
        rows = realised.rows[ahead] * np.isfinite(ours) * np.isfinite(theirs)
        if step.decision not in ("PROMOTE", "HOLD", "REJECT") or not rows.sum():
            continue
        earned = float((np.nan_to_num(theirs - ours) * rows).sum() / rows.sum())
        if realised.metric in RELATIVE:
            earned /= float((np.nan_to_num(theirs) * rows).sum() / rows.sum()) or math.nan
        found.append(Night(step.night, step.decision, earned, step.stopping))
    return found


def outcomes(nights: list[Night], margin: float) -> list[RuleOutcome]:
    """For each rule that stopped a candidate how those nights turned out; *margin* is what counts as a difference."""
    count: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    for night in nights:
        place = 0 if night.earned > margin else 2 if night.earned < -margin else 1
        for rule in dict.fromkeys(night.stopping):
            count[rule][place] += 1
    return [RuleOutcome(rule, *found) for rule, found in sorted(count.items(), key=lambda each: -sum(each[1]))]


def missed(nights: list[Night], margin: float) -> list[Night]:
    """Nights whose candidate was promoted and turned out worse than the champion by more than the margin."""
    return [night for night in nights if night.decision == "PROMOTE" and night.earned < -margin]

"""How much a gain moves from period to period: the effect of the period by which its confidence interval is widened.

An interval from the days of one holdout covers the gain of days like these. The next period has other days: its expected
gain differs by the effects of both periods. They are measured on pairs of simple models in a backtest of the training
rows, and on pairs of models that earlier verdicts compared more than once.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from checks.comparison.bootstrap import Blocks, measures, paired
from checks.comparison.earlier_gains import EarlierGain, successive
from checks.comparison.period_effect import Level, PeriodEffect, period_effect
from checks.comparison.rolling_origin import Period, rolling_origin
from checks.evidence import Evidence
from contracts.thresholds import Compare

#: The variance ratio where nothing is known of the stream: it was 0.9 to 2 on flights, hotel bookings, rented
#: bikes and two generated streams, for retrained models and for models of another recipe.
PRIOR = PeriodEffect(1.15, 10.0)


def gain_effects(evidence: Evidence, rules: Compare, earlier: Iterable[EarlierGain]) -> dict[str, PeriodEffect]:
    """metric -> the effect of the period on a gain in it."""
    length = len(np.unique(evidence.days))
    periods, known = (
        rolling_origin(evidence.train, evidence.contract, length),
        successive(earlier, evidence.contract.name),
    )
    return {
        metric: period_effect([gain_levels(metric, periods, rules), *known.get(metric, [])], PRIOR)
        for metric in rules.margins(evidence.contract.task).metrics
    }


def gains_over_anchor(evidence: Evidence, digests: Mapping[str, str], rules: Compare) -> list[EarlierGain]:
    """The gains of candidate and champion over the anchor, to be recorded; *digests* has those of the three.

    Later verdicts evaluate the same pairs again: the candidate as champion, and the anchor stays.
    """
    days, found = sorted(set(evidence.days[evidence.fresh])), []
    for role, scores in {"candidate": evidence.holdout_scores, "champion": evidence.champion}.items():
        if scores is None or evidence.anchor is None or digests[role] == digests["anchor"]:
            continue
        period = Period(
            evidence.truth[evidence.fresh],
            evidence.days[evidence.fresh],
            (scores[evidence.fresh], evidence.anchor[evidence.fresh]),
        )
        for metric in rules.margins(evidence.contract.task).metrics:
            (level,) = gain_levels(metric, [period], rules)
            pair = (evidence.contract.name, digests[role], digests["anchor"], metric)
            found.append(EarlierGain(*pair, days[0], days[-1], level.value, level.error))
    return [each for each in found if math.isfinite(each.value) and math.isfinite(each.error)]


def widening(effects: Mapping[str, PeriodEffect], metric: str) -> float:
    """The factor on a standard error by days: the variance has the effect of this period and of the next one."""
    return math.sqrt(2 * max(1.0, effects[metric].ratio) - 1) if metric in effects else 1.0


def gain_levels(metric: str, periods: Sequence[Period], rules: Compare) -> list[Level]:
    """The gain of the first model over the second in each period.

    The square of a difference over its estimated variance is too large by f / (f - 2), as that of Student's t: the errors
    are.
    """
    levels = []
    for each in periods:
        day = np.unique(each.day, return_inverse=True)[1]
        blocks = Blocks(day, np.arange(len(day)), rules.draws, rules.seed)
        first, second = measures(metric, each.truth, *each.scores)
        gap = paired(metric, (first, second), blocks, rules.confidence, rules.min_days)
        few = math.sqrt(gap.freedom / (gap.freedom - 2)) if gap.freedom > 2 else math.inf
        levels.append(Level(gap.value, few * gap.error, gap.rows, gap.days))
    return levels

"""The gain of a procedure over the champion, pooled over periods since the champion became live.

Each night's candidate is one of many that the same procedure makes. Earlier ones were compared with the same champion on
days that are over. Where those days are neither tonight's nor each other's, the gains are independent but for the way in
which the gain moves from period to period. It is taken to be a random walk, so that a period further back counts less (the
champion was younger then), with the variance 2 t² a period, t² = (r - 1) s_0², where r is the variance ratio of changes
between periods and s_0² tonight's variance by days (`checks.comparison.period_effect`). With g the gains, tonight's first,
s_k² their variances by days and lag_k their distances in periods,

    C_jk = s_k² [j = k] + 2 t² min(lag_j, lag_k)        gain = 1' C^-1 g / 1' C^-1 1

is the best linear unbiased prediction of tonight's level (Harvey 1989, ch. 3), and its variance for the next period is
1 / (1' C^-1 1) + 2 t². With tonight's period alone that is s_0² (2 r - 1), the variance without pooling. As r is uncertain,
C has its posterior mean, r f / (f - 2) with f degrees of freedom.

Nights that share days with tonight's or with another period that counts are left out: their gains are those of the same rows.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from scipy import special

from bundles.bundle import Bundle
from checks.comparison.bootstrap import Gap
from checks.comparison.earlier_gains import EarlierGain
from checks.comparison.gain_effect import widening
from checks.comparison.period_effect import PeriodEffect
from contracts.thresholds import Compare

#: Most earlier periods that count: with more, the interval misses the gain too often where it drifts in one direction.
PERIODS = 2


@dataclass(frozen=True)
class Series:
    """The candidates of one *procedure* against one *champion* (a digest), on rows of a *contract*.

    *first* and *last* are the first and the last day of tonight's fresh rows, *earlier* the gains that earlier verdicts
    recorded, and *effects* those of the period by metric.
    """

    procedure: str
    contract: str
    champion: str
    first: str
    last: str
    earlier: Sequence[EarlierGain] = ()
    effects: Mapping[str, PeriodEffect] = field(default_factory=dict)

    def periods(self, metric: str) -> list[EarlierGain]:
        """The gains in *metric* on earlier days, none twice, the newest first."""
        wanted = (self.procedure, self.contract, self.champion, metric)
        known = [e for e in self.earlier if (e.procedure, e.contract, e.theirs, e.metric) == wanted]
        found, first = [], self.first
        for each in sorted(known, key=lambda gain: (gain.last, gain.first, gain.ours), reverse=True):
            if each.last < first:
                found.append(each)
                first = each.first
        return found[:PERIODS]

    def counts(self, metric: str, first: str, last: str) -> bool:
        """Whether an earlier period that counts in *metric* has days from *first* to *last*."""
        return any(each.first <= last and first <= each.last for each in self.periods(metric))

    def pooled(self, gap: Gap) -> Gap:
        """Tonight's *gap*, with the earlier periods; as it is where there are none, or no interval."""
        past = self.periods(gap.metric) if self.procedure else []
        if gap.low is None or not past or not gap.error > 0:
            return gap
        length = _days(self.first, self.last) + 1
        lags = np.array([0.0, *(_days(each.first, self.first) / length for each in past)])
        gains = np.array([gap.value, *(each.value for each in past)])
        freedoms = np.array([gap.freedom, *(each.freedom for each in past)])
        effect = self.effects.get(gap.metric, PeriodEffect(1.0, math.inf))
        ratio = max(1.0, effect.ratio)
        uncertain = effect.freedom / (effect.freedom - 2) if 2 < effect.freedom < math.inf else 1.0
        alone = gap.error**2 / (2 * ratio - 1)
        by_days = np.array([alone, *(each.error**2 for each in past)])
        walk = 2 * (ratio * uncertain - 1) * alone
        solved = np.linalg.solve(np.diag(by_days) + walk * np.minimum.outer(lags, lags), np.ones(len(lags)))
        weights = solved / solved.sum()
        variance = 1 / solved.sum() + 2 * (ratio - 1) * alone
        # Satterthwaite's approximation: only the variances by days are estimated from few days.
        parts = weights**2 * by_days
        freedom = min(max(gap.freedom, variance**2 / float((parts**2 / freedoms).sum())), float(freedoms.sum()))
        value, error = float(weights @ gains), math.sqrt(variance)
        far = error * float(special.stdtrit(freedom, (1 + gap.confidence) / 2))
        return replace(
            gap, value=value, low=value - far, high=value + far, error=error, freedom=freedom, periods=len(past)
        )

    def recorded(self, candidate: str, gaps: Iterable[Gap | None]) -> list[EarlierGain]:
        """Tonight's *gaps* of the *candidate* (a digest), without the effect of the period, for later verdicts."""
        pair = (self.contract, candidate, self.champion)
        return [
            EarlierGain(*pair, each.metric, self.first, self.last, each.value, error, self.procedure, each.freedom)
            for each in gaps
            if each is not None and each.low is not None
            if 0 < (error := each.error / widening(self.effects, each.metric)) < math.inf
        ]


def procedure(candidate: Bundle, rules: Compare) -> str:
    """A digest of what must stay the same within a series: the recipe, the contract with its features, libraries, limits.

    Modules that the recipe imports are not in it.
    """
    manifest = candidate.manifest
    libraries = manifest.get("build", {}).get("libraries", {})
    parts = (manifest["recipe"]["sha256"], manifest["contract"], libraries, repr(rules))
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:16]


def _days(first: str, last: str) -> int:
    return int((pd.Timestamp(last) - pd.Timestamp(first)).days)

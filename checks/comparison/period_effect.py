"""How much a metric moves from period to period, beyond what the variance between days explains.

Days of one period are not exchangeable with those of the next: seasons, campaigns and slow drift move whole periods (a
random effect of the period). The effect is measured as a variance ratio, by which the variance of a change between two
periods exceeds that of independent days. Each change of a model that stays the same, from one period to the next, is an
observation of it. Training rows give few, so the estimate is shrunk towards a prior (a scaled inverse chi-squared
distribution; Gelman et al. 2013, ch. 2.6): a change then follows Student's t with the degrees of freedom of both.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from checks.comparison.bootstrap import Blocks
from checks.comparison.weighted_metrics import Measure


@dataclass(frozen=True)
class PeriodEffect:
    """The variance *ratio* of changes between periods, and the degrees of *freedom* with which it is known.

    *changes* is the number of changes that were observed.
    """

    ratio: float
    freedom: float
    changes: int = 0

    def after(self, lag: float) -> float:
        """The ratio for periods that are *lag* periods apart: the excess of the variance grows with the distance."""
        return 1 + max(0.0, self.ratio - 1) * max(1.0, lag)


@dataclass(frozen=True)
class Level:
    """A metric's *value* on a period, with the standard *error* by days, and the period's *rows* and *days*."""

    value: float
    error: float
    rows: int
    days: int


def level(measure: Measure, day: Any, draws: int, seed: int, relative: bool = False) -> Level:
    """The level of a metric on rows of the days *day* (n,); its logarithm if *relative*. NaN where it is undefined."""
    code = np.unique(day, return_inverse=True)[1]
    blocks = Blocks(code, np.arange(len(code)), draws, seed)
    scale = _logarithm if relative else np.asarray
    value = float(scale(measure()))
    if blocks.days < 2:
        return Level(value, math.nan, len(code), blocks.days)
    drawn = scale(measure.drawn(code, blocks.times))
    drawn = drawn[np.isfinite(drawn)]
    few = math.sqrt(blocks.days / (blocks.days - 1))
    return Level(value, few * float(drawn.std()) if len(drawn) else math.nan, len(code), blocks.days)


def period_effect(levels: Sequence[Sequence[Level]], prior: PeriodEffect) -> PeriodEffect:
    """The effect that the *levels* show, shrunk towards the *prior*; each sequence is one model in successive periods."""
    squares = [
        (new.value - old.value) ** 2 / (new.error**2 + old.error**2)
        for each in levels
        for old, new in itertools.pairwise(each)
        if 0 < new.error + old.error < math.inf
    ]
    squares = [each for each in squares if math.isfinite(each)]
    freedom = prior.freedom + len(squares)
    return PeriodEffect((prior.freedom * prior.ratio + sum(squares)) / freedom, freedom, len(squares))


def _logarithm(values: Any) -> Any:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.log(values)

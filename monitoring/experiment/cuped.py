"""What each unit says about the difference of the arms, with what its features foretold taken out.

A unit's value is m1 - m0 + (a - p) / (p (1 - p)) * (y - m_a): y what it came to, a whether it is the
challenger's, p the chance of that, and m what was to be expected of it in either arm. Its mean is the
difference of the arms whatever m is, as long as m was made without the unit itself: here from the
days before (Waudby-Smith et al., 2024, section 3: augmented inverse-probability weights with a
known chance). The better m, the narrower the interval: CUPED (Deng, Xu, Kohavi and Walker, 2013) with
more than one covariate. Where the features foretell nothing, m is the mean of the days before.

Of the days before a regression needs sums of products and no rows: that is all there is of them here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from contracts.row_contract import Feature
from monitoring.experiment.confidence_sequences import Numbers
from monitoring.metrics.spread import deviation

#: Levels of a category that get a column of their own, and how often the first day must have one.
LEVELS, SEEN = 20, 10
#: Units per column that must be known before they foretell anything.
PER_COLUMN = 20
#: A number counts no more than so many standard deviations.
FARTHEST = 5.0
#: Units whose columns are in memory at once.
CHUNK = 50_000


class Adjustment:
    """What the days so far foretell of several measures, from so many *columns* of features.

    *gram* and *moment* are the sums of products with the columns, (size, size) and (size, measures),
    size being the columns and two; *units* (2,) and *totals* (2, measures) are by arm; *errors*
    (2, measures) are those of the mean and of the regression.
    """

    def __init__(self, columns: int, measures: int) -> None:
        size = columns + 2
        self.gram, self.moment = np.zeros((size, size)), np.zeros((size, measures))
        self.units, self.totals = np.zeros(2), np.zeros((2, measures))
        self.errors = np.zeros((2, measures))

    def day(
        self, values: Numbers, challenger: Numbers, chance: float, coded: Callable[[slice], Numbers]
    ) -> tuple[Numbers, Numbers]:
        """What each unit of the next day says about "challenger less champion", adjusted and plain.

        Both are (n, measures), as *values* are; *challenger* is (n,), and *coded* gives the columns of
        some of the units. Nothing of a day is foretold by the day itself but its mean on the first.
        """
        arm = challenger.astype(int)
        weight = ((challenger - chance) / (chance * (1 - chance)))[:, None]
        means = self._means(values)
        plain = means[1] - means[0] + weight * (values - means[arm])
        found = plain.copy()
        size = len(self.gram)
        fit = None
        if size > 2 and self.units.sum() >= PER_COLUMN * size and self.units.all():
            penalty = np.diag([0.0, *[1.0] * (size - 2), 0.0])
            fit = np.linalg.solve(self.gram + penalty, self.moment)
        adjusted = np.zeros_like(plain)
        gram, moment = np.zeros_like(self.gram), np.zeros_like(self.moment)
        edges = [*range(0, len(values), CHUNK), len(values)]
        for now in (slice(*each) for each in pairwise(edges)):
            columns = np.column_stack([np.ones(len(arm[now])), coded(now), challenger[now]])
            if fit is not None:
                adjusted[now] = fit[-1] + weight[now] * (values[now] - columns @ fit)
            gram += columns.T @ columns
            moment += columns.T @ values[now]
        if fit is not None:
            better = self.errors[1] < self.errors[0]
            found[:, better] = adjusted[:, better]
            self.errors += [_squares(plain), _squares(adjusted)]
        self.gram += gram
        self.moment += moment
        self.units += np.bincount(arm, minlength=2)
        self.totals += [values[arm == each].sum(axis=0) for each in (0, 1)]
        return found, plain

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return {name: value.tolist() for name, value in vars(self).items()}

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Adjustment:
        """What `to_json` gave."""
        found = cls(len(told["gram"]) - 2, len(told["totals"][0]))
        for name, value in vars(found).items():
            setattr(found, name, np.array(told[name], dtype=float).reshape(value.shape))
        return found

    def _means(self, today: Numbers) -> Numbers:
        """The arms' means so far; before there is one for each, that of both, or of *today*."""
        if self.units.all():
            found: Numbers = self.totals / self.units[:, None]
            return found
        so_far = self.totals.sum(axis=0) / max(self.units.sum(), 1)
        pooled = so_far if self.units.any() else today.mean(axis=0)
        return np.array([pooled, pooled])


@dataclass(frozen=True)
class Code:
    """How a feature, or its being *missing*, becomes columns: by *levels*, or scaled by *mean* and *sd*."""

    name: str
    levels: tuple[Any, ...] = ()
    mean: float = 0.0
    sd: float = 0.0
    missing: bool = False

    def columns(self, frame: pd.DataFrame) -> list[Numbers]:
        """The columns, each (n,)."""
        if self.levels:
            return [(frame[self.name] == each).to_numpy(dtype=float) for each in self.levels]
        values = _numbers(frame[self.name])
        if self.missing:
            return [values.isna().to_numpy(dtype=float)]
        scaled = ((values - self.mean) / self.sd).clip(-FARTHEST, FARTHEST)
        return [scaled.fillna(0.0).to_numpy()]

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)


def codes(first: pd.DataFrame, features: Sequence[Feature]) -> list[Code]:
    """How *features* (columns "row.pages") are coded, by what the units of the *first* day have.

    Numbers are standardised and a missing one is average, with a column to say so; a category has
    a column for each frequent level but the first.
    """
    found = []
    for feature in features:
        name = f"row.{feature.name}"
        if feature.kind != "number":
            known = first[name].value_counts()
            levels = tuple(map(plain, known[known >= SEEN].index[1:LEVELS]))
            found += [Code(name, levels)] if levels else []
            continue
        values = _numbers(first[name])
        mean, sd = float(values.mean()), deviation(values)
        found += [Code(name, mean=mean, sd=sd)] if sd > 0 else []
        if SEEN <= values.isna().sum() <= len(values) - SEEN:
            found.append(Code(name, missing=True))
    return found


def coded(frame: pd.DataFrame, how: Sequence[Code]) -> Numbers:
    """The columns of units, (n, columns)."""
    columns = [column for each in how for column in each.columns(frame)]
    return np.column_stack(columns) if columns else np.zeros((len(frame), 0))


def plain(value: Any) -> Any:
    """A value of a column as Python's own."""
    return value.item() if isinstance(value, np.generic) else value


def _numbers(values: pd.Series[Any]) -> pd.Series[Any]:
    return pd.to_numeric(values, errors="coerce").astype(float)


def _squares(values: Numbers) -> Numbers:
    found: Numbers = ((values - values.mean(axis=0)) ** 2).sum(axis=0)
    return found

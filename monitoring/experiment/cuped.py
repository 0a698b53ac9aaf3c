"""Variance reduction: each unit's difference between the variants, adjusted for its features.

The value of a unit is m1 - m0 + (a - p) / (p (1 - p)) * (y - m_a), with the outcome y, the assignment a (1 for the
challenger), its probability p, and the predictions m of the outcome in each variant. Its mean is the difference of
the variants for any m that does not depend on the unit, here a regression on earlier days (augmented inverse-probability
weights with a known probability: Waudby-Smith et al., 2024, section 3). A better m gives a narrower interval: CUPED (Deng,
Xu, Kohavi and Walker, 2013) with several covariates. Without predictive features, m is the mean of earlier days.

The regression is fitted from sums of products, so no rows of earlier days are kept.
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

#: Levels of a category that are encoded, and how often the first day must have one.
LEVELS, MIN_UNITS = 20, 10
#: Units per column that the regression needs.
PER_COLUMN = 20
#: Scaled numbers are clipped here.
CLIP = 5.0
#: Units whose columns are in memory at once.
CHUNK = 50_000


class Adjustment:
    """Predicts several measures from *columns* of features, by the days so far.

    *gram* and *moment* are the sums of products with the columns, (size, size) and (size, measures), where size
    is columns + 2; *units* (2,) and *totals* (2, measures) are by variant; *errors* (2, measures) are the squared
    errors of the mean and of the regression.
    """

    def __init__(self, columns: int, measures: int) -> None:
        size = columns + 2
        self.gram, self.moment = np.zeros((size, size)), np.zeros((size, measures))
        self.units, self.totals = np.zeros(2), np.zeros((2, measures))
        self.errors = np.zeros((2, measures))

    def day(
        self, values: Numbers, challenger: Numbers, chance: float, columns_of: Callable[[slice], Numbers]
    ) -> tuple[Numbers, Numbers]:
        """The difference challenger minus champion by each unit of the next day, adjusted and unadjusted.

        Both are (n, measures), as *values* are; *challenger* is (n,), and *columns_of* returns the columns of
        some of the units. A day is predicted from earlier days only, except for the mean of the first.
        """
        variant = challenger.astype(int)
        weight = ((challenger - chance) / (chance * (1 - chance)))[:, None]
        means = self._means(values)
        plain = means[1] - means[0] + weight * (values - means[variant])
        best = plain.copy()
        size = len(self.gram)
        fit = None
        if size > 2 and self.units.sum() >= PER_COLUMN * size and self.units.all():
            penalty = np.diag([0.0, *[1.0] * (size - 2), 0.0])
            fit = np.linalg.solve(self.gram + penalty, self.moment)
        adjusted = np.zeros_like(plain)
        gram, moment = np.zeros_like(self.gram), np.zeros_like(self.moment)
        edges = [*range(0, len(values), CHUNK), len(values)]
        for now in (slice(*each) for each in pairwise(edges)):
            columns = np.column_stack([np.ones(len(variant[now])), columns_of(now), challenger[now]])
            if fit is not None:
                adjusted[now] = fit[-1] + weight[now] * (values[now] - columns @ fit)
            gram += columns.T @ columns
            moment += columns.T @ values[now]
        if fit is not None:
            better = self.errors[1] < self.errors[0]
            best[:, better] = adjusted[:, better]
            self.errors += [_squares(plain), _squares(adjusted)]
        self.gram += gram
        self.moment += moment
        self.units += np.bincount(variant, minlength=2)
        self.totals += [values[variant == each].sum(axis=0) for each in (0, 1)]
        return best, plain

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return {name: value.tolist() for name, value in vars(self).items()}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Adjustment:
        """From `to_json`."""
        adjustment = cls(len(data["gram"]) - 2, len(data["totals"][0]))
        for name, value in vars(adjustment).items():
            setattr(adjustment, name, np.array(data[name], dtype=float).reshape(value.shape))
        return adjustment

    def _means(self, today: Numbers) -> Numbers:
        """The variants' means so far; before each has one, the mean of both, or of *today*."""
        if self.units.all():
            means: Numbers = self.totals / self.units[:, None]
            return means
        so_far = self.totals.sum(axis=0) / max(self.units.sum(), 1)
        pooled = so_far if self.units.any() else today.mean(axis=0)
        return np.array([pooled, pooled])


@dataclass(frozen=True)
class FeatureCode:
    """Encodes a feature, or whether it is *missing*: one-hot by *levels*, or scaled by *mean* and *sd*."""

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
        scaled = ((values - self.mean) / self.sd).clip(-CLIP, CLIP)
        return [scaled.fillna(0.0).to_numpy()]

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)


def feature_codes(first: pd.DataFrame, features: Sequence[Feature]) -> list[FeatureCode]:
    """The encodings of *features* (columns "row.pages"), fitted to the units of the *first* day.

    Numbers are standardised, and imputed by the mean with an indicator column; categories are one-hot encoded for
    frequent levels but the first.
    """
    encodings = []
    for feature in features:
        name = f"row.{feature.name}"
        if feature.kind != "number":
            known = first[name].value_counts()
            levels = tuple(map(plain, known[known >= MIN_UNITS].index[1:LEVELS]))
            encodings += [FeatureCode(name, levels)] if levels else []
            continue
        values = _numbers(first[name])
        mean, sd = float(values.mean()), deviation(values)
        encodings += [FeatureCode(name, mean=mean, sd=sd)] if sd > 0 else []
        if MIN_UNITS <= values.isna().sum() <= len(values) - MIN_UNITS:
            encodings.append(FeatureCode(name, missing=True))
    return encodings


def encode(frame: pd.DataFrame, encodings: Sequence[FeatureCode]) -> Numbers:
    """The columns of units, (n, columns)."""
    columns = [column for each in encodings for column in each.columns(frame)]
    return np.column_stack(columns) if columns else np.zeros((len(frame), 0))


def plain(value: Any) -> Any:
    """A value of a column as a Python object."""
    return value.item() if isinstance(value, np.generic) else value


def _numbers(values: pd.Series[Any]) -> pd.Series[Any]:
    return pd.to_numeric(values, errors="coerce").astype(float)


def _squares(values: Numbers) -> Numbers:
    squares: Numbers = ((values - values.mean(axis=0)) ** 2).sum(axis=0)
    return squares

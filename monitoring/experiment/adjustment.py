"""What each unit says about the difference of the arms, with what its features foretold taken out.

A unit's value is m1 - m0 + (a - p) / (p (1 - p)) * (y - m_a): y what it came to, a whether it is the
challenger's, p the chance of that, and m what was to be expected of it in either arm. Its mean is the
difference of the arms whatever m is, as long as m was made without the unit itself: here from the
days before (Waudby-Smith et al., 2024, section 3: augmented inverse-probability weights with a
known chance). The better m, the narrower the interval: CUPED (Deng, Xu, Kohavi and Walker, 2013) with
more than one covariate. Where the features foretell nothing, m is the mean of the days before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from monitoring.experiment.sequences import Numbers

#: Levels of a category that get a column of their own, and how often the first day must have one.
LEVELS, SEEN = 20, 10
#: Units per column that must be known before they foretell anything.
PER_COLUMN = 20
#: A number counts no more than so many standard deviations.
FARTHEST = 5.0


@dataclass(frozen=True)
class Told:
    """A value per unit, (n,), and the share of their variance that the features took away."""

    gains: Numbers
    saved: float


def differences(
    value: Numbers, challenger: Numbers, day: Numbers, chance: float, features: Numbers
) -> Told:
    """What each unit says about "challenger less champion"; all (n,), *features* (n, columns).

    *day* is not falling. Nothing of a day is foretold by the day itself but its mean on the first.
    """
    weight = (challenger - chance) / (chance * (1 - chance))
    columns = np.column_stack([np.ones(len(value)), features, challenger])
    penalty = np.diag([0.0, *[1.0] * features.shape[1], 0.0])
    gram, moment = np.zeros_like(penalty), np.zeros(len(penalty))
    plain, found = np.zeros(len(value)), np.zeros(len(value))
    sums = np.zeros((2, 2))  # arm -> units, total
    errors = np.zeros(2)  # of the mean, of the regression
    for number in np.unique(day):
        now = slice(*np.searchsorted(day, [number, number + 1]))
        y, a = value[now], challenger[now].astype(int)
        means = _means(sums, y)
        plain[now] = means[1] - means[0] + weight[now] * (y - means[a])
        found[now] = plain[now]
        if features.shape[1] and sums[:, 0].sum() >= PER_COLUMN * len(penalty) and sums[:, 0].all():
            fit = np.linalg.solve(gram + penalty, moment)
            adjusted = fit[-1] + weight[now] * (y - columns[now] @ fit)
            if errors[1] < errors[0]:
                found[now] = adjusted
            errors += (
                ((plain[now] - plain[now].mean()) ** 2).sum(),
                ((adjusted - adjusted.mean()) ** 2).sum(),
            )
        gram += columns[now].T @ columns[now]
        moment += columns[now].T @ y
        sums += [[(a == arm).sum(), y[a == arm].sum()] for arm in (0, 1)]
    before, after = (plain.var(), found.var()) if len(value) else (0.0, 0.0)
    return Told(found, max(0.0, 1 - after / before) if before > 0 else 0.0)


def covariates(frame: pd.DataFrame, names: Sequence[str]) -> Numbers:
    """The columns *names* as numbers (n, columns), coded by what the first day has.

    Numbers are standardised and a missing one is average, with a column to say so; a category has
    a column for each frequent level.
    """
    first = frame["day"] == frame["day"].min()
    columns: list[Numbers] = []
    for name in names:
        values = frame[name]
        if pd.api.types.is_numeric_dtype(values):
            columns += _number(values.astype(float), first)
        else:
            known = values[first].value_counts()
            levels = known[known >= SEEN].index[:LEVELS]
            columns += [(values == level).to_numpy(dtype=float) for level in levels[1:]]
    return np.column_stack(columns) if columns else np.zeros((len(frame), 0))


def _number(values: pd.Series[Any], first: pd.Series[Any]) -> list[Numbers]:
    mean, sd = values[first].mean(), values[first].std()
    found = []
    if sd > 0:
        scaled = ((values - mean) / sd).clip(-FARTHEST, FARTHEST).fillna(0.0)
        found.append(scaled.to_numpy())
    missing = values.isna()
    if SEEN <= missing[first].sum() <= first.sum() - SEEN:
        found.append(missing.to_numpy(dtype=float))
    return found


def _means(sums: Numbers, today: Numbers) -> Numbers:
    """The arms' means so far; before there is one for each, that of both, or of *today*."""
    if sums[:, 0].all():
        found: Numbers = sums[:, 1] / sums[:, 0]
        return found
    pooled = sums[:, 1].sum() / sums[:, 0].sum() if sums[:, 0].any() else today.mean()
    return np.array([pooled, pooled])

"""What is known about a charted series besides its reference days: its earlier days, and sampling theory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from monitoring.charts.charted_series import Numbers, Series
from monitoring.charts.scales import sampling_error
from monitoring.charts.signals import Measure
from monitoring.charts.variance_prior import FEW_SERIES, MAX_DAYS, Prior, fitted, moments

#: Metrics whose variances are comparable between features.
SAME_SCALE = ("jensen_shannon", "mean")
#: Fewer earlier days are no prior.
MIN_DAYS = 14


def prior_of(
    series: Sequence[Series], known: Mapping[str, list[Measure]], earlier: Mapping[str, list[Measure]]
) -> Prior:
    """The prior of each *series* from the *earlier* days of the same metric, and from sampling theory.

    Days before the reference may have more or fewer rows than it; the sampling variance of the difference is taken off
    or added. The mean of earlier days counts only for prediction bias: it is 0 by construction where a model was
    fitted, while losses are smaller there than on the holdout.
    """
    prior = Prior.none(len(series))
    kinds = [known[one.name][0] for one in series]
    count, mean, variance, _, _ = moments(_scaled(series, known)[0])
    covariate = np.zeros(len(series))
    for n, one in enumerate(series):
        usual, rows = kinds[n], usual_rows(known[one.name])
        positives = float(np.median([each.positives for each in known[one.name]]))
        theory = sampling_error(usual, one.unscaled(mean[n]), rows, positives)
        if usual.kind == "realised_performance":
            prior.least[n] = theory**2
        before = earlier.get(one.name, [])
        if len(before) < MIN_DAYS:
            continue
        days, own, spread, skew, lag = moments(_scaled([one], {one.name: before})[0])
        other = sampling_error(usual, one.unscaled(mean[n]), usual_rows(before), positives * usual_rows(before) / rows)
        covariate[n] = max(spread[0] - max(other**2 - theory**2, 0.0), spread[0] / 4)
        prior.skew[n], prior.lag[n], prior.shape_days[n] = skew[0], lag[0], days[0]
        agrees = abs(own[0] - mean[n]) < 2 * np.sqrt(
            max(spread[0], variance[n])
            * (1 / days[0] + 1 / count[n])
            * (1 + max(lag[0], 0))
            / (1 - min(max(lag[0], 0), 0.9))
        )
        if usual.kind == "prediction_bias" and agrees:
            prior.mean[n], prior.mean_days[n] = own[0], min(days[0], MAX_DAYS)
    degrees = np.maximum(count - 1, 0).astype(float)
    for at, t in _families(kinds, covariate):
        ratio, d0 = fitted(variance[at], degrees[at], t)
        prior.variance[at], prior.days[at] = ratio * t, d0
    return prior


def _families(kinds: Sequence[Measure], covariate: Numbers) -> Iterable[tuple[Numbers, Numbers]]:
    """The places of series that share a prior, and their covariates: those with earlier days; by metric, the others."""
    with_days = np.flatnonzero(covariate > 0)
    if len(with_days):
        yield with_days, covariate[with_days]
    others: dict[tuple[str, str], list[int]] = {}
    for n, each in enumerate(kinds):
        if not covariate[n] and each.metric in SAME_SCALE:
            others.setdefault((each.kind, each.metric), []).append(n)
    for places in others.values():
        if len(places) >= FEW_SERIES:
            yield np.array(places), np.ones(len(places))


def _scaled(series: Sequence[Series], known: Mapping[str, list[Measure]]) -> tuple[Numbers, list[str]]:
    """As `_matrix`, on the scales of the charts."""
    values, days = matrix({one.name: known[one.name] for one in series})
    return np.column_stack([one.scaled(each) for one, each in zip(series, values.T, strict=True)]), days


def matrix(known: Mapping[str, list[Measure]]) -> tuple[Numbers, list[str]]:
    """The values of the *known* measures as (days, series), NaN for missing, and the days."""
    days = sorted({each.day for measures in known.values() for each in measures})
    place = {day: n for n, day in enumerate(days)}
    found = np.full((len(days), len(known)), np.nan)
    for column, measures in enumerate(known.values()):
        for each in measures:
            found[place[each.day], column] = each.value
    return found, days


def usual_rows(known: list[Measure]) -> float:
    """The rows of the median day, at least 1."""
    return max(float(np.median([each.rows for each in known])), 1.0)

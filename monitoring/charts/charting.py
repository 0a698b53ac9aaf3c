"""Place daily measures on control charts, with limits from the days before them.

A chart's severity follows from the kind of measure and, for a feature, from its influence on the score. Limits are solved
for each severity and each source of earlier days separately, and share the budget of false alarms.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from contracts.monitoring_limits import Monitoring
from monitoring.charts import control_chart
from monitoring.charts.charted_series import Limits, Series, Side
from monitoring.charts.control_limits import Budget, Numbers, Rule, solve
from monitoring.charts.scales import SHARES, is_bounded, range_of, sampling_error
from monitoring.charts.series_prior import matrix, prior_of, usual_rows
from monitoring.charts.signals import EARLY, Measure, Signal, by_series

#: A day with a smaller share of its weekday's expected rows is an outage, where `OUTAGE_ROWS` or more are expected.
OUTAGE, OUTAGE_ROWS = 0.2, 20.0
#: Kinds with a CUSUM: small lasting losses against the evaluated value.
CUMULATIVE = ("realised_performance", "prediction_bias")


@dataclass(frozen=True)
class Chart:
    """A series on its chart: *known* days, which the *limits* are from, and *evaluated* days."""

    series: Series
    limits: Limits
    known: list[Measure]
    evaluated: list[Measure]
    severity: str


def charts(
    parts: Sequence[tuple[list[Measure], list[Measure]]],
    influences: Mapping[str, float],
    rules: Monitoring,
    earlier: Sequence[Measure] = (),
) -> list[Chart]:
    """The measures of the days to evaluate, on control charts with limits from the days before them.

    Each of the *parts* has the measures of its reference days, and of the days to evaluate. *earlier* are measures of
    days before the reference, by which its variances are squeezed.
    """
    alarm_rules = {
        "page": Rule(1, 1, rules.quiet),
        "issue": Rule(rules.lasting, rules.of, rules.quiet),
        "digest": Rule(1, 1, rules.quiet),
    }
    groups = []
    before = by_series([*earlier])
    for usual, now in parts:
        known, wanted = by_series(usual), by_series(now)
        for severity in alarm_rules:
            mine = {
                name: days
                for name, days in wanted.items()
                if len(known.get(name, ())) >= rules.min_reference_days
                and severity_of(days[0], influences, rules) == severity
            }
            if mine:
                groups.append((severity, {name: known[name] for name in mine}, mine))
    found = []
    for severity, known, evaluated in groups:
        budget = Budget(rules.false_alarms_per_quarter / len(groups), rules.ewma_weight, rules.draws, rules.seed)
        reference, days = matrix(known)
        series = [series_of(measures, rules) for measures in known.values()]
        weekdays = pd.to_datetime(days).day_of_week.to_numpy()
        prior = prior_of(series, known, before)
        limits = solve(reference, weekdays, series, alarm_rules[severity], budget, prior)
        found += [
            Chart(one, limit, known[one.name], evaluated[one.name], severity)
            for one, limit in zip(series, limits, strict=True)
        ]
    return found


def severity_of(measure: Measure, influences: Mapping[str, float], rules: Monitoring) -> str:
    """The severity of a measure: "page", "issue" or "digest"; "" for one that is not monitored.

    A feature that the score does not depend on is for the digest.
    """
    influence_of_feature = influences.get(measure.feature)
    if influence_of_feature is not None and influence_of_feature < rules.min_influence:
        return "digest"
    kinds = {"page": rules.page, "issue": rules.issue, "digest": rules.digest}
    return next((severity for severity, named in kinds.items() if measure.kind in named), "")


def series_of(known: list[Measure], rules: Monitoring) -> Series:
    """The side on which a series raises an alarm, the difference that is too small to matter, and its scale."""
    first = known[0]
    side, tolerance, absolute = _tolerance(known, rules)
    least, most = range_of(first)
    return Series(first.name, side, tolerance, absolute, is_bounded(first), least, most, first.kind in CUMULATIVE)


def _tolerance(known: list[Measure], rules: Monitoring) -> tuple[Side, float, bool]:
    """The side and the tolerance of a series, and whether it is absolute, see `Series`."""
    first = known[0]
    usual = abs(float(np.mean([each.value for each in known])))
    share = max(rules.min_share, rules.min_share_rows / usual_rows(known))
    error: tuple[Side, float, bool] = ("upper", rules.min_loss * usual, False)
    by_kind: dict[str, tuple[Side, float, bool]] = {
        "prediction_bias": ("both", rules.min_bias, False),
        "row_rate": ("both", rules.min_rate * usual, False),
        "label_coverage": ("lower", rules.min_rate * usual if first.metric == EARLY else rules.min_loss, False),
        "missing_values": ("upper", share, True),
        "unseen_categories": ("upper", share, True),
        "latency": ("upper", max(rules.min_slower * usual, rules.min_slow - usual), False),
        "errors": ("upper", rules.min_errors, True),
    }
    by_metric: dict[str, tuple[Side, float, bool]] = {
        "mean": ("both", rules.min_shift, False),
        "jensen_shannon": ("upper", rules.min_drift, True),
        "reconstruction_error": error,
        "mae": error,
        "rmse": error,
        "roc_auc": ("lower", rules.min_loss, False),
        "accuracy": ("lower", rules.min_loss, False),
    }
    return by_kind.get(first.kind) or by_metric[first.metric]


def _of_day(chart: Chart, day: Measure, rules: Monitoring) -> tuple[Series, Limits]:
    """The series and limits of a day: a metric of fewer rows than usual varies more, by its sampling variance.

    This is a p-chart with unequal sample sizes, plus the variance between days (Laney, 2002, "Improved control charts
    for attributes", Quality Engineering 14). A few rows never raise an alarm.
    """
    series, limits, usual = chart.series, chart.limits, usual_rows(chart.known)
    if not 0 < day.rows < usual:
        return series, limits
    mean = series.unscaled(limits.mean)
    usually = float(np.median([each.positives for each in chart.known]))
    wider = sampling_error(day, mean, day.rows, usually * day.rows / usual) ** 2
    wider -= sampling_error(day, mean, usual, usually) ** 2
    tolerance = series.tolerance
    if day.kind in SHARES:
        tolerance = max(tolerance, rules.min_share_rows / day.rows)
    deviation = float(np.sqrt(limits.deviation**2 + max(wider, 0.0)))
    return replace(series, tolerance=tolerance), replace(limits, deviation=deviation)


def signals_of(chart: Chart, rules: Monitoring) -> list[Signal]:
    """The days to evaluate of a *chart*, with their limits."""
    series, limits, measures = chart.series, chart.limits, chart.evaluated
    first, last = (pd.Timestamp(measures[n].day) for n in (0, -1))
    scaled = np.full(((last - first).days + 1, 1), np.nan)
    of_day = [_of_day(chart, each, rules) for each in measures]
    places = [(pd.Timestamp(each.day) - first).days for each in measures]
    for place, each, (_, own) in zip(places, measures, of_day, strict=True):
        scaled[place, 0] = (float(series.scaled(each.value)) - limits.mean) / own.deviation
    of_days = levels(scaled, series, limits, rules.ewma_weight)
    level_upper, level_lower = series.above(limits)[1], series.below(limits)[1]
    return [
        Signal(
            each.kind,
            each.metric,
            each.feature,
            each.day,
            each.value,
            series.unscaled(limits.mean),
            _floor(chart, each, mine.below(own)[0]),
            mine.above(own)[0],
            each.rows,
            series.unscaled(limits.mean + limits.deviation * float(of_days[place])),
            level_lower,
            level_upper,
            chart.severity,
            limits.run_length,
            each.days,
        )
        for place, each, (mine, own) in zip(places, measures, of_day, strict=True)
    ]


def _floor(chart: Chart, day: Measure, lower: float | None) -> float | None:
    """The *lower* limit of a day, for the row rate at least that of an outage.

    It owes nothing to the variance: a weekday's expected rows are the median of its earlier days, of all days with
    fewer than two. Of a few rows it is no rule, because they may all be missing by chance.
    """
    if day.kind != "row_rate":
        return lower
    weekday = pd.Timestamp(day.day).day_of_week
    same = [each.value for each in chart.known if pd.Timestamp(each.day).day_of_week == weekday]
    expected = float(np.median(same if len(same) > 1 else [each.value for each in chart.known]))
    if expected < OUTAGE_ROWS:
        return lower
    return max(lower or 0.0, OUTAGE * expected)


def levels(scaled: Numbers, series: Series, limits: Limits, weight: float) -> Numbers:
    """The level of each day (days,) in standard deviations: the EWMA, or the larger CUSUM as a shift with its sign."""
    if not limits.slack:
        return np.asarray(control_chart.ewma(scaled, weight)[:, 0])
    slack = np.array([limits.slack])
    upper, lower = (control_chart.cusum(sign * scaled, slack)[:, 0] for sign in (1, -1))
    if series.side != "both":
        upper, lower = (upper, 0 * lower) if series.side == "upper" else (0 * upper, lower)
    return np.array(
        [limits.as_shift(up) if up >= down else -limits.as_shift(down) for up, down in zip(upper, lower, strict=True)]
    )

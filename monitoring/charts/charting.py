"""Place daily measures on control charts, with limits from the days before them.

A chart's severity follows from the kind of measure and, for a feature, from its influence on the score. Limits are solved
for each severity and each source of earlier days separately, and share the budget of false alarms.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from contracts.monitoring_limits import Monitoring
from monitoring.charts import control_chart
from monitoring.charts.control_limits import Budget, Limits, Numbers, Rule, Series, solve
from monitoring.charts.signals import Measure, Signal, by_series

#: Kinds whose value is a proportion of a day's rows.
SHARES = ("missing_values", "unseen_categories", "label_coverage", "errors")


def chart_signals(
    parts: Sequence[tuple[list[Measure], list[Measure]]], influences: Mapping[str, float], rules: Monitoring
) -> list[Signal]:
    """The measures of the days to evaluate, on control charts with limits from the days before them.

    Each of the *parts* has the measures of its reference days, and of the days to evaluate.
    """
    alarm_rules = {
        "page": Rule(1, 1, rules.quiet),
        "issue": Rule(rules.lasting, rules.of, rules.quiet),
        "digest": Rule(1, 1, rules.quiet),
    }
    groups = []
    for before, now in parts:
        known, wanted = by_series(before), by_series(now)
        for severity in alarm_rules:
            mine = {
                name: days
                for name, days in wanted.items()
                if len(known.get(name, ())) >= rules.min_reference_days
                and severity_of(days[0], influences, rules) == severity
            }
            if mine:
                groups.append((severity, {name: known[name] for name in mine}, mine))
    signals = []
    for severity, known, evaluated in groups:
        budget = Budget(rules.false_alarms_per_quarter / len(groups), rules.ewma_weight, rules.draws, rules.seed)
        reference, days = _matrix(known)
        series = [_series(name, known[name], rules) for name in known]
        weekdays = pd.to_datetime(days).day_of_week.to_numpy()
        limits = solve(reference, weekdays, series, alarm_rules[severity], budget)
        for each, limit in zip(series, limits, strict=True):
            signals += _signals(each, limit, known[each.name], evaluated[each.name], severity, rules)
    return signals


def severity_of(measure: Measure, influences: Mapping[str, float], rules: Monitoring) -> str:
    """The severity of a measure: "page", "issue" or "digest"; "" for one that is not monitored.

    A feature that the score does not depend on is for the digest.
    """
    influence_of_feature = influences.get(measure.feature)
    if influence_of_feature is not None and influence_of_feature < rules.min_influence:
        return "digest"
    kinds = {"page": rules.page, "issue": rules.issue, "digest": rules.digest}
    return next((severity for severity, named in kinds.items() if measure.kind in named), "")


def _series(name: str, known: list[Measure], rules: Monitoring) -> Series:
    """The side on which a series raises an alarm, and the difference that is too small to matter."""
    first = known[0]
    usual = abs(float(np.mean([each.value for each in known])))
    share = max(rules.min_share, rules.min_share_rows / _usual_rows(known))
    by_kind = {
        "prediction_bias": Series(name, "both", rules.min_bias),
        "row_rate": Series(name, "both", rules.min_rate * usual),
        "label_coverage": Series(name, "lower", rules.min_loss),
        "missing_values": Series(name, "upper", share, absolute=True),
        "unseen_categories": Series(name, "upper", share, absolute=True),
        "latency": Series(name, "upper", max(rules.min_slower * usual, rules.min_slow - usual)),
        "errors": Series(name, "upper", rules.min_errors, absolute=True),
    }
    error = Series(name, "upper", rules.min_loss * usual)
    by_metric = {
        "mean": Series(name, "both", rules.min_shift),
        "jensen_shannon": Series(name, "upper", rules.min_drift, absolute=True),
        "reconstruction_error": error,
        "mae": error,
        "rmse": error,
        "roc_auc": Series(name, "lower", rules.min_loss),
        "accuracy": Series(name, "lower", rules.min_loss),
    }
    return by_kind.get(first.kind) or by_metric[first.metric]


def _matrix(known: Mapping[str, list[Measure]]) -> tuple[Numbers, list[str]]:
    days = sorted({each.day for measures in known.values() for each in measures})
    place = {day: n for n, day in enumerate(days)}
    found = np.full((len(days), len(known)), np.nan)
    for column, measures in enumerate(known.values()):
        for each in measures:
            found[place[each.day], column] = each.value
    return found, days


def _usual_rows(known: list[Measure]) -> float:
    return max(float(np.median([each.rows for each in known])), 1.0)


def _of_day(
    series: Series, limits: Limits, known: list[Measure], day: Measure, rules: Monitoring
) -> tuple[Series, Limits]:
    """The series and limits of a day: a proportion of fewer rows than usual varies more, with its binomial variance.

    This is a p-chart with unequal sample sizes, plus the variance between days (Laney, 2002, "Improved control charts
    for attributes", Quality Engineering 14). A few rows never raise an alarm.
    """
    usual = _usual_rows(known)
    if day.kind not in SHARES or not 0 < day.rows < usual:
        return series, limits
    mean = min(max(limits.mean, 0.0), 1.0)
    wider = mean * (1 - mean) * (1 / day.rows - 1 / usual)
    tolerance = max(series.tolerance, rules.min_share_rows / day.rows)
    deviation = float(np.sqrt(limits.deviation**2 + wider))
    return replace(series, tolerance=tolerance), replace(limits, deviation=deviation)


def _signals(
    series: Series, limits: Limits, known: list[Measure], measures: list[Measure], severity: str, rules: Monitoring
) -> list[Signal]:
    first, last = (pd.Timestamp(measures[n].day) for n in (0, -1))
    scaled = np.full(((last - first).days + 1, 1), np.nan)
    of_day = [_of_day(series, limits, known, each, rules) for each in measures]
    for each, (_, own) in zip(measures, of_day, strict=True):
        place = (pd.Timestamp(each.day) - first).days
        scaled[place, 0] = (each.value - limits.mean) / own.deviation
    levels = control_chart.ewma(scaled, rules.ewma_weight)[:, 0]
    level_upper, level_lower = series.above(limits)[1], series.below(limits)[1]
    return [
        Signal(
            each.kind,
            each.metric,
            each.feature,
            each.day,
            each.value,
            limits.mean,
            mine.below(own)[0],
            mine.above(own)[0],
            each.rows,
            limits.mean + limits.deviation * float(levels[(pd.Timestamp(each.day) - first).days]),
            level_lower,
            level_upper,
            severity,
            limits.run_length,
        )
        for each, (mine, own) in zip(measures, of_day, strict=True)
    ]

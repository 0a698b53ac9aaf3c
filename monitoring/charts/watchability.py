"""What a chart cannot see: limits that no value can pass, and what would be needed. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from monitoring.charts.charting import Chart
from monitoring.charts.control_chart import CLIP, MEMORY
from monitoring.charts.control_limits import MAX_DEVIATIONS
from monitoring.charts.signals import Unknown


def unwatched(charts: Iterable[Chart]) -> list[Unknown]:
    """The signals that page for which a single day, or any day, is too noisy.

    A limit that lies beyond chance or the metric's range is not drawn. It is no reason to keep an incident open.
    """
    return [
        Unknown(chart.series.name, why, yet=True)
        for chart in charts
        if chart.severity == "page" and (why := reason(chart))
    ]


def reason(chart: Chart) -> str:
    """Why no single day of a *chart* can be outside its limit, and how it is watched instead; "" if one can."""
    series, limits, first = chart.series, chart.limits, chart.known[0]
    if math.isinf(limits.day):
        return (
            f"days differ too much for a limit within {MAX_DEVIATIONS:g} standard deviations; lasting changes are found"
        )
    is_loss = first.kind in ("realised_performance", "estimated_performance") and series.side == "lower"
    if not is_loss or series.below(limits)[0] is not None:
        return ""
    room = (limits.mean - float(series.scaled(max(series.least, 0.0)))) / limits.deviation
    if room <= 0:
        usual = series.unscaled(limits.mean)
        return f"{first.metric} is {usual:.3f} in the reference, no better than {series.least:g}: no fall can be seen"
    needed = math.ceil((limits.day / room) ** 2 * first.days)
    seldom = f"{_amount(chart)}: a single value cannot fall below its limit; one of {needed} days could"
    return f"{seldom}. {_by_level(chart, room)}"


def _amount(chart: Chart) -> str:
    """The usual rows of a day or period: of the positive class, where that is what a ROC AUC has too few of."""
    first = chart.known[0]
    rows, positives = (float(np.median([getattr(e, name) for e in chart.known])) for name in ("rows", "positives"))
    many = f"{positives:,.0f} positives" if first.metric == "roc_auc" and positives else f"{rows:,.0f} rows"
    return f"{many} a day" if first.days == 1 else f"{many} in {first.days} days"


def _by_level(chart: Chart, room: float) -> str:
    """What the level of a chart finds, where the mean is *room* deviations above the end of its range."""
    series, limits = chart.series, chart.limits
    if series.below(limits)[1] is None or not limits.slack:
        return "Its moving average is watched" if series.below(limits)[1] is not None else "Nor is a lasting fall seen"
    steps = min(room, CLIP) - limits.slack
    days = limits.level / steps if steps > 0 else math.inf
    if days > MEMORY:
        return f"A lasting fall is not seen within {MEMORY} days either"
    return f"Days are added up: a lasting fall to {max(series.least, 0.0):g} is seen in {math.ceil(days)} days"

"""What a chart cannot see: limits that no value can pass, and what would be needed. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from monitoring.charts.charting import Chart
from monitoring.charts.control_chart import CLIP, MEMORY
from monitoring.charts.signals import Unknown


def unwatched(charts: Iterable[Chart]) -> list[Unknown]:
    """The losses of performance that a single day, or any day, is too noisy for.

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
    if first.kind not in ("realised_performance", "estimated_performance") or series.side != "lower":
        return ""
    day, level = series.below(limits)
    if day is not None:
        return ""
    rows = float(np.median([each.rows for each in chart.known]))
    positives = float(np.median([each.positives for each in chart.known]))
    many = f"{positives:,.0f} positives" if first.metric == "roc_auc" and positives else f"{rows:,.0f} rows"
    a_day = "a day" if first.days == 1 else f"in {first.days} days"
    usual = series.unscaled(limits.mean)
    room = (limits.mean - float(series.scaled(max(series.least, 0.0)))) / limits.deviation
    if room <= 0:
        return f"{first.metric} is {usual:.3f} in the reference, no better than {series.least:g}: no fall can be seen"
    needed = math.ceil((limits.day / room) ** 2 * first.days)
    why = f"{many} {a_day}: a single value cannot fall below its limit; one of {needed} days could"
    reach = min(room, CLIP) - limits.slack
    if level is not None and limits.slack and reach > 0 and limits.level / reach <= MEMORY:
        half = (room / 2 - limits.slack) or 0.0
        slower = f", half of it in {limits.level / half:.0f}" if half > 0 and limits.level / half <= MEMORY else ""
        return f"{why}. Days are added up: a fall to {max(series.least, 0.0):g} is seen in {math.ceil(limits.level / reach)} days{slower}"
    if level is not None and not limits.slack:
        return f"{why}. Its moving average is watched"
    return f"{why}. A lasting fall is not seen in {MEMORY} days either: {many} {a_day} are too few"

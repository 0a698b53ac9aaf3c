"""Measure the days of a window and place them on control charts, with limits from the reference period.

The reference's days are measured by calculators that were not fitted to them (in a few folds), as the window's days
are, and with no more rows a day than the window has: a distance is larger where rows are few. Row rate, label coverage
and the service metrics are compared with earlier days of the journal. A day with few rows has no distances and no
estimates; its counts are evaluated like those of any other day.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

from contracts.monitoring_limits import Monitoring
from contracts.row_contract import Contract
from monitoring.charts.charting import chart_signals
from monitoring.charts.signals import COUNTS, SERVICE, Measure, Signal, Unknown
from monitoring.journal.sample_correction import counted, counts_of, shares
from monitoring.journal.window import Window, days_of, full_days
from monitoring.metrics.feature_influence import influence
from monitoring.metrics.label_delay import bias, mature
from monitoring.metrics.spread import deviation
from monitoring.metrics.volume import volume, waiting

#: `measure_days`, or a function with its signature.
Measuring = Callable[..., tuple[list[Measure], list[Unknown]]]
FOLDS = 3
#: Kinds that are compared with earlier days of the journal instead of the reference.
COMPARED_WITH_EARLIER_DAYS = ("row_rate", "label_coverage", *SERVICE)


def measure_window(
    window: Window,
    reference: pd.DataFrame,
    contract: Contract,
    seen: Mapping[str, list[str]],
    rules: Monitoring,
    say: Callable[[str], object] = len,
    served: tuple[list[Measure], list[Measure]] = ([], []),
    measuring: Measuring | None = None,
) -> tuple[list[Signal], list[Unknown], list[str]]:
    """The signals of the window, what could not be measured, and the days with too few rows.

    *seen* are the categories of training, by feature. *served* are service metrics of earlier days, and of the days to
    evaluate; they need no rows. *measuring* replaces `measure_days`.
    """
    measuring = measuring or measure_days
    earlier, recent, unknown = volume(window, rules)
    rows, unjudged = full_days(window.rows, contract.time, rules.min_rows)
    kinds = [kind for kind in (*rules.page, *rules.issue) if kind not in COMPARED_WITH_EARLIER_DAYS]
    if window.rows.empty:
        signals = chart_signals([(earlier, recent), served], {}, rules)
        if signals:  # they say nothing about the model
            unknown += [Unknown(kind, "this version has no rows yet", yet=True) for kind in kinds]
        return signals, unknown, unjudged
    sampled = reference if rows.empty else _as_many_rows(reference, rows, contract.time)
    sampled, _ = full_days(sampled, contract.time, rules.min_rows)
    day = days_of(sampled, contract.time)
    days = sorted(day.unique())
    if len(days) < rules.min_reference_days:
        why = f"the reference has {len(days)} full days; {rules.min_reference_days} are needed for limits"
        unknown += [Unknown(kind, why) for kind in kinds]
        return chart_signals([(earlier, recent), served], {}, rules), unknown, unjudged
    names = [f.name for f in contract.features if f.name in window.rows and f.name in sampled]
    if rows.empty:
        why = f"no day has {rules.min_rows} rows, as [monitoring] min_rows asks for"
        unknown += [Unknown(kind, why, yet=True) for kind in kinds if kind not in COUNTS]
        before = shares(counts_of(sampled, contract, seen), contract, names)
        now = shares(window.counts, contract, names)
    else:
        say("loading NannyML ...")
        wait = waiting(window, rules)
        now, failed = measuring(sampled, rows, contract, seen, rules, (wait, window.until))
        now = counted(now, window.counts, window.weight, sampled)
        measured_days = {*days_of(rows, contract.time)}
        now += shares(window.counts, contract, names, measured_days)
        unknown += failed
        before = []
        for fold in np.array_split(np.array(days, dtype=object), min(FOLDS, len(days))):
            at = day.isin(list(fold))
            measures, failed = measuring(sampled[~at], sampled[at], contract, seen, rules)
            before += measures
            unknown += [each for each in failed if each not in unknown]
    influences = influence(sampled, contract)
    say("solving the limits ...")
    return chart_signals([(before, now), (earlier, recent), served], influences, rules), unknown, unjudged


def measure_days(
    reference: pd.DataFrame,
    rows: pd.DataFrame,
    contract: Contract,
    seen: Mapping[str, list[str]],
    rules: Monitoring,
    late: tuple[int, str] | None = None,
) -> tuple[list[Measure], list[Unknown]]:
    """The measures of each day of *rows*, and what could not be measured.

    *late* is the label delay in days, and the day from which it is counted back; without it every outcome has come.
    """
    # Importing NannyML takes ten seconds, which a window without rows does not need.
    from monitoring.metrics.drift import drift  # noqa: PLC0415
    from monitoring.metrics.performance import performance  # noqa: PLC0415

    target = contract.target.name
    due = rows
    if late is not None:
        due = mature(rows, contract, late[0], f"{pd.Timestamp(late[1]) - pd.Timedelta(days=1)}")
    known, _ = full_days(due.dropna(subset=[target]), contract.time, rules.min_rows)
    measures, unknown = drift(reference, rows, contract, seen)
    more, more_unknown = performance(reference, rows, known, contract)
    spread = deviation(reference[target])
    return (
        [*measures, *more, *(bias(known, contract, spread, rules.min_rows) if len(known) else [])],
        unknown + more_unknown,
    )


def _as_many_rows(reference: pd.DataFrame, rows: pd.DataFrame, time: str) -> pd.DataFrame:
    """The reference, with at most as many rows a day as the median day of *rows*."""
    most = int(rows.groupby(days_of(rows, time)).size().median())
    shuffled = reference.sample(frac=1, random_state=0)
    kept = shuffled.groupby(days_of(shuffled, time)).cumcount() < most
    return reference.loc[kept[kept].index.sort_values()].reset_index(drop=True)

"""Window + reference -> signals: what is measured of each day, on its chart, against its limits.

The reference's days are measured by calculators that never saw them (in a few folds), as the days to
come will be; and with no more rows a day than the window has, for a distance grows where rows are few.
What the reference cannot tell (how many rows a day are usual, how many outcomes come, how long answers take)
is held against earlier days.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from checks.watch import Monitoring
from model.contract import Contract
from monitoring import chart
from monitoring.counted import counted
from monitoring.influence import influence
from monitoring.labels import bias, coverage, mature
from monitoring.limits import Budget, Limits, Numbers, Rule, Series, solve
from monitoring.signals import SERVICE, Measure, Signal, Unknown, by_series
from monitoring.window import Window, full_days

FOLDS = 3
#: Of the window's days, so many of the last are held against those before them.
RECENT = 14
#: What is held against earlier days: the window's own, or (how the scorers answered) those of whatever was live.
OWN = ("row_rate", "label_coverage", *SERVICE)


def look(
    window: Window,
    reference: pd.DataFrame,
    contract: Contract,
    seen: Mapping[str, list[str]],
    rules: Monitoring,
    say: Callable[[str], object] = len,
    served: tuple[list[Measure], list[Measure]] = ([], []),
) -> tuple[list[Signal], list[Unknown], list[str]]:
    """Every signal of the window, what could not be told, and the days that could not be judged.

    *served* are measures of how the scorers answered: of earlier days, and of those to judge. They
    need no row that could be judged.
    """
    rows, unjudged = full_days(window.rows, contract.time, rules.min_rows)
    if rows.empty:
        return charted([served], {}, rules), [], unjudged
    usual = _thinned(reference, rows, contract.time)
    usual, _ = full_days(usual, contract.time, rules.min_rows)
    days = sorted(usual[contract.time].dt.normalize().unique())
    if len(days) < rules.min_reference_days:
        why = f"the reference has {len(days)} full days; {rules.min_reference_days} are needed for limits"
        kinds = (*rules.page, *rules.issue)
        unknown = [Unknown(kind, why) for kind in kinds if kind not in OWN]
        return charted([served], {}, rules), unknown, unjudged
    say("loading NannyML ...")
    now, unknown = measure(usual, rows, contract, seen, rules)
    now = counted(now, window.counts, window.weight, usual)
    before: list[Measure] = []
    day = usual[contract.time].dt.normalize()
    for fold in np.array_split(np.array(days, dtype=object), min(FOLDS, len(days))):
        at = day.isin(list(fold))
        found, failed = measure(usual[~at], usual[at], contract, seen, rules, matured=True)
        before += found
        unknown += [each for each in failed if each not in unknown]
    own, later, wanting = _own(window, contract, rules)
    powers = influence(usual, contract)
    say("solving the limits ...")
    signals = charted([(before, now), (own, later), served], powers, rules)
    return signals, unknown + wanting, unjudged


def measure(
    reference: pd.DataFrame,
    rows: pd.DataFrame,
    contract: Contract,
    seen: Mapping[str, list[str]],
    rules: Monitoring,
    *,
    matured: bool = False,
) -> tuple[list[Measure], list[Unknown]]:
    """What is measured of each day of *rows*, and what could not be told."""
    # Ten seconds, which a window without rows need not wait for.
    from monitoring.drift import drift  # noqa: PLC0415
    from monitoring.performance import performance  # noqa: PLC0415

    target = contract.target.name
    due = rows if matured else mature(rows, contract, rules.maturity_days)
    known, _ = full_days(due.dropna(subset=[target]), contract.time, rules.min_rows)
    found, unknown = drift(reference, rows, contract, seen)
    more, more_unknown = performance(reference, rows, known, contract)
    spread = float(reference[target].astype(float).std())
    return (
        [*found, *more, *(bias(known, contract, spread, rules.min_rows) if len(known) else [])],
        unknown + more_unknown,
    )


def charted(
    parts: Sequence[tuple[list[Measure], list[Measure]]],
    influences: Mapping[str, float],
    rules: Monitoring,
) -> list[Signal]:
    """Measures of days to judge, each part's on charts with the limits of its own reference's."""
    tiers = {
        "page": Rule(1, 1, rules.quiet),
        "issue": Rule(rules.lasting, rules.of, rules.quiet),
        "digest": Rule(1, 1, rules.quiet),
    }
    groups = []
    for before, now in parts:
        known, wanted = by_series(before), by_series(now)
        for tier in tiers:
            mine = {
                name: days
                for name, days in wanted.items()
                if len(known.get(name, ())) >= rules.min_reference_days
                and tier_of(days[0], influences, rules) == tier
            }
            if mine:
                groups.append((tier, {name: known[name] for name in mine}, mine))
    found = []
    for tier, known, mine in groups:
        budget = Budget(
            rules.false_alarms_per_quarter / len(groups), rules.ewma_weight, rules.draws, rules.seed
        )
        reference, days = _matrix(known)
        series = [_series(name, known[name], rules) for name in known]
        weekdays = pd.to_datetime(days).day_of_week.to_numpy()
        limits = solve(reference, weekdays, series, tiers[tier], budget)
        for each, limit in zip(series, limits, strict=True):
            found += _signals(each, limit, mine[each.name], tier, rules.ewma_weight)
    return found


def tier_of(measure: Measure, influences: Mapping[str, float], rules: Monitoring) -> str:
    """Who hears of it: "page", "issue" or "digest"; "" for nobody.

    What happens to a feature that the score does not depend on is for the digest.
    """
    power = influences.get(measure.feature)
    if power is not None and power < rules.min_influence:
        return "digest"
    kinds = {"page": rules.page, "issue": rules.issue, "digest": rules.digest}
    return next((tier for tier, those in kinds.items() if measure.kind in those), "")


def _own(
    window: Window, contract: Contract, rules: Monitoring
) -> tuple[list[Measure], list[Measure], list[Unknown]]:
    """Row rate and label coverage: of earlier days, of the last days, and what is wanting."""
    rows, sizes = window.rows, window.counts["rows"].set_axis(pd.to_datetime(window.counts.index))
    every = pd.date_range(sizes.index.min(), sizes.index.max(), freq="D")
    sizes = sizes.reindex(every, fill_value=0)
    whole = sizes.iloc[1:-1] if sizes.iloc[-1] < sizes.median() / 2 else sizes.iloc[1:]
    rates = [
        Measure("row_rate", "rows", "", f"{day:%Y-%m-%d}", float(count), int(count))
        for day, count in whole.items()
    ]
    due = mature(rows, contract, rules.maturity_days)
    full, _ = full_days(due, contract.time, rules.min_rows)
    covered = coverage(full, contract) if full[contract.target.name].notna().any() else []
    covered = [replace(each, rows=window.weight * each.rows) for each in covered]
    newest = f"{every[-1] - pd.Timedelta(days=RECENT):%Y-%m-%d}"
    before, now, unknown = [], [], []
    for kind, found in (("row_rate", rates), ("label_coverage", covered)):
        old = [each for each in found if each.day <= newest]
        if len(old) >= rules.min_reference_days:
            before += old
            now += [each for each in found if each.day > newest]
        elif found:
            why = f"it needs {rules.min_reference_days + RECENT} days to be held against; there are {len(found)}"
            unknown.append(Unknown(kind, why, yet=True))
    return before, now, unknown


def _thinned(reference: pd.DataFrame, rows: pd.DataFrame, time: str) -> pd.DataFrame:
    """The reference with at most as many rows a day as a usual day of *rows* has."""
    most = int(rows.groupby(rows[time].dt.floor("D")).size().median())
    shuffled = reference.sample(frac=1, random_state=0)
    kept = shuffled.groupby(shuffled[time].dt.floor("D")).cumcount() < most
    return reference.loc[kept[kept].index.sort_values()].reset_index(drop=True)


def _series(name: str, known: list[Measure], rules: Monitoring) -> Series:
    """On which side a series is bad, and what is a trifle."""
    first = known[0]
    usual = abs(float(np.mean([each.value for each in known])))
    share = max(
        rules.min_share, rules.min_share_rows / float(np.median([each.rows for each in known]))
    )
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
        "reconstruction_error": error, "mae": error, "rmse": error,
        "roc_auc": Series(name, "lower", rules.min_loss),
        "accuracy": Series(name, "lower", rules.min_loss),
    }  # fmt: skip
    return by_kind.get(first.kind) or by_metric[first.metric]


def _matrix(known: Mapping[str, list[Measure]]) -> tuple[Numbers, list[str]]:
    days = sorted({each.day for measures in known.values() for each in measures})
    place = {day: n for n, day in enumerate(days)}
    found = np.full((len(days), len(known)), np.nan)
    for column, measures in enumerate(known.values()):
        for each in measures:
            found[place[each.day], column] = each.value
    return found, days


def _signals(
    series: Series, limits: Limits, measures: list[Measure], tier: str, weight: float
) -> list[Signal]:
    first, last = (pd.Timestamp(measures[n].day) for n in (0, -1))
    values = np.full(((last - first).days + 1, 1), np.nan)
    for each in measures:
        values[(pd.Timestamp(each.day) - first).days, 0] = each.value
    levels = chart.ewma((values - limits.mean) / limits.deviation, weight)[:, 0]
    upper, level_upper = series.above(limits)
    lower, level_lower = series.below(limits)
    return [
        Signal(
            each.kind, each.metric, each.feature, each.day, each.value, limits.mean, lower, upper,
            each.rows,
            limits.mean + limits.deviation * float(levels[(pd.Timestamp(each.day) - first).days]),
            level_lower, level_upper, tier, limits.run_length,
        )
        for each in measures
    ]  # fmt: skip

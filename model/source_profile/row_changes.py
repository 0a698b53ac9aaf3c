"""Rows that stopped, hours without rows, more or fewer rows a day, rows at other hours. The standard library alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from statistics import median

from model.source_profile.category_changes import EXPECTED
from model.source_profile.compared_periods import MIN_DAYS, Periods
from model.source_profile.source_change import Change


def stopped(periods: Periods) -> Iterable[Change]:
    """No rows up to the end of the query, in hours in which every day before had some; then, hours without rows."""
    if len(periods.before) < MIN_DAYS or "until" not in periods.new or "end" not in periods.new:
        return
    last, until = (datetime.fromisoformat(str(periods.new[each])) for each in ("end", "until"))
    moment = last.replace(minute=0, second=0) + timedelta(hours=1)
    silent = [0] * 24
    while moment + timedelta(hours=1) <= until:
        silent[moment.hour] += 1
        moment += timedelta(hours=1)
    once = [sum(day[hour] for hour in range(24) if silent[hour]) for day in periods.before.values()]
    expected = sum(median(d[hour] for d in periods.before.values()) * silent[hour] for hour in range(24))
    if min(once) > 0 and expected >= EXPECTED:
        periods.after = {day: each for day, each in periods.after.items() if day < f"{last:%Y-%m-%d}"}
        yield Change(
            "stopped",
            "",
            f"{last:%Y-%m-%d}",
            f"no rows from the source after {last:%H:%M} UTC on {last:%Y-%m-%d},"
            f" where about {expected:,.0f} are usual until {until:%Y-%m-%d %H:%M}",
        )
    yield from _holes(periods)


def _holes(periods: Periods) -> Iterable[Change]:
    """Hours that had rows every day before and have none on the days after."""
    days = list(periods.after.items())
    least = [min(day[hour] for day in periods.before.values()) for hour in range(24)]
    # Beside an hour that is empty at times, rows may be an hour early or late: summer time, or a schedule.
    usual = [min(least[hour - 1], least[hour], least[(hour + 1) % 24]) for hour in range(24)]
    typical = [median(day[hour] for day in periods.before.values()) for hour in range(24)]
    for number, (day, _) in enumerate(days):
        late = [hours for _, hours in days[number:]]
        # Hour by hour: where few rows come, one of two dozen hours is often empty by chance.
        empty = [
            hour
            for hour in range(24)
            if usual[hour] > 0 and typical[hour] * len(late) >= EXPECTED and not any(each[hour] for each in late)
        ]
        if not empty or any(not sum(each) for each in late):
            continue
        shown = ", ".join(f"{hour:02}:00" for hour in empty[:3]) + ("" if len(empty) < 4 else ", …")
        yield Change(
            "stopped", "", day, f"no rows in the hours from {shown} UTC since {day}, which had some every day before"
        )
        return


def row_counts(periods: Periods) -> Iterable[Change]:
    """More or fewer rows than on any day before; otherwise, rows at other hours."""
    usual = [sum(day) for day in periods.before.values()]
    days = list(periods.after.items())
    for number, (day, _) in enumerate(days):
        now = [sum(hours) for _, hours in days[number:]]
        factor = median(now) / (median(usual) or 1)
        if min(now) > 1.5 * max(usual):
            yield Change(
                "rows", "", day, f"{factor:.1f} times as many rows a day since {day}: loaded twice, or a new segment?"
            )
            return
        if max(now) < min(usual) / 1.5:
            yield Change("rows", "", day, f"{factor:.0%} of the usual rows a day since {day}: is the export cut?")
            return
    yield from _clock(periods)


def _clock(periods: Periods) -> Iterable[Change]:
    """The same day at other hours."""
    usual, now = (_profile(part.values()) for part in (periods.before, periods.after))
    if not any(usual) or not any(now):
        return
    apart = {shift: _apart(now, usual[-shift:] + usual[:-shift]) for shift in range(24)}
    best = min(apart, key=lambda shift: apart[shift])
    if best and apart[0] > 0.15 and apart[best] < apart[0] / 3:
        hours = best if best <= 12 else best - 24
        why = "summer time, or a time zone?" if abs(hours) == 1 else "a time zone?"
        yield Change("rows", "", periods.since, f"the hours of the day moved by {hours:+} since {periods.since}: {why}")


def _profile(days: Iterable[Sequence[int]]) -> list[float]:
    """The share of rows in each hour of the day."""
    sums = [sum(hour) for hour in zip(*days, strict=True)] or [0] * 24
    return [each / (sum(sums) or 1) for each in sums]


def _apart(one: Sequence[float], other: Sequence[float]) -> float:
    """The total variation distance of two profiles."""
    return sum(abs(a - b) for a, b in zip(one, other, strict=True)) / 2

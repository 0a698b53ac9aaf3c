"""Two fingerprints of a source -> what probably changed upstream, in words.

The new days are compared with the days before them. The standard library alone, since the gate and monitoring
run in different environments. A field that a fingerprint does not have is not compared.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from itertools import combinations
from statistics import median

from contracts.row_contract import Contract
from model.source_profile.category_changes import moved
from model.source_profile.compared_periods import MIN_DAYS, Periods, Source
from model.source_profile.drift_projection import projected
from model.source_profile.row_changes import row_counts, stopped
from model.source_profile.slow_columns import continues, is_slow, runs_of, sentinel_of, step
from model.source_profile.source_change import Change, Limits
from model.source_profile.unit_changes import Day, days_of, jump, sentinel


def changes(old: Source | None, new: Source, since: str, limits: Limits) -> list[Change]:
    """What changed on the days from *since* (YYYY-MM-DD) on, compared with the days before.

    *old* is the fingerprint that was usual; without one, *new*'s own days before *since* are.
    """
    periods = Periods(old or {}, new, since)
    found = [*_schema(periods), *stopped(periods)]
    if len(periods.before) >= MIN_DAYS and periods.after:
        found += [*row_counts(periods), *_fields(periods, limits)]
    return found


def outlook(source: Source, contract: Contract, limits: Limits) -> list[Change]:
    """The limits that fields will pass if their trends continue: soonest first."""
    days = [date.fromisoformat(day) for day in source.get("days", ())]
    found = []
    for feature in contract.features:
        daily = source.get("fields", {}).get(feature.name, {}).get("daily", {})
        ends = daily.get("quantiles") or []
        series = [("missing values", daily.get("missing") or [], limits.max_missing, True, f"{limits.max_missing:.0%}")]
        every = days_of(source.get("fields", {}).get(feature.name, {}), source.get("days", ()))
        changed = {run.first for run in runs_of(every)} if is_slow(every) else None  # a figure a month has few values
        for limit, place, rising in ((feature.maximum, 5, True), (feature.minimum, 1, False)):
            if limit is not None:
                values = [each[place] if each else None for each in ends]
                word = "95th" if rising else "5th"
                series.append((f"the {word} percentile", values, limit, rising, f"{limit:g} {feature.unit}".strip()))
        for what, values, limit, rising, shown in series:
            known = {day: v for day, v in zip(days, values, strict=False) if v is not None}
            if changed is not None and what != "missing values":
                known = {day: v for day, v in known.items() if f"{day}" in changed}
            seen = projected(known, limit, limits.horizon, rising=rising)
            if seen:
                pace = f"{seen.slope:+.2%}" if what == "missing values" else f"{seen.slope:+.3g}"
                words = f"({what}) changes by {pace} a day: if the trend continues, it passes {shown} about {seen.day}"
                found.append(Change("outlook", feature.name, f"{seen.day}", words))
    return sorted(found, key=lambda change: change.since)


def _schema(periods: Periods) -> Iterable[Change]:
    old, new = (source.get("fields", {}) for source in (periods.old, periods.new))
    if not old:
        return
    for name in sorted({*old} - {*new}):
        yield Change("schema", name, "", "is no longer read from the source")
    for name in sorted({*new} - {*old}):
        yield Change("schema", name, "", "is read from the source for the first time")
    for name in sorted({*new} & {*old}):
        kinds = [each[name].get("kind") for each in (old, new)]
        if kinds[0] != kinds[1]:
            yield Change("schema", name, "", f"is a {kinds[1]} now, and was a {kinds[0]}")


def _fields(periods: Periods, limits: Limits) -> Iterable[Change]:
    swapped = list(_swapped(periods))
    yield from swapped
    known = " ".join(change.words for change in swapped)
    for name, field in periods.new.get("fields", {}).items():
        kind = field.get("kind")
        if kind == "number":
            yield from _units(periods, name, limits, swapped=f"`{name}`" in known)
        elif kind == "category":
            yield from _categories(periods, name, field, limits)
        yield from _missing(periods, name, limits)


def _units(periods: Periods, name: str, limits: Limits, *, swapped: bool) -> Iterable[Change]:
    before, after = periods.numbers(name)
    slow = is_slow(before)
    code = sentinel(before, after, limits.sentinel_share, *([sentinel_of] if slow else []))
    if code:
        yield Change("units", name, code[0], f"{code[1]} (since {code[0]})")
    if swapped or (code and slow):
        return
    if slow:
        widest = periods.old.get("fields", {}).get(name, {}).get("quantiles", [])
        stepped = step(before, after, widest or [day.quantiles[3] for day in before])
        if stepped:
            since, words, certain = stepped
            yield Change("units", name, since, f"{words} (since {since})", certain=certain)
    elif turned := jump(before, after):
        yield Change("units", name, turned[0], f"{turned[1]} (since {turned[0]})")


def _missing(periods: Periods, name: str, limits: Limits) -> Iterable[Change]:
    before, after = periods.daily(name, "missing")
    if len(before) < MIN_DAYS:
        return
    usual, days = max(before.values()), list(after.items())
    for number, (day, _) in enumerate(days):
        now = [share for _, share in days[number:]]
        if min(now) > usual + limits.missing_rise:
            yield Change(
                "missing",
                name,
                day,
                f"is missing in {median(now):.0%} of rows since {day}, and was in at most {usual:.0%} of a day's",
            )
            return


def _categories(periods: Periods, name: str, field: Source, limits: Limits) -> Iterable[Change]:
    rows = {day: sum(hours) for day, hours in (periods.before | periods.after).items()}
    usual = periods.old.get("fields", {}).get(name, {})
    for since, words, names in moved(usual, field, rows, periods.since, limits.category_share, periods.start):
        yield Change("renamed" if names else "categories", name, since, words, names)
    before, after = periods.daily(name, "new")
    most = max(list(before.values())[1:], default=0)  # on the first day every value is new
    days = list(after.items())
    for number, (day, _) in enumerate(days):
        now = [count for _, count in days[number:]]
        if len(before) >= MIN_DAYS and min(now) > 5 * max(most, 4):
            yield Change(
                "categories",
                name,
                day,
                f"gets about {median(now):,.0f} values a day since {day} that never came before: an id?",
            )
            return


def _swapped(periods: Periods) -> Iterable[Change]:
    """Two numeric fields whose ranges never overlapped, each of which is now where the other was.

    Two figures that move may change places by chance. So the spread within the days must have changed places, too;
    slow columns have none, so their new values must be no further from the other's last one than its usual steps.
    """
    fields = {}
    for name, field in periods.new.get("fields", {}).items():
        before, after = periods.numbers(name) if field.get("kind") == "number" else ([], [])
        if len(before) >= MIN_DAYS and after:
            fields[name] = (before, after)
    for one, other in combinations(sorted(fields), 2):
        (was, now), (was_other, now_other) = fields[one], fields[other]
        middles, others = ([day.quantiles[3] for day in days] for days in (was, was_other))
        apart = max(middles) < min(others) or max(others) < min(middles)
        if not (apart and _inside(now, was_other, 3) and _inside(now_other, was, 3)):
            continue
        slow = is_slow(was) or is_slow(was_other)
        certain = (
            continues(was_other, now) and continues(was, now_other)
            if slow
            else all(_inside(now, was_other, n) and _inside(now_other, was, n) for n in (2, 4))
        )
        words = f"`{one}` looks like `{other}`, and the other way round: two columns swapped since {periods.since}?"
        if not certain:
            words += " Not certain: " + ("they have too few values" if slow else "their spread did not change places")
        yield Change("units", "", periods.since, words, certain=certain)


def _inside(now: Sequence[Day], was: Sequence[Day], quantile: int) -> bool:
    """Whether the usual *quantile* of the days *now* is within that of the days before."""
    values = [day.quantiles[quantile] for day in was]
    return min(values) <= median(day.quantiles[quantile] for day in now) <= max(values)

"""Two fingerprints of a source -> what probably changed upstream, in words.

The new days are compared with the days before them. The standard library alone, since the gate and monitoring
run in different environments. A field that a fingerprint does not have is not compared.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from statistics import median

from contracts.row_contract import Contract
from model.source_profile.category_changes import moved
from model.source_profile.compared_periods import LEAST_DAYS, Periods, Source
from model.source_profile.drift_projection import projected
from model.source_profile.row_changes import row_counts, stopped
from model.source_profile.source_change import Change, Limits
from model.source_profile.unit_changes import jump, sentinel


def changes(old: Source | None, new: Source, since: str, limits: Limits) -> list[Change]:
    """What changed on the days from *since* (YYYY-MM-DD) on, compared with the days before.

    *old* is the fingerprint that was usual; without one, *new*'s own days before *since* are.
    """
    periods = Periods(old or {}, new, since)
    found = [*_schema(periods), *stopped(periods)]
    if len(periods.before) >= LEAST_DAYS and periods.after:
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
        for limit, place, rising in ((feature.maximum, 5, True), (feature.minimum, 1, False)):
            if limit is not None:
                values = [each[place] if each else None for each in ends]
                word = "95th" if rising else "5th"
                series.append((f"the {word} percentile", values, limit, rising, f"{limit:g} {feature.unit}".strip()))
        for what, values, limit, rising, shown in series:
            known = {day: v for day, v in zip(days, values, strict=False) if v is not None}
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
            before, after = periods.numbers(name)
            turned = None if f"`{name}`" in known else jump(before, after)
            stands = sentinel(before, after, limits.sentinel_share)
            for since, words in filter(None, (turned, stands)):
                yield Change("units", name, since, f"{words} (since {since})")
        elif kind == "category":
            yield from _categories(periods, name, field, limits)
        yield from _missing(periods, name, limits)


def _missing(periods: Periods, name: str, limits: Limits) -> Iterable[Change]:
    before, after = periods.daily(name, "missing")
    if len(before) < LEAST_DAYS:
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
        if len(before) >= LEAST_DAYS and min(now) > 5 * max(most, 4):
            yield Change(
                "categories",
                name,
                day,
                f"gets about {median(now):,.0f} values a day since {day} that never came before: an id?",
            )
            return


def _swapped(periods: Periods) -> Iterable[Change]:
    """Two numeric fields whose ranges never overlapped, each of which is now where the other was."""
    middles = {}
    for name, field in periods.new.get("fields", {}).items():
        before, after = periods.numbers(name) if field.get("kind") == "number" else ([], [])
        if len(before) >= LEAST_DAYS and after:
            middles[name] = ([d.quantiles[3] for d in before], [d.quantiles[3] for d in after])
    names = sorted(middles)
    for one in names:
        for other in names[names.index(one) + 1 :]:
            (was, now), (was_other, now_other) = middles[one], middles[other]
            apart = max(was) < min(was_other) or max(was_other) < min(was)
            if apart and _inside(median(now), was_other) and _inside(median(now_other), was):
                yield Change(
                    "units",
                    "",
                    periods.since,
                    f"`{one}` looks like `{other}`, and the other way round: two columns swapped since {periods.since}?",
                )


def _inside(now: float, was: Sequence[float]) -> bool:
    return min(was) <= now <= max(was)

"""Days on which a stream is expected to be unusual: public holidays, the days around them, and days that recur.

Holidays are those of the country in `[monitoring] country`, by the holidays package. Without a country, and in addition
to it, a date on which the row rate was extreme a year before is expected to be so again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta

import numpy as np

from contracts.thresholds import ConfigurationError
from monitoring.charts.signals import Measure

#: Days before and after a holiday that belong to it.
AROUND = 1
#: Days around a day that its row rate is compared with.
NEIGHBOUR_DAYS = 7


def holidays_of(country: str, days: Iterable[str]) -> dict[str, str]:
    """The holiday that each of *days* is or is next to, by the day; *country* is such as "DE" or "DE-BY", or "" for none.

    Raises `ConfigurationError` for a country or a subdivision that the holidays package does not have.
    """
    wanted = sorted({*days})
    if not country or not wanted:
        return {}
    import holidays  # noqa: PLC0415 -- half a second, which a stream without a country does not need

    first, last = (date.fromisoformat(wanted[n]) for n in (0, -1))
    nation, _, subdivision = country.partition("-")
    years = range(first.year - 1, last.year + 2)
    try:
        known = holidays.country_holidays(nation, subdiv=subdivision or None, years=years, language="en_US")
    except NotImplementedError as error:
        raise ConfigurationError(
            f'[monitoring] country is "{country}": {error}; expected a code of ISO 3166 that the holidays package has,'
            ' such as "DE" or "DE-BY", or "" for no holidays'
        ) from error
    found: dict[str, str] = {}
    for apart in sorted(range(-AROUND, AROUND + 1), key=abs):
        where = "" if not apart else "the day before " if apart < 0 else "the day after "
        for day, name in known.items():
            at = f"{day + timedelta(days=apart)}"
            if at in wanted:
                found.setdefault(at, where + str(name))
    return found


def recurring_days(last_year: Sequence[Measure], days: Iterable[str], share: float) -> dict[str, str]:
    """The *days* whose date had an extreme row rate a year before, by the day.

    Extreme is further than *share* from the median of the same weekday and of the days around, both.
    """
    rates = {each.day: each.value for each in last_year}
    found = {}
    for day in {*days}:
        then = _a_year_before(date.fromisoformat(day))
        if then is None or f"{then}" not in rates:
            continue
        value = rates[f"{then}"]
        near = [rates.get(f"{then + timedelta(days=n)}") for n in range(-NEIGHBOUR_DAYS, NEIGHBOUR_DAYS + 1) if n]
        same = [rates.get(f"{then + timedelta(days=n)}") for n in (-14, -7, 7, 14)]
        usual = [float(np.median(known)) for each in (near, same) if (known := [v for v in each if v is not None])]
        if len(usual) == 2 and all(abs(value - each) > share * each for each in usual):
            found[day] = f"as on {then}"
    return found


def calendar(country: str, last_year: Sequence[Measure], days: Sequence[str], share: float) -> Mapping[str, str]:
    """Why each of *days* that is expected to be unusual is so: the holidays of a *country*, then days that recur."""
    return recurring_days(last_year, days, share) | holidays_of(country, days)


def _a_year_before(day: date) -> date | None:
    """The same date; None for the 29th of February."""
    try:
        return day.replace(year=day.year - 1)
    except ValueError:
        return None

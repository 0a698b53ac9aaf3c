"""Holidays of a country and its subdivisions, the days around them, and dates that were extreme a year before."""

from dataclasses import asdict
from datetime import date, timedelta

import pytest
from pydantic import TypeAdapter, ValidationError

from contracts.monitoring_limits import Monitoring
from contracts.thresholds import ConfigurationError, read_rules
from monitoring.charts.holiday_calendar import calendar, holidays_of, recurring_days
from monitoring.charts.signals import Measure


def days(first, count):
    return [f"{date.fromisoformat(first) + timedelta(days=n)}" for n in range(count)]


def rates(first, count, unusual):
    """A row rate of 1000, other values on *unusual* days."""
    return [Measure("row_rate", "rows", "", day, float(unusual.get(day, 1000)), 1000) for day in days(first, count)]


@pytest.mark.parametrize(
    ("country", "day", "name"),
    [
        ("DE", "2026-12-25", "Christmas Day"),
        ("DE", "2026-12-24", "the day before Christmas Day"),
        ("DE", "2026-12-27", "the day after Second Day of Christmas"),
        ("DE-BY", "2026-01-06", "Epiphany"),
        ("US", "2026-07-04", "Independence Day"),
    ],
)
def test_a_holiday_and_the_days_around_it_have_its_name(country, day, name):
    """In English, as the rest of the report."""
    assert holidays_of(country, [day])[day].startswith(name)


def test_a_holiday_of_another_place_is_none():
    """Epiphany is a holiday in Bavaria, not in Germany; without a country there are none."""
    assert holidays_of("DE", ["2026-01-06"]) == {}
    assert holidays_of("", ["2026-12-25"]) == {}
    assert holidays_of("DE", []) == {}


def test_a_date_that_was_extreme_a_year_before_is_expected_to_be_so_again():
    """However the weekday falls; usual days, and dates that are not known, are not."""
    past = rates("2025-12-01", 60, {"2025-12-25": 200, "2026-01-01": 1600})

    assert recurring_days(past, days("2026-12-10", 40), 0.3) == {
        "2026-12-25": "as on 2025-12-25",
        "2027-01-01": "as on 2026-01-01",
    }
    assert recurring_days(past, ["2028-02-29", "2027-06-01"], 0.3) == {}


def test_a_weekend_is_no_holiday():
    """It is compared with the same weekday."""
    past = rates(
        "2025-11-01", 90, {day: 300 for day in days("2025-11-01", 90) if date.fromisoformat(day).weekday() == 6}
    )

    assert recurring_days(past, days("2026-12-01", 31), 0.3) == {}


def test_the_name_of_the_holiday_wins():
    """Over that it recurs."""
    past = rates("2025-12-01", 60, {"2025-12-25": 200})

    assert calendar("DE", past, ["2026-12-25"], 0.3)["2026-12-25"].startswith("Christmas")


@pytest.mark.parametrize("country", ["de", "Germany", "DE_BY", "D", 5])
def test_a_country_is_a_code(root, country):
    """The message says which; a code that there is not is one, too."""
    values = asdict(read_rules(root / "checks/thresholds.toml").monitoring)

    with pytest.raises(ValidationError, match="country"):
        TypeAdapter(Monitoring).validate_python(values | {"country": country})


@pytest.mark.parametrize("country", ["", "DE", "DE-BY", "US-CA", "CH-ZH"])
def test_codes_of_countries_and_subdivisions_are_accepted(root, country):
    """Of ISO 3166."""
    values = asdict(read_rules(root / "checks/thresholds.toml").monitoring)

    assert TypeAdapter(Monitoring).validate_python(values | {"country": country}).country == country


@pytest.mark.parametrize("country", ["XX", "DE-QQ"])
def test_a_country_that_there_is_not_is_an_error_of_the_settings(country):
    """Which says where, and what to write."""
    with pytest.raises(ConfigurationError, match=rf'\[monitoring\] country is "{country}".*such as "DE" or "DE-BY"'):
        holidays_of(country, ["2026-12-25"])

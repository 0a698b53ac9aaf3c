"""Small changes of the rows: faults of random sizes, days and features are found and named, clean streams are not."""

import numpy as np
import pandas as pd
import pytest

from checks.rules.changes.missing_steps import missing_steps
from checks.rules.changes.pile_ups import pile_ups
from checks.rules.changes.row_rates import identical, segments
from checks.rules.changes.slice_values import slice_values
from tests.checks.window_rows import CONTRACT, DAYS, late, window_evidence, window_rows

RULES = {
    "data.pile_ups": pile_ups,
    "data.missing_steps": missing_steps,
    "data.slice_values": slice_values,
    "data.segments": segments,
    "data.identical": identical,
}


def filled(rows, random, share, kind):
    """Some recent values of a number are its mean or median, in all rows or by country."""
    name = random.choice(["price", "age", "pages", "depth"])
    values = rows.groupby("country")[name].transform("mean") if kind == "segment" else rows[name].agg(kind)
    return rows.assign(**{name: rows[name].mask(hit(rows, random, share), values)}), name


def clipped(rows, random, share, end):
    name = random.choice(["price", "depth"])
    bound = rows[name].quantile(1 - share if end == "max" else share)
    past = rows[name] > bound if end == "max" else rows[name] < bound
    return rows.assign(**{name: rows[name].mask(hit(rows, random, 1) & past, bound)}), name


def imputed(rows, random, share):
    name = random.choice(["price", "age"])
    drawn = rows[name].dropna().sample(len(rows), replace=True, random_state=0).to_numpy()
    chosen = hit(rows, random, share) & rows[name].isna()
    return rows.assign(**{name: rows[name].mask(chosen, drawn)}), name


def lacking(rows, random, share):
    name = random.choice(["price", "age"])
    return rows.assign(**{name: rows[name].mask(hit(rows, random, share))}), name


def lacking_in_segment(rows, random, share):
    country = _country(rows, random)
    chosen = hit(rows, random, share) & (rows["country"] == country)
    return rows.assign(price=rows["price"].mask(chosen)), f"price where country is {country}"


def other_currency(rows, random, factor, share=1.0):
    country = _country(rows, random)
    chosen = hit(rows, random, share) & (rows["country"] == country)
    return rows.assign(price=rows["price"].mask(chosen, rows["price"] * factor)), f"where country is {country}"


def without_segment(rows, random, share):
    country = _country(rows, random)
    return rows[~(hit(rows, random, share) & (rows["country"] == country))], f"country = {country}"


def survivors(rows, random, share):
    return rows[~(hit(rows, random, share) & (rows["bought"] == 1))], "bought = True"


def without_hours(rows, random, share):
    first = int(random.integers(8, 20))
    return rows[~(hit(rows, random, share) & rows["at"].dt.hour.isin([first, first + 1, first + 2]))], "hour "


def robots(rows, random, share):
    recent = rows[hit(rows, random, 1)]
    more = recent.sample(frac=share, random_state=0, replace=True)
    names = [each for each in recent if each not in ("visit", "at", "minute")]
    copied = {name: recent[name].iloc[0] for name in names}
    more = more.assign(visit=[f"r{number}" for number in range(len(more))], **copied)
    return pd.concat([rows, more]).sort_values("at", ignore_index=True), "follows from the time"


def parties(rows, random):
    """Groups of rows of a day that are alike, as bookings of one party, more of them on some days."""
    size = random.choice([0, 0.2, 0.5], DAYS)[(rows["at"] - rows["at"].min()).dt.days]
    joins = random.random(len(rows)) < size
    place = pd.Series(np.arange(len(rows)), dtype=float)
    head = place.where(~joins).groupby(rows["at"].dt.floor("D")).ffill().fillna(place).astype(int)
    alike = [each for each in rows if each not in ("visit", "at", "minute")]
    return rows.assign(**{name: rows[name].to_numpy()[head] for name in alike})


def robots_among_parties(rows, random, share):
    return robots(parties(rows, random), random, share)[0], "have one combination of values"


def robots_nearly_alike(rows, random, share):
    """Each number differs a little."""
    rows, _ = robots(rows, random, share)
    made = rows["visit"].str.startswith("r")
    near = {name: rows[name].mask(made, rows[name] + 0.002 * random.random(len(rows))) for name in ("price", "depth")}
    return rows.assign(**near), "have nearly one combination of values"


def hit(rows, random, share):
    """Recent rows, from a day on that is drawn at random: a share of them."""
    return late(rows, int(random.integers(6, 15))) & (random.random(len(rows)) < share)


def _country(rows, random):
    shares = rows["country"].value_counts(normalize=True)
    return random.choice(shares[(shares > 0.08) & (shares < 0.9)].index)


FAULTS = [
    ("data.pile_ups", filled, 0.05, "mean"),
    ("data.pile_ups", filled, 0.08, "median"),
    ("data.pile_ups", filled, 0.1, "segment"),
    ("data.pile_ups", clipped, 0.04, "max"),
    ("data.pile_ups", clipped, 0.06, "min"),
    ("data.missing_steps", imputed, 1.0),
    ("data.missing_steps", lacking, 0.2),
    ("data.missing_steps", lacking_in_segment, 0.6),
    ("data.slice_values", other_currency, 11.0),
    ("data.slice_values", other_currency, 0.01),
    ("data.slice_values", other_currency, 100.0, 0.5),
    ("data.segments", without_segment, 1.0),
    ("data.segments", survivors, 0.8),
    ("data.segments", survivors, 0.55),
    ("data.segments", without_hours, 1.0),
    ("data.identical", robots, 0.06),
    ("data.identical", robots_among_parties, 0.08),
    ("data.identical", robots_among_parties, 0.04),
    ("data.identical", robots_nearly_alike, 0.1),
]


@pytest.mark.parametrize(("rule", "fault", "arguments"), [(rule, fault, more) for rule, fault, *more in FAULTS])
def test_a_fault_of_random_day_and_feature_is_named(rules, rule, fault, arguments):
    """Each holds the candidate, and says which feature, segment or class changed."""
    missed = []
    for seed in range(2):
        random = np.random.default_rng(seed)
        rows, what = fault(window_rows(random, 250), random, *arguments)
        found = RULES[rule](window_evidence(rows.reset_index(drop=True)), rules.gate.changes)
        if found.outcome == "PASS":
            missed.append(seed)
        else:
            assert (found.rule, found.outcome, found.severity) == (rule, "FAIL", "hold")
            assert what in found.observed
    assert missed == []


@pytest.mark.parametrize("per_day", [12, 120])
@pytest.mark.parametrize("seed", range(50, 54))
def test_a_clean_stream_has_no_finding(rules, seed, per_day):
    """In long runs of such streams fewer than 1 in 100 have one (docs/explanation/decisions/gate-rules.md)."""
    evidence = window_evidence(window_rows(np.random.default_rng(seed), per_day))
    for rule in RULES.values():
        found = rule(evidence, rules.gate.changes)
        assert found.outcome == "PASS", found.observed


@pytest.mark.parametrize("seed", range(4))
def test_parties_on_some_days_are_no_programs(rules, seed):
    random = np.random.default_rng(seed)
    found = identical(window_evidence(parties(window_rows(random, 120), random)), rules.gate.changes)

    assert found.outcome == "PASS", found.observed


def test_rows_that_were_filled_later_are_found_one_by_one(rules):
    """The champion's evidence shows what they were."""
    rows = window_rows(np.random.default_rng(0), 100)
    lost = rows.assign(age=rows["age"].fillna(40.0))
    found = missing_steps(window_evidence(lost, rows), rules.gate.changes)

    assert found.outcome == "FAIL"
    assert "age was missing in" in found.observed
    assert missing_steps(window_evidence(rows, rows), rules.gate.changes).outcome == "PASS"


@pytest.mark.parametrize(("share", "outcome"), [(0.0, "PASS"), (0.03, "FAIL")])
def test_lost_rows_of_one_kind_are_found_among_the_champions(rules, share, outcome):
    """Few rows are gone from the whole window, and nearly all of them had the same outcome."""
    random = np.random.default_rng(0)
    rows = window_rows(random, 100)
    gone = (rows["bought"] == 1) & (random.random(len(rows)) < share * 4)
    anyway = random.random(len(rows)) < 0.01
    found = segments(window_evidence(rows[~gone & ~anyway].reset_index(drop=True), rows), rules.gate.changes)

    assert found.outcome == outcome, found.observed
    if outcome == "FAIL":
        assert "have bought = True" in found.observed


def test_a_new_segment_takes_no_share_from_the_others(rules):
    """A shop that opens in another country loses no rows."""
    random = np.random.default_rng(0)
    rows = window_rows(random, 100)
    more = rows[hit(rows, random, 1)].assign(country="new")
    more["visit"] += " new"
    both = pd.concat([rows, more, more.assign(visit=more["visit"] + " too")]).sort_values("at", ignore_index=True)
    found = segments(window_evidence(both), rules.gate.changes)

    assert found.outcome == "PASS", found.observed


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_change_of_the_clock_moves_no_hour(rules, hours):
    rows = window_rows(np.random.default_rng(0), 200)
    shifted = rows.assign(at=rows["at"].mask(late(rows, 10), rows["at"] + pd.Timedelta(hours=hours)))
    found = segments(window_evidence(shifted[shifted["at"] < rows["at"].max()]), rules.gate.changes)

    assert found.outcome == "PASS", found.observed


def test_private_values_are_not_shown(rules):
    contract = CONTRACT.from_json(CONTRACT.to_json() | {"private": ["country"]})
    random = np.random.default_rng(0)
    rows, what = without_segment(window_rows(random, 250), random, 1.0)
    found = segments(window_evidence(rows.reset_index(drop=True), contract=contract), rules.gate.changes)

    assert found.outcome == "FAIL"
    assert what not in found.observed
    assert "country = (private)" in found.observed


def test_few_days_are_reported_as_such(rules):
    rows = window_rows(np.random.default_rng(0), 40)
    few = rows[late(rows, 30)].reset_index(drop=True)
    for rule in RULES.values():
        found = rule(window_evidence(few), rules.gate.changes)
        assert "days before the holdout are too few to compare" in found.observed


def test_rows_that_are_alike_by_chance_are_no_fault(rules):
    """Where features have few values, rows of a fortnight repeat each other, the more the more rows there are."""
    random = np.random.default_rng(4)
    rows = window_rows(random, 40)
    coarse = rows.assign(**dict.fromkeys(("price", "age", "depth", "rain", "minute"), 0.0))
    coarse = coarse.assign(pages=random.integers(0, 600, len(rows)).astype(float))
    busy = pd.concat([coarse[late(coarse, 14)]] * 3, ignore_index=True)
    visit = [f"new {number}" for number in range(len(busy))]
    more = busy.assign(country="CH", pages=random.integers(0, 1500, len(busy)).astype(float), visit=visit)
    found = identical(window_evidence(pd.concat([coarse, more], ignore_index=True), coarse), rules.gate.changes)

    assert found.outcome == "PASS", found.observed


@pytest.mark.parametrize("many", [30, 90])
def test_a_champion_older_than_the_window_leaves_no_day_to_compare_with(rules, many):
    """All rows are recent."""
    rows = window_rows(np.random.default_rng(0), 40)
    older = rows.assign(at=rows["at"] - pd.Timedelta(days=200))
    for rule in RULES.values():
        found = rule(window_evidence(rows[late(rows, many)].reset_index(drop=True), older), rules.gate.changes)
        assert found.outcome == "PASS"
        assert "days before the holdout are too few to compare" in found.observed


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("per_day", [12, 120])
def test_a_new_segment_with_other_values_is_no_change_of_the_others(rules, seed, per_day):
    """It buys other things at other hours, lacks a field, and has its own rows in every segment of other columns."""
    random = np.random.default_rng(seed)
    rows = window_rows(random, per_day)
    busy = pd.concat([rows[late(rows, 10)]] * 2, ignore_index=True)
    other = {
        "country": "new",
        "price": 99.0,
        "age": np.nan,
        "pages": busy["pages"] * 3,
        "depth": 0.5,
        "device": "phone",
    }
    visit = [f"new {number}" for number in range(len(busy))]
    more = busy.assign(visit=visit, at=busy["at"].dt.floor("D") + pd.Timedelta(hours=12), **other)
    both = pd.concat([rows, more]).sort_values("at", ignore_index=True)
    for name, rule in RULES.items():
        found = rule(window_evidence(both, rows), rules.gate.changes)
        assert found.outcome == "PASS", (name, found.observed)

"""Renamed categories are confirmed by the other columns, where these depend on the value."""

import numpy as np
import pandas as pd
import pytest

from checks.rules.rows.renamed_categories import likeness, spelt_alike
from checks.rules.rows.source_changes import upstream
from contracts.row_contract import Contract, Feature, Target
from model.source_profile.fingerprint import source_of
from model.source_profile.source_change import Change

SINCE = pd.Timestamp("2026-02-21", tz="UTC")
CONTRACT = Contract(
    name="shop",
    task="binary",
    key="visitor",
    time="at",
    features=(
        Feature("channel", "category"),
        Feature("device", "category", nullable=True),
        Feature("pages", "number", nullable=True),
    ),
    target=Target("bought", (False, True)),
)


def shop(pages=0.0, desk=0.5, bought=0.3, then=None):
    """Thirty days of visits. Those of the channel "web" differ so from the others; *then* from the 21st on."""
    random = np.random.default_rng(0)
    many = 6_000
    at = SINCE + pd.to_timedelta(np.arange(many) / many * 30 - 20, unit="D")
    web, late = random.random(many) < 0.4, at >= SINCE
    usual = {"pages": 0.0, "desk": 0.5, "bought": 0.3}
    first = {"pages": pages, "desk": desk, "bought": bought}

    def of(name):
        return np.where(web, np.where(late, (then or first)[name], first[name]), usual[name])

    return pd.DataFrame(
        {
            "visitor": [f"v{n}" for n in range(many)],
            "at": at,
            "channel": np.where(web, "web", random.choice(["shop", "phone"], many)),
            "device": np.where(random.random(many) < of("desk"), "desk", "phone"),
            "pages": random.normal(of("pages"), 1) + 2 * late,  # all rows have more since
            "bought": (random.random(many) < of("bought")).astype(float),
        }
    )


def renamed(rows, new="www"):
    return rows.assign(channel=rows["channel"].mask((rows["channel"] == "web") & (rows["at"] >= SINCE), new))


KNOWN = {"pages": 1.0, "desk": 0.5, "bought": 0.3}
CASES = {
    "known by a number": (shop(pages=0.5), True),
    "known by a category": (shop(desk=0.8), True),
    "known by the outcome alone": (shop(bought=0.5), True),
    "nothing hangs on it": (shop(), False),
    "the new one is like all others": (shop(**KNOWN, then=KNOWN | {"pages": 0.0}), False),
    "the new one differs, and less": (shop(**KNOWN, then=KNOWN | {"pages": 0.6}), False),
    "the new one differs the other way": (shop(**KNOWN, then=KNOWN | {"pages": -1.0}), False),
    "the new one buys otherwise": (shop(bought=0.6, then=KNOWN | {"pages": 0.0}), False),
}


@pytest.mark.parametrize("case", CASES)
def test_a_renamed_value_is_distinguished_from_a_new_one(case):
    """Though both came on the same day, with the same share."""
    rows, same = CASES[case]
    change = Change("renamed", "channel", f"{SINCE:%Y-%m-%d}", "renamed?", ("web", "www"))

    assert likeness(renamed(rows), CONTRACT, change).same == same


def test_too_few_rows_confirm_nothing():
    """Those of a night."""
    rows = renamed(shop(pages=1.0))
    change = Change("renamed", "channel", f"{SINCE:%Y-%m-%d}", "renamed?", ("web", "www"))

    assert likeness(rows[rows["at"] < SINCE + pd.Timedelta("6h")], CONTRACT, change) is None


@pytest.mark.parametrize(
    ("rows", "new", "severity", "words"),
    [
        (shop(pages=1.0), "www", "hold", "a product that succeeds another one looks the same"),
        (shop(pages=1.0), "WEB", "block", "both names are spelt alike"),
        (shop(pages=1.0), " web", "block", "the other columns confirm one value under two names"),
        (shop(), "www", "warn", "the other columns do not confirm it"),
        (shop(), "WEB", "warn", "the other columns do not confirm it"),
    ],
)
def test_a_rename_blocks_where_rows_and_spelling_show_it(rules, rows, new, severity, words):
    """Rows alone hold it: a product may have succeeded another one. Without them it is reported: a campaign may have."""
    rows = renamed(rows, new)
    end = rows["at"].max().ceil("D")
    source = source_of(rows, CONTRACT, end.to_pydatetime())
    data = {"source": source, "holdout": {"start": f"{SINCE}"}, "window": [f"{rows['at'].min()}", f"{end}"]}
    manifest = {"contract": CONTRACT.to_json(), "data": data}
    findings, _ = upstream(manifest, None, rules.gate, lambda: rows)
    (found,) = (each for each in findings if each.rule == "upstream.renamed")

    assert (found.outcome, found.severity) == ("FAIL", severity)
    assert words in found.observed
    assert f"`channel` renamed? 'web' is gone, '{new}'" in found.observed


@pytest.mark.parametrize(
    ("old", "new", "alike"),
    [
        ("web", "Web ", True),
        ("Zürich", "Zu\u0308rich", True),
        ("A-11", "A11", True),
        ("iPhone 14", "iPhone 15", False),
        ("web", "www", False),
        ("-", "?", False),
    ],
)
def test_names_are_spelt_alike_up_to_case_accents_and_punctuation(old, new, alike):
    assert spelt_alike(old, new) == alike

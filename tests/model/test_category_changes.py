"""A value that comes and goes as it always did is no news; one that stays away, or has another name, is."""

import functools
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from contracts.row_contract import Contract, Feature, Target
from model.source_profile.fingerprint import source_of
from model.source_profile.fingerprint_changes import changes
from model.source_profile.source_change import Limits

pytestmark = pytest.mark.slow

CONTRACT = Contract(
    "stream", "binary", (Feature("what", "category", nullable=True),), Target("y", (False, True)), key="k", time="at"
)
LIMITS = Limits(missing_rise=0.1, category_share=0.01, sentinel_share=0.005, max_missing=0.5, horizon=30)
START = datetime(2025, 9, 1, tzinfo=UTC)  # a Monday
WINDOW, DAYS, A_DAY = 90, 240, 60
#: The day from which on something may be changed: a Thursday, with the Friday after it.
CHANGED = 150


@functools.cache
def moments():
    """Rows of eight months, at any hour: when, and a number for each that chance may use."""
    random = np.random.default_rng(5)
    at = pd.Timestamp(START) + pd.to_timedelta(np.sort(random.integers(0, DAYS * 86_400, DAYS * A_DAY)), unit="s")
    return at, random.random(len(at))


def _among(dice, **shares):
    edges = np.cumsum([*shares.values()])
    return np.array([*shares])[np.searchsorted(edges, dice, side="right").clip(max=len(shares) - 1)]


def _days_of(at, chance, seed=1):
    """Whether each row's day is one of those drawn with a *chance*."""
    drawn = np.random.default_rng(seed).random(DAYS) < chance
    return drawn[(at - pd.Timestamp(START)).days]


SEASONS = np.array(["winter"] * 2 + ["spring"] * 3 + ["summer"] * 3 + ["autumn"] * 3 + ["winter"])
OTHER = {"winter": "summer", "summer": "winter", "spring": "autumn", "autumn": "spring"}
STREAMS = {
    "every day": lambda at, dice: _among(dice, web=0.5, shop=0.3, phone=0.2),
    "weekdays": lambda at, _: at.strftime("%a").to_numpy(object),
    "months": lambda at, _: at.strftime("%B").to_numpy(object),
    "months by number": lambda at, _: at.strftime("%Y-%m").to_numpy(object),
    "seasons": lambda at, _: SEASONS[at.month - 1],
    "seasons, in another language": lambda at, _: np.char.add("Temporada ", SEASONS[at.month - 1].astype(str)),
    "seasons of both hemispheres": lambda at, dice: np.where(
        dice < 0.3, pd.Series(SEASONS[at.month - 1]).map(OTHER), SEASONS[at.month - 1]
    ),
    "weekends and the rest": lambda at, _: np.where(at.day_of_week > 4, "weekend", "weekday"),
    "on weekends only": lambda at, dice: np.where(
        (at.day_of_week > 4) & (dice > 0.8), "party", _among(dice, web=0.5, shop=0.5)
    ),
    "on Mondays only": lambda at, dice: np.where((at.day_of_week == 0) & (dice > 0.5), "mail", "web"),
    "rare": lambda at, dice: _among(dice, web=0.6, shop=0.385, fax=0.015),
    "on some days a month": lambda at, dice: np.where((at.day > 24) & (at.day < 28) & (dice > 0.6), "salary", "web"),
    "at night": lambda at, dice: np.where((at.hour < 3) & (dice > 0.4), "night", "day"),
    "quarters": lambda at, _: (at.year.astype(str) + "-Q" + at.quarter.astype(str)).to_numpy(object),
}


@functools.lru_cache(maxsize=400)
def printed(stream, day, change=None):
    """The fingerprint of the window that ends before *day*, of a stream that a *change* is made to."""
    at, dice = moments()
    values = pd.Series(STREAMS[stream](at, dice)).astype(object)
    late = (at - pd.Timestamp(START)).days >= CHANGED
    kept = np.ones(len(at), dtype=bool)
    if change:
        name, new = change
        hit = late & (values == name).to_numpy()
        kept = ~hit if new is None else kept
        values = values.mask(hit, new)
    inside = kept & (at >= START + timedelta(days=day - WINDOW)) & (at < START + timedelta(days=day))
    rows = pd.DataFrame({"k": "k", "at": at, "what": values, "y": True})[inside]
    return source_of(rows, CONTRACT, START + timedelta(days=day))


def reports(stream, every, change=None, first=WINDOW, last=DAYS, spoil=lambda seen: seen):
    """What each run of a retrain *every* few days says of the values: day, kind and words."""
    found = []
    for day in range(first + every, last, every):
        old, new = (spoil(printed(stream, each, change)) for each in (day - every, day))
        seen = changes(old, new, old["until"][:10], LIMITS)
        found += [(day, each.kind, str(each)) for each in seen if each.kind in ("renamed", "categories")]
    return found


@pytest.mark.parametrize("stream", STREAMS)
def test_what_comes_and_goes_as_ever_is_no_news(stream):
    """However often a model is trained, in autumn, winter and spring."""
    assert reports(stream, 7) == []
    assert reports(stream, 28) == []


@pytest.mark.parametrize("stream", ["weekdays", "seasons", "on weekends only", "rare"])
def test_nor_is_it_night_by_night(stream):
    """Over the end of February, which is a month's and a season's."""
    assert reports(stream, 1, first=175, last=186) == []


def without_gaps(found):
    field = {key: value for key, value in found["fields"]["what"].items() if key != "gaps"}
    return {**found, "fields": {**found["fields"], "what": field}}


@pytest.mark.parametrize("stream", [each for each in STREAMS if each != "on some days a month"])
def test_a_fingerprint_without_gaps_is_read_as_that_of_a_week(stream):
    """Older bundles have none."""
    assert reports(stream, 7, spoil=without_gaps) == []


@pytest.mark.parametrize(
    ("stream", "change", "within", "words"),
    [
        ("every day", ("phone", None), 7, "has no 'phone' since 2026-01-29, which was"),
        ("every day", ("web", "www"), 7, "renamed? 'web' is gone, 'www' with"),
        ("every day", ("web", "Web "), 7, "only case or white space differ"),
        (
            "weekdays",
            ("Fri", None),
            21,
            "has no 'Fri' since 2026-01-24, which was 15% of rows and never stayed away for more than 6 days",
        ),
        ("weekdays", ("Fri", "Freitag"), 21, "renamed? 'Fri' is gone, 'Freitag' with"),
        ("weekends and the rest", ("weekend", "we"), 21, "renamed? 'weekend' is gone, 'we' with"),
        ("on weekends only", ("party", None), 24, "has no 'party' since"),
        ("on Mondays only", ("mail", "letter"), 24, "renamed? 'mail' is gone, 'letter' with"),
        ("rare", ("fax", None), 45, "has no 'fax' since"),
        ("rare", ("fax", "telefax"), 45, "renamed? 'fax' is gone, 'telefax' with"),
        ("at night", ("night", None), 14, "has no 'night' since"),
        ("seasons", ("winter", "Winter"), 7, "only case or white space differ"),
    ],
)
def test_a_value_that_is_gone_or_renamed_is_named_once(stream, change, within, words):
    """After its own usual gap, in the run that can first be sure; before, another name is a new value."""
    found = reports(stream, 7, change, first=CHANGED - 8, last=CHANGED + within + 7)
    found = [each for each in found if "has a new value" not in each[2] or change[1] is None]

    assert [each for each in found if words in each[2]], found
    assert len(found) == 1


@pytest.mark.parametrize(
    ("stream", "name", "last", "day"),
    [("every day", "phone", CHANGED + 5, CHANGED + 2), ("weekdays", "Fri", CHANGED + 12, CHANGED + 10)],
)
def test_it_is_named_by_the_first_run_that_can_be_sure(stream, name, last, day):
    """Of a value of each day as soon as ten rows are missing; of a weekday after the second without it."""
    assert [each[0] for each in reports(stream, 1, (name, None), CHANGED, last)] == [day]

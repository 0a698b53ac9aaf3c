"""Who answers whose rows: sticky, proportional, and no key moves without need."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from types import SimpleNamespace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from contracts.row_contract import Contract, Feature, Target
from serve.traffic.row_adaptation import as_read_by, cannot_read
from serve.traffic.split import POINT_RANGE, TrafficSplit, Variant, fraction, point

FEATURES = (
    Feature("age", "number", minimum=0, maximum=120, nullable=True),
    Feature("pages", "number", minimum=0),
    Feature("device", "category", choices=("phone", "desk")),
    Feature("country", "category"),
)
CONTRACT = Contract("buys", "binary", FEATURES, Target("bought", ("no", "yes")), key="visitor", time="at")
SHARES = st.tuples(st.floats(0, 1), st.floats(0, 1)).filter(lambda shares: sum(shares) <= 1)
POINTS = st.integers(0, POINT_RANGE - 1)


def arm(name, share, contract=CONTRACT):
    return Variant(name, SimpleNamespace(contract=contract, version=name), share, "", CONTRACT)


def arms(challenger=0.0, anchor=0.0, salt="buys"):
    return TrafficSplit(
        "",
        arm("champion", 1 - challenger - anchor),
        arm("challenger", challenger) if challenger else None,
        arm("anchor", anchor) if anchor else None,
        salt=salt,
    )


def other(**features):
    """The contract with some features replaced, added, or (None) taken away."""
    known = {feature.name: feature for feature in FEATURES} | features
    return replace(CONTRACT, features=tuple(feature for feature in known.values() if feature))


@given(SHARES, st.text(), st.text())
def test_an_arm_is_sticky(shares, salt, key):
    """Two workers, two replicas, two looks: one arm, whatever the key is made of."""
    assert arms(*shares, salt).pick(key).name == arms(*shares, salt).pick(key).name


@pytest.mark.parametrize(
    ("salt", "key", "expected"),
    [
        ("buys", "v1", 0x36CF2CC129705BBF),
        ("buys", "v2", 0x889C89A7C345CFB5),
        ("", "", 0x6E340B9CFFB37A98),
        ("buys-2", "v1", 0xA71930EB1FCE73A4),
        ("buys", "Zoë 🌊", 0x9CA30E9C031F34A3),
    ],
)
def test_a_point_never_changes(salt, key, expected):
    """A new release that moved the points would move every visitor."""
    assert point(salt, key) == expected


def test_a_point_does_not_depend_on_the_process():
    """Python's own hash is another one in each."""
    script = "from serve.traffic.split import point; print(point('buys', 'v1'))"
    found = {
        subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }

    assert found == {f"{point('buys', 'v1')}\n"}


@given(SHARES, POINTS)
@example((1.0, 0.0), 0)
@example((1.0, 0.0), POINT_RANGE - 1)
@example((0.0, 1.0), POINT_RANGE - 1)
@example((0.25, 0.75), POINT_RANGE * 3 // 4)
def test_an_arm_gets_the_part_of_all_points_that_its_share_says(shares, at):
    """To the last of 64 bits: the anchor's lie at the low end, the challenger's at the high one."""
    challenger, anchor = shares
    expected = "champion"
    if at < int(anchor * POINT_RANGE):
        expected = "anchor"
    elif at >= POINT_RANGE - int(challenger * POINT_RANGE):
        expected = "challenger"

    assert arms(*shares).at(at).name == expected


@given(SHARES, st.floats(0, 1), st.sampled_from(["challenger", "anchor"]), POINTS)
def test_a_share_that_changes_moves_only_keys_between_that_arm_and_the_champion(shares, share, who, at):
    """And only in one direction: what has to move moves, nothing else."""
    before = dict(zip(("challenger", "anchor"), shares, strict=True))
    after = before | {who: min(share, 1 - sum(shares) + before[who])}
    was, now = arms(**before).at(at).name, arms(**after).at(at).name

    if was != now:
        grows = after[who] > before[who]
        assert (was, now) == (("champion", who) if grows else (who, "champion"))


def test_keys_are_spread_as_the_shares_say():
    """Twenty thousand visitors, within five standard deviations."""
    live, total = arms(0.1, 0.05), 20_000
    found = [live.pick(f"visitor-{number}").name for number in range(total)]

    for name, share in (("challenger", 0.1), ("anchor", 0.05), ("champion", 0.85)):
        deviation = (total * share * (1 - share)) ** 0.5
        assert abs(found.count(name) - total * share) < 5 * deviation


def test_another_salt_is_another_split():
    """The next experiment does not have the visitors of the last."""
    keys = [f"visitor-{number}" for number in range(2_000)]
    first, second = (
        {key for key in keys if arms(0.5, salt=salt).pick(key).name == "challenger"} for salt in ("one", "two")
    )

    assert 0.4 < len(first & second) / len(first) < 0.6


@given(POINTS)
@example(POINT_RANGE - 1)
def test_a_point_is_written_as_a_fraction_below_one(at):
    """As JSON, and back."""
    assert 0 <= json.loads(json.dumps(fraction(at))) < 1
    assert abs(fraction(at) - at / POINT_RANGE) < 2**-52


@given(SHARES, st.lists(st.text(max_size=5)))
def test_keys_are_assigned_each_to_its_arm(shares, keys):
    """Every row once, in order within an arm."""
    live = arms(*shares)
    assigned = live.assign(keys)

    assert sorted(number for _, numbers in assigned for number in numbers) == [*range(len(keys))]
    assert all(list(numbers) == sorted(numbers) for _, numbers in assigned)
    assert all(live.pick(keys[n]) is each for each, numbers in assigned for n in numbers)


def test_nothing_is_assigned_where_nothing_is_live():
    """Before the first release."""
    assert TrafficSplit().assign(["a"]) == []
    assert TrafficSplit().pick("a") is None
    assert TrafficSplit().bundle is None


def test_a_champion_alone_needs_no_hash():
    """The key is not even looked at."""
    live = arms()

    assert not live.split
    assert live.pick(object()) is live.champion
    assert live.assign([object()] * 3) == [(live.champion, range(3))]


def test_the_journal_says_why_a_key_fell_to_an_arm():
    """Enough to do the split again; of a private key, nothing that could be tried out."""
    live = arms(0.25)

    assert live.mark(live.challenger, "v1") == {"salt": "buys", "share": 0.25, "split": fraction(point("buys", "v1"))}
    private = replace(CONTRACT, private=("visitor",))
    hidden = Variant("challenger", SimpleNamespace(contract=CONTRACT), 0.25, "", private)
    assert live.mark(hidden, "v1") == {"salt": "buys", "share": 0.25}


@pytest.mark.parametrize(
    ("reader", "words"),
    [
        (CONTRACT, None),
        (other(country=None), None),
        (other(age=Feature("age", "number", nullable=True)), None),
        (other(pages=Feature("pages", "number", minimum=-1, nullable=True)), None),
        (other(device=Feature("device", "category", choices=("desk", "phone", "tv"))), None),
        (other(device=Feature("device", "category")), None),
        (other(wind=Feature("wind", "number", nullable=True)), None),
        (replace(CONTRACT, name="other", private=("age",), slices=("device",)), None),
        (other(wind=Feature("wind", "number")), "wind is not in the champion's rows and may not be missing"),
        (other(age=Feature("age", "number", minimum=0, maximum=120)), "age may not be missing, the champion's may"),
        (
            other(pages=Feature("pages", "number", minimum=1)),
            "pages takes a number of at least 1, the champion's takes a number of at least 0",
        ),
        (
            other(pages=Feature("pages", "number", minimum=0, maximum=9)),
            "pages takes a number from 0 to 9, the champion's takes a number of at least 0",
        ),
        (
            other(device=Feature("device", "category", choices=("phone",))),
            "device takes one of phone, the champion's takes one of phone, desk",
        ),
        (
            other(country=Feature("country", "category", choices=("AT",))),
            "country takes one of AT, the champion's takes a string",
        ),
        (other(country=Feature("country", "boolean")), "country is a boolean, the champion's is a category"),
        (
            other(id=Feature("id", "number", nullable=True)),
            "it has a feature called id, which the champion's rows use for the row's id",
        ),
        (
            replace(CONTRACT, task="multiclass", target=Target("bought", ("no", "yes", "so"))),
            (
                "its task is 'multiclass', the champion's is 'binary'; "
                "its classes are ('no', 'yes', 'so'), the champion's are ('no', 'yes')"
            ),
        ),
        (
            replace(CONTRACT, target=Target("bought", ("yes", "no"))),
            "its classes are ('yes', 'no'), the champion's are ('no', 'yes')",
        ),
        (replace(CONTRACT, key="user"), "its key is 'user', the champion's is 'visitor'"),
        (replace(CONTRACT, time="when"), "its time is 'when', the champion's is 'at'"),
        (replace(CONTRACT, target=Target("paid", ("no", "yes"))), "its target is 'paid', the champion's is 'bought'"),
    ],
)
def test_a_contract_that_cannot_read_the_champions_rows_is_named(reader, words):
    """Before the first row fails on it."""
    found = cannot_read(reader, CONTRACT)

    assert "; ".join(found) == (words or "")


def test_everything_that_keeps_it_from_reading_is_said_at_once():
    """One look is enough."""
    reader = other(wind=Feature("wind", "number"), age=Feature("age", "boolean"))

    assert len(cannot_read(replace(reader, key="user"), CONTRACT)) == 3


VALUES = st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=4)
OTHERS = st.builds(
    lambda known, new: other(**known, **new),
    st.fixed_dictionaries(
        {},
        optional={
            "country": st.none(),
            "age": st.builds(
                lambda low, high, null: Feature("age", "number", "", "", low, high, (), null),
                st.sampled_from([None, -1, 0, 1]),
                st.sampled_from([None, 100, 120, 130]),
                st.booleans(),
            ),
            "device": st.sampled_from(
                [
                    None,
                    Feature("device", "category"),
                    Feature("device", "category", choices=("phone", "desk", "tv")),
                    Feature("device", "category", choices=("desk",)),
                ]
            ),
        },
    ),
    st.fixed_dictionaries(
        {},
        optional={
            "page": st.builds(lambda null: Feature("page", "number", nullable=null), st.booleans()),
            "wind": st.builds(lambda null: Feature("wind", "number", nullable=null), st.booleans()),
        },
    ),
)
ROWS = st.fixed_dictionaries(
    {"age": st.none() | st.floats(0, 120), "pages": st.integers(0, 9)},
    optional={"wind": VALUES, "winds": VALUES, "page": VALUES, "visitor": st.text(), "id": VALUES},
).flatmap(
    lambda row: st.builds(
        lambda device, country: row | {"device": device, "country": country},
        st.sampled_from(["phone", "desk"]),
        st.sampled_from(["AT", "DE"]),
    )
)


@given(OTHERS, ROWS)
def test_a_contract_that_is_let_in_reads_every_row_of_the_champions(reader, row):
    """An experiment refuses no row that the champion would answer, whatever else is in it."""
    if cannot_read(reader, CONTRACT) or CONTRACT.problems(row):
        return
    read = as_read_by(reader, CONTRACT, row)

    assert reader.problems(read) == []
    assert {k: v for k, v in read.items() if k in row and v is not None}.items() <= row.items()


def test_the_champions_own_rows_are_read_as_they_are():
    """Without a copy, also through a contract that is merely equal."""
    row = {"age": 3}
    equal = Contract.from_json(json.loads(json.dumps(CONTRACT.to_json())))

    assert arm("challenger", 0.5, equal).read(row) is row
    assert arm("challenger", 0.5, other(age=None)).read(row) == {"pages": None, "device": None, "country": None}

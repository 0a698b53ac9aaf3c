"""A contract says what a row must look like, and everything that is wrong with one."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.row_contract import Contract, ContractError, Feature, Target, read_time

CONTRACT = Contract(
    name="buys",
    task="binary",
    features=(
        Feature("age", "number", "age in years", "years", 0, 120, nullable=True, owner="crm"),
        Feature("country", "category"),
        Feature("device", "category", choices=("phone", "desk")),
        Feature("returning", "boolean"),
    ),
    target=Target("bought", (False, True)),
    key="visitor",
    time="at",
    slices=("country", "returning"),
    private=("visitor", "age"),
)
GOOD = {"age": 31, "country": "AT", "device": "desk", "returning": True, "visitor": "v1"}


def test_a_row_that_fits_has_no_problems():
    """A row of the right kinds is let through."""
    assert CONTRACT.problems(GOOD | {"at": "2026-11-23T03:17:00Z"}) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"age": "31"}, "age: expected a number from 0 to 120 (years) or null, got '31'"),
        ({"age": True}, "age: expected a number from 0 to 120 (years) or null, got true"),
        ({"age": 121}, "age: expected a number from 0 to 120 (years) or null, got 121"),
        ({"age": float("nan")}, "age: expected a number from 0 to 120 (years) or null, got NaN"),
        ({"age": float("inf")}, "age: expected a number from 0 to 120 (years) or null, got Infinity"),
        ({"age": [1]}, "age: expected a number from 0 to 120 (years) or null, got a list of 1"),
        ({"country": None}, "country: expected a string, got nothing"),
        ({"country": ""}, "country: expected a string, got ''"),
        ({"country": 43}, "country: expected a string, got 43"),
        ({"country": "\ud800"}, r"country: expected a string, got '\ud800'"),
        ({"device": "tv"}, "device: expected one of phone, desk, got 'tv'"),
        ({"returning": 1}, "returning: expected true or false, got 1"),
        ({"visitor": 7}, "visitor: expected a string, got 7"),
        ({"at": "noon"}, "at: expected a time such as 2026-11-23T03:17:00Z, got 'noon'"),
        ({"at": 5}, "at: expected a time such as 2026-11-23T03:17:00Z, got 5"),
    ],
)
def test_a_problem_names_the_field_what_was_expected_and_what_came(change, words):
    """One wrong value gives one sentence."""
    contract = replace(CONTRACT, private=())
    assert [str(problem) for problem in contract.problems(GOOD | change)] == [words]


@pytest.mark.parametrize(
    ("change", "got"),
    [
        ({"age": 121}, "a number"),
        ({"age": "born in 1987"}, "a string"),
        ({"age": True}, "a boolean"),
        ({"age": [121, "AT"]}, "a list of 2"),
        ({"age": {"years": 121}}, "an object"),
        ({"age": float("-inf")}, "-Infinity"),
        ({"visitor": 4711}, "a number"),
    ],
)
def test_of_a_private_field_a_problem_says_the_type_alone(change, got):
    """Errors are logged by clients and proxies, where private values must not be."""
    (problem,) = CONTRACT.problems(GOOD | change)

    assert problem.got == f"{got} (private, not shown)"


@pytest.mark.parametrize(("value", "got"), [(["AT", 41], "a list of 2"), ({"AT": 41}, "an object")])
def test_a_list_or_an_object_in_the_place_of_a_value_is_not_shown(value, got):
    """It may hold the rest of the row."""
    for name in ("country", "visitor", "at"):
        (problem,) = replace(CONTRACT, private=()).problems(GOOD | {name: value})
        assert problem.got == got


def test_all_problems_of_a_row_are_reported_at_once():
    """Nobody has to send a row four times to find four mistakes."""
    found = CONTRACT.problems({"age": -1, "device": "tv", "returning": "yes"})

    assert [problem.field for problem in found] == ["age", "country", "device", "returning"]


def test_a_category_never_seen_fits_unless_the_choices_are_closed():
    """New segments arrive: an open category takes any string."""
    assert CONTRACT.problems(GOOD | {"country": "never seen"}) == []


def test_a_field_the_contract_does_not_know_is_let_through():
    """A website may be a version ahead or behind."""
    assert CONTRACT.problems(GOOD | {"shoe_size": 43}) == []


def test_a_retired_feature_may_still_be_sent_and_may_be_anything():
    """The website is not informed; the model does not look at it, and what is private stays so."""
    fewer = replace(CONTRACT, features=CONTRACT.features[1:], retired=CONTRACT.features[:1])
    near = replace(fewer, features=(*fewer.features, Feature("ages", "category", nullable=True)))

    assert fewer.problems(GOOD | {"age": "old"}) == []
    assert near.problems(GOOD) == []  # no misspelling of ages
    assert [each.name for each in fewer.columns] == ["country", "device", "returning", "age"]
    assert Contract.from_json(json.loads(json.dumps(fewer.to_json()))) == fewer
    assert "retired" not in CONTRACT.to_json()


def test_a_feature_may_be_revised_by_design():
    """A contract without such a feature has the JSON that it had before, and so the same digest."""
    revised = replace(CONTRACT, features=(replace(CONTRACT.features[0], revised=True), *CONTRACT.features[1:]))

    assert Contract.from_json(json.loads(json.dumps(revised.to_json()))) == revised
    assert revised.to_json()["features"][0]["revised"] is True
    assert "revised" not in json.dumps(CONTRACT.to_json())


def test_a_misspelt_field_is_distinguished_from_an_unknown_one():
    """A nullable field under a wrong name would be lost in silence."""
    row = {name: value for name, value in GOOD.items() if name != "age"} | {"agee": 31}

    assert [str(problem) for problem in CONTRACT.problems(row)] == [
        "agee: expected the field age, got a name that the contract does not have"
    ]


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_a_contract_travels_as_json_and_comes_back_equal(task):
    """The manifest carries all of it."""
    classes = {"binary": (False, True), "multiclass": ("a", "b", "c"), "regression": ()}[task]
    contract = Contract("x", task, CONTRACT.features, Target("y", classes), "k", "t")

    assert Contract.from_json(json.loads(json.dumps(contract.to_json()))) == contract


@given(
    st.lists(
        st.builds(
            Feature,
            name=st.from_regex(r"f[a-z]{1,8}", fullmatch=True),
            kind=st.sampled_from(["number", "category", "boolean"]),
            description=st.text(),
            nullable=st.booleans(),
            owner=st.text(max_size=9),
        ),
        min_size=1,
        max_size=6,
        unique_by=lambda feature: feature.name,
    )
)
def test_any_contract_round_trips(features):
    """Contract.from_json(contract.to_json()) == contract."""
    contract = Contract("x", "regression", tuple(features), Target("y"), "k", "t")

    assert Contract.from_json(json.loads(json.dumps(contract.to_json()))) == contract


def test_a_contract_that_contradicts_itself_lists_every_contradiction():
    """It is refused when it is made, with all that is wrong."""
    with pytest.raises(ContractError) as caught:
        Contract(
            "x",
            "binary",
            (
                Feature("score", "number"),
                Feature("size", "number", minimum=2, maximum=1),
                Feature("flag", "boolean", choices=("a",)),
                Feature("two words", "texture"),
            ),
            Target("y", ("only",)),
            key="size",
            time="t",
            slices=("size",),
            private=("nobody",),
        )

    renamed = "rename the column in load(): rows.rename(columns={'two words': 'two_words'})"
    assert caught.value.problems == [
        "score: names beginning with 'score' are reserved for the model's answers",
        "size: minimum 2 is above maximum 1",
        "flag: choices are for categories, this is a boolean",
        "two words: kind is 'texture'; expected one of number, category, boolean",
        "'two words': a field's name is a plain identifier, such as wind_speed; " + renamed,
        "y: a binary target has exactly two classes, this one has 1",
        "size: the name is used 2 times",
        "slices: 'size' is not a category or boolean feature; those are flag",
        "private: 'nobody' is neither a feature nor the key",
    ]


@pytest.mark.parametrize("data", [{}, {"name": "x"}, {"features": 5}, {"features": [{"nam": 1}]}])
def test_json_that_is_no_contract_is_refused(data):
    """A manifest may hold anything."""
    with pytest.raises(ContractError, match="this is not a contract"):
        Contract.from_json(data)


@pytest.mark.parametrize(
    ("target", "value", "words"),
    [
        (Target("y", (False, True)), 1, "y: expected one of false, true, got 1"),
        (Target("y", (False, True)), None, "y: expected one of false, true, got nothing"),
        (Target("y", ("a", "b")), "c", "y: expected one of 'a', 'b', got 'c'"),
        (Target("y", minimum=0, unit="EUR"), -1, "y: expected a number of at least 0 (EUR), got -1"),
    ],
)
def test_an_outcome_is_checked_like_a_field(target, value, words):
    """The truth that comes back later must be one of the classes, or a number in range."""
    assert str(target.problem(value)) == words


def test_a_decision_may_have_a_worth_and_a_manifest_without_one_is_as_before():
    """It turns a loss into money; what older scorers read does not change."""
    worth = replace(CONTRACT, target=replace(CONTRACT.target, worth=2.5, currency="EUR"))

    assert Contract.from_json(json.loads(json.dumps(worth.to_json()))) == worth
    assert not {"worth", "currency"} & CONTRACT.to_json()["target"].keys()
    with pytest.raises(ContractError, match="expected a sum of money above 0"):
        replace(CONTRACT, target=replace(CONTRACT.target, worth=-1, currency="EUR"))
    with pytest.raises(ContractError, match="worth and currency come together"):
        replace(CONTRACT, target=replace(CONTRACT.target, worth=1))


@pytest.mark.parametrize(
    "late", [{"known_at": "seen"}, {"maturity": timedelta(days=30)}, {"maturity": timedelta(minutes=90)}]
)
def test_the_time_at_which_an_outcome_is_known_is_part_of_the_contract(late):
    """A contract without it is written as before."""
    contract = replace(CONTRACT, target=replace(CONTRACT.target, **late))

    assert Contract.from_json(json.loads(json.dumps(contract.to_json()))) == contract
    assert contract.target.comes_late
    assert not CONTRACT.target.comes_late
    assert not {"known_at", "maturity"} & CONTRACT.to_json()["target"].keys()


@pytest.mark.parametrize(
    ("late", "words"),
    [
        ({"known_at": 5}, "known_at is 5; expected the name of a column of times"),
        ({"known_at": "known at"}, "known_at is 'known at'; expected the name of a column of times"),
        ({"known_at": CONTRACT.time}, f"{CONTRACT.time}: the name is used 2 times"),
        ({"maturity": 30}, "maturity is 30; expected a time above 0, such as timedelta(days=30)"),
        ({"maturity": timedelta(days=-1)}, "expected a time above 0"),
        ({"maturity": timedelta(0)}, "expected a time above 0"),
        ({"known_at": "seen", "maturity": timedelta(days=30)}, "an outcome is known at one time; give one of them"),
    ],
)
def test_a_wrong_word_on_label_delay_is_refused(late, words):
    """When the contract is made."""
    with pytest.raises(ContractError) as caught:
        replace(CONTRACT, target=replace(CONTRACT.target, **late))

    assert words in str(caught.value)


@pytest.mark.parametrize("seconds", ["long", float("nan"), 1e300, -5, None])
def test_a_maturity_in_json_that_is_none_is_refused(seconds):
    """A manifest may hold anything."""
    found = CONTRACT.to_json()

    with pytest.raises(ContractError):
        Contract.from_json(found | {"target": found["target"] | {"maturity": seconds}})


def test_an_outcome_is_encoded_as_its_class_or_value():
    """The second class of a binary target is the positive one."""
    assert [Target("y", ("no", "yes")).encode(v) for v in ("no", "yes")] == [0.0, 1.0]
    assert Target("y").encode(12.5) == 12.5


def test_a_time_without_an_offset_is_utc():
    """Times are compared, so each has a zone."""
    assert read_time("2026-11-23T03:17:00") == read_time("2026-11-23T04:17:00+01:00")
    assert read_time("0001-01-01T00:00:00+14:00") is None


@given(
    st.dictionaries(
        st.sampled_from([*GOOD, "at", "x"]),
        st.none() | st.text() | st.floats() | st.integers() | st.booleans() | st.lists(st.none()),
    )
)
def test_no_row_whatever_makes_the_contract_raise(row):
    """Problems are returned, with a field that the row or the contract names."""
    for problem in CONTRACT.problems(row):
        assert problem.field in {*GOOD, "at", "x"}


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"slices": "size"}, "slices is 'size'; expected a tuple, such as ('size',)"),
        ({"features": Feature("size", "number")}, "features is Feature"),
        ({"features": ("size",)}, "features: 'size' is not a Feature"),
        ({"target": "y"}, "target is 'y'; expected Target(name, classes)"),
        ({"features": (Feature(5, "number"),)}, "a feature's name is 5; expected text"),
        ({"features": (Feature("size", "number", minimum="0"),)}, "size: minimum is '0'; expected a number"),
        ({"features": (Feature("size", "category", choices="ab"),)}, "expected a tuple: ('ab',)"),
        ({"features": (Feature("2nd.größe (m)", "number"),)}, "'x_2nd_größe_m'"),
    ],
)
def test_a_value_of_another_type_in_a_contract_is_named(changed, words):
    """A comma that was forgotten, a number as text."""
    wrong = {"features": (Feature("size", "number"),), "target": Target("y", (False, True))} | changed

    with pytest.raises(ContractError) as caught:
        Contract("x", "binary", key="who", time="at", **wrong)

    assert words in str(caught.value)

"""The fast way takes just what the authoritative way takes, and gives the same rows."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.row_contract import Contract, Feature, Target
from serve.http.strict_json import read_json
from serve.scoring.decoder import decoder
from serve.scoring.row_table import Table
from serve.scoring.validation import RequestError, problems_of, read_rows, repeated

CONTRACT = Contract(
    name="c",
    task="binary",
    key="visitor",
    time="at",
    target=Target("bought", ("no", "yes")),
    features=(
        Feature("pages", "number", minimum=0, maximum=100),
        Feature("age", "number", minimum=0.5, nullable=True),
        Feature("free", "number", nullable=True),
        Feature("fraction", "number", minimum=0.1, maximum=0.9, nullable=True),
        Feature("device", "category", choices=("phone", "desk")),
        Feature("country", "category", nullable=True),
        Feature("class", "category", nullable=True),
        Feature("returning", "boolean", nullable=True),
    ),
)
ROW = {"pages": 3, "device": "desk"}
MOST = 100
READER = decoder(CONTRACT)


def slowly(content):
    """The rows as the authoritative way has them; None if it refuses them."""
    try:
        found = read_json(content)
        rows = read_rows(found, MOST)
    except RequestError:
        return None
    return None if [*problems_of(CONTRACT, rows), *repeated(rows)] else found


def same(fast, rows):
    """Equal, and of the same types: 3 and 3.0 are not one to the journal.

    A table does not say whether a field is null or absent.
    """
    if isinstance(fast, Table):
        names = [*CONTRACT.feature_names, "visitor", "at", "id"]
        fast, rows = ([{n: row.get(n) for n in names} for row in each] for each in (fast, rows))
    return json.dumps(fast, sort_keys=True) == json.dumps(rows, sort_keys=True)


TAKEN = [
    ROW,
    ROW | {"visitor": "v", "at": "2026-03-01T11:00:00Z", "id": "order-7"},
    ROW | {"visitor": None, "at": None, "id": None, "age": None, "country": None},
    ROW | {"age": 0.5, "free": -1e30, "fraction": 0.5, "country": "ünï", "returning": False},
    [ROW, ROW],
    [],
    [ROW | {"id": "a"}, ROW | {"id": "b"}, ROW],
    ROW | {"pages": 3.0},
    ROW | {"pages": 100},
    ROW | {"free": 2**53},
]


@pytest.mark.parametrize("body", TAKEN, ids=str)
def test_what_is_usual_is_taken_fast(body):
    """With the very values that JSON has."""
    content = json.dumps(body, ensure_ascii=False).encode()

    assert same(READER.rows(content, MOST), body)
    assert same(slowly(content), body)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"7",
        b"null",
        b"[1]",
        b"[[]]",
        b"\xff",
        b'{"pages":3,"device":"desk"}}',
        b'{"pages":3,"device":"desk","pages":4}',
        b'{"pages":3,"device":"desk","pages" : 4}',
        b'{"pages":3,"device":"desk","device":"phone"}',
        b'{"pages":3,"device":"desk","country":"null","age":1,"age":null}',
        b'{"pages":3,"device":"desk","country":"a","country":null}',
        b'[{"pages":3,"device":"desk","pages":3},{"pages":3,"device":"desk"}]',
        b'{"pages":NaN,"device":"desk"}',
        b'{"pages":3,"device":"desk","free":1e999}',
        b'{"pages":3,"device":"desk","free":1e39}',
        b'{"pages":-1,"device":"desk"}',
        b'{"pages":true,"device":"desk"}',
        b'{"pages":"3","device":"desk"}',
        b'{"pages":3,"device":"fridge"}',
        b'{"pages":3,"device":null}',
        b'{"pages":3}',
        b'{"pages":3,"device":"desk","country":""}',
        b'{"pages":3,"device":"desk","country":"' + b"x" * 1001 + b'"}',
        b'{"pages":3,"device":"desk","country":"\\u0000"}',
        b'{"pages":3,"device":"desk","country":"\\ud800"}',
        b'{"pages":3,"device":"desk","country":"\xed\xa0\x80"}',
        b'{"pages":3,"device":"desk","country":"a\nb"}',
        b'{"pages":3,"device":"desk","at":"yesterday"}',
        b'{"pages":3,"device":"desk","visitor":7}',
        b'{"pages":3,"device":"desk","visitor":""}',
        b'{"pages":3,"device":"desk","id":""}',
        b'{"pages":3,"device":"desk","id":"a\xc2\x85b"}',
        b'[{"pages":3,"device":"desk","id":"a"},{"pages":3,"device":"desk","id":"a"}]',
        b'{"pages":3,"device":"desk","agee":4}',
        b'{"pages":3,"device":"desk","free":01}',
        b'{"pages":3,"device":"desk","free":' + b"9" * 400 + b"}",
        b'{"pages":0.1,"device":"desk","fraction":0}',
    ],
    ids=lambda content: repr(content)[-40:],
)
def test_what_is_wrong_is_left_to_the_authoritative_way_which_refuses_it(content):
    """So that every error is said in the same words."""
    assert READER.rows(content, MOST) is None
    assert slowly(content) is None


@pytest.mark.parametrize(
    "body",
    [
        ROW | {"bought": "yes"},
        ROW | {"new": [1]},
        ROW | {"country": 'say "hi"'},
        ROW | {"free": 10**30},
        ROW | {"country": "\\"},
    ],
    ids=str,
)
def test_what_is_unusual_and_right_is_taken_the_other_way(body):
    """Fields that nobody knows, escapes, numbers that no float64 holds."""
    content = json.dumps(body, ensure_ascii=False).encode()

    assert READER.rows(content, MOST) is None
    assert slowly(content) == body


ESCAPED = [r"\u00fc", r"\/", r"a\nb", r"\u0022", r"\u005c", r"\t\r\b\f", r"\u0001", r"\u2028"]


@pytest.mark.parametrize("text", ESCAPED)
@pytest.mark.parametrize("many", [False, True])
def test_escapes_that_many_clients_write_are_taken_fast(text, many):
    """Python escapes what is not ASCII, PHP each slash."""
    row = '{"pages":3,"device":"desk","country":"' + text + '"}'
    content = (f"[{row},{row}]" if many else row).encode()

    assert same(READER.rows(content, MOST), json.loads(content))
    assert same(READER.rows(content, MOST), slowly(content))


@pytest.mark.parametrize("name", [r"p\u0061ges", r"pages\u0000", r"p\"ages", r"pages\\"])
def test_a_name_that_is_there_twice_hides_behind_no_escape(name):
    """It is the same name however it is written, or another one."""
    for rows in ("%s", "[%s,%s]"):
        row = '{"pages":3,"device":"desk","' + name + '":4}'
        assert READER.rows((rows % ((row,) * rows.count("%s"))).encode(), MOST) is None


def test_more_rows_than_are_taken_are_left_to_the_other_way():
    """It says how many there were."""
    assert READER.rows(json.dumps([ROW] * (MOST + 1)).encode(), MOST) is None


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["phone", "desk", "2026-03-01", "null", 0, 0.5, 100, 1e39, 2**53 + 1, -0.0])
)
NAMES = st.sampled_from([*CONTRACT.feature_names, "visitor", "at", "id", "bought", "page", "agee", "x"])
FITTING = st.fixed_dictionaries(
    {"pages": st.integers(0, 100) | st.floats(0, 100), "device": st.sampled_from(["phone", "desk"])},
    optional={
        "age": st.none() | st.floats(0.5, 1e30),
        "free": st.none() | st.integers(-(2**53), 2**53),
        "country": st.none() | st.text("aä\"\\'ß ", min_size=1, max_size=4),
        "returning": st.none() | st.booleans(),
        "visitor": st.none() | st.text(min_size=1, max_size=3),
    },
)


@settings(max_examples=400, deadline=None)
@given(
    st.lists(st.tuples(FITTING, st.dictionaries(NAMES, SCALARS, max_size=2)), min_size=1, max_size=3),
    st.booleans(),
    st.booleans(),
)
def test_whatever_it_takes_the_authoritative_way_takes_alike(parts, many, ascii_):
    """And never the other way round for a row that is usual."""
    rows = [row | changes for row, changes in parts]
    text = json.dumps(rows if many else rows[0], ensure_ascii=ascii_)
    content = text.encode("utf-8", "surrogatepass")
    fast = READER.rows(content, MOST)

    if fast is not None:
        assert same(fast, slowly(content))


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(NAMES, SCALARS), max_size=8))
def test_a_name_that_is_there_twice_is_never_passed_over(pairs):
    """Whatever its values are."""
    pairs = [("pages", 3), ("device", "desk"), *pairs]
    content = (
        b"{"
        + b",".join(
            json.dumps(name).encode() + b":" + json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")
            for name, value in pairs
        )
        + b"}"
    )

    fast = READER.rows(content, MOST)
    names = [name for name, _ in pairs]
    if len(set(names)) < len(names):
        assert fast is None
        assert slowly(content) is None


def test_a_contract_that_the_struct_cannot_say_is_read_the_other_way():
    """A bound that no float64 holds, a number whose range holds no whole one."""
    odd = Contract(
        name="c",
        task="regression",
        key="k",
        time="t",
        target=Target("y"),
        features=(Feature("n", "number", minimum=2**60 + 1),),
    )

    assert decoder(odd) is None
    assert READER.rows(b'{"pages":1,"device":"desk","fraction":0.5}', 1)["fraction"] == 0.5


def test_a_field_called_id_is_a_field_like_others():
    """Then a row has no id."""
    keyed = Contract(
        name="c", task="regression", key="id", time="t", target=Target("y"), features=(Feature("n", "number"),)
    )

    rows = [*decoder(keyed).rows(b'[{"n":1,"id":"a"},{"n":2,"id":"a"}]', 2)]
    assert [row["id"] for row in rows] == ["a", "a"]

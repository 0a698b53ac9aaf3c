"""What a request costs grows no faster than its body, whatever the body holds."""

import difflib
import gzip
import json
import sys
import tracemalloc

import pytest

from contracts.row_contract import Contract
from serve.http.strict_json import MAX_NAMES, _once, read_json
from serve.routes.tensors import MAX_OUTPUTS, MAX_TENSORS
from serve.scoring.validation import MAX_LISTED, MAX_UNKNOWN, RequestError

pytestmark = pytest.mark.slow

INFER = "/v2/models/buys/infer"
#: Twice the input may cost so much more, of work and of memory.
GROWTH = 2.5


def named(count):
    return ",".join(f'"n{number:07}":1' for number in range(count))


def objects(count):
    return "{" + named(count) + "}"


def wide_rows(count):
    return "[" + ",".join([objects(20)] * count) + "]"


def other_names(count):
    rows = ("{" + f'"n{number}":1' + "}" for number in range(count))
    return "[" + ",".join(rows) + "]"


def wrong_rows(count):
    return "[" + ",".join(['{"pages":"x","device":[],"age":{}}'] * count) + "]"


def tensors(count):
    return '{"inputs":[' + ",".join(['{"name":"x"}'] * count) + "]}"


def outputs(count):
    return '{"inputs":[],"outputs":[' + ",".join(['{"name":"x"}'] * count) + "]}"


def split(count):
    return '{"dataframe_split":{"columns":["pages"],"data":[' + ",".join(["[]"] * count) + "]}}"


def texts(count):
    return binary(b"\1\0\0\0a" * count, count)


def text_without_end(count):
    return binary(b"\1\0\0\0a" * count + b"\xff" * 4, count)


def binary(content, count):
    tensor = {
        "name": "country",
        "datatype": "BYTES",
        "shape": [count],
        "parameters": {"binary_data_size": len(content)},
    }
    found = json.dumps({"inputs": [tensor]}).encode()
    return (found + content, "application/octet-stream", {"Inference-Header-Content-Length": len(found)})


def many_parts(count):
    tensor = '{"name":"x","datatype":"BYTES","shape":[1],"parameters":{"binary_data_size":5}}'
    found = ('{"inputs":[' + ",".join([tensor] * count) + "]}").encode()
    length = {"Inference-Header-Content-Length": len(found)}
    return found + b"\1\0\0\0a" * count, "application/octet-stream", length


def table(text):
    return lambda count: (text(count).encode(), "text/csv", {})


def packed(pack):
    return lambda count: (pack(count), "application/json", {"Content-Encoding": "gzip"})


BODIES = [
    ("/score", objects, 2_000),
    ("/score", lambda count: "{" + named(count) + ',"n0000000":1}', 2_000),
    ("/score", lambda count: '{"' + "n" * count + '":1}', 200_000),
    ("/score", lambda count: '{"country":"' + "n" * count + '"}', 200_000),
    ("/score", lambda count: '{"pages":' + "9" * count + "}", 200_000),
    ("/score", lambda count: "[" + "{}," * count + "{}]", 2_000),
    ("/score", lambda count: "[" + "[]," * count + "[]]", 2_000),
    ("/score", lambda count: "[" * count, 20_000),
    ("/score", wide_rows, 200),
    ("/score", other_names, 400),
    ("/score", wrong_rows, 2_000),
    ("/outcome", lambda count: "[" + "{}," * count + "{}]", 2_000),
    ("/outcome", lambda count: "[" + '{"id":"a","outcome":"yes"},' * count + "{}]", 2_000),
    ("/invocations", lambda count: '{"instances":' + wrong_rows(count) + "}", 2_000),
    ("/invocations", objects, 2_000),
    ("/invocations", split, 2_000),
    (INFER, tensors, 400),
    (INFER, outputs, 2_000),
    (INFER, texts, 2_000),
    (INFER, text_without_end, 2_000),
    (INFER, many_parts, 400),
    ("/invocations", table(lambda count: "AT,,phone,,x,-1\n" * count), 2_000),
    ("/invocations", table(lambda count: "a\n" * count), 4_000),
    ("/invocations", table(lambda count: "," * count), 50_000),
    ("/invocations", table(lambda count: "country,pages," + "," * count + "\nAT"), 50_000),
    ("/invocations", table(lambda count: '"' * count), 50_000),
    ("/invocations", table(lambda count: "country,pages," + objects(count).replace(":1", "")), 2_000),
    ("/invocations", table(lambda count: "country,pages\n" + "AT,1\n" * count + "AT\n"), 2_000),
    ("/score", packed(lambda count: gzip.compress(b"[" + b"{}," * count + b"{}]")), 2_000),
    ("/score", packed(lambda count: gzip.compress(b" ") * count), 200),
    ("/score", packed(lambda count: gzip.compress(bytes(count))), 200_000),
]


def post(client, path, body):
    content, kind, headers = body if isinstance(body, tuple) else (body, "application/json", {})
    return client.post(path, data=content, content_type=kind, headers=headers)


def measured(client, path, body):
    """The answer, the calls and lines of Python that it took, and the most memory that it held."""
    events = 0

    def count(*_):
        nonlocal events
        events += 1
        return count

    tracemalloc.start()
    sys.settrace(count)
    try:
        answer = post(client, path, body)
    finally:
        sys.settrace(None)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return answer, events, peak


@pytest.mark.parametrize(("path", "body", "size"), BODIES, ids=[f"{path} {n}" for n, (path, *_) in enumerate(BODIES)])
def test_twice_the_body_costs_at_most_twice_as_much(client, path, body, size):
    """Names, rows, problems, nesting, numbers, tensors: none of them costs more than its share."""
    post(client, path, body(size))  # what is loaded once
    answer, work, memory = measured(client, path, body(size))
    again, more_work, more_memory = measured(client, path, body(2 * size))

    assert answer.status_code in {400, 413, 422}
    assert again.status_code in {400, 413, 422}
    assert more_work <= GROWTH * work
    assert more_memory <= GROWTH * memory + 2**20
    assert len(again.data) < 40_000


class Name(str):
    """A string that counts how often it is compared."""

    __slots__ = ()
    compared = 0

    def __eq__(self, other):
        Name.compared += 1
        return str.__eq__(self, other)

    __hash__ = str.__hash__


def test_a_repeated_name_is_found_in_one_pass():
    """Each name is looked up, and compared with those of its hash alone."""
    pairs = [(Name(f"n{number}"), 1) for number in range(MAX_NAMES - 1)] + [(Name("n0"), 1)]
    with pytest.raises(ValueError, match="'n0' is twice"):
        _once(pairs)

    assert Name.compared < 10 * MAX_NAMES


def test_names_of_an_object_are_limited():
    """More than any contract has: somebody tries how much is taken."""
    assert len(read_json(objects(MAX_NAMES).encode())) == MAX_NAMES
    with pytest.raises(RequestError, match="10,001 names; at most 10,000"):
        read_json(objects(MAX_NAMES + 1).encode())


def test_fields_that_the_contract_does_not_have_are_limited(client, row):
    """Each is compared with the fields; those of a website that is a version ahead are few."""
    more = {f"n{number}": 1 for number in range(MAX_UNKNOWN)}
    odd = client.post("/score", json=[row | more, row | {"another": 1}])

    assert client.post("/score", json=[row | more, row]).status_code == 200
    assert odd.status_code == 422
    (problem,) = odd.json["problems"]
    assert problem["expected"] == "at most 1,000 names that the contract does not have"
    assert problem["got"] == "1,001"


def test_problems_are_all_counted_and_the_first_are_listed(client):
    """An answer of megabytes helps nobody to find the first mistake."""
    answer = client.post("/score", data=wrong_rows(500), content_type="application/json")

    assert len(answer.json["problems"]) == MAX_LISTED
    assert "in 500 of 500 rows; nothing was taken" in answer.json["detail"]
    assert "(the first 100 are listed)" in answer.json["detail"]
    assert "(1 of 2,000 problems)" in answer.json["error"]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (tensors(MAX_TENSORS + 100), "at most 1,0"),
        (outputs(MAX_OUTPUTS + 1), "a list of at most 100 objects with a name"),
    ],
)
def test_tensors_and_outputs_are_limited(client, body, expected):
    """By far more than there are to be had."""
    answer = client.post(INFER, data=body, content_type="application/json")

    assert answer.status_code == 422
    assert any(problem["expected"].startswith(expected) for problem in answer.json["problems"])


@pytest.mark.parametrize(
    ("name", "meant"), [("pages_", "pages"), ("page", "pages"), ("retruning", "returning"), ("xyzzy", None)]
)
def test_a_misspelling_is_found_among_the_fields_that_are_missing(bundles, name, meant):
    """As `difflib` finds it among them."""
    contract = Contract.from_json(json.loads((bundles[0] / "manifest.json").read_text())["contract"])
    problems = [problem for problem in contract.problems({name: 1}) if problem.field == name]

    close = difflib.get_close_matches(name, contract.feature_names, n=1, cutoff=0.8)
    assert close == ([meant] if meant else [])
    assert [problem.expected for problem in problems] == [f"the field {each}" for each in close]

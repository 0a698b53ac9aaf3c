"""MLflow's and SageMaker's routes: four ways to say rows, one answer."""

import json
import math

import pytest

from serve.app import create_app

pytestmark = pytest.mark.slow


@pytest.fixture
def forms(row):
    """The same two rows in each of the forms."""
    rows = [row, row | {"pages": 9.0, "campaign": None}]
    names = list(row)
    return {
        "dataframe_records": rows,
        "dataframe_split": {"index": [0, 1], "columns": names, "data": [list(each.values()) for each in rows]},
        "instances": rows,
        "inputs": {name: [each[name] for each in rows] for name in names},
    }


def test_every_form_gives_whole_answers(client, forms, bundles):
    """As `/score` does, ids and all."""
    found = [client.post("/invocations", json={form: forms[form]}) for form in forms]

    assert {answer.status_code for answer in found} == {200}
    scores = [[each["score"] for each in answer.json["predictions"]] for answer in found]
    assert scores == [scores[0]] * 4
    first = found[0].json["predictions"][0]
    assert first.keys() == {"id", "score", "label", "version", "arm"}
    assert first["version"] == bundles[0].name


def test_inputs_may_be_one_row_or_rows_or_columns_of_lists(client, row):
    """As MLflow's clients send them."""
    expected = client.post("/score", json=row).json["score"]
    for inputs in (row, [row], {name: [[value]] for name, value in row.items()}):
        answer = client.post("/invocations", json={"inputs": inputs})

        assert [each["score"] for each in answer.json["predictions"]] == [expected]


def test_answers_are_kept(client, forms, kept):
    """A row answered is a row kept, whichever way it came."""
    client.post("/invocations", json={"instances": forms["instances"]})

    assert len(kept("answers")) == 2


def test_parameters_say_nothing_to_a_model_that_has_none(client, row):
    """MLflow's clients send them at times."""
    asked = {"instances": [row], "params": {"threshold": 1}}

    assert client.post("/invocations", json=asked).status_code == 200


@pytest.mark.parametrize(
    ("asked", "status", "words"),
    [
        ([], 400, "expected an object with one of dataframe_split, dataframe_records"),
        ({}, 400, "got none of them"),
        ({"inputs": [], "instances": []}, 400, "got inputs and instances"),
        ({"inputs": [], "signature": 1}, 400, "'signature': not known"),
        ({"instances": {}}, 422, "instances: expected a list of objects"),
        ({"instances": [1]}, 422, "1 of 1 rows are not objects"),
        ({"dataframe_records": None}, 422, "dataframe_records: expected a list"),
        ({"dataframe_split": []}, 422, "a list of names"),
        ({"dataframe_split": {"columns": ["a", "a"], "data": []}}, 422, "names that differ"),
        ({"dataframe_split": {"columns": [1], "data": []}}, 422, "a list of names"),
        ({"dataframe_split": {"columns": ["a"]}}, 422, "a list of rows"),
        ({"dataframe_split": {"columns": ["a"], "data": [[1], [], 7]}}, 422, "2 problems"),
        ({"inputs": {"age": [1], "pages": [1, 2]}}, 422, "a list of 1, as the first is"),
        ({"inputs": {"age": [1], "pages": 2}}, 422, "a list of 1, as the first is"),
        ({"inputs": {"age": [1]}}, 422, "in the row"),
        ({"dataframe_split": {"columns": [], "data": [[], []]}}, 422, "in 2 of 2 rows"),
        ({"dataframe_split": {"columns": ["x"], "data": [[1], [2]]}}, 422, "in 2 of 2 rows"),
        ({"dataframe_split": {"columns": ["page"], "data": [[1], [2]]}}, 422, "the field pages"),
    ],
    ids=str,
)
def test_what_is_wrong_is_said(client, asked, status, words):
    """And nothing is taken."""
    answer = client.post("/invocations", json=asked)

    assert answer.status_code == status
    assert words in answer.text
    assert answer.content_type == "application/problem+json"


def test_no_rows_give_no_predictions(client):
    """As an empty list does elsewhere."""
    for asked in ({"instances": []}, {"dataframe_split": {"columns": ["age"], "data": []}}):
        assert client.post("/invocations", json=asked).json == {"predictions": []}


INFER = "/v2/models/buys/infer"


def said_to(path, row):
    """A row as /invocations and /v2 take it, with the constants of Python's json."""
    if path == "/invocations":
        return {"dataframe_split": {"columns": list(row), "data": [list(row.values())]}}
    kinds = {str: "BYTES", bool: "BOOL", float: "FP64", int: "INT64"}
    return {
        "inputs": [
            {"name": name, "datatype": kinds[type(value)], "shape": [1, 1], "data": [value]}
            for name, value in row.items()
        ]
    }


@pytest.mark.parametrize("path", ["/invocations", INFER])
def test_nan_is_missing_where_python_clients_send_it(client, row, kept, path):
    """MLflow's and Triton's write a missing number so; /score takes JSON alone."""
    answer = client.post(path, data=json.dumps(said_to(path, row | {"age": math.nan})))
    expected = client.post("/score", json=row | {"age": None}).json["score"]

    assert answer.status_code == 200
    assert str(expected) in answer.text
    assert "NaN" not in json.dumps(kept("answers"))
    for strict in ("/score", "/outcome"):
        refused = client.post(strict, data=json.dumps(row | {"age": math.nan}))
        assert refused.status_code == 400
        assert "NaN is not a JSON number" in refused.json["error"]


@pytest.mark.parametrize("path", ["/invocations", INFER])
@pytest.mark.parametrize(("value", "got"), [(math.nan, "nothing"), (math.inf, "Infinity"), (-math.inf, "-Infinity")])
def test_nan_that_must_not_be_and_infinities_are_refused_by_the_name_of_the_field(client, row, kept, path, value, got):
    """And of the constant."""
    answer = client.post(path, data=json.dumps(said_to(path, row | {"pages": value})))

    assert answer.status_code == 422
    assert answer.json["error"] == f"pages: expected a number of at least 0 (pages), got {got}"
    private = client.post(path, data=json.dumps(said_to(path, row | {"age": value})))
    assert private.status_code == (200 if got == "nothing" else 422)
    assert got == "nothing" or f"got {got}" in private.json["error"]


@pytest.mark.parametrize("path", ["/invocations", INFER])
@pytest.mark.parametrize("word", ["NaN", "Infinity", "-Infinity"])
def test_a_constant_in_another_place_is_refused(client, path, word):
    """Where an object, a list, a name or a size is expected."""
    for body in (
        "%",
        '{"inputs": %}',
        '{"instances": [%]}',
        '{"dataframe_split": {"columns": [%], "data": []}}',
        '{"inputs": [{"name": %, "datatype": %, "shape": [%], "data": %}], "outputs": %, "id": %}',
        '{"inputs": [{"name": "age", "datatype": "FP64", "shape": [%], "data": [%]}]}',
        '{"inputs": [{"name": "age", "shape": [1], "parameters": {"binary_data_size": %}}]}',
    ):
        assert client.post(path, data=body.replace("%", word)).status_code in (400, 422)


def test_too_many_rows_are_refused(client):
    """As everywhere."""
    assert client.post("/invocations", json={"instances": [{}] * 10_001}).status_code == 413


def test_ping_and_version(client, bundles, store, journal):
    """A platform asks whether to send requests, and what it talks to."""
    assert client.get("/ping").status_code == 200
    assert client.get("/version").text == f"{bundles[0].name}\n"
    store.write('champion = "none"\n')
    empty = create_app(store.folder, journal, follow_every=None).test_client()

    assert empty.get("/ping").status_code == 503
    assert empty.get("/version").status_code == 503

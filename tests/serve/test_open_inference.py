"""The Open Inference Protocol: tensors in, tensors out, the same scores as on every other route."""

import json
import math

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from serve.app import create_app

INFER = "/v2/models/buys/infer"
KINDS = {"country": "BYTES", "campaign": "BYTES", "device": "BYTES", "returning": "BOOL"}
NAMES = ("country", "campaign", "device", "returning", "age", "pages")


def tensor(name, values, **changes):
    kind = KINDS.get(name, "FP64")
    return {"name": name, "datatype": kind, "shape": [len(values), 1], "data": values} | changes


def tensors(rows, names=NAMES):
    return [tensor(name, [row[name] for row in rows]) for name in names]


def outputs(answer):
    return {each["name"]: each for each in answer.json["outputs"]}


def test_tensors_are_answered_with_tensors(client, row, bundles):
    """One a feature in; score, label, id, version and arm of each row out."""
    rows = [row, row | {"pages": 9.0}]
    answer = client.post(INFER, json={"id": "42", "inputs": tensors(rows)})

    assert answer.status_code == 200
    assert answer.json["id"] == "42"
    assert (answer.json["model_name"], answer.json["model_version"]) == ("buys", bundles[0].name)
    found = outputs(answer)
    assert list(found) == ["score", "label", "id", "version", "arm"]
    assert (found["score"]["datatype"], found["score"]["shape"]) == ("FP32", [2])
    assert set(found["label"]["data"]) <= {"no", "yes"}
    assert len(set(found["id"]["data"])) == 2


@pytest.mark.parametrize("kind", ["FP32", "FP64", "INT8", "INT64", "UINT16"])
@pytest.mark.parametrize("shaped", [[1], [1, 1]])
def test_a_number_comes_as_any_type_of_number(client, row, kind, shaped):
    """In either shape."""
    asked = tensors([row])
    asked[-1] |= {"datatype": kind, "shape": shaped, "data": [3]}
    answer = client.post(INFER, json={"inputs": asked})

    expected = client.post("/score", json=row | {"pages": 3}).json["score"]
    assert outputs(answer)["score"]["data"] == [expected]


def test_each_task_has_its_own_outputs(store, journal, clock, each_task, row):
    """Probabilities by class, row after row; a value; a probability."""
    store.serve(each_task)
    client = create_app(store.folder, journal, follow_every=None, clock=clock).test_client()
    manifest = json.loads((each_task / "manifest.json").read_text())
    name, task = manifest["contract"]["name"], manifest["task"]
    found = outputs(client.post(f"/v2/models/{name}/infer", json={"inputs": tensors([row, row])}))
    promised = client.get(f"/v2/models/{name}").json["outputs"]

    assert ("probabilities" in found) == (task == "multiclass")
    assert ("label" in found) == (task != "regression")
    assert {each["name"]: each["datatype"] for each in promised} == {
        each["name"]: each["datatype"] for each in found.values()
    }
    if task == "multiclass":
        assert found["probabilities"]["shape"] == [2, 3]
        assert sum(found["probabilities"]["data"][:3]) == pytest.approx(1)


def test_the_outputs_that_are_wanted_are_the_ones_given(client, row):
    """And one that there is not is named."""
    asked = {"inputs": tensors([row]), "outputs": [{"name": "score"}]}
    assert list(outputs(client.post(INFER, json=asked))) == ["score"]

    answer = client.post(INFER, json=asked | {"outputs": [{"name": "scores"}]})
    assert answer.status_code == 422
    assert answer.json["error"] == ("scores: no such output; there is score, label, id, version, arm")


def test_server_and_model_say_what_they_are(client, bundles):
    """As the protocol asks."""
    version = bundles[0].name
    model = client.get("/v2/models/buys").json

    assert client.get("/v2").json["name"] == "tidegate"
    assert client.get("/v2/health/live").json == {"live": True}
    assert client.get("/v2/health/ready").json == {"ready": True}
    assert client.get("/v2/models/buys/ready").json == {"name": "buys", "ready": True}
    assert client.get(f"/v2/models/buys/versions/{version}/ready").status_code == 200
    assert client.get(f"/v2/models/buys/versions/{version}").json == model
    assert (model["name"], model["versions"]) == ("buys", [version])
    assert {"name": "age", "datatype": "FP32", "shape": [-1, 1]} in model["inputs"]


def test_before_the_first_release_it_lives_and_is_not_ready(store, journal, row):
    """A load balancer waits."""
    client = create_app(store.folder, journal, follow_every=None).test_client()

    assert client.get("/v2/health/live").status_code == 200
    assert client.get("/v2/health/ready").status_code == 503
    for path in ("/v2/models/buys", "/v2/models/buys/ready"):
        assert client.get(path).status_code == 503
    assert client.post(INFER, json={"inputs": tensors([row])}).status_code == 503


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/v2/models/sells", "there is no such model; there is buys"),
        ("/v2/models/buys/versions/1", "that version of buys is not live; live is 2026"),
        ("/v2/models/buys/versions/1/ready", "that version of buys is not live"),
        ("/v2/nothing", "there is no route /v2/nothing"),
    ],
)
def test_what_is_not_there_is_a_problem_with_an_error(client, path, words):
    """RFC 9457, and the protocol's own word."""
    answer = client.get(path)

    assert answer.status_code == 404
    assert answer.content_type == "application/problem+json"
    assert answer.json["status"] == 404
    assert words in answer.json["error"]


def spoilt(changes):
    def spoil(asked):
        for tensor in asked["inputs"]:
            tensor.update(changes.get(tensor["name"], {}))

    return spoil


@pytest.mark.parametrize(
    ("spoil", "problems"),
    [
        (spoilt({"age": {"datatype": "BYTES"}}), {("age.datatype", "BYTES")}),
        (spoilt({"age": {"shape": [2]}}), {("age.data", "1 values")}),
        (spoilt({"age": {"shape": [1, 2]}}), {("age.shape", "[1, 2]")}),
        (spoilt({"age": {"shape": [-1]}}), {("age.shape", "[-1]")}),
        (spoilt({"age": {"shape": [True]}}), {("age.shape", "a list of 1")}),
        (spoilt({"age": {"data": [[1, 2]]}}), {("age.data", "other data")}),
        (spoilt({"age": {"data": 7}}), {("age.data", "other data")}),
        (
            spoilt({"age": {"datatype": "X", "shape": None}, "country": {"data": []}}),
            {("age.datatype", "X"), ("age.shape", "nothing"), ("country.data", "0 values")},
        ),
        (lambda asked: asked["inputs"].append(asked["inputs"][0]), {("country", "two")}),
        (lambda asked: asked["inputs"].append(7), {("inputs", "a number")}),
        (lambda asked: asked["inputs"][0].pop("data"), {("country.data", "nothing")}),
        (lambda asked: asked.pop("inputs"), {("inputs", "nothing")}),
        (lambda asked: asked.update(id=7), {("id", "a number")}),
        (lambda asked: asked.update(outputs=[7]), {("outputs", "a list of 1")}),
        (
            spoilt({"age": {"shape": [2], "data": [1.0, 2.0]}}),
            {("inputs", "country 1, campaign 1, device 1, returning 1, age 2, pages 1")},
        ),
    ],
)
def test_every_problem_with_the_tensors_is_said_at_once(client, row, kept, spoil, problems):
    """Nothing is answered, nothing kept."""
    asked = {"inputs": tensors([row])}
    spoil(asked)
    answer = client.post(INFER, json=asked)

    assert answer.status_code == 422
    assert {(each["field"], each["got"]) for each in answer.json["problems"]} == problems
    assert kept("answers") == []


def test_a_row_that_breaks_the_contract_is_refused_as_on_every_route(client, row):
    """Field by field."""
    asked = {"inputs": tensors([row, row | {"age": 300.0, "device": "fridge"}])}
    answer = client.post(INFER, json=asked)

    assert answer.status_code == 422
    assert {(each["row"], each["field"]) for each in answer.json["problems"]} == {(1, "age"), (1, "device")}


@pytest.mark.parametrize(("body", "status"), [(b"", 400), (b"[]", 400), (b"7", 400), (b"{}", 422)])
def test_a_body_without_tensors_is_refused(client, body, status):
    """In words."""
    answer = client.post(INFER, data=body)

    assert answer.status_code == status
    assert answer.json["error"]


def test_too_many_rows_are_refused(client, row):
    """As everywhere."""
    answer = client.post(INFER, json={"inputs": tensors([row] * 10_001)})

    assert answer.status_code == 413


def test_a_version_is_asked_for_by_name(client, row, bundles):
    """The live one answers."""
    path = f"/v2/models/buys/versions/{bundles[0].name}/infer"

    assert client.post(path, json={"inputs": tensors([row])}).status_code == 200


def test_a_version_is_not_asked_for_while_rows_are_divided(client, app, store, bundles, row):
    """The key says who answers; each row says who did."""
    text = ""
    for role, bundle, more in (("champion", bundles[0], ""), ("challenger", bundles[1], "share = 0.5")):
        digest = json.loads((store.put(bundle) / "manifest.json").read_text())["digest"]
        text += f'[{role}]\nversion = "{bundle.name}"\ndigest = "{digest}"\n{more}\n'
    store.write(text)
    app.extensions["tidegate"].follower.refresh()
    rows = [row | {"visitor": f"v{number}"} for number in range(40)]
    asked = {"inputs": tensors(rows, (*NAMES, "visitor"))}

    refused = client.post(f"/v2/models/buys/versions/{bundles[1].name}/infer", json=asked)
    assert refused.status_code == 409
    assert "by their key" in refused.json["error"]
    answer = client.post(INFER, json=asked)
    found = outputs(answer)
    expected = client.post("/score", json=rows).json
    assert "model_version" not in answer.json
    for name in ("score", "version", "arm"):
        assert found[name]["data"] == [each[name] for each in expected]
    assert set(found["arm"]["data"]) == {"champion", "challenger"}


def test_every_interface_answers_each_task_alike(store, journal, clock, each_task, row):
    """Labels, probabilities and values too."""
    store.serve(each_task)
    client = create_app(store.folder, journal, follow_every=None, clock=clock).test_client()
    name = client.get("/v2/models/x").json["error"].rsplit(" ", 1)[1]
    rows = [row | {"pages": float(number), "age": None} for number in range(9)]
    scored = client.post("/score", json=rows).json
    found = outputs(client.post(f"/v2/models/{name}/infer", json={"inputs": tensors(rows)}))
    invoked = client.post("/invocations", json={"instances": rows}).json["predictions"]

    assert [one | {"id": ""} for one in invoked] == [one | {"id": ""} for one in scored]
    assert found["score"]["data"] == [one["score"] for one in scored]
    if "label" in found:
        assert found["label"]["data"] == [one["label"] for one in scored]
    if "probabilities" in found:
        flat = [value for one in scored for value in one["probabilities"].values()]
        assert found["probabilities"]["data"] == flat


def numbers(low, high):
    return st.none() | st.floats(low, high) | st.integers(math.ceil(low), math.floor(high))


ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "country": st.sampled_from(["AT", "DE", "CH"]) | st.text("abcäß€", min_size=1),
            "campaign": st.none() | st.sampled_from(["search", "mail", "new"]),
            "device": st.sampled_from(["phone", "tablet", "desk"]),
            "returning": st.none() | st.booleans(),
            "age": numbers(0, 120),
            "pages": numbers(0, 1e30).filter(lambda value: value is not None),
        }
    ),
    min_size=1,
    max_size=5,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(ROWS)
def test_every_interface_gives_the_same_scores_bit_for_bit(client, rows):
    """One function is behind them all; JSON carries a double without loss."""
    expected = [answer["score"] for answer in client.post("/score", json=rows).json]
    columns = {name: [row[name] for row in rows] for name in NAMES}
    asked = [
        {"dataframe_records": rows},
        {"dataframe_split": {"columns": list(NAMES), "data": [[r[name] for name in NAMES] for r in rows]}},
        {"instances": rows},
        {"inputs": columns},
    ]

    inferred = outputs(client.post(INFER, json={"inputs": tensors(rows)}))["score"]["data"]
    invoked = [[each["score"] for each in client.post("/invocations", json=body).json["predictions"]] for body in asked]
    assert [inferred, *invoked] == [expected] * 5

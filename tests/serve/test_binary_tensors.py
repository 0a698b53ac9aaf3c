"""The binary tensor data extension of the Open Inference Protocol: the same rows, as bytes."""

import json
import math
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve.app import create_app
from serve.routes.binary_tensors import DATATYPES, TensorDataError, read_values, write_values
from serve.routes.open_inference import JSON_LENGTH
from serve.routes.short_floats import shorten

INFER = "/v2/models/buys/infer"
KINDS = {
    "country": "BYTES",
    "campaign": "BYTES",
    "device": "BYTES",
    "returning": "BOOL",
    "age": "FP64",
    "pages": "FP64",
}


def texts(*values):
    return b"".join(struct.pack("<I", len(value)) + value for value in values)


def spelled(kind, values):
    """Bytes by hand, not by what is tested."""
    if kind == "BYTES":
        return texts(*(value.encode() for value in values))
    form = {"BOOL": "?", "FP64": "d", "FP32": "f", "INT64": "q"}[kind]
    return struct.pack(f"<{len(values)}{form}", *values)


def asked(rows, kinds=KINDS, **more):
    """The JSON and the bytes of a request, all of whose tensors are binary."""
    parts = [spelled(kind, [row[name] for row in rows]) for name, kind in kinds.items()]
    inputs = [
        {"name": name, "datatype": kind, "shape": [len(rows), 1], "parameters": {"binary_data_size": len(part)}}
        for (name, kind), part in zip(kinds.items(), parts, strict=True)
    ]
    return {"inputs": inputs, **more}, b"".join(parts)


def post(client, body, tail, path=INFER, **headers):
    content = json.dumps(body).encode()
    return client.post(
        path,
        data=content + tail,
        headers={JSON_LENGTH: str(len(content)), **headers},
        content_type="application/octet-stream",
    )


def outputs(answer):
    """The outputs of an answer with binary data: datatype and values of each."""
    size = int(answer.headers[JSON_LENGTH])
    head, tail = json.loads(answer.data[:size]), answer.data[size:]
    found = {}
    for output in head["outputs"]:
        length = output["parameters"]["binary_data_size"]
        part, tail = tail[:length], tail[length:]
        if output["datatype"] == "BYTES":
            values = []
            while part:
                (length,) = struct.unpack("<I", part[:4])
                values.append(part[4 : 4 + length].decode())
                part = part[4 + length :]
        else:
            values = np.frombuffer(part, {"FP32": "<f4", "INT64": "<i8", "BOOL": "?"}[output["datatype"]])
        found[output["name"]] = (output["datatype"], list(values))
    assert tail == b""
    return found


def test_rows_as_bytes_are_answered_as_bytes(client, row, bundles):
    """With the scores of every other interface, to the bit of the float32 that the model gives."""
    rows = [row, row | {"pages": 9.0, "country": "Öland"}]
    body, tail = asked(rows, id="42", parameters={"binary_data_output": True})
    answer = post(client, body, tail)
    expected = client.post("/score", json=rows).json

    assert answer.status_code == 200
    assert answer.content_type == "application/octet-stream"
    found = outputs(answer)
    assert found["score"] == ("FP32", [np.float32(one["score"]) for one in expected])
    for name in ("label", "version", "arm"):
        assert found[name] == ("BYTES", [one[name] for one in expected])
    assert json.loads(answer.data[: int(answer.headers[JSON_LENGTH])])["id"] == "42"


@pytest.mark.parametrize(
    ("more", "as_bytes"),
    [
        ({}, set()),
        ({"parameters": {"binary_data_output": False}}, set()),
        ({"outputs": [{"name": "score"}], "parameters": {"binary_data_output": True}}, {"score"}),
        (
            {
                "outputs": [
                    {"name": "score", "parameters": {"binary_data": True}},
                    {"name": "label", "parameters": {"binary_data": False}},
                ]
            },
            {"score"},
        ),
        (
            {
                "outputs": [{"name": "score", "parameters": {"binary_data": False}}],
                "parameters": {"binary_data_output": True},
            },
            set(),
        ),
    ],
)
def test_an_answer_is_as_bytes_where_that_is_wanted(client, row, more, as_bytes):
    """For all outputs, or for each; the request may be JSON all the same."""
    for body, tail in (
        asked([row], **more),
        (
            {
                "inputs": [
                    {"name": name, "datatype": kind, "shape": [1], "data": [row[name]]} for name, kind in KINDS.items()
                ],
                **more,
            },
            b"",
        ),
    ):
        answer = post(client, body, tail)
        assert answer.status_code == 200
        size = int(answer.headers.get(JSON_LENGTH, len(answer.data)))
        found = json.loads(answer.data[:size])["outputs"]
        assert {one["name"] for one in found if "data" not in one} == as_bytes
        assert (JSON_LENGTH in answer.headers) == bool(as_bytes)


def test_binary_and_json_tensors_may_be_mixed(client, row):
    """Bytes belong to the tensors that say how many, in their order."""
    body, tail = asked([row], {"age": "FP64", "country": "BYTES"})
    body["inputs"][1:1] = [
        {"name": name, "datatype": KINDS[name], "shape": [1], "data": [row[name]]}
        for name in ("campaign", "device", "returning", "pages")
    ]
    answer = post(client, body, tail)

    assert answer.json["outputs"][0]["data"] == [client.post("/score", json=row).json["score"]]


def test_nan_and_an_empty_text_are_missing(client, row, kept):
    """The protocol has no other word for it; in binary data null cannot be said."""
    body, tail = asked([row | {"age": math.nan, "campaign": ""}], KINDS | {"age": "FP32"})
    answer = post(client, body, tail)
    expected = client.post("/score", json=row | {"age": None, "campaign": None}).json

    assert answer.json["outputs"][0]["data"] == [expected["score"]]
    assert kept("answers")[0]["row"]["campaign"] is None


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"pages": math.nan}, "pages: expected a number of at least 0 (pages), got nothing"),
        ({"pages": math.inf}, "pages: expected a number of at least 0 (pages), got Infinity"),
        ({"pages": -math.inf}, "pages: expected a number of at least 0 (pages), got -Infinity"),
        ({"country": ""}, "country: expected a string, got nothing"),
        ({"pages": -3}, "pages: expected a number of at least 0 (pages), got -3.0"),
    ],
)
def test_a_value_that_does_not_fit_names_its_field(client, row, change, said):
    """As on every route."""
    answer = post(client, *asked([row | change]))

    assert answer.status_code == 422
    assert answer.json["error"] == said


def test_each_task_has_binary_outputs(store, journal, clock, each_task, row):
    """Probabilities have two dimensions."""
    store.serve(each_task)
    client = create_app(store.folder, journal, follow_every=None, clock=clock).test_client()
    name = json.loads((each_task / "manifest.json").read_text())["contract"]["name"]
    body, tail = asked([row, row], parameters={"binary_data_output": True})
    found = outputs(post(client, body, tail, f"/v2/models/{name}/infer"))
    expected = client.post("/score", json=[row, row]).json

    assert found["score"][1] == [np.float32(one["score"]) for one in expected]
    if "probabilities" in found:
        flat = [np.float32(p) for one in expected for p in one["probabilities"].values()]
        assert found["probabilities"][1] == flat


def change(place, **changes):
    def spoil(body, tail):
        body["inputs"][place] |= changes
        return body, tail

    return spoil


SPOILT = [
    (change(4, parameters={"binary_data_size": 7}), 422, "to be the"),
    (change(4, parameters={"binary_data_size": 10**30}), 422, "to be the"),
    (change(4, parameters={"binary_data_size": -8}), 422, "a number of bytes"),
    (change(4, parameters={"binary_data_size": 8.0}), 422, "a number of bytes"),
    (change(4, parameters={"binary_data_size": True}), 422, "a number of bytes"),
    (change(4, parameters={"binary_data_size": "8"}), 422, "a number of bytes"),
    (change(4, parameters=[8]), 422, "age.parameters"),
    (change(4, parameters={}), 422, "to be the"),
    (change(4, data=[41.0]), 422, "both"),
    (change(4, shape=[2, 1]), 422, "16 bytes: 2 FP64"),
    (change(4, shape=[1, 2]), 422, "[n] or [n, 1]"),
    (change(4, shape=[0]), 422, "0 bytes: 0 FP64"),
    (change(4, shape=[-1]), 422, "[n] or [n, 1]"),
    (change(4, shape=[2**62]), 413, "rows in one request"),
    (change(4, shape=[10**40, 1]), 413, "rows in one request"),
    (change(0, shape=[2**33]), 413, "rows in one request"),
    (change(4, datatype="FP32"), 422, "4 bytes: 1 FP32"),
    (change(4, datatype="BYTES"), 422, "age.datatype"),
    (change(4, datatype=None), 422, "age.datatype"),
    (change(4, name="unknown", datatype="BF16"), 422, "unknown.datatype"),
    (change(0, shape=[2]), 422, "which end in element 1"),
    (change(3, datatype="FP64"), 422, "returning.datatype"),
    (lambda body, tail: (body, tail[:-1]), 422, "bytes after the JSON"),
    (lambda body, tail: (body, tail + b"\0"), 422, "bytes after the JSON"),
    (lambda body, tail: (body, b""), 422, "bytes after the JSON"),
    (lambda body, tail: (body | {"parameters": [1]}, tail), 422, "an object"),
    (lambda body, tail: (body | {"parameters": {"binary_data_output": 1}}, tail), 422, "true or"),
    (
        lambda body, tail: (body | {"outputs": [{"name": "score", "parameters": {"binary_data": 1}}]}, tail),
        422,
        "score.parameters.binary_data",
    ),
]


@pytest.mark.parametrize(("spoil", "status", "words"), SPOILT)
def test_lengths_that_do_not_add_up_are_refused(client, row, kept, spoil, status, words):
    """With what was expected; nothing is answered, nothing kept."""
    answer = post(client, *spoil(*asked([row])))

    assert answer.status_code == status
    assert words in answer.text
    assert kept("answers") == []


@pytest.mark.parametrize("length", ["", "-1", "x", "1e3", "²", "9" * 30, "100000", "1_0", "+5"])
def test_a_length_of_the_json_that_cannot_be_is_refused(client, row, length):
    """It is a number of bytes, and the body has them."""
    answer = client.post(
        INFER, data=json.dumps(asked([row])[0]), headers={JSON_LENGTH: length.encode().decode("latin-1")}
    )

    assert answer.status_code == 400
    assert JSON_LENGTH in answer.json["error"]


def test_without_the_length_of_the_json_binary_data_is_refused(client, row):
    """Nothing says where the JSON ends."""
    body, _ = asked([row])
    answer = client.post(INFER, json=body)

    assert answer.status_code == 422
    assert "0 bytes after the JSON" in answer.json["error"]


@pytest.mark.parametrize(
    ("kind", "content", "count", "words"),
    [
        ("BYTES", b"", 1, "0 bytes, which end in element 0"),
        ("BYTES", b"\1\0\0", 1, "which end in element 0"),
        ("BYTES", b"\xff\xff\xff\xff", 1, "which end in element 0"),
        ("BYTES", b"\xff\xff\xff\xffabc", 1, "which end in element 0"),
        ("BYTES", texts(b"a") + b"\0\0", 1, "2 bytes after them"),
        ("BYTES", texts(b"a", b"b"), 1, "5 bytes after them"),
        ("BYTES", texts(b"\xff"), 1, "other bytes in element 0"),
        ("BYTES", texts(b"\xed\xa0\x80"), 1, "other bytes in element 0"),
        ("BOOL", b"\2", 1, "another byte"),
        ("FP32", b"\0" * 5, 1, "5 bytes"),
        ("INT64", b"\0" * 8, 2, "8 bytes"),
    ],
)
def test_bytes_that_are_not_the_values_are_refused(kind, content, count, words):
    """Too few, too many, or not of that type."""
    with pytest.raises(TensorDataError, match=words):
        read_values(kind, memoryview(content), count)


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]))))
def test_texts_round_trip(values):
    """The lengths are of the UTF-8, in bytes."""
    assert read_values("BYTES", memoryview(write_values("BYTES", values)), len(values)) == values


@pytest.mark.parametrize("kind", [kind for kind in DATATYPES if kind != "BYTES"])
def test_numbers_round_trip(kind):
    """Each type at its bounds, little-endian."""
    values = [0, 1] if kind == "BOOL" else [0, 1, 127]
    if kind.startswith(("INT", "UINT")):
        bounds = np.iinfo(kind.lower())
        values += [bounds.min, bounds.max]
    read = read_values(kind, memoryview(write_values(kind, values)), len(values))

    assert read == values
    assert type(read[0]) is (bool if kind == "BOOL" else float if kind.startswith("FP") else int)


NUMBERS = st.floats(-1e5, 1e5).map(lambda value: round(value, 3))


@given(st.lists(NUMBERS))
def test_a_float32_is_the_number_that_it_was_made_from(values):
    """Up to seven digits, as JSON would have it; from JSON, too, where NumPy wrote its float32."""
    values = [float(f"{value:.6g}") for value in values]
    narrow = np.array(values, "<f4")

    assert read_values("FP32", memoryview(narrow.tobytes()), len(values)) == values
    assert shorten("FP32", narrow.tolist()) == values


@given(st.lists(st.floats(width=32) | st.none() | st.integers() | st.text() | st.booleans()))
def test_no_float32_becomes_another(values):
    """However small or large it is; what is no float stays."""
    short = shorten("FP32", values)

    with np.errstate(over="ignore"):
        for value, found in zip(values, short, strict=True):
            if type(value) is float:
                assert np.float32(found).tobytes() == np.float32(value).tobytes()
            else:
                assert found is value


@pytest.mark.parametrize("binary", [True, False])
def test_a_float32_at_a_bound_is_within_it(store, journal, clock, bundles, row, binary, kept):
    """And is journalled and scored as the number that JSON has."""
    store.serve(bundles[0])
    client = create_app(store.folder, journal, follow_every=None, clock=clock).test_client()
    value = float(np.float32(0.1))
    body, tail = asked([row | {"pages": value}], KINDS | {"pages": "FP32"})
    if not binary:
        body["inputs"] = [
            {"name": name, "datatype": "FP32" if name == "pages" else kind, "shape": [1], "data": [data]}
            for name, kind in KINDS.items()
            for data in [value if name == "pages" else row[name]]
        ]
        tail = b""
    answer = post(client, body, tail)

    assert value != 0.1
    assert answer.json["outputs"][0]["data"] == [client.post("/score", json=row | {"pages": 0.1}).json["score"]]
    assert [line["row"]["pages"] for line in kept("answers")] == [0.1, 0.1]


def test_the_server_says_that_it_has_the_extension(client):
    """As the protocol asks."""
    assert client.get("/v2").json["extensions"] == ["binary_tensor_data"]
